"""Two people in one room: naming each other, what that does, files, who is here, who types, what is unread."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import People, open_workspace

NARROW = {"width": 390, "height": 844}
# A picture and a table as they come from the clipboard.
PASTE = """(field) => {
  const canvas = Object.assign(document.createElement("canvas"), { width: 40, height: 30 });
  const bytes = Uint8Array.from(atob(canvas.toDataURL().split(",")[1]), (char) => char.charCodeAt(0));
  const clipboardData = new DataTransfer();
  clipboardData.items.add(new File([bytes], "image.png", { type: "image/png" }));
  clipboardData.items.add(new File(["a,b"], "table.csv", { type: "text/csv" }));
  clipboardData.items.add(new File([new Uint8Array(4e6)], "film.mp4"));
  field.dispatchEvent(new ClipboardEvent("paste", { clipboardData, bubbles: true, cancelable: true }));
}"""


def field(page: Page) -> Locator:
    return page.locator("#say")


def talk(page: Page) -> Locator:
    return page.get_by_role("list", name="Messages")


def chosen(page: Page) -> Locator:
    return page.get_by_role("option", selected=True)


def badge(page: Page) -> Locator:
    """What the side pane says that is new here."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("link", name="Chat room")).locator(".count")


def test_two_people_name_each_other_and_see_what_is_new(people: People, bob: str) -> None:
    ada = people.signed_in()
    room = open_workspace(ada, "Chat room", goal="Agree on the figures")
    ada.get_by_role("link", name="Manage").click()
    ada.get_by_label("User name").fill(bob)
    ada.get_by_role("button", name="Add", exact=True).last.click()
    expect(ada.get_by_role("main")).to_contain_text(f"@{bob}")
    ada.goto(room)

    whom_a_message_names(ada)
    theirs = people.signed_in(bob, viewport=NARROW, at=room)
    who_is_here_is_seen(ada)
    typing_and_files(ada, theirs)
    what_is_new_is_told_apart(ada, theirs, room)


def whom_a_message_names(page: Page) -> None:
    """Names are completed by keyboard alone, and the line below says what the message would do."""
    field(page).press_sequentially("Look, @")
    expect(chosen(page)).to_have_count(1)
    expect(field(page)).to_have_attribute("aria-activedescendant", "name-0")
    field(page).press_sequentially("bo")
    expect(page.get_by_role("option")).to_have_count(1)
    field(page).press("Enter")
    expect(field(page)).to_have_value("Look, @bob ")
    wake = page.locator("#wake")
    expect(wake).to_contain_text("told when they are back: bob")
    field(page).press_sequentially("and @wri")
    expect(chosen(page)).to_contain_text("Writer")
    field(page).press("Escape")
    expect(page.get_by_role("listbox")).to_be_hidden()
    field(page).fill("Look, @bob and @writer")
    expect(wake).to_contain_text("Asked to answer: Writer")
    field(page).fill("@coordinator find the gap")
    page.get_by_role("button", name="Give this as a goal").click()
    expect(page.get_by_role("textbox", name="The goal")).to_have_value("find the gap")
    page.get_by_text("Say something", exact=True).click()
    expect(field(page)).to_have_value("find the gap")


def who_is_here_is_seen(page: Page) -> None:
    """Somebody who comes is here at once, in the pane and in what a message would do."""
    seat = page.locator("[id^=seat-]").filter(has_text="@bob")
    expect(seat.get_by_text("here", exact=True)).to_be_visible()
    field(page).fill("@bob, the gap is in March")
    expect(page.locator("#wake")).to_contain_text("Told at once: bob")
    field(page).press("Enter")
    expect(talk(page)).to_contain_text("the gap is in March")


def typing_and_files(ada: Page, bob: Page) -> None:
    """One sees the other type; pasted files wait with the words, and what is too large is said before it is sent."""
    expect(talk(bob)).to_contain_text("the gap is in March")
    field(bob).press_sequentially("Here")
    expect(ada.locator(".typing")).to_have_text("bob is typing…")
    field(bob).evaluate(PASTE)
    files = bob.get_by_role("list", name="Files that go along")
    expect(files.get_by_role("listitem")).to_have_count(2)
    expect(files.locator("img").first).to_have_attribute("src", re.compile("^data:image/png"))
    expect(bob.get_by_role("alert")).to_contain_text("film.mp4 (4.0 MB): too large")
    files.get_by_role("button", name="Leave out: table.csv").click()
    expect(files).to_contain_text("pasted")
    talk(bob).get_by_role("listitem").filter(has_text="March").get_by_role("link", name="Reply to").click()
    expect(bob.get_by_text("Replying to owner")).to_be_visible()
    field(bob).press("Enter")
    said = talk(ada).get_by_role("listitem").filter(has_text="Here")
    expect(said).to_contain_text("the gap is in March")
    expect(said.get_by_role("img", name="pasted")).to_be_visible()
    expect(ada.locator(".typing")).to_be_hidden()
    expect(files).to_be_hidden()
    expect(bob.get_by_text("Replying to")).to_be_hidden()
    expect(field(bob)).to_have_value("")


def what_is_new_is_told_apart(ada: Page, bob: Page, room: str) -> None:
    """Nothing moves under who reads further up; what they have not seen is counted and begins at a line."""
    for number in range(3):
        field(bob).fill(f"Line {number}" + "\n\nand more" * 12)
        field(bob).press("Enter")
        expect(talk(ada)).to_contain_text(f"Line {number}")
    expect(badge(ada)).to_have_count(0)
    talk(ada).evaluate("(el) => (el.scrollTop = 0)")
    first = talk(ada).get_by_text("the gap is in March").first
    expect(first).to_be_in_viewport()
    field(bob).fill("And you, @owner?")
    field(bob).press("Enter")
    expect(ada.get_by_role("button", name="1 new message")).to_be_visible()
    expect(first).to_be_in_viewport()
    expect(badge(ada)).to_have_text([re.compile("@1"), re.compile("1")])
    elsewhere = ada.context.new_page()
    elsewhere.goto(room)
    expect(elsewhere.locator(".since")).to_be_in_viewport()
    elsewhere.close()
    ada.reload()
    expect(talk(ada).get_by_text("And you, @owner?")).to_be_in_viewport()
    expect(badge(ada)).to_have_count(0)
    ada.reload()
    expect(talk(ada)).to_contain_text("And you")
    expect(ada.locator(".since")).to_have_count(0)
