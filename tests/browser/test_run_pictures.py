"""The drawn plan and the timeline of a run: opened, looked through and kept up to date, by keyboard and on a phone."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import People
from tests.stories.script import Script

# Nobody can begin: what nobody moves stands still while a test looks at it.
PAGES = [
    {"key": f"page-{n}", "title": f"Draft page {n}", "skills": ["calligraphy"], "depends_on": ["gather"]}
    for n in range(130)
]
PLAN = [
    {"key": "gather", "title": "Gather the words", "skills": ["words"]},
    {"key": "rules", "title": "Rule the lines", "skills": ["lines"]},
    *PAGES,
    {"key": "bind", "title": "Bind them", "skills": ["binding"], "depends_on": [one["key"] for one in PAGES]},
    {"key": "ship", "title": "Ship it", "skills": ["post"], "depends_on": ["bind"]},
]
WIDER = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


def begin(script: Script, name: str) -> tuple[str, dict[str, str]]:
    """A run in a workspace of its own: its address, and its tasks by key."""
    workspace = script.workspace(name)
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "A book", "plan": PLAN, "start": True})["id"]
    return f"{script.url}/w/{workspace}/runs/{run}/", {task["key"]: task["id"] for task in script.tasks(run)}


def drawn(page: Page, box: str, name: str) -> Locator:
    """A task in a picture, by what a screen reader calls it."""
    return page.locator(box).and_(page.get_by_role("link", name=re.compile(f"^{name}")))


def lit(page: Page) -> list[str]:
    names: list[str] = page.locator(".gnode.is-lit").evaluate_all("all => all.map(a => a.ariaLabel)")
    return [name.partition(":")[0] for name in names]


def test_a_plan_is_looked_through_and_stays_true_while_somebody_looks(people: People, script: Script) -> None:
    address, tasks = begin(script, "Pictures")
    page = people.signed_in(at=f"{address}view/graph/")
    page.evaluate("window.kept = true")

    group = page.get_by_role("link", name=re.compile("130 × Draft page"))
    group.focus()
    assert lit(page) == ["Gather the words", "130 × Draft page", "Bind them", "Ship it"]
    page.keyboard.press("Enter")
    expect(page.locator("a.gnode")).to_have_count(2 + 36 + 1 + 2)
    expect(page).to_have_url(re.compile(r"\?open=1\.calligraphy$"))
    expect(page.get_by_role("link", name="calligraphy close this group")).to_be_focused()

    ship = drawn(page, ".gnode", "Ship it: ")
    ship.focus()
    script.post(f"/api/v1/tasks/{tasks['gather']}/takeover", {})
    expect(drawn(page, ".gnode", "Gather the words: In human hands, owner")).to_be_attached()
    expect(ship).to_be_focused()
    assert len(lit(page)) == 1 + 36 + 1 + 2

    box = page.locator(".graph")
    before = box.evaluate("el => el.scrollTop")
    corner = box.bounding_box()
    assert corner is not None
    page.mouse.move(corner["x"] + 60, corner["y"] + 200)
    page.mouse.down()
    page.mouse.move(corner["x"] + 60, corner["y"] + 120, steps=4)
    page.mouse.up()
    assert box.evaluate("el => el.scrollTop") != before
    assert page.evaluate("window.kept")

    page.set_viewport_size({"width": 390, "height": 844})
    assert not page.evaluate(WIDER)


def test_a_timeline_grows_while_somebody_reads_it_on_a_phone(people: People, script: Script) -> None:
    address, tasks = begin(script, "Times")
    page = people.signed_in(at=f"{address}view/timeline/", viewport={"width": 390, "height": 844})
    expect(page.get_by_text("Nothing has begun.")).to_be_visible()
    script.post(f"/api/v1/tasks/{tasks['gather']}/takeover", {})
    bar = drawn(page, ".tbar", "Gather the words: ")
    bar.focus()
    expect(page.locator("[data-said]")).to_contain_text("Gather the words: Working")
    script.post(f"/api/v1/tasks/{tasks['rules']}/takeover", {})
    expect(drawn(page, ".tbar", "Rule the lines: ")).to_be_attached()
    expect(bar).to_be_focused()
    assert not page.evaluate(WIDER)
    bar.press("Enter")
    expect(page.get_by_role("heading", name="Gather the words")).to_be_visible()
