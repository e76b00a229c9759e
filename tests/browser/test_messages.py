"""Messages in a browser: with the keyboard, on a phone, live for everybody; and a room full of hostile ones."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Dialog, Locator, Page, expect

from tests.browser.people import People, say
from tests.core.test_pictures import png
from tests.stories.script import Script
from tests.web.hostile import HOSTILE

PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
WIDE = "() => document.documentElement.scrollWidth - innerWidth"


def line(page: Page, text: str) -> Locator:
    """The message with these words of its own; one that quotes them is another."""
    return page.locator(".say").filter(has=page.locator(".md", has_text=text))


def menu(page: Page, text: str) -> Locator:
    """Open what one can do with a message, by the keyboard."""
    line(page, text).get_by_role("link", name="React and more").focus()
    page.keyboard.press("Enter")
    opened = page.locator("#over:popover-open")
    expect(opened.get_by_role("link", name="Reply")).to_be_visible()
    return opened


def test_messages_are_marked_changed_answered_and_taken_back_for_all_who_look(people: People, script: Script) -> None:
    workspace = script.workspace("Talk of the town")
    room = f"{script.url}/w/{workspace}/"
    ada, phone = people.signed_in(at=room), people.signed_in(at=room, **PHONE)
    say(ada, "The first words")
    menu(ada, "The first words")
    ada.keyboard.press("ArrowRight")
    ada.keyboard.press("Enter")
    for page in (ada, phone):
        expect(line(page, "The first words").get_by_role("button", name="Done: owner")).to_have_attribute(
            "aria-pressed", "true"
        )
    line(phone, "The first words").get_by_role("button", name="Done: owner").tap()
    expect(line(ada, "The first words").locator("[data-sign]")).to_have_count(0)

    menu(ada, "The first words").get_by_role("link", name="Edit", exact=True).click()
    ada.get_by_role("textbox", name="Message", exact=True).fill("Better words")
    ada.get_by_role("button", name="Save").click()
    expect(line(phone, "Better words")).to_be_visible()
    expect(ada.locator("#over")).to_be_hidden()
    line(phone, "Better words").get_by_role("link", name="edited").tap()
    expect(phone.locator("#over:popover-open")).to_contain_text("The first words")
    phone.get_by_role("link", name="Close").tap()

    first = script.get(f"/api/v1/workspaces/{workspace}/messages")["items"][0]["id"]
    script.post(f"/api/v1/workspaces/{workspace}/messages", {"body": "An answer", "reply_to": first})
    line(ada, "An answer").locator(".say__quote").click()
    expect(line(ada, "Better words")).to_be_focused()
    assert phone.evaluate(WIDE) <= 0

    opened = menu(ada, "Better words")
    opened.get_by_text("Take back", exact=True).click()
    opened.get_by_role("button", name="Take it back").click()
    for page in (ada, phone):
        expect(page.locator(f"#message-{first}")).to_contain_text("taken back")
        expect(line(page, "An answer").locator(".say__quote")).to_contain_text("taken back")


def test_a_room_full_of_hostile_messages_runs_nothing_loads_nothing_and_stays_in_its_place(
    people: People, script: Script
) -> None:
    workspace = script.workspace("Under siege")
    for text in (*HOSTILE[::5], "A calm word"):
        script.post(f"/api/v1/workspaces/{workspace}/messages", {"body": f"x\n\n{text}"[:19_000]})
    page = people.signed_in(at=None, **PHONE)
    said: list[str] = []

    def asks(dialog: Dialog) -> None:
        said.append(dialog.message)
        dialog.dismiss()

    page.on("dialog", asks)
    page.on("request", lambda request: said.append(request.url) if _foreign(request.url, script) else None)
    page.goto(f"{script.url}/w/{workspace}/")
    expect(line(page, "A calm word")).to_be_visible()
    assert page.locator(".say").count() == len(HOSTILE[::5]) + 1
    assert page.evaluate(WIDE) <= 0
    assert (
        page.locator(".say *").evaluate_all(
            "(all) => all.filter((el) => el.matches('script, img, iframe, style, object, [onerror], [onclick]')).length"
        )
        == 0
    )
    assert said == []


def _foreign(url: str, script: Script) -> bool:
    return urlsplit(url).scheme != "data" and not url.startswith((script.url, script.url.replace("http", "ws", 1)))


def test_a_picture_is_shown_in_its_size_and_a_false_one_is_not(people: People, script: Script) -> None:
    workspace = script.workspace("Pictures")
    page = people.signed_in(at=f"{script.url}/w/{workspace}/")
    path = f"/api/v1/workspaces/{workspace}/messages"
    files = [("true.png", png(80, 60)), ("false.png", b"<svg onload=alert(1)>")]
    script.upload(path, {"body": "Two pictures"}, files)
    picture = line(page, "Two pictures").get_by_role("img", name="true.png")
    expect(picture).to_be_visible()
    assert picture.evaluate("(el) => [el.naturalWidth, el.naturalHeight]") == [80, 60]
    expect(line(page, "Two pictures").get_by_role("link", name="false.png")).to_have_attribute("download", "")
