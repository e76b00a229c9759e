"""What a person sees who has just typed `make run`."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.people import People
from tests.stories.installation import Installation


def test_a_stranger_is_asked_to_sign_in(claw: Installation, people: People) -> None:
    page = people.stranger()
    page.goto(claw.url)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    expect(page.get_by_text("First workspace")).to_have_count(0)
