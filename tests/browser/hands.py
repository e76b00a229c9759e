"""Whoever walks through the product: with a mouse, with nothing but a keyboard, or with a thumb on a phone.

Each does the same few things in a way of its own. The keyboard never touches a mouse: it goes from stop to stop with
Tab and arrow keys, and what it reaches has to show that it has the focus.
"""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Locator, Page, expect

MOST_STOPS = 250
WIDE = {"width": 1440, "height": 900}
HAS_FOCUS = "el => el === document.activeElement"
# Which key leads nearer: none, an arrow within a group of choices, or Tab.
NEXT = """el => {
  const at = document.activeElement;
  if (el === at) return "";
  return el.type === "radio" && at.type === "radio" && at.name === el.name && at.form === el.form ? "ArrowDown" : "Tab";
}"""
SEEN = """el => {
  const at = el.getBoundingClientRect(), around = [];
  for (let up = el; up && !up.matches("main, body"); up = up.parentElement) around.push(getComputedStyle(up));
  const marked = around.some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0);
  return marked && at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth;
}"""


class Mouse:
    """A mouse, and a wide window in which everything moves that can."""

    name = "mouse"
    options: dict[str, Any] = {"viewport": WIDE, "reduced_motion": "no-preference"}

    def __init__(self, page: Page) -> None:
        self.page = page

    def press(self, what: Locator) -> None:
        """A button, a link, a fold or a choice."""
        what.click()

    def write(self, where: Locator, text: str) -> None:
        """Write into a field, in place of what stands there."""
        self.press(where)
        where.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def append(self, where: Locator, text: str) -> None:
        """Write on at the end of a field."""
        self.press(where)
        where.press("ControlOrMeta+End")
        self.page.keyboard.type(text)

    def submit(self, _button: Locator) -> None:
        """What ends a form of one line."""
        _button.click()


class Thumb(Mouse):
    """A finger, on a phone."""

    name = "thumb"
    options = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}

    def press(self, what: Locator) -> None:
        what.tap()

    def submit(self, _button: Locator) -> None:
        _button.tap()


class Keyboard(Mouse):
    """No mouse."""

    name = "keyboard"
    options = {"viewport": WIDE}

    def press(self, what: Locator) -> None:
        self.go(what)
        if what.evaluate("el => ['radio', 'checkbox'].includes(el.type)"):
            if not what.is_checked():
                self.page.keyboard.press("Space")
        elif not what.evaluate("el => el.matches('input, textarea')"):
            self.page.keyboard.press("Enter")

    def write(self, where: Locator, text: str) -> None:
        self.go(where)
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.type(text)

    def append(self, where: Locator, text: str) -> None:
        self.go(where)
        self.page.keyboard.press("ControlOrMeta+End")
        self.page.keyboard.type(text)

    def submit(self, _button: Locator) -> None:
        self.page.keyboard.press("Enter")

    def go(self, what: Locator) -> None:
        """Tab until it has the focus; within a group of choices by arrows."""
        expect(what).to_be_visible()
        for _ in range(MOST_STOPS):
            if not (key := what.evaluate(NEXT)):
                break
            self.page.keyboard.press(key)
        assert what.evaluate(HAS_FOCUS), f"no key leads to {what}"
        assert what.evaluate(SEEN), f"nobody sees that {what} has the focus"
