"""A browser without script: every verb is a plain form; only liveness is missing."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import (
    People,
    current_run,
    editor,
    give_goal,
    open_workspace,
    say,
    task_card,
    transcript,
)
from tests.browser.turn import held_at
from tests.stories.installation import Installation
from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Script
from tests.stories.waiting import until

SENTENCE = "Written without a script."


def test_from_the_goal_to_the_report_by_plain_forms(
    claw: Installation, people: People, script: Script, sales: Sales
) -> None:
    page = people.signed_in(java_script_enabled=False)
    room = open_workspace(page, "Plain forms")
    workspace = room.rstrip("/").rpartition("/")[2]

    def reload_until(wanted: Locator) -> None:
        look_again_until(page, wanted, partial(script.head, workspace))

    say(page, "Is anybody there?")
    expect(page.get_by_role("list", name="Messages")).to_contain_text("Is anybody there?")
    file = {"name": sales.name, "mimeType": "text/csv", "buffer": sales.content()}
    page.get_by_text("Give a goal", exact=True).click()
    page.get_by_label("Files the goal is about").set_input_files(file)  # type: ignore[arg-type]
    with page.expect_navigation():
        give_goal(page, "Which region sells best?")
    start = current_run(page).get_by_role("button", name="Start", exact=True)
    reload_until(start)
    follow(page, start)

    with held_at(claw, script, workspace, "Key figures"):
        page.goto(room)
        expect(task_card(page, "Write the report").filter(has_text="Working")).to_be_visible()
        follow(page, task_card(page, "Write the report").get_by_role("link", name="Write the report"))
        expect(transcript(page).get_by_text("Key figures")).to_be_visible()
        follow(page, page.get_by_role("button", name="Take over").first)
    text = editor(page)
    assert "Key figures" in text.input_value()
    text.fill(f"{text.input_value()}\n\n{SENTENCE}\n")
    page.get_by_role("button", name="Save the draft").click()
    expect(page.get_by_text("Draft saved")).to_be_visible()
    assert SENTENCE in editor(page).input_value()
    page.get_by_role("textbox", name=re.compile("A note with it")).fill("Keep my sentence.")
    follow(page, page.get_by_role("button", name="Hand it on"))
    reload_until(page.get_by_text("Acknowledged the hand-back"))

    page.goto(room)
    report = current_run(page).get_by_role("link", name="Download report.html")
    reload_until(report)
    with page.expect_download() as download:
        report.click()
    written = download.value.path().read_text()
    assert SENTENCE in written
    assert not differences(sales, cited(written))[1]


def follow(page: Page, control: Locator) -> None:
    """Click, and wait for the page that it leads to: to look again before it comes would break its arrival off."""
    with page.expect_navigation():
        control.click()


def look_again_until(page: Page, wanted: Locator, head: Callable[[], int]) -> None:
    """What a person does who has no script: load the page again, here whenever there may be something new on it."""
    seen = -1

    def look() -> bool:
        nonlocal seen
        before, seen = seen, head()
        if seen != before:
            page.reload()
        return wanted.is_visible()

    until(look, seconds=90, what=f"{wanted}")
