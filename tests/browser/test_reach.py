"""Whoever has no mouse reaches every control."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import People, editor
from tests.browser.views import Figures
from tests.stories.script import Script
from tests.stories.waiting import until

ALONE = [{"key": "call", "title": "Call the branch in Antwerp", "skills": ["phoning"]}]
# What can be reached: radios of one group count once, what is hidden or closed not at all.
CONTROLS = """() => {
  const groups = new Set();
  const all = [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex]")];
  window.stops = all.filter((el) => {
    if (el.tabIndex < 0 || el.disabled || !el.checkVisibility({ visibilityProperty: true })) return false;
    if (el.type === "radio" && groups.has(el.name)) return false;
    if (el.type === "radio") groups.add(el.name);
    return true;
  });
  return window.stops.map((el) => el.outerHTML.slice(0, 200));
}"""
FOCUSED = """() => {
  const el = document.activeElement, at = el.getBoundingClientRect();
  const styles = [el, el.parentElement, el.closest("label") ?? el].map((one) => getComputedStyle(one));
  return {
    stop: window.stops.indexOf(el),
    name: (el.ariaLabel || el.innerText || el.name || el.tagName).slice(0, 60),
    marked: styles.some((style) => style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0),
    inView: at.bottom > 0 && at.top < innerHeight && at.right > 0 && at.left < innerWidth,
  };
}"""


@pytest.fixture
def finished(script: Script, figured: Figures) -> str:
    """The address of a workspace whose run is done."""
    return f"{script.url}/w/{figured.done().workspace}/"


@pytest.fixture
def held(script: Script) -> str:
    """The address of a task that nobody but a person can do, in the owner's hands."""
    workspace = script.workspace("By hand")
    run = script.post(
        f"/api/v1/workspaces/{workspace}/runs", {"goal": "Know what Antwerp wants", "plan": ALONE, "start": True}
    )
    until(lambda: script.task(run["id"], "call")["state"] == "stuck", seconds=30, what="nobody's task")
    task = script.task(run["id"], "call")["id"]
    script.post(f"/api/v1/tasks/{task}/takeover")
    return f"{script.url}/w/{workspace}/tasks/{task}/"


def test_every_control_of_a_task_is_reached_by_the_keyboard_and_shows_it(people: People, held: str) -> None:
    page = people.signed_in(at=held)
    expect(editor(page)).to_be_visible()
    reach_everything(page)
    page.get_by_role("button", name="Hand back").or_(page.get_by_role("button", name="Finish it")).first.focus()
    editor(page).focus()
    page.keyboard.type("They want lamps.")
    expect(page.get_by_text("Draft saved, version 2")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="Result")).to_contain_text("They want lamps.")


def test_every_control_of_a_workspace_is_reached_by_the_keyboard(people: People, finished: str) -> None:
    page = people.signed_in(at=finished)
    reach_everything(page)


def test_every_deadline_is_set_by_the_keyboard(people: People, finished: str) -> None:
    page = people.signed_in(at=finished)
    page.get_by_role("button", name="Goal and rules").press("Enter")
    page.get_by_role("link", name="Deadlines").press("Enter")
    expect(page.get_by_role("heading", name="Deadlines")).to_be_visible()
    reach_everything(page)
    field = page.get_by_label("Answer an agent's question")
    field.fill("15 min")
    field.press("Enter")
    expect(page.get_by_text("The deadlines are saved.")).to_be_visible()
    expect(field).to_have_value("15 min")


def reach_everything(page: Page) -> None:
    """Press Tab through the whole page: each control once, in view, with a mark around it."""
    page.wait_for_load_state("networkidle")
    wanted = page.evaluate(CONTROLS)
    assert len(wanted) > 10
    reached: dict[int, Any] = {}
    for _ in range(2 * len(wanted)):
        page.keyboard.press("Tab")
        at = page.evaluate(FOCUSED)
        if at["stop"] in reached:
            break
        if at["stop"] >= 0:
            reached[at["stop"]] = at
    assert [html for stop, html in enumerate(wanted) if stop not in reached] == []
    assert [at["name"] for at in reached.values() if not at["marked"]] == []
    assert [at["name"] for at in reached.values() if not at["inView"]] == []
