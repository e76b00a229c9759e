"""The templates that need no model, carried out by the built-in agents to their deliverables, by an outside script."""

from __future__ import annotations

import io
import zipfile

from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Follower, Script

SHOPS = b"Name,City,Phone\nAurora,Porto,+351 22 000 0101\nFarol <b>,Porto,\n"
PROFILE = b"# Mira\n\n- Led a team, with planning and budgets.\n- Wrote tests in Python.\n"
ROLES = b"Role,Asks for\nProject lead,planning; suppliers\nDeveloper,Python; tests\n"


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
    assert not wrong

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
