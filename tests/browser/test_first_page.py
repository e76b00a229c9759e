"""What a person sees who has just typed `make run` and follows the printed link."""

from __future__ import annotations

from playwright.sync_api import ConsoleMessage, Page, expect

from tests.browser.conftest import Site


def test_the_printed_link_signs_the_first_person_in_once(site: Site, page: Page) -> None:
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            complaints.append(message.text)

    page.on("console", listen)
    page.goto(site.link)
    expect(page.get_by_text("First workspace").first).to_be_visible()
    assert complaints == []
    page.context.clear_cookies()
    page.goto(site.link)
    expect(page.get_by_text("First workspace")).to_have_count(0)


def test_a_stranger_is_asked_to_sign_in(site: Site, page: Page) -> None:
    page.goto(site.url)
    expect(page.get_by_text("First workspace")).to_have_count(0)
