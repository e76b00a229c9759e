"""What is seen of pages only once something was opened, refused or cut off."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.line import Line
from tests.browser.people import give_goal
from tests.browser.views import Figures, View
from tests.stories.script import Script


def states(script: Script, done: Figures) -> list[View]:
    """Pages with what somebody did on them. Each changes its page only, and nothing that others see."""
    quiet, run = script.workspace("Nothing yet"), f"/w/{done.workspace}/runs/{done.run}/"
    room = f"/w/{done.workspace}/"
    return [
        View("the palette", room, doing=_palette),
        View("the keys", room, doing=_keys),
        View("who can be named", room, doing=_naming),
        View("who is woken", room, doing=_waking),
        View("a goal, refused", f"/w/{quiet}/", doing=_empty_goal),
        View("a workspace, refused", "/", doing=_nameless),
        View("an agent, refused", "/agents/new/", doing=_markup),
        View("no connection", room, doing=_cut_off),
        View("not sent", room, doing=_not_sent),
        View("not loaded", run, doing=_not_loaded),
    ]


def refused() -> list[View]:
    """The same of strangers."""
    return [
        View("an account, refused", "/accounts/login/", doing=_wrong_password),
    ]


def _palette(page: Page) -> None:
    page.keyboard.press("Control+k")
    expect(page.get_by_role("option").first).to_be_visible()


def _keys(page: Page) -> None:
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard")).to_be_visible()


def _naming(page: Page) -> None:
    page.get_by_role("textbox", name="Message to the team").press_sequentially("Look, @")
    expect(page.get_by_role("option").first).to_be_visible()


def _waking(page: Page) -> None:
    with page.expect_response("**/wake*/**"):
        page.get_by_role("textbox", name="Message to the team").fill("@coordinator which region grows fastest?")


def _empty_goal(page: Page) -> None:
    give_goal(page, "   ")
    expect(page.get_by_role("alert")).to_be_visible()


def _nameless(page: Page) -> None:
    form = page.get_by_role("region", name="New workspace")
    form.get_by_label("Name").fill("   ")
    form.get_by_label("Goal").fill("Sell more")
    form.get_by_role("button", name="Open it").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _markup(page: Page) -> None:
    page.get_by_label("Name").fill("<img src=x onerror=alert(1)> Kimi")
    page.get_by_label("Skill", exact=True).first.fill("writing")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("alert")).to_be_visible()


def _cut_off(page: Page) -> Line:
    line = Line(page)
    with page.expect_websocket():
        page.reload()
    line.cut()
    expect(page.locator("html")).to_have_attribute("data-link", "lost")
    return line


def _not_sent(page: Page) -> None:
    _cut_off(page)
    page.get_by_role("textbox", name="Message to the team").fill("The gap is in March.")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No connection. Nothing was sent; your text is still here.")).to_be_visible()


def _not_loaded(page: Page) -> None:
    page.route("**/actions/", lambda route: route.fulfill(status=500))
    page.locator("[id^=run-actions-]").dispatch_event("reload", {"bubbles": False})
    expect(page.get_by_text("This part could not be loaded.")).to_be_visible()


def _wrong_password(page: Page) -> None:
    page.locator("[name=login]").fill("ada")
    page.locator("[name=password]").fill("not it")
    page.keyboard.press("Enter")
    page.wait_for_load_state()
