"""The fleet: forty agents at a glance, found by filter and by arrow keys, looked at closely, live without a reload."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from tests.browser.line import Line, heard
from tests.browser.people import People
from tests.stories.installation import Installation
from tests.stories.script import Script
from tests.stories.waiting import until

GATHER = """
import json
from tests.browser.crowd import gather
print(json.dumps(gather(agents=40, tasks=120).paths()))
"""
# A tool call that an agent of the run makes now: it is told to the web server by the journal alone.
STEP = """
import asyncio
from uuid import UUID
from bench.crew import found_again, recorded
from clawgroups.models import Attempt
crew = found_again(UUID("{run}"))
seat = {str(pk): str(seat) for pk, seat in Attempt.objects.values_list("pk", "member_id")}
worker = next(w for w in crew.workers if w.standing.live and seat[str(w.standing.attempt_id)] == "{seat}")
asyncio.run(recorded(worker, 77))
"""
# What each cell says, without how long ago it was.
CELLS = """() => Object.fromEntries([...document.querySelectorAll(".cell")].map((cell) => {
  const copy = cell.cloneNode(true);
  copy.querySelectorAll("time").forEach((time) => time.remove());
  return [cell.id, cell.dataset.state + copy.textContent];
}))"""


@pytest.fixture(scope="module")
def here(claw: Installation) -> str:
    """The address of the fleet view."""
    made = json.loads(claw.manage("shell", "-c", GATHER).splitlines()[-1])
    return f"{claw.url}{made['run']}view/fleet/"


@pytest.fixture
def page(people: People, here: str) -> Page:
    page = people.signed_in(at=here)
    page.evaluate("window.here = true")
    expect(page.locator(".cell")).to_have_count(40)
    return page


def test_agents_are_found_by_state_skill_and_owner_without_a_reload(page: Page, here: str) -> None:
    cells = page.locator(".cell")
    quiet = counted(page, "quiet")
    page.get_by_role("link", name=re.compile(r"\d+ quiet")).click()
    expect(cells).to_have_count(quiet)
    expect(page).to_have_url(f"{here}?state=quiet")
    page.locator("select[name='state']").select_option("")
    page.locator("select[name='skill']").select_option("writing")
    expect(page).to_have_url(f"{here}?skill=writing")
    expect(cells).not_to_have_count(40)
    page.get_by_role("link", name="all", exact=True).click()
    expect(cells).to_have_count(40)
    page.get_by_text("By owner").click()
    expect(page.get_by_role("heading", name=re.compile("Mei Tanaka"))).to_be_visible()
    assert page.evaluate("window.here"), "nothing of this took a reload"


def test_one_agent_is_looked_at_closely_by_keyboard_and_left_again(page: Page) -> None:
    expect(page.locator(".cell > a:not([tabindex='-1'])")).to_have_count(1)
    working = page.locator(".cell--working > a")
    working.first.focus()
    page.keyboard.press("ArrowRight")
    expect(working.nth(1)).to_be_focused()
    name = working.nth(1).locator(".cell__name").text_content() or ""
    page.keyboard.press("Enter")
    expect(panel(page).get_by_role("heading", name=name)).to_be_focused()
    expect(page).to_have_url(re.compile(r"\?agent="))
    step = panel(page).locator(".step details").first
    step.locator("summary").click()
    step.get_by_text("As the agent sent it").click()
    expect(step.locator("pre").first).to_contain_text("csv")
    page.keyboard.press("Escape")
    expect(step.locator("details")).not_to_have_attribute("open", "")
    page.keyboard.press("Escape")
    expect(step).not_to_have_attribute("open", "")
    expect(panel(page)).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel(page)).to_be_hidden()
    expect(working.nth(1)).to_be_focused()


def test_what_happens_changes_its_cell_and_the_counts_and_cells_move_when_they_are_told(
    page: Page, here: str, script: Script
) -> None:
    before = counted(page, "working")
    chosen = page.locator(".cell--working").nth(2)
    chosen.locator("a").click()
    task = panel(page).locator("article.work h3 a").get_attribute("href") or ""
    cell = page.locator(f"#{chosen.get_attribute('id')}")
    script.post(f"/api/v1/tasks/{task.rstrip('/').rsplit('/', 1)[-1]}/takeover")
    expect(cell).not_to_have_attribute("data-state", "working")
    expect(page.locator("[data-counted='working'] b")).to_have_text(str(before - 1))
    expect(page.locator("[data-part-of='working']").locator(f"#{cell.get_attribute('id')}")).to_be_visible()
    page.get_by_role("button", name=re.compile("have moved on")).click()
    expect(page.locator("[data-part-of='working']").locator(f"#{cell.get_attribute('id')}")).to_have_count(0)
    panel(page).get_by_role("link", name="Close").click()
    fresh = page.context.new_page()

    def same() -> bool:
        fresh.goto(here)
        return bool(page.evaluate(CELLS) == fresh.evaluate(CELLS))

    until(same, seconds=20, what="cells that read as they do on a page that is loaded now")
    assert page.evaluate("window.here")


def test_what_happened_while_an_agents_work_was_on_its_way_to_the_page_is_on_it(
    people: People, here: str, claw: Installation
) -> None:
    page = people.signed_in(at=None)
    line = Line(page)
    page.goto(here)
    agent = page.locator(".cell--working > a").last
    address = agent.get_attribute("href") or ""

    def late(route: Route) -> None:
        answer = route.fetch()
        run, seat = here.split("/runs/")[1][:36], address.split("/members/")[1][:36]
        before = len(line.fragments())
        claw.manage("shell", "-c", STEP.replace("{run}", run).replace("{seat}", seat))
        heard(page, lambda: len(line.fragments()) > before, "word of the step")
        route.fulfill(response=answer)

    # A fleet has a place for cells alone, and is sent no steps: the one that is recorded meanwhile is asked for later.
    heard(page, lambda: bool(line.asked("subscribe")), "the subscription")
    assert line.asked("subscribe")[-1]["kinds"] == ["cells"]
    page.route(f"**{address}**", late)
    agent.click()
    expect(panel(page).locator(".step").filter(has_text="Step 77")).to_be_visible()
    assert line.asked("subscribe")[-1]["kinds"] == ["cells", "steps"]
    page.unroute(f"**{address}**")
    panel(page).get_by_role("link", name="Close").click()
    heard(page, lambda: line.asked("subscribe")[-1]["kinds"] == ["cells"], "a page that asks for no more than it shows")


def panel(page: Page) -> Locator:
    return page.get_by_role("complementary", name="One agent")


def counted(page: Page, state: str) -> int:
    return int(page.locator(f"[data-counted='{state}'] b").inner_text())
