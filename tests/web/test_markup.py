"""Text of people and agents is data: names are escaped, Markdown is harmless."""

from __future__ import annotations

import re
from collections import Counter
from datetime import UTC, datetime

import pytest
from django.template import Context, Template, engines

from clawgroups.formats.html import render
from clawgroups.formats.markdown import to_html
from clawgroups.formats.material import Material, Section
from clawgroups.models import Run, Workspace
from clawgroups.services import messages, workspaces
from clawgroups.services.perform import perform
from clawgroups.web.tags import ICONS, STATES, TOOL_ICONS, initials, size
from tests.conftest import Team
from tests.web.conftest import SignIn

EVIL = "<script>alert(1)</script>"
HARMFUL = [
    EVIL,
    "<img src=x onerror=alert(1)>",
    "[x](javascript:alert(1))",
    "[x](data:text/html,hi)",
    "![x](https://tracker.example/p.png)",
    "<a href='https://a.example' onclick='x()'>a</a>",
    "<iframe src='//evil.example'></iframe>",
    "```<script>\n" + EVIL + "\n```",
    '[x](https://a.example "t" onmouseover=x)',
    "<style>*{display:none}</style>",
    "<form action=//evil.example><input name=p></form>",
]


@pytest.mark.parametrize("text", HARMFUL)
def test_harmful_markdown_becomes_harmless(text: str) -> None:
    html = to_html(text).lower()
    for tag in ("<script", "<img", "<iframe", "<style", "<form", "<input"):
        assert tag not in html
    for name in ('href="javascript', 'href="data', " onerror=", " onclick=", "style="):
        assert name not in html.replace("&lt;", "").split("&gt;")[0] or "&lt;" in html


def test_useful_markdown_stays() -> None:
    html = to_html(
        "# Hi\n\n**bold** and `code`\n\n- a\n- b\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n[x](https://a.example)"
    )
    for part in ("<h3>", "<strong>", "<code>", "<li>", "<table>", 'href="https://a.example"', 'rel="noopener'):
        assert part in html


def test_no_heading_of_a_report_skips_a_level() -> None:
    report = Section("a", "Report", "Scribe", "report", "# Sales\n\n## North\n\n### May\n\n## South")
    check = Section("b", "Check", "Judge", "review", "#### Findings")
    html = render(Material("Goal", "Room", "Ada", datetime(2026, 5, 1, tzinfo=UTC), (report, check))).decode()
    levels = [int(level) for level in re.findall(r"<h([1-6])>", html)]
    assert levels == [1, 2, 3, 2, 2, 3, 2]


@pytest.mark.django_db
def test_markup_in_names_goals_and_messages_is_shown_as_typed(team: Team, sign_in: SignIn) -> None:
    ada = team.actor("ada")
    # Names with markup are refused nowadays; rows may be older than that rule.
    Workspace.objects.filter(pk=team.workspace.pk).update(name=EVIL)
    perform(workspaces.set_goal, team.workspace.pk, goal=EVIL, actor=ada)
    perform(messages.post_message, team.workspace.pk, body=EVIL, actor=ada)
    run = team.run([{"key": "a", "title": EVIL, "instructions": EVIL, "acceptance": [EVIL]}])
    Run.objects.filter(pk=run.pk).update(goal=EVIL, reason=EVIL, rationale=EVIL)
    task = run.tasks.get()
    for path in ("", f"runs/{run.pk}/", f"tasks/{task.pk}/", "members/", "messages/"):
        said = sign_in("ada").get(f"/w/{team.workspace.pk}/{path}").content.decode()
        assert EVIL not in said
        assert "&lt;script&gt;" in said


def test_every_state_and_tool_has_an_icon_of_its_own() -> None:
    for shape, _word, _tone in STATES.values():
        assert (ICONS / f"{shape}.svg").exists()
    for name in TOOL_ICONS.values():
        assert (ICONS / f"{name}.svg").exists()


def test_a_state_is_told_by_a_shape_and_a_word() -> None:
    said = Template("{% state 'stuck' %}").render(Context())
    assert "icon--stuck" in said
    assert "Stuck" in said


def test_whom_a_message_names_is_marked_outside_of_code_and_links() -> None:
    said = to_html("@ada-1, **@bob** `@code` https://a.example/@c me@mail.example\n\n```\n@block\n```", mentions=True)
    marks = re.findall(r'<span class="mention">(.*?)</span>', said)
    assert marks == ["@ada-1", "@bob"]
    assert "<span" not in to_html("@ada")


@pytest.mark.parametrize(("name", "letters"), [("Ada Lovelace", "AL"), ("kimi-cli", "kc"), ("", "?"), ("<b>", "?")])
def test_initials_are_letters(name: str, letters: str) -> None:
    assert initials(name) == letters


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 B"), (999, "999 B"), (48_213, "48.2 KB"), (5_200_000_000, "5.2 GB")]
)
def test_sizes_are_for_people(count: int, said: str) -> None:
    assert size(count) == said


def test_no_two_libraries_of_tags_use_one_name() -> None:
    found = Counter[tuple[str, str]]()
    for library in engines["django"].engine.template_builtins:  # type: ignore[attr-defined]
        found.update(("tag", name) for name in library.tags)
        found.update(("filter", name) for name in library.filters)
    assert found
    assert [name for name, times in found.items() if times > 1] == []
