"""Everywhere by keyboard: the palette, single keys and their sheet, undo; and what a page says when its line is cut."""

from __future__ import annotations

import json
import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

from tests.browser.people import People
from tests.stories.script import Script

PLAN = [{"key": "call", "title": "Call the branch in Ostend", "skills": ["phoning"]}]
# Everything that moves on the page, and for how long.
MOVES = """() => document.getAnimations().map((one) => one.effect.getTiming().duration)"""


@pytest.fixture
def room(script: Script) -> dict[str, str]:
    """A workspace with a task that nobody but a person can do."""
    workspace = script.workspace("Lamps of the north")
    run = script.post(
        f"/api/v1/workspaces/{workspace}/runs", {"goal": "Know what they want", "plan": PLAN, "start": True}
    )
    path = f"/w/{workspace}/"
    return {"room": path, "task": f"{path}tasks/{script.task(run['id'], 'call')['id']}/"}


def at(page: Page) -> str:
    return urlsplit(page.url).path


def ask(page: Page, words: str) -> None:
    """Open the palette and write."""
    page.keyboard.press("ControlOrMeta+k")
    expect(page.get_by_role("combobox", name="Go to, or do")).to_be_focused()
    page.keyboard.type(words)


def test_one_goes_and_does_by_the_palette_alone(people: People, script: Script, room: dict[str, str]) -> None:
    page = people.signed_in()
    ask(page, "ostend")
    option = page.get_by_role("option", name=re.compile("Call the branch in Ostend")).first
    expect(option).to_have_attribute("aria-selected", "true")
    box = page.get_by_role("combobox", name="Go to, or do")
    expect(box).to_have_attribute("aria-activedescendant", option.get_attribute("id") or "?")
    with page.context.expect_page() as other:
        page.keyboard.press("ControlOrMeta+Enter")
    assert at(other.value) == room["task"]
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Call the branch in Ostend", level=1)).to_be_visible()

    # A verb of this page, with arrows.
    ask(page, "pause")
    expect(page.get_by_role("option", name=re.compile("Pause this task"))).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Enter")
    toast = page.get_by_role("status").filter(has_text="The task is paused.")
    expect(toast).to_be_visible()
    bar = page.get_by_role("region", name="Where it stands")
    expect(bar.get_by_role("button", name="Let it go on")).to_be_visible()

    # Undone by one key; it is as it was.
    page.locator("h1").click()
    page.keyboard.press("z")
    expect(page.get_by_text("Undone.", exact=True)).to_be_visible()
    expect(toast).to_have_count(0)
    expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()

    # Back where one was lately, without a word.
    page.goto(script.url + room["room"])
    page.keyboard.press("ControlOrMeta+k")
    lately = page.get_by_role("option").first
    expect(lately).to_contain_text("Call the branch in Ostend")
    expect(lately).to_contain_text("Lately")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    ask(page, "goal and rules")
    expect(page.get_by_role("option").first).to_contain_text("Goal and rules")
    page.keyboard.press("Enter")
    expect(page.get_by_role("textbox", name="Rules")).to_be_visible()


def test_single_keys_are_shown_work_outside_of_fields_and_are_turned_off(
    people: People, script: Script, room: dict[str, str]
) -> None:
    page = people.signed_in(reduced_motion="reduce", at=script.url + room["room"])
    box = page.get_by_role("textbox", name="Message to the team")
    page.keyboard.press("c")
    expect(box).to_be_focused()
    page.keyboard.type("g n? c")
    expect(box).to_have_value("g n? c")
    box.fill("")
    page.locator("h1").click()
    page.keyboard.press("?")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet.get_by_text("Message to the team")).to_be_visible()
    # Nothing moves for whoever asks for that.
    assert page.evaluate(MOVES) == []
    with page.expect_response(lambda answer: answer.request.method == "POST"):
        sheet.get_by_label("Single keys do something").uncheck()
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.keyboard.press("Escape")
    expect(sheet).to_have_count(0)
    page.keyboard.press("c")
    expect(box).not_to_be_focused()
    # It holds on other pages too, and is turned on again where one's settings are.
    page.goto(f"{script.url}/me/")
    expect(page.locator("html")).to_have_attribute("data-keys", "off")
    page.get_by_role("main").get_by_label("Single keys do something").check()
    page.locator("form", has_text="Single keys do").get_by_role("button", name="Save").click()
    expect(page.locator("html")).not_to_have_attribute("data-keys", "off")
    page.locator("h1").click()
    page.keyboard.press("g")
    page.keyboard.press("w")
    expect(page.get_by_role("heading", name="Workspaces", level=1)).to_be_visible()
    page.keyboard.press("j")
    expect(page.locator("main :focus")).to_have_count(1)


def test_what_opens_over_a_page_takes_the_focus_and_gives_it_back(
    people: People, script: Script, room: dict[str, str]
) -> None:
    page = people.signed_in(at=script.url + room["task"])

    def opens(button: Locator, over: Locator) -> None:
        """By Enter the focus is in it, by Escape back; whoever leaves it by Tab has nothing over the page any more."""
        for leaves in ("Escape", "Shift+Tab"):
            button.press("Enter")
            expect(over.locator(":focus")).to_have_count(1)
            page.keyboard.press(leaves)
            expect(over).to_be_hidden()
            expect(button).to_be_focused()

    opens(page.get_by_role("button", name=re.compile("^Menu of")), page.get_by_role("group", name="Menu of"))
    opens(page.locator("[popovertarget=bar-menu]"), page.get_by_role("navigation", name="More for this task"))
    page.goto(script.url + room["room"])
    opens(page.get_by_role("button", name="Goal and rules"), page.get_by_role("dialog", name="Goal and rules"))
    # What is modal keeps it, however often Tab is pressed.
    page.get_by_role("button", name=re.compile("^Menu of")).press("Enter")
    page.get_by_role("button", name="Keyboard").press("Enter")
    sheet = page.get_by_role("dialog", name="Keyboard")
    expect(sheet.locator(":focus")).to_have_count(1)
    for _ in range(6):
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement === document.body || document.activeElement.closest('#keys')")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name=re.compile("^Menu of"))).to_be_focused()


def ahead(message: str | bytes) -> str:
    """A greeting of the server as if twelve changes more had happened than it will ever send."""
    said = json.loads(message)
    return json.dumps({**said, "head": said["head"] + 12} if said["type"] == "hello" else said)


# From the press of "Try again" on, what the page asks for says so: it may ask by itself at any time, too.
MARKS_WHAT_FOLLOWS = """() => {
  let pressed = false;
  addEventListener("click", ({ target }) => (pressed ||= Boolean(target.closest("[data-again]"))), true);
  addEventListener("htmx:configRequest", ({ detail }) => pressed && (detail.headers["X-Pressed"] = "1"));
}"""


def once_pressed(route: Route) -> None:
    """A server that fails until the button is pressed."""
    if "x-pressed" in route.request.headers:
        route.continue_()
    else:
        route.fulfill(status=500)


def test_a_page_says_how_far_it_is_behind_and_what_it_could_not_load(
    people: People, script: Script, room: dict[str, str]
) -> None:
    people.allow("ERR_INTERNET_DISCONNECTED|WebSocket|htmx|500|Failed to load|Response Status")
    page = people.signed_in(at=None)
    lines: list[WebSocketRoute] = []

    def follow(line: WebSocketRoute) -> None:
        server = line.connect_to_server()
        line.on_message(server.send)
        server.on_message(lambda message: line.send(ahead(message)))
        lines.append(line)

    page.route_web_socket("**/ws/", follow)
    page.route("**/actions/", once_pressed)
    page.goto(script.url + room["room"])
    page.evaluate(MARKS_WHAT_FOLLOWS)
    page.locator("[id^=run-actions-]").dispatch_event("reload", {"bubbles": False})
    # What could not be loaded says so where it would stand, and is tried again there.
    part = page.get_by_role("status").filter(has_text="This part could not be loaded.")
    expect(part).to_be_visible()
    part.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("button", name="Cancel the run")).to_be_visible()
    expect(part).to_have_count(0)

    link = page.locator("#link")
    expect(link).to_have_text("Catching up, 12 changes behind")
    page.context.set_offline(offline=True)
    lines[-1].close()
    expect(link).to_have_text("Reconnecting, 12 changes behind")
    expect(page.locator("html")).to_have_attribute("data-link", "lost")
    unsent = page.get_by_text("No connection. Nothing was sent; your text is still here.")
    # What the page asks for by itself is not what a person has sent, and what is said is said once.
    with page.expect_event("requestfailed"):
        page.locator("[id^=run-actions-]").dispatch_event("reload", {"bubbles": False})
    expect(unsent).to_have_count(0)
    page.keyboard.press("c")
    page.keyboard.type("Hello?")
    for _ in range(2):
        with page.expect_event("requestfailed"):
            page.keyboard.press("Enter")
    expect(unsent).to_have_count(1)
    expect(page.get_by_role("textbox", name="Message to the team")).to_have_value("Hello?")
    page.context.set_offline(offline=False)
