"""A person with a browser at a desk and one on a phone, who presses what the pages show."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, Page, expect

from agents.connector.launchers import launcher
from tests.browser.people import WORK, People
from tests.stories.installation import Installation

DESK, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


class Person:
    """The owner of the installation. Pictures of what they saw lie in `shots`, where that is given."""

    def __init__(self, product: Installation, url: str, browser: Browser, shots: Path | None) -> None:
        # By the address that the product knows as its own: on another one its pages are not live.
        self._url, self._shots, self._product = url, shots, product
        self._others = dict[str, Page]()
        self._people = People(product, browser, {})
        self.desk = self._people.signed_in(viewport=DESK, permissions=["clipboard-read", "clipboard-write"])
        self.phone = self._people.signed_in(viewport=PHONE)

    def brings(self, name: str) -> None:
        """Let somebody else have an account, where they have none."""
        self._product.manage(
            "shell", "-c", f"from django.contrib.auth.models import User; User.objects.get_or_create(username={name!r})"
        )

    def other_phone(self, name: str) -> Page:
        """The phone of somebody else, signed in."""
        if name not in self._others:
            self._others[name] = self._people.signed_in(name, viewport=PHONE)
        return self._others[name]

    def leave(self) -> None:
        self._people.leave()

    def shoot(self, page: Page, name: str) -> None:
        """Keep a picture of the whole page."""
        if self._shots is not None:
            page.screenshot(path=self._shots / f"{name}.png", full_page=True)

    def see(self, page: Page, path: str) -> Page:
        """Open a page of the product."""
        page.goto(f"{self._url}{path}")
        return page

    def registers(self, name: str, joins: str) -> tuple[str, str]:
        """Register an agent that starts as `name`, from the first page on, and copy its line: its id, and the line."""
        page = self.see(self.desk, "/")
        page.get_by_role("link", name="Agents").click()
        page.get_by_role("link", name=re.compile("^(Connect your first|Register an) agent$")).last.click()
        page.get_by_label("Name").fill(name)
        page.get_by_label("Skill", exact=True).first.fill(name)
        page.get_by_label("Level").first.select_option("4")
        page.get_by_label("Joins").select_option(joins)
        page.get_by_role("button", name="Register it").click()
        expect(page.get_by_role("heading", name=f"Connect {name}")).to_be_visible()
        return page.url.split("/")[-3], self._copied_line(page, name)

    def _copied_line(self, page: Page, program: str) -> str:
        """Say which program it is, and copy the line that stands there then."""
        line = page.get_by_role("region", name="Copy this line")
        known = launcher(program)
        if known is not None:
            # It says the same before and after, but for its code.
            with page.expect_response(lambda answer: answer.request.method == "POST"):
                page.get_by_label(known.title, exact=True).check()
            expect(line.get_by_text(known.install)).to_be_visible()
        else:
            page.get_by_label("A command of my own").check()
            page.get_by_label("Its command").fill(program)
            page.get_by_label("Its command").press("Enter")
            expect(line.get_by_role("code").first).to_contain_text(f"-- {program}")
        self.shoot(page, f"{program}-line-1440")
        line.get_by_role("button", name="Copy").first.click()
        copied = str(page.evaluate("navigator.clipboard.readText()"))
        assert copied == line.get_by_role("code").first.inner_text(), copied
        return copied

    def sees_the_light(self, name: str, *, shot: str) -> None:
        """On the page with the line, which is open at the desk, and on the phone: it is online."""
        light = self.desk.get_by_role("region", name="It comes in")
        expect(light).to_contain_text(f"{name} is online", timeout=WORK)
        expect(self.desk.get_by_role("region", name="The line", exact=True)).to_contain_text("The line was used")
        self.phone.goto(self.desk.url)
        expect(self.phone.get_by_role("region", name="It comes in")).to_contain_text(f"{name} is online")
        for page, width in ((self.desk, 1440), (self.phone, 390)):
            self.shoot(page, f"{shot}-light-{width}")

    def decide(self, workspace: str, task: str, asks: str, option: str, *, shot: str) -> None:
        """Press a button of a question on its task's page, on the phone; of what a form offers the first is chosen."""
        page = self.see(self.phone, f"/w/{workspace}/tasks/{task}/")
        asked = page.locator(f"#ask-{asks}")
        self.shoot(page, f"{shot}-asks-390")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page is wider than the phone"
        for choice in asked.locator("select").all():
            choice.select_option(index=1)
        asked.locator(f'button[value="{option}"]').click()
        expect(asked).to_have_count(0)
        self.shoot(page, f"{shot}-answered-390")

    def takes_over(self, workspace: str, task: str, *, shot: str) -> None:
        """Take a task over on its page, on the phone."""
        page = self.see(self.phone, f"/w/{workspace}/tasks/{task}/")
        self.shoot(page, f"{shot}-works-390")
        page.get_by_role("button", name="Take over").first.click()
        expect(page.get_by_role("heading", name="It is in your hands")).to_be_visible(timeout=WORK)
        self.shoot(page, f"{shot}-taken-over-390")

    def unseats(self, workspace: str, handle: str, *, shot: str) -> None:
        """Take an agent's seat in a workspace away, on the page of its team."""
        page = self.see(self.desk, f"/w/{workspace}/members/")
        seat = page.get_by_role("listitem").filter(has=page.get_by_text(f"@{handle}", exact=True))
        self.shoot(page, f"{shot}-team-1440")
        seat.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(seat).to_have_count(0)

    def retires(self, agent: str, *, shot: str) -> None:
        """Retire an agent on its page."""
        page = self.see(self.desk, f"/agents/{agent}/")
        page.get_by_role("button", name="Retire the agent").click()
        page.get_by_role("dialog").get_by_role("button", name="Retire the agent").click()
        expect(page.get_by_text("This agent was retired")).to_be_visible()
        self.shoot(page, f"{shot}-retired-1440")
