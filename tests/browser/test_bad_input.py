"""What cannot be: the page says so, what was typed is still there, and nothing is half-saved."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import People, give_goal, open_workspace, say
from tests.stories.sales import Sales
from tests.stories.script import Script

GOAL = "Tell me what stands out"
PICTURE = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + bytes(range(256)) * 8
LARGE = b"date,units\n" + b"2026-01-01,1\n" * 320_000
REFUSED = "status of 4(13|22)|Response Status Error Code 4(13|22)"


@pytest.fixture
def room(people: People, script: Script) -> Page:
    """A workspace in which nothing has happened."""
    people.allow(REFUSED)
    return people.signed_in(at=f"{script.url}/w/{script.workspace('Nothing yet')}/")


def nothing_was_saved(script: Script, page: Page) -> None:
    workspace = page.url.split("/w/")[1][:36]
    assert script.get(f"/api/v1/workspaces/{workspace}/runs")["items"] == []
    assert script.get(f"/api/v1/workspaces/{workspace}/messages")["items"] == []


def choose(page: Page, name: str, content: bytes) -> None:
    page.get_by_text("Give a goal", exact=True).click()
    file: Any = {"name": name, "mimeType": "text/csv", "buffer": content}
    page.get_by_label("Files the goal is about").set_input_files(file)


@pytest.mark.parametrize("scripted", [True, False])
def test_an_empty_goal_is_refused_and_its_file_stays(
    people: People, script: Script, sales: Sales, *, scripted: bool
) -> None:
    people.allow(REFUSED)
    page = people.signed_in(java_script_enabled=scripted, at=f"{script.url}/w/{script.workspace('Nothing yet')}/")
    choose(page, sales.name, sales.content())
    give_goal(page, "   ")
    expect(page.get_by_role("alert")).to_contain_text("The goal is empty")
    nothing_was_saved(script, page)
    give_goal(page, GOAL)
    expect(page.get_by_role("region", name="Current run")).to_contain_text("1 input file")


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("photo.csv", PICTURE, "photo.csv"),
        ("headings.csv", b"date,region,units\n", "no rows"),
        ("nothing.csv", b"", "empty"),
    ],
)
def test_a_file_that_is_no_table_is_refused(room: Page, script: Script, name: str, content: bytes, reason: str) -> None:
    choose(room, name, content)
    give_goal(room, GOAL)
    expect(room.get_by_role("alert")).to_contain_text(reason)
    expect(room.get_by_role("textbox", name="The goal")).to_have_value(GOAL)
    nothing_was_saved(script, room)


def test_a_file_that_is_too_large_is_not_even_sent(room: Page, script: Script) -> None:
    choose(room, "large.csv", LARGE)
    said = room.get_by_label("Files the goal is about").evaluate("(el) => el.validationMessage")
    assert said == "large.csv: too large"
    asked: list[str] = []
    room.on("request", lambda request: asked.append(request.url))
    give_goal(room, GOAL)
    nothing_was_saved(script, room)
    expect(room.get_by_role("textbox", name="The goal")).to_have_value(GOAL)
    assert [url for url in asked if "draft" in url] == []


def test_without_script_the_server_refuses_the_large_file_and_keeps_the_goal(people: People, script: Script) -> None:
    people.allow(REFUSED)
    page = people.signed_in(java_script_enabled=False, at=f"{script.url}/w/{script.workspace('Nothing yet')}/")
    choose(page, "large.csv", LARGE)
    give_goal(page, GOAL)
    expect(page.get_by_role("alert")).to_contain_text("large.csv")
    expect(page.get_by_role("textbox", name="The goal")).to_have_value(GOAL)
    nothing_was_saved(script, page)


def test_a_workspace_needs_a_name_and_its_goal_is_kept(people: People) -> None:
    people.allow(REFUSED)
    page = people.signed_in(viewport={"width": 390, "height": 844})
    form = page.get_by_role("region", name="New workspace")
    form.get_by_label("Name").fill("   ")
    form.get_by_label("Goal").fill("Sell more")
    form.get_by_role("button", name="Open it").click()
    # The page that comes back is long: one stands where something is to be mended.
    expect(page.get_by_role("alert")).to_be_in_viewport()
    expect(form.get_by_label("Name")).to_be_focused()
    expect(page.get_by_label("Goal")).to_have_value("Sell more")


def test_an_agents_name_with_markup_is_refused_and_shown_as_it_was_typed(people: People, script: Script) -> None:
    people.allow(REFUSED)
    page = people.signed_in(at=f"{script.url}/agents/new/")
    name = "<img src=x onerror=alert(1)> Kimi"
    page.get_by_label("Name").fill(name)
    page.get_by_label("What it is good for").fill("Everything")
    page.get_by_label("Skill", exact=True).first.fill("writing")
    before = script.get("/api/v1/agents")["items"]
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("alert")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value(name)
    expect(page.get_by_label("What it is good for")).to_have_value("Everything")
    expect(page.get_by_label("Skill", exact=True).first).to_have_value("writing")
    assert script.get("/api/v1/agents")["items"] == before


def test_markup_in_what_people_write_is_text(people: People) -> None:
    page = people.signed_in()
    open_workspace(page, "<b>Bold</b> & <i>co</i>", goal="<script>alert(1)</script>")
    expect(page.get_by_role("heading", name="<b>Bold</b> & <i>co</i>")).to_be_visible()
    say(page, "<img src=x onerror=alert(1)> and [a link](javascript:alert(1))")
    said = page.get_by_role("list", name="Messages")
    expect(said).to_contain_text("<img src=x onerror=alert(1)>")
    expect(said.get_by_role("link", name="a link")).to_have_count(0)
