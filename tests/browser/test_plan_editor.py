"""A plan is checked and changed with a mouse before it starts; somebody else's page is never silently behind."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import People
from tests.browser.test_every_view import CUT_OFF
from tests.browser.test_reach import reach_everything
from tests.stories.script import Script

NARROW = {"width": 390, "height": 844}
PLAN: list[dict[str, Any]] = [
    {
        "key": "call",
        "title": "Call the branch in Antwerp",
        "skills": ["phoning"],
        "instructions": "Ask what they want.",
    },
    {"key": "orders", "title": "Profile the orders", "skills": ["data-analysis"]},
    {"key": "report", "title": "Write the report", "skills": ["writing"], "depends_on": ["call", "orders"]},
]


def propose(script: Script, name: str) -> str:
    """A run with a proposed plan; its address."""
    workspace = script.workspace(name)
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Know what Antwerp wants", "plan": PLAN})
    return f"{script.url}/w/{workspace}/runs/{run['id']}/"


def row(page: Page, title: str) -> Locator:
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=title, exact=True))


def unfold(page: Page, title: str) -> Locator:
    """Open a task of the plan for editing."""
    found = row(page, title)
    found.get_by_text("Edit, split, remove").click()
    expect(found.get_by_role("button", name="Save")).to_be_visible()
    return found


def test_a_plan_is_edited_split_merged_and_given_to_somebody_and_then_started(people: People, script: Script) -> None:
    page = people.signed_in(at=propose(script, "Antwerp"))
    page.evaluate("() => { window.notReloaded = true; }")
    expect(row(page, "Call the branch in Antwerp")).to_contain_text("nobody has the skill phoning")

    call = unfold(page, "Call the branch in Antwerp")
    call.get_by_label("Skills").fill("writing")
    call.get_by_label("Minutes").fill("25")
    call.get_by_label("Who").select_option(label="Writer (lacks phoning)")
    call.get_by_role("button", name="Save").click()
    expect(call).to_contain_text("Writer")
    expect(call).to_contain_text("25 min")
    expect(call).not_to_contain_text("nobody has the skill")
    expect(call.get_by_role("button", name="Save")).to_be_hidden()

    orders = unfold(page, "Profile the orders")
    orders.get_by_text("Split it into parts").click()
    for number, title in enumerate(("Profile the north", "Profile the south")):
        orders.get_by_label("Part").nth(number).fill(title)
    orders.get_by_role("button", name="Split it").click()
    expect(row(page, "Profile the south")).to_be_visible()
    expect(page.get_by_role("heading", name="4 tasks")).to_be_visible()

    down = row(page, "Profile the north").get_by_role("button", name="down")
    down.focus()
    page.keyboard.press("Enter")
    titles = page.get_by_role("heading", level=4)
    expect(titles).to_have_text(
        ["Call the branch in Antwerp", "Profile the south", "Profile the north", "Write the report"]
    )
    for title in ("Profile the north", "Profile the south"):
        row(page, title).get_by_role("checkbox").first.check()
    page.get_by_label("Title of the merged task").fill("Profile it all")
    page.get_by_role("button", name="Merge the chosen tasks").click()
    expect(titles).to_have_text(["Call the branch in Antwerp", "Profile it all", "Write the report"])
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("heading", name="4 tasks")).to_be_visible()
    assert page.evaluate("() => window.notReloaded"), "every edit was made in place"

    page.get_by_role("main").get_by_role("button", name="Start", exact=True).click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.get_by_text("Forecast and how it goes")).to_be_visible()


def test_what_another_changes_comes_in_and_what_one_types_stays(people: People, script: Script) -> None:
    address = propose(script, "Two at a plan")
    api = f"/api/v1/runs/{address.rstrip('/').rpartition('/')[2]}/plan"
    page = people.signed_in(at=address)
    report = unfold(page, "Write the report")
    report.get_by_label("Instructions").first.fill("My own words.")
    edits = [{"op": "edit", "key": "report", "changes": {"minutes": 7}}, {"op": "remove", "key": "orders"}]
    script.send("PATCH", api, {"edits": edits, "version": 0})
    expect(page.get_by_role("heading", name="2 tasks")).to_be_visible()
    expect(report.get_by_label("Instructions").first).to_have_value("My own words.")
    expect(report.get_by_label("Minutes")).to_have_value("7")
    report.get_by_role("button", name="Save").click()
    expect(report.get_by_text("My own words.").first).to_be_visible()
    told = {task["key"]: task for task in script.get(api)["tasks"]}
    assert (told["report"]["instructions"], told["report"]["minutes"]) == ("My own words.", 7)


def test_a_page_without_script_that_is_behind_says_so_and_keeps_the_words(people: People, script: Script) -> None:
    people.allow("status of 409")
    address = propose(script, "Behind")
    api = f"/api/v1/runs/{address.rstrip('/').rpartition('/')[2]}/plan"
    page = people.signed_in(java_script_enabled=False, at=address)
    report = row(page, "Write the report")
    report.get_by_text("Edit, split, remove").click()
    report.get_by_role("link", name="Open it on a page of its own").click()
    page.get_by_label("Instructions").first.fill("My own words.")
    script.send("PATCH", api, {"edits": [{"op": "remove", "key": "orders"}], "version": 0})
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("main")).to_contain_text("The plan has moved on since you looked at it")
    expect(page.get_by_label("Instructions").first).to_have_value("My own words.")
    page.get_by_role("button", name="Save").click()
    expect(row(page, "Write the report")).to_contain_text("My own words.")


def test_a_plan_and_a_change_of_it_are_reached_by_the_keyboard_and_fit_a_telephone(
    people: People, script: Script
) -> None:
    address = propose(script, "On a telephone, with a workspace of a long name")
    api = f"/api/v1/runs/{address.rstrip('/').rpartition('/')[2]}"
    wide, narrow = people.signed_in(at=None), people.signed_in(at=None, viewport=NARROW)
    for page in (wide, narrow):
        page.goto(address)
        unfold(page, "Write the report")
        assert page.evaluate(CUT_OFF) == {"over": 0, "out": []}
    reach_everything(wide)
    script.post(f"{api}/start")
    words = "A long line of words. " * 40
    tail = [{"key": "orders"}, {"key": "report", "depends_on": ["orders"], "instructions": words}]
    script.post(f"{api}/replan", {"tasks": tail, "rationale": "Nobody can call."})
    for page in (wide, narrow):
        page.goto(address)
        expect(page.get_by_role("heading", name="owner proposes a change of the plan")).to_be_visible()
        assert page.evaluate(CUT_OFF) == {"over": 0, "out": []}
    wide.get_by_role("button", name="Accept the change").press("Enter")
    expect(wide.get_by_role("heading", name="owner proposes a change of the plan")).to_be_hidden()
    narrow.get_by_role("link", name="Change the plan").click()
    expect(narrow.get_by_role("heading", name="Change the plan")).to_be_visible()
    assert narrow.evaluate(CUT_OFF) == {"over": 0, "out": []}
