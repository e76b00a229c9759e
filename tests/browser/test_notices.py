"""Whoever looks elsewhere is told by the browser that something waits for them: soon, once, and not in quiet hours."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Page, expect

from tests.browser.asker import Asker, asking
from tests.browser.people import WORK, People, slowness
from tests.stories.installation import Installation
from tests.stories.script import Json, Script
from tests.stories.waiting import until

SECONDS = 10.0
"""What is promised, on a machine that answers in time."""
# A browser that has allowed notices and keeps them, and a person who looks elsewhere as soon as the test says so.
PRETEND = """
if (location.protocol === "http:") {
window.told = [];
window.Notification = class {
  static permission = localStorage.permission || "granted";
  static async requestPermission() { return (this.permission = localStorage.permission = "granted"); }
  constructor(title, options) { window.told.push({ title, ...options, at: Date.now(), click: () => this.onclick() }); }
  close() {}
};
Object.defineProperty(document, "hidden", { get: () => sessionStorage.away === "yes" });
}
"""
GO = "(where) => { sessionStorage.away = where; document.dispatchEvent(new Event('visibilitychange')); }"
HERS = """
from agents.models import Agent
from django.contrib.auth.models import User
Agent.objects.filter(name="Digger").update(owner=User.objects.get(username="{}"))
"""
EVERYDAY = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


@pytest.fixture
def nora(claw: Installation) -> str:
    """Somebody for whom nothing waits yet."""
    return person(claw, "nora")


def person(claw: Installation, name: str) -> str:
    """The name of somebody new."""
    name = f"{name}-{uuid4().hex[:6]}"
    claw.manage("shell", "-c", f"from django.contrib.auth.models import User; User.objects.create_user('{name}')")
    return name


@pytest.fixture
def workspace(script: Script, nora: str) -> str:
    made = script.workspace("The well")
    script.post(f"/api/v1/workspaces/{made}/members", {"user": nora, "role": "member"})
    return made


@pytest.fixture
def agent(claw: Installation, script: Script, workspace: str, nora: str) -> Iterator[Asker]:
    """An agent of hers, so that its questions are put to her first."""
    with asking(script, workspace) as agent:
        claw.manage("shell", "-c", HERS.format(nora))
        yield agent


class Tabs:
    """One person's browser with some of our pages open."""

    def __init__(self, people: People, name: str, *paths: str) -> None:
        first = people.signed_in(name, at=None)
        first.context.add_init_script(PRETEND)
        first.goto(people.url + paths[0])
        self.pages = [first, *[first.context.new_page() for _ in paths[1:]]]
        for page, path in zip(self.pages[1:], paths[1:], strict=True):
            page.goto(url_of(first, path))

    def go_away(self, *pages: Page) -> None:
        """From these, or from all of them."""
        for page in pages or self.pages:
            page.evaluate(GO, "yes")

    def told(self) -> list[Json]:
        """Every notice that these pages gave since they were loaded."""
        found = [one for page in self.pages for one in page.evaluate("() => window.told")]
        return sorted(found, key=lambda one: one["at"])

    def until_told(self, number: int) -> list[Json]:
        until(lambda: len(self.told()) >= number, seconds=WORK / 1000, what=f"notice {number}")
        assert len(self.told()) == number
        return self.told()


def url_of(page: Page, path: str) -> str:
    return "/".join(page.url.split("/")[:3]) + path


def waits(page: Page, number: int) -> None:
    """The page says in its title and its icon that so much waits."""
    expect(page).to_have_title(re.compile(rf"^\({number}\) " if number else r"^[^(]"))
    icon = page.locator("link[rel=icon]")
    expect(icon).to_have_attribute("href", re.compile("claw-waits" if number else r"claw\.[^/]*svg"))


def test_who_looks_elsewhere_is_told_once_within_ten_seconds_and_led_there(
    people: People, script: Script, nora: str, agent: Asker
) -> None:
    tabs = Tabs(people, nora, "/agents/", "/me/")
    first, other = tabs.pages
    waits(first, 0)
    tabs.go_away()
    agent.ask("dig --deep")
    (notice,) = tabs.until_told(1)
    found = script.get("/api/v1/approvals?state=open")["items"]
    (row,) = [one for one in found if one["tool_call"]["title"] == "dig --deep"]
    asked, task = row["id"], row["task"]["id"]
    took = notice["at"] / 1000 - datetime.fromisoformat(row["asked_at"]).timestamp()
    print("Seconds from the question to the notice:", took)
    assert took < SECONDS * slowness(first)
    assert (notice["title"], notice["body"]) == ("Digger asks for permission", "Dig a well\nThe well")
    assert notice["tag"] == f"claw:approval:{asked}"
    for page in tabs.pages:
        waits(page, 1)

    # Loaded again, and led by another page: what was told is not told again, what is new is.
    other.reload()
    agent.ask("dig --wide")
    assert sorted(one["tag"] == notice["tag"] for one in tabs.until_told(2)) == [False, True]
    waits(other, 2)

    teller = next(page for page in tabs.pages if page.evaluate("() => window.told.length"))
    teller.evaluate("() => window.told[0].click()")
    teller.wait_for_url(re.compile(rf"/tasks/{task}/#ask-"))
    expect(teller.locator(f"#ask-{asked}")).to_be_visible()


def test_who_looks_at_one_of_our_pages_is_not_told_and_neither_is_who_is_not_asked(
    people: People, claw: Installation, script: Script, nora: str, workspace: str, agent: Asker
) -> None:
    tabs = Tabs(people, nora, "/agents/", f"/w/{workspace}/")
    away, here = tabs.pages
    tabs.go_away(away)
    agent.ask("dig --deep")
    waits(here, 1)
    waits(away, 1)
    tabs.go_away(here)
    asked_of_somebody_else(claw, script, workspace)
    agent.ask("dig --wide")
    (notice,) = tabs.until_told(1)
    assert notice["title"] == "Digger asks for permission"
    waits(away, 2)


def asked_of_somebody_else(claw: Installation, script: Script, workspace: str) -> None:
    """A task that somebody who has nothing else in hand is alone asked to do."""
    name = person(claw, "otto")
    his = Script(claw.url, claw.token(name))
    script.post(f"/api/v1/workspaces/{workspace}/members", {"user": name, "role": "member"})
    mine = {"skills": [{"name": "resting", "level": 3}], "capacity": 1}
    assert his.send("PATCH", f"/api/v1/workspaces/{workspace}/members/me", mine).status == 200
    plan = [{"key": "rest", "title": "Take a rest", "skills": ["resting"]}]
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Rest", "plan": plan, "start": True})["id"]
    task = script.tasks(run)[0]["id"]
    until(
        lambda: task in [one["id"] for one in his.get("/api/v1/work")["asked"]],
        seconds=30,
        what="the question whether he would do it",
    )


def test_nobody_is_told_in_quiet_hours_and_what_waits_still_is_told_when_they_end(
    people: People, script: Script, nora: str, agent: Asker
) -> None:
    tabs = Tabs(people, nora, "/me/notices/")
    (page,) = tabs.pages
    quiet(page, on=True)
    tabs.go_away()
    agent.ask("dig --deep")
    waits(page, 1)
    assert asked_by(page, "GET", "/me/notices")["quiet_now"] is True
    agent.ask("dig --wide")
    waits(page, 2)
    assert tabs.told() == []
    quiet(page, on=False)
    page.evaluate("() => window.claw.lead()")  # what it does once a minute
    assert [one["title"] for one in tabs.until_told(2)] == ["Digger asks for permission"] * 2


def quiet(page: Page, *, on: bool) -> None:
    said = {"zone": "UTC", "days": EVERYDAY, "from": "00:00", "to": "00:00"} if on else {}
    asked_by(page, "PATCH", "/me/notices", {"quiet": said})


def asked_by(page: Page, method: str, path: str, body: Any = None) -> Json:
    """A request to the API, as the person of the page."""
    token = page.locator("body").get_attribute("hx-headers") or ""
    headers = {"X-CSRFToken": re.findall(r'": "([^"]+)"', token)[0], "Origin": url_of(page, "")}
    answer = page.request.fetch(url_of(page, f"/api/v1{path}"), method=method, headers=headers, data=body)
    assert answer.ok, answer.text()
    said: Json = answer.json()
    return said


def test_notices_are_allowed_by_a_button_and_tried_by_another(people: People, nora: str) -> None:
    page = people.signed_in(nora, at=None)
    page.context.add_init_script(PRETEND.replace('"granted";', '"default";', 1))
    page.goto(f"{people.url}/me/notices/")
    page.get_by_label("I have quiet hours").check()
    expect(page.get_by_label("Time zone")).not_to_have_value("")
    expect(page.get_by_role("button", name="Show a test notice")).to_be_hidden()
    page.get_by_role("button", name="Allow notices here").click()
    page.get_by_role("button", name="Show a test notice").click()
    (notice,) = page.evaluate("() => window.told")
    assert (notice["title"], notice["body"]) == ("A test notice", "This is how you are told.")
    page.get_by_label("Minutes that something waits first").fill("5")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    expect(page.get_by_label("Minutes that something waits first")).to_have_value("5")
    expect(page.get_by_label("I have quiet hours")).to_be_checked()
