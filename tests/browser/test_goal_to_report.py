"""A new person with the printed link, a mouse and a file: from the goal to the report, with a takeover in between."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.browser.people import (
    WORK,
    People,
    current_run,
    drop_file,
    editor,
    give_goal,
    open_workspace,
    start_plan,
    task_card,
    transcript,
)
from tests.browser.turn import held_at
from tests.stories.installation import Installation
from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Script

GOAL = "Which region sells best, and how did revenue develop?"
SENTENCE = "The branch managers have confirmed these figures in writing."
NOTE = "Keep my last sentence as it is, and finish the rest."


def test_a_goal_becomes_a_report_with_a_takeover_in_between(
    claw: Installation, people: People, script: Script, sales: Sales, tmp_path: Path
) -> None:
    link = claw.manage("login_link")
    page = people.stranger()
    page.goto(link)
    expect(page.get_by_role("heading", name="Workspaces")).to_be_visible()
    the_link_works_once(people, link)

    room = open_workspace(page, "Orders")
    drop_file(page, sales.name, sales.content())
    give_goal(page, GOAL)
    expect(page.get_by_role("list", name="Messages")).to_contain_text(GOAL)
    start_plan(page)
    page.evaluate("() => { window.notReloaded = true; }")
    expect(task_card(page, "Profile orders.csv")).to_contain_text("Done", timeout=WORK)
    assert page.evaluate("() => window.notReloaded"), "the card changed by itself"

    with held_at(claw, script, room.rstrip("/").rpartition("/")[2], "Key figures"):
        step_in(page)
    write_and_hand_back(page)
    page.goto(room)
    expect(current_run(page).get_by_text("Done", exact=True).first).to_be_visible(timeout=WORK)
    with page.expect_download() as download:
        current_run(page).get_by_role("link", name="Download report.html").click()
    report = tmp_path / "report.html"
    download.value.save_as(report)
    compared, wrong = differences(sales, cited(report.read_text()))
    assert not wrong, wrong
    assert compared >= 10
    assert SENTENCE in report.read_text()


def the_link_works_once(people: People, link: str) -> None:
    people.allow("status of 403.*/enter/")
    other = people.stranger()
    other.goto(link)
    expect(other.get_by_role("heading", name="This link does not work")).to_be_visible()


def step_in(page: Page) -> None:
    """Open the writer's task in the middle of its turn and take it over; what it had said is in the editor."""
    card = task_card(page, "Write the report")
    expect(card).to_contain_text("Working", timeout=WORK)
    card.get_by_role("link", name="Write the report").click()
    expect(transcript(page)).to_contain_text("Key figures", timeout=WORK)
    page.get_by_role("button", name="Take over").first.click()
    expect(page.get_by_role("heading", name="It is in your hands")).to_be_visible()
    assert "Key figures" in editor(page).input_value()


def write_and_hand_back(page: Page) -> None:
    """Write on and hand back in the same breath, before the editor has saved by itself."""
    text = editor(page)
    text.press("Control+End")
    text.press_sequentially(f"\n\n{SENTENCE}\n")
    page.get_by_role("textbox", name=re.compile("A note with it")).fill(NOTE)
    page.get_by_role("button", name="Hand it on").click()
    acknowledged = page.get_by_text("Acknowledged the hand-back")
    expect(acknowledged).to_be_visible(timeout=WORK)
    expect(page.get_by_text("This changed while you were typing")).to_have_count(0)
