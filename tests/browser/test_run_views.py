"""A run looked at in several ways, without leaving its page; cards are moved by mouse, keyboard and menu."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import People
from tests.stories.script import Script
from tests.stories.waiting import until

# Nobody here phones: they get stuck, and stay where people put them.
PLAN = [
    *({"key": f"call{n}", "title": f"Call branch {n}", "skills": ["phoning"]} for n in range(4)),
    {"key": "sum", "title": "Sum it up", "skills": ["phoning"], "depends_on": ["call0"]},
]


def running(script: Script, name: str) -> tuple[str, str, str]:
    """A run that has begun: its workspace, itself, and its address."""
    workspace = script.workspace(name)
    made = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Call them", "plan": PLAN, "start": True})
    return workspace, made["id"], f"{script.url}/w/{workspace}/runs/{made['id']}/"


def stage(page: Page, name: str) -> Locator:
    return page.get_by_role("region", name=re.compile(f"^{name}"))


def card(page: Page, title: str) -> Locator:
    return page.locator("[data-card]").filter(has=page.get_by_role("heading", name=title, exact=True))


def drag(page: Page, title: str, to: str) -> None:
    """Take a card with the mouse and let go of it over a column."""
    card(page, title).scroll_into_view_if_needed()
    card(page, title).hover(position={"x": 40, "y": 8})
    page.mouse.down()
    target = stage(page, to).bounding_box()
    assert target is not None
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + 80, steps=8)
    page.mouse.up()


def test_views_are_switched_without_a_reload_and_the_way_back_is_kept(people: People, script: Script) -> None:
    _, run, address = running(script, "Looked at")
    page = people.signed_in(at=address)
    page.evaluate("() => { window.notReloaded = true; }")
    switch = page.get_by_role("navigation", name="Views of the run")
    expect(switch.get_by_role("link", name="Board")).to_have_attribute("aria-current", "page")
    switch.get_by_role("link", name="List").focus()
    page.keyboard.press("Enter")
    rows = page.get_by_role("row").filter(has=page.get_by_role("rowheader"))
    expect(rows).to_have_count(5)
    expect(switch.get_by_role("link", name="List")).to_be_focused()
    expect(page).to_have_url(f"{address}view/list/")

    filters = page.get_by_role("search", name="Filter the tasks")
    filters.get_by_role("searchbox").press_sequentially("sum it")
    expect(rows).to_have_count(1)
    expect(filters.get_by_role("searchbox")).to_be_focused()
    filters.get_by_label("State").select_option("done")
    expect(page.get_by_text("No task is like that")).to_be_visible()
    expect(page).to_have_url(re.compile(r"\?text=sum(\+|%20)it&state=done$"))
    filters.get_by_role("link", name="Clear").click()
    expect(rows).to_have_count(5)
    page.get_by_role("link", name="Task", exact=True).click()
    expect(page.get_by_role("columnheader", name="Task")).to_have_attribute("aria-sort", "ascending")
    page.get_by_role("link", name="Task", exact=True).click()
    expect(page.get_by_role("columnheader", name="Task")).to_have_attribute("aria-sort", "descending")
    expect(rows.first).to_contain_text("Sum it up")

    # What happens meanwhile comes by itself, and leaves the order and the view as they are.
    task = script.task(run, "call1")
    script.post(f"/api/v1/tasks/{task['id']}/takeover")
    expect(rows.filter(has_text="Call branch 1")).to_contain_text("In human hands")
    expect(rows.first).to_contain_text("Sum it up")
    page.go_back()
    expect(stage(page, "In human hands")).to_contain_text("Call branch 1")
    page.go_forward()
    expect(rows.first).to_contain_text("Sum it up")
    assert page.evaluate("() => window.notReloaded")
    page.goto(address)
    expect(rows).to_have_count(5)
    script.post(f"/api/v1/runs/{run}/cancel")


def test_a_card_is_moved_by_mouse_keyboard_and_menu_and_only_where_it_may_go(people: People, script: Script) -> None:
    _, run, address = running(script, "Moved about")
    page = people.signed_in(at=f"{address}view/board/", viewport={"width": 1600, "height": 1000})
    expect(stage(page, "Stuck").locator("[data-card]")).to_have_count(4)

    drag(page, "Call branch 0", "In human hands")
    expect(stage(page, "In human hands")).to_contain_text("Call branch 0")
    expect(stage(page, "Waiting")).to_contain_text("works on")
    assert script.task(run, "call0")["state"] == "held"
    drag(page, "Call branch 1", "Done")
    expect(page.locator("#view-says")).to_have_text("Not there. It is done when its result is accepted.")
    expect(stage(page, "Stuck")).to_contain_text("Call branch 1")

    # While a card is on its way, nothing moves under it.
    grip = card(page, "Call branch 1").get_by_role("button", name="Move")
    says = page.locator("#view-says")
    grip.focus()
    page.keyboard.press("Space")
    expect(grip).to_have_attribute("aria-pressed", "true")
    script.post(f"/api/v1/tasks/{script.task(run, 'call3')['id']}/takeover")
    page.keyboard.press("ArrowLeft")
    expect(says).to_contain_text("In review. Not there. Whoever does it")
    page.keyboard.press("ArrowLeft")
    expect(says).to_have_text("In human hands. Take it over")
    page.keyboard.press("Escape")
    expect(says).to_have_text("Left where it was.")
    expect(stage(page, "In human hands")).to_contain_text("Call branch 3")
    expect(grip).to_be_focused()
    for key in ("Space", *("ArrowLeft",) * 5, "Space"):
        page.keyboard.press(key)
    expect(stage(page, "Waiting")).to_contain_text("Call branch 1")
    expect(card(page, "Call branch 1")).to_contain_text("Paused")
    expect(grip).to_be_focused()

    cancel_by_menu(page, "Call branch 2")
    drag(page, "Call branch 0", "With agents")
    expect(page.get_by_role("heading", name="Hand it on")).to_be_visible()
    script.post(f"/api/v1/runs/{run}/cancel")


def cancel_by_menu(page: Page, title: str) -> None:
    """By the menu of its card; it asks first."""
    card(page, title).get_by_role("link", name="Move to").click()
    menu = page.get_by_role("dialog")
    menu.get_by_role("link", name="Cancel it").click()
    menu.get_by_role("button", name="Cancel it").click()
    expect(menu).to_be_hidden()
    expect(card(page, title)).to_have_count(0)
    page.get_by_role("link", name="Show 1", exact=True).click()
    expect(stage(page, "Cancelled")).to_contain_text(title)


def test_of_two_who_move_a_card_the_second_is_told_who_has_it(people: People, script: Script, bob: str) -> None:
    people.allow("409")
    workspace, run, address = running(script, "One card")
    script.post(f"/api/v1/workspaces/{workspace}/members", {"user": bob, "role": "member"})
    his = people.signed_in(bob, at=None, viewport={"width": 1600, "height": 1000})
    his.route_web_socket("**/ws/", lambda socket: socket.close())
    until(lambda: script.task(run, "call2")["state"] == "stuck", seconds=30, what="that nobody can do it")
    his.goto(f"{address}view/board/")
    expect(stage(his, "Stuck")).to_contain_text("Call branch 2")
    script.post(f"/api/v1/tasks/{script.task(run, 'call2')['id']}/takeover")
    drag(his, "Call branch 2", "Waiting")
    expect(his.locator("#toasts")).to_contain_text("holds it now")
    expect(stage(his, "In human hands")).to_contain_text("Call branch 2")
    script.post(f"/api/v1/runs/{run}/cancel")
