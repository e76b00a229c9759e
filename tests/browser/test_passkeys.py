"""A passkey in a real browser: made, and then it signs its person in alone."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.people import People
from tests.stories.installation import Installation

AUTHENTICATOR = {
    "protocol": "ctap2",
    "transport": "internal",
    "hasResidentKey": True,
    "hasUserVerification": True,
    "isUserVerified": True,
    "automaticPresenceSimulation": True,
}


def test_a_passkey_is_made_and_signs_its_person_in(claw: Installation, people: People) -> None:
    claw.manage("shell", "-c", "from django.contrib.auth.models import User; User.objects.create_user('kay')")
    page = people.stranger()
    # Browsers keep passkeys for names, not for numbers.
    here = claw.url.replace("127.0.0.1", "localhost")
    device = page.context.new_cdp_session(page)
    device.send("WebAuthn.enable")
    device.send("WebAuthn.addVirtualAuthenticator", {"options": AUTHENTICATOR})
    page.goto(claw.manage("login_link", "kay").replace("127.0.0.1", "localhost"))
    page.goto(f"{here}/me/security/")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_role("heading", name="Recovery codes")).to_be_visible()
    page.get_by_role("link", name="Back to Security").click()
    expect(page.get_by_text("My laptop")).to_be_visible()
    expect(page.get_by_text("10 are left.")).to_be_visible()
    page.get_by_role("button", name="Menu of kay").click()
    page.get_by_role("button", name="Sign out").last.click()
    page.goto(f"{here}/accounts/login/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("button", name="Menu of kay")).to_be_visible()
