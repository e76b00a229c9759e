"""Every template to its deliverables: three by the built-in agents, four by an agent that somebody connected."""

from __future__ import annotations

import html
import io
import os
import shlex
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stories.connectors import connectors
from tests.stories.installation import OURS, ROOT
from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Follower, Script

SHOPS = b"Name,City,Phone\nAurora,Porto,+351 22 000 0101\nFarol <b>,Porto,\n"
PROFILE = b"# Mira\n\n- Led a team, with planning and budgets.\n- Wrote tests in Python.\n"
ROLES = b"Role,Asks for\nProject lead,planning; suppliers\nDeveloper,Python; tests\n"

AUTHOR = Path(__file__).parent / "agents" / "author.py"
WRITTEN: dict[str, tuple[dict[str, str], list[str], list[str]]] = {
    # What is given, the parts of what comes out, and the tasks on which that rests.
    "project": (
        {"project": "A shop for lamps", "people": "Ada, design\nBob, purchase"},
        ["Summary", "Milestones", "Risks", "First steps"],
        ["Cut it into milestones and tasks", "Find the risks"],
    ),
    "perspectives": (
        {"question": "Shall we sell lamps?", "sides": "Advocate\nSceptic"},
        ["Verdict", "Why", "What speaks against it", "Next step"],
        ["The answer of: Advocate", "The answer of: Sceptic"],
    ),
    "experts": (
        {"question": "May we sell lamps?", "fields": "Law\nSecurity"},
        ["Answer", "Where they agree", "Where they differ", "Open"],
        ["Expert: Law", "Expert: Security"],
    ),
    "launch-campaign": (
        {"product": "A lamp", "audience": "Readers at night", "channels": "Newsletter\nPress note"},
        ["Message", "Texts", "Calendar", "Open"],
        ["Do the texts agree?"],
    ),
}


def use(script: Script, workspace: str, name: str, inputs: dict[str, str], *files: tuple[str, bytes]) -> str:
    """Start a template; the run."""
    fields = {"inputs": script.json(inputs), "start": "true"}
    answer = script.upload(f"/api/v1/workspaces/{workspace}/templates/{name}/runs", fields, files)
    assert answer.status == 201, answer.bytes
    return str(answer.json["id"])


def unpacked(content: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


def test_a_table_a_list_of_shops_and_a_list_of_roles_become_what_was_promised(script: Script, sales: Sales) -> None:
    known = {one["name"]: one for one in script.get("/api/v1/templates")["items"]}
    assert {name for name, one in known.items() if one["needs"] == "the built-in agents"} == {
        "market-report",
        "landing-pages",
        "tailored-documents",
    }
    workspace = script.workspace("Templates")
    # All at once, as the built-in agents have several hands.
    market = use(script, workspace, "market-report", {"subject": "Lamps"}, (sales.name, sales.content()))
    pages = use(script, workspace, "landing-pages", {"title": "Old town"}, ("shops.csv", SHOPS))
    roles = use(script, workspace, "tailored-documents", {}, ("mira.md", PROFILE), ("roles.csv", ROLES))
    with Follower(script, workspace) as journal:
        assert [journal.ended(run) for run in (market, pages, roles)] == ["done"] * 3

    given = script.files(market, "deliverable")
    assert set(given) == {"report.html", "orders.workbook.xlsx"}
    compared, wrong = differences(sales, cited(given["report.html"].decode()))
    assert compared >= 25
    assert not wrong, wrong

    given = script.files(pages, "deliverable")
    assert set(given) == {"report.html", "website.zip"}
    site = unpacked(given["website.zip"])
    assert set(site) == {"index.html", "aurora.html", "farol-b.html"}
    assert "tel:+351220000101" in site["aurora.html"]
    assert "Farol &lt;b&gt;" in site["farol-b.html"]
    assert all(f'href="{name}"' in site["index.html"] for name in site if name != "index.html")

    given = script.files(roles, "deliverable")
    documents = unpacked(given["documents.zip"])
    assert set(documents) == {"index.html", "project-lead.html", "developer.html"}
    lead, developer = documents["project-lead.html"], documents["developer.html"]
    assert lead.index("Led a team") < lead.index("Wrote tests")
    assert developer.index("Wrote tests") < developer.index("Led a team")


@pytest.fixture
def workspace_with_author(script: Script, tmp_path: Path) -> Iterator[str]:
    """A workspace where an agent that writes has come in by its connect command."""
    workspace = script.workspace("Written")
    told = {"name": "Author", "skills": [{"name": "writing", "level": 4}], "workspace": workspace, "max_sessions": 8}
    made = script.post("/api/v1/agents", told)
    key, _clawgroups, *rest = shlex.split(made["connect_command"].partition(" -- ")[0])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    home = {name: str(tmp_path) for name in ("HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME")}
    name, _, secret = key.partition("=")
    program = [sys.executable, "-m", "agents.connector", *rest, "--", sys.executable, str(AUTHOR)]
    with connectors() as begin, Follower(script, workspace) as journal:
        begin(program, cwd=ROOT, env={**kept, **home, name: secret})
        journal.until("agent.online", agent_id=made["id"], seconds=30)
        yield workspace


def test_what_has_to_be_written_is_written_by_an_agent_that_has_joined(
    script: Script, workspace_with_author: str
) -> None:
    known = {one["name"] for one in script.get("/api/v1/templates")["items"] if one["needs"] != "the built-in agents"}
    assert set(WRITTEN) == known
    workspace = workspace_with_author
    with Follower(script, workspace) as journal:
        runs = {name: use(script, workspace, name, inputs) for name, (inputs, _, _) in WRITTEN.items()}
        assert [journal.ended(run) for run in runs.values()] == ["done"] * len(runs)
    for name, run in runs.items():
        _, parts, rests = WRITTEN[name]
        report = html.unescape(script.files(run, "deliverable")["report.html"].decode())
        assert [part for part in parts if f">{part}</h" not in report] == [], name
        assert [title for title in rests if title not in report] == [], name
        by = {script.get(f"/api/v1/tasks/{one['id']}")["assignee"]["name"] for one in script.tasks(run)}
        assert by == {"Author"}, name
