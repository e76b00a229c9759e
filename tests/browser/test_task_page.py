"""The page of a task in a browser: what steps show, tries, the receipt, and the bar by keyboard and on a phone."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import People, editor, transcript
from tests.stories.installation import Installation

LAY = "from clawgroups import commit; from tests.browser.desk import lay; print(lay()); commit.drain()"
COVERED = """() => {
  const el = document.activeElement, bar = document.querySelector(".taskbar");
  if (bar.contains(el)) return false;
  const box = el.getBoundingClientRect(), edge = bar.getBoundingClientRect();
  return box.top >= edge.top && box.bottom <= edge.bottom;
}"""


@pytest.fixture(scope="module")
def desk(claw: Installation) -> dict[str, str]:
    """The addresses of tasks that have everything on their pages."""
    found: dict[str, str] = json.loads(claw.manage("shell", "-c", LAY).splitlines()[-1])
    return {key: f"{claw.url}{address}" for key, address in found.items()}


def open_step(page: Page, title: str) -> None:
    transcript(page).get_by_text(title, exact=True).click()


def test_one_reads_what_was_done_and_how_it_was_judged(people: People, desk: dict[str, str]) -> None:
    page = people.signed_in(viewport={"width": 1440, "height": 900}, at=desk["look"])
    work = transcript(page)
    expect(work.get_by_text("Read 12 files")).to_be_visible()
    open_step(page, "Edit report.py")
    diff = work.get_by_role("group", name="What differs").first
    expect(diff.locator(".is-out").first).to_contain_text('row_7 = load("sales.csv", 7)')
    expect(diff.locator(".is-in").last).to_contain_text("<script>alert(1)</script>")
    # Beside each other where there is room.
    out, come = diff.locator(".is-out").first.bounding_box(), diff.locator(".is-in").first.bounding_box()
    assert out is not None
    assert come is not None
    assert out["y"] == come["y"]
    assert out["x"] < come["x"]
    diff.get_by_text("16 lines alike").click()
    expect(diff.get_by_text('row_15 = load("sales.csv", 15)').first).to_be_visible()
    open_step(page, "Draw the regions")
    picture = work.get_by_role("img", name="Draw the regions")
    expect(picture).to_have_js_property("naturalWidth", 96)
    open_step(page, "Print everything")
    with page.expect_download() as download:
        work.get_by_role("link", name="Show all").click()
    assert download.value.path().stat().st_size == 15 * 30_000
    page.get_by_role("link", name="Compare tries").first.click()
    expect(page.get_by_role("region", name=re.compile("^1. Quill"))).to_contain_text("it names no numbers")
    expect(page.get_by_role("region", name=re.compile("^2. owner"))).to_contain_text("profile.csv")
    page.go_back()
    page.get_by_role("link", name="Receipt").first.click()
    expect(page.get_by_role("heading", name="Profile the sales file")).to_be_visible()
    expect(page.get_by_text(re.compile("^[0-9a-f]{64}$"))).to_have_count(3)
    with page.expect_download() as receipt:
        page.get_by_role("link", name="As JSON").click()
    assert json.loads(receipt.value.path().read_text())["takeovers"] == 1


def test_the_bar_is_always_there_and_never_in_the_way(people: People, desk: dict[str, str]) -> None:
    page = people.signed_in(viewport={"width": 390, "height": 780}, at=desk["write"])
    bar = page.get_by_role("region", name="Where it stands")
    expect(bar.get_by_role("button", name="Finish it")).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    # Whatever has the focus is not behind it.
    editor(page).focus()
    for _ in range(25):
        page.keyboard.press("Tab")
        assert not page.evaluate(COVERED)
    bar.get_by_role("button", name="More for this task").press("Enter")
    bar.get_by_role("link", name="Give it away").press("Enter")
    expect(page.get_by_role("heading", name="Hand it on")).to_be_in_viewport()
    # What was tried before is a line until one wants to read it.
    tried = transcript(page).locator(".tryline, [id^=thread-]")
    expect(tried).to_have_count(1)
    expect(transcript(page).get_by_role("link", name="39 earlier entries")).to_be_visible()
    page.goto(desk["print"])
    expect(page.get_by_role("link", name="Write the report").first).to_be_visible()
    page.goto(desk["drop"])
    expect(page.get_by_role("heading", name="It was given up")).to_be_visible()
