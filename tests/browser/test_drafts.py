"""The workbench of whoever holds a task: it saves while one types, and loses no word to anybody."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from playwright.sync_api import APIResponse, Locator, Page, Route, expect

from tests.browser.people import People, editor
from tests.stories.script import Script
from tests.stories.waiting import until

PLAN: list[dict[str, Any]] = [
    {
        "key": "call",
        "title": "Call the branch in Antwerp",
        "skills": ["phoning"],
        "acceptance": ["min_words: 5", "file_type: csv", "It is friendly"],
    }
]
TABLE = b'region;sales;"note, as told"\r\nNorth;"1,204";strong\r\nSouth;=2+2;"said ""well"""\r\n'
REFUSED = "status of 4(09|13|22)|Response Status Error Code 4(09|13|22)"
PASTE = """(el, [text, times]) => {
  const data = new DataTransfer();
  data.setData("text/plain", text.repeat(times));
  el.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
}"""
SAVED = re.compile("Draft saved, version [0-9]+")


@dataclass
class Bench:
    """A task in the owner's hands, in a browser."""

    page: Page
    script: Script
    workspace: str
    task: str

    @property
    def address(self) -> str:
        return f"{self.script.url}/w/{self.workspace}/tasks/{self.task}/"

    def drafts(self) -> list[dict[str, Any]]:
        return list(self.script.get(f"/api/v1/tasks/{self.task}/drafts")["items"])

    def came_back(self, result: str) -> None:
        """It was handed in, and the review sent it back for the line that fails."""

        def first() -> dict[str, Any]:
            return dict(self.script.get(f"/api/v1/tasks/{self.task}")["attempts"][0])

        until(lambda: first()["state"] == "returned", seconds=30, what="the review")
        assert first()["result"] == result

    def text(self) -> str:
        return str(self.script.get(f"/api/v1/tasks/{self.task}")["draft"]["text"])


@pytest.fixture
def bench(people: People, script: Script) -> Iterator[Bench]:
    workspace = script.workspace("Workbench")
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Know Antwerp", "plan": PLAN, "start": True})
    (task,) = script.tasks(run["id"])
    until(lambda: script.get(f"/api/v1/tasks/{task['id']}")["state"] != "waiting", seconds=30, what="the start")
    script.post(f"/api/v1/tasks/{task['id']}/takeover")
    made = Bench(people.signed_in(at=None), script, workspace, task["id"])
    people.allow(REFUSED)
    made.page.goto(made.address)
    expect(editor(made.page)).to_be_visible()
    yield made
    script.post(f"/api/v1/runs/{run['id']}/cancel")


def saved(page: Page, version: int) -> None:
    expect(page.get_by_text(f"Draft saved, version {version}")).to_be_visible()


def cell(page: Page, row: int, column: int) -> Locator:
    return page.get_by_role("textbox", name=f"Row {row}, column {column}")


def test_it_saves_while_one_types_and_each_version_can_be_gone_back_to(bench: Bench) -> None:
    page, text = bench.page, editor(bench.page)
    text.press_sequentially("They want it on Tuesday.")
    saved(page, 2)
    text.press_sequentially(" Or on Friday.")
    saved(page, 3)
    assert text.input_value() == bench.text() == "They want it on Tuesday. Or on Friday."
    expect(text).to_be_focused()
    page.get_by_role("link", name="All versions").click()
    expect(page.get_by_role("heading", name="What changed since version 1")).to_be_visible()
    page.goto(f"{bench.address}drafts/2/")
    page.get_by_role("button", name="Go back to this one").click()
    expect(editor(page)).to_have_value("They want it on Tuesday.")
    saved(page, 4)


def test_two_tabs_do_not_overwrite_each_other_and_one_chooses(bench: Bench) -> None:
    one, other = bench.page, bench.page.context.new_page()
    editor(one).press_sequentially("First line\nSecond line")
    saved(one, 2)
    other.goto(bench.address)
    editor(other).focus()
    editor(one).press_sequentially("\nfrom one tab")
    saved(one, 3)
    # The text under the cursor is left as it is, and said to be an older one.
    expect(other.get_by_text("A newer version was saved in another window.")).to_be_visible()
    editor(other).press("Control+Home")
    editor(other).press_sequentially("From the other tab: ")
    choice = other.get_by_role("region", name="Two texts: which one counts?")
    expect(choice).to_contain_text("from one tab")
    expect(other.get_by_text("Kept beside the draft")).to_be_visible()
    assert bench.text() == "First line\nSecond line\nfrom one tab"
    editor(other).press_sequentially("and on: ")
    choice.get_by_role("button", name="Put both together").click()
    both = "From the other tab: and on: First line\nSecond line\nfrom one tab"
    expect(editor(other)).to_have_value(both)
    expect(choice).to_have_count(0)
    assert bench.text() == both
    # It goes on from there, in either tab.
    editor(other).press("Control+End")
    editor(other).press_sequentially("!")
    expect(other.get_by_text(SAVED)).to_be_visible()
    one.get_by_role("button", name="Show it here").click()
    expect(editor(one)).to_have_value(f"{both}!")


def test_a_table_is_edited_in_its_cells_and_the_rest_stays_as_it_was(bench: Bench) -> None:
    page = bench.page
    file: Any = {"name": "sales.csv", "mimeType": "text/csv", "buffer": TABLE}
    page.get_by_label("Add files to the result").set_input_files(file)
    page.get_by_role("link", name="sales.csv", exact=True).click()
    expect(cell(page, 3, 2)).to_have_value("=2+2")
    cell(page, 2, 1).focus()
    page.keyboard.press("ArrowDown")
    expect(cell(page, 3, 1)).to_be_focused()
    cell(page, 3, 3).fill("fine")
    page.get_by_role("button", name="Add a row below 3").click()
    expect(cell(page, 4, 1)).to_be_focused()
    page.keyboard.type("West; all of it")
    page.get_by_role("button", name="Save it").last.click()
    expect(page.get_by_role("heading", name="It is in your hands")).to_be_visible()
    (row,) = bench.script.get(f"/api/v1/tasks/{bench.task}/draft/files")["items"]
    assert row["revision"] == 3
    wanted = b'region;sales;"note, as told"\r\nNorth;"1,204";strong\r\nSouth;=2+2;"fine"\r\n"West; all of it";;\r\n'
    assert bench.script.ask("GET", row["url"]).bytes == wanted


def test_two_windows_on_one_file_lead_to_a_choice(bench: Bench) -> None:
    page, other = bench.page, bench.page.context.new_page()
    file: Any = {"name": "sales.csv", "mimeType": "text/csv", "buffer": TABLE}
    page.get_by_label("Add files to the result").set_input_files(file)
    page.get_by_role("link", name="sales.csv", exact=True).click()
    other.goto(page.url)
    cell(page, 2, 1).fill("Far north")
    page.get_by_role("button", name="Save and go on").click()
    expect(cell(page, 2, 1)).to_have_value("Far north")
    cell(other, 3, 1).fill("Far south")
    other.get_by_role("button", name="Save and go on").click()
    choice = other.get_by_role("region", name="Two revisions: which one counts?")
    expect(choice).to_contain_text("Far north")
    expect(choice).to_contain_text("Far south")
    choice.get_by_role("button", name="Keep mine").click()
    expect(other.get_by_role("heading", name="It is in your hands")).to_be_visible()
    (row,) = bench.script.get(f"/api/v1/tasks/{bench.task}/draft/files")["items"]
    assert b"Far south" in bench.script.ask("GET", row["url"]).bytes


def test_a_text_that_is_too_long_is_said_beside_the_editor_and_stays_there(bench: Bench) -> None:
    page, text = bench.page, editor(bench.page)
    text.press_sequentially("Short.")
    saved(page, 2)
    text.evaluate("(el) => { el.value += ('word '.repeat(2000) + '\\n').repeat(110); }")
    text.press("End")
    text.press_sequentially("!")
    expect(page.get_by_text("Not saved: longer than")).to_be_visible()
    page.get_by_role("button", name="Finish it").first.click()
    assert text.evaluate("(el) => el.value.length") > 1_100_000
    assert bench.text() == "Short."
    text.evaluate("(el) => { el.value = 'Shorter'; }")
    text.press("End")
    text.press_sequentially(" now.")
    saved(page, 3)


def test_a_paste_of_twenty_megabytes_leaves_the_text_and_says_what_to_do(bench: Bench) -> None:
    page, text = bench.page, editor(bench.page)
    text.press_sequentially("Mine.")
    saved(page, 2)
    text.evaluate(PASTE, ["x", 20_000_000])
    # More than a file may be here, too: it says so, and the text is as it was.
    expect(page.get_by_text("and than a file may be here")).to_be_visible()
    expect(text).to_have_value("Mine.")
    page.reload()
    text.evaluate(PASTE, ["line\n", 250_000])
    expect(page.get_by_role("link", name="pasted.txt", exact=True)).to_be_visible()
    expect(text).to_have_value("Mine.")


def test_without_a_connection_it_says_so_and_saves_once_there_is_one(people: People, bench: Bench) -> None:
    people.allow("ERR_INTERNET_DISCONNECTED|htmx:sendError|htmx:afterRequest")
    page = bench.page
    page.context.set_offline(True)
    editor(page).press_sequentially("Typed on the train.")
    expect(page.get_by_text("Not saved: no connection.")).to_be_visible()
    page.context.set_offline(False)
    saved(page, 2)
    assert bench.text() == "Typed on the train."


def test_who_is_forced_away_while_typing_finds_every_word(people: People, bench: Bench, bob: str) -> None:
    people.allow("oobErrorNoTarget")  # a save may be answered when the editor has gone
    bench.script.post(f"/api/v1/workspaces/{bench.workspace}/members", {"user": bob, "role": "admin"})
    page, other = bench.page, people.signed_in(bob, at=None)
    editor(page).press_sequentially("Saved before.")
    saved(page, 2)
    other.goto(bench.address)
    other.get_by_text(re.compile("Take it from .* without an answer")).click()
    other.get_by_role("textbox", name=re.compile("reads it")).fill("The client rang")
    take = other.get_by_role("button", name="Take it from them")
    expect(take).to_be_visible()
    # In the same breath: nothing of this has been saved when the task goes.
    editor(page).press_sequentially(" And typed on")
    take.click()
    expect(page.get_by_role("heading", name="What you typed after it left your hands")).to_be_visible()
    expect(page.get_by_label("Your text")).to_have_value("Saved before. And typed on")
    expect(editor(other)).to_have_value(re.compile("Saved before"))
    (kept,) = [row for row in bench.drafts() if row["kind"] == "kept"]
    assert kept["actor"]["name"] == "owner"
    page.get_by_role("button", name="I have it, put it away").click()
    expect(page.get_by_label("Your text")).to_have_count(0)


def test_what_is_finished_while_a_save_is_on_its_way_is_no_second_text(bench: Bench) -> None:
    page = bench.page
    on_its_way: list[tuple[Route, APIResponse]] = []

    def keep_the_first(route: Route) -> None:
        if on_its_way:
            route.continue_()
        else:
            on_its_way.append((route, route.fetch()))

    page.route("**/draft/", keep_the_first)
    editor(page).press_sequentially("They want it")
    until(lambda: page.evaluate("true") and on_its_way, seconds=30, what="the save at the server")
    editor(page).press_sequentially(" on Tuesday.")
    page.get_by_role("button", name="Finish it").first.click()
    ((route, answer),) = on_its_way
    route.fulfill(response=answer)
    expect(page.get_by_text("It is not finished yet.")).to_be_visible()
    expect(page.get_by_role("region", name="Two texts: which one counts?")).to_have_count(0)
    assert [row["kind"] for row in bench.drafts()].count("kept") == 0
    assert bench.text() == "They want it on Tuesday."


def test_what_a_button_took_along_is_not_saved_behind_it(bench: Bench) -> None:
    page, saves, taken = bench.page, list[str](), list[Route]()

    def keep(route: Route) -> None:
        taken.append(route)

    page.clock.install()
    page.reload()
    page.on("request", lambda request: saves.append(request.url) if request.url.endswith("/draft/") else None)
    page.route("**/submit/", keep)
    editor(page).press_sequentially("Tuesday.")
    page.get_by_role("button", name="Finish it").first.click()
    until(lambda: page.evaluate("true") and taken, seconds=30, what="the text on its way")
    page.clock.fast_forward(5_000)
    page.evaluate("true")  # what was asked for meanwhile is heard
    assert saves == []
    taken[0].continue_()
    expect(page.get_by_text("It is not finished yet.")).to_be_visible()
    # It stays in these hands, and so it is saved.
    page.clock.fast_forward(5_000)
    saved(page, 2)
    assert bench.text() == "Tuesday."


def test_the_lines_are_checked_before_it_is_finished(bench: Bench) -> None:
    page = bench.page
    editor(page).fill("Too short")
    page.get_by_role("button", name="Check it").click()
    checked = page.get_by_role("status").filter(has_text="2 of 3 lines fail")
    expect(checked).to_contain_text("2 words of 5 wanted")
    expect(checked).to_contain_text("owner reads it and decides")
    page.get_by_role("button", name="Finish it").first.click()
    expect(page.get_by_text("It is not finished yet.")).to_be_visible()
    assert bench.script.get(f"/api/v1/tasks/{bench.task}")["state"] == "held"
    page.get_by_role("button", name="Finish anyway").click()
    bench.came_back("Too short")


def test_without_script_two_texts_are_chosen_and_a_table_is_edited(people: People, bench: Bench) -> None:
    page = people.signed_in(java_script_enabled=False, at=bench.address)
    bench.script.post(f"/api/v1/tasks/{bench.task}/draft", {"text": "by script", "base": 1})
    editor(page).fill("by hand")
    page.get_by_role("button", name="Save the draft").click()
    choice = page.get_by_role("region", name="Two texts: which one counts?")
    expect(choice).to_contain_text("by hand")
    choice.get_by_role("button", name="Keep mine").click()
    expect(editor(page)).to_have_value("by hand")
    file: Any = {"name": "t.tsv", "mimeType": "text/plain", "buffer": b"a\tb\n1\t2\n"}
    page.get_by_label("Add files to the result").set_input_files(file)
    page.get_by_role("button", name="Add them").click()
    page.get_by_role("link", name="t.tsv", exact=True).click()
    cell(page, 2, 2).fill("3")
    page.get_by_role("button", name="Add a column after 2").click()
    expect(cell(page, 2, 3)).to_have_value("")
    expect(cell(page, 2, 2)).to_have_value("3")
    page.goto(bench.address)
    page.get_by_role("button", name="Check it").click()
    expect(page.get_by_text("2 of 3 lines fail")).to_be_visible()
    page.get_by_role("button", name="Finish anyway").click()
    bench.came_back("by hand")
