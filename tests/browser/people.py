"""People with browsers: what they do with a mouse, in the words that the pages show."""

from __future__ import annotations

import base64
import re
from typing import Any

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.stories.installation import Installation

PATIENCE = 30_000
"""Milliseconds for what a page does by itself. No promise: on a busy machine pages wait for their turn."""
WORK = 60_000
"""Milliseconds for what agents do."""
BARE = """async () => {
  const began = performance.now();
  await fetch("/healthz", { cache: "no-store" });
  return performance.now() - began;
}"""
USUAL = 100
"""Milliseconds within which a page has the answer to a bare request, unless the machine is busy with other things."""
REPORT_VIOLATIONS = """
document.addEventListener("securitypolicyviolation", (event) =>
  console.error(`CSP violation: ${event.violatedDirective} ${event.blockedURI}`));
"""
DROP = """([zone, name, base64]) => {
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  const dataTransfer = new DataTransfer();
  dataTransfer.items.add(new File([bytes], name, { type: "text/csv" }));
  for (const type of ["dragover", "drop"])
    zone.dispatchEvent(new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }));
}"""


class People:
    """Opens a browser of its own for each person, and listens to all consoles."""

    def __init__(self, claw: Installation, browser: Browser, sessions: dict[str, Any]) -> None:
        self._claw = claw
        self.url = claw.url
        self._browser = browser
        self._sessions = sessions
        self._contexts: list[BrowserContext] = []
        self._heard: list[str] = []
        self._allowed: list[str] = []

    def stranger(self, **options: Any) -> Page:
        """Somebody who has not signed in."""
        # What turns and breathes without end is drawn sixty times a second, here by the processor; one walk keeps it.
        quiet: dict[str, Any] = {"accept_downloads": True, "reduced_motion": "reduce"}
        context = self._browser.new_context(**{**quiet, **options})
        context.set_default_timeout(PATIENCE)
        context.add_init_script(REPORT_VIOLATIONS)
        context.on("console", self._hear)
        context.on("weberror", lambda error: self._heard.append(f"{error.error}"))
        self._contexts.append(context)
        return context.new_page()

    def signed_in(self, name: str = "owner", *, at: str | None = "", **options: Any) -> Page:
        """Somebody in a browser of their own, at this address, or on the list of workspaces; None is nowhere yet."""
        if name not in self._sessions:
            page = self.stranger()
            page.goto(self._claw.manage("login_link", name))
            self._sessions[name] = page.context.storage_state()
        page = self.stranger(storage_state=self._sessions[name], **options)
        if at is not None:
            page.goto(at or self._claw.url)
        return page

    def allow(self, pattern: str) -> None:
        """Console lines that this test means to cause."""
        self._allowed.append(pattern)

    def complaints(self) -> list[str]:
        return [line for line in self._heard if not any(re.search(allowed, line) for allowed in self._allowed)]

    def leave(self) -> None:
        for context in self._contexts:
            context.close()

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self._heard.append(f"{message.text} ({message.location.get('url', '')})")


def slowness(page: Page) -> float:
    """How many times longer than usual everything takes on this machine now; 1 where it does not."""
    return max(1.0, float(page.evaluate(BARE)) / USUAL)


def open_workspace(page: Page, name: str, goal: str = "Know the sales") -> str:
    """Make a workspace on the list's page and open it; its address."""
    form = page.get_by_role("region", name=re.compile("workspace", re.IGNORECASE))
    form.get_by_label("Name").fill(name)
    form.get_by_label("Goal").fill(goal)
    form.get_by_role("button", name="Open it").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()
    return page.url


def drop_file(page: Page, name: str, content: bytes) -> None:
    """Drop a file on the chat."""
    chat = page.get_by_role("region", name="Group chat").element_handle()
    page.evaluate(DROP, [chat, name, base64.b64encode(content).decode()])


def give_goal(page: Page, goal: str) -> None:
    """Write a goal and ask for a plan."""
    page.get_by_text("Give a goal", exact=True).click()
    page.get_by_role("textbox", name="The goal").fill(goal)
    page.get_by_role("button", name="Make a plan").click()


def start_plan(page: Page) -> None:
    """Check the plan that came, and start it."""
    run = current_run(page)
    run.get_by_role("button", name="Start", exact=True).click(timeout=WORK)
    expect(run.get_by_role("button", name="Pause")).to_be_visible()


def say(page: Page, text: str) -> None:
    """Write to the team."""
    page.get_by_role("textbox", name="Message to the team").fill(text)
    page.get_by_role("button", name="Send").click()


def current_run(page: Page) -> Locator:
    return page.get_by_role("region", name="Current run")


def task_card(page: Page, title: str) -> Locator:
    """A task's card in the workspace or the run."""
    heading = page.get_by_role("heading", name=title)
    return page.get_by_role("article").filter(has=heading)


def transcript(page: Page) -> Locator:
    return page.get_by_role("region", name="The work, step by step")


def editor(page: Page) -> Locator:
    return page.get_by_role("textbox", name="The result")
