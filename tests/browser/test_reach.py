"""Whoever has no mouse reaches every control; whoever has a small screen never scrolls sideways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import People, editor
from tests.stories.sales import Sales
from tests.stories.script import Script
from tests.stories.waiting import until

NARROW = {"width": 390, "height": 844}
WIDE = {"width": 1440, "height": 900}
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
# What is cut off at the edge of its own box, or of the window, and cannot be scrolled to.
CUT_OFF = """() => {
  const shortened = (el) => {
    const style = getComputedStyle(el);
    return style.textOverflow === "ellipsis" || style.clipPath !== "none";
  };
  const box = (el) => {
    for (let up = el.parentElement; up; up = up.parentElement) {
      if (shortened(up) || /auto|scroll/.test(getComputedStyle(up).overflowX)) return Infinity;
      if (up.matches(".card, .panel, .task, .pane, body")) return up.getBoundingClientRect().right;
    }
  };
  const out = [...document.querySelectorAll("body *")].filter((el) =>
    el.checkVisibility() && !shortened(el) && el.getBoundingClientRect().right > box(el) + 1);
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return { over, out: out.map((el) => el.outerHTML.slice(0, 160)) };
}"""


@pytest.fixture(scope="session")
def finished(script: Script, sales: Sales) -> dict[str, str]:
    """A workspace whose run is done, and the addresses of its pages."""
    workspace = script.workspace("Quarterly figures for the branches in the north and the south")
    script.post(
        f"/api/v1/workspaces/{workspace}/messages", {"body": "Please keep it short: `units`, **revenue**, and a chart."}
    )
    run = script.give(workspace, "Which region sells best, and how did revenue develop?", sales.name, sales.content())
    until(lambda: script.get(f"/api/v1/runs/{run}")["state"] == "done", seconds=90, what="the end of the run")
    task = script.task(run, "report")["id"]
    agent = script.get("/api/v1/agents")["items"][0]["id"]
    room = f"/w/{workspace}/"
    return {
        "workspaces": "/",
        "workspace": room,
        "runs": f"{room}runs/",
        "run": f"{room}runs/{run}/",
        "task": f"{room}tasks/{task}/",
        "team": f"{room}members/",
        "messages": f"{room}messages/",
        "deadlines": f"{room}deadlines/",
        "agents": "/agents/",
        "agent": f"/agents/{agent}/",
        "new-agent": "/agents/new/",
        "needs-you": "/needs-you/",
        "me": "/me/",
    }


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
    page = people.signed_in()
    page.goto(held)
    expect(editor(page)).to_be_visible()
    reach_everything(page)
    page.get_by_role("button", name="Hand back").or_(page.get_by_role("button", name="Finish it")).first.focus()
    editor(page).focus()
    page.keyboard.type("They want lamps.")
    expect(page.get_by_text("Draft saved, version 2")).to_be_visible()
    page.keyboard.press("Control+Enter")
    expect(page.get_by_role("region", name="Result")).to_contain_text("They want lamps.")


def test_every_control_of_a_workspace_is_reached_by_the_keyboard(
    people: People, script: Script, finished: dict[str, str]
) -> None:
    page = people.signed_in()
    page.goto(script.url + finished["workspace"])
    reach_everything(page)


def test_every_deadline_is_set_by_the_keyboard(people: People, script: Script, finished: dict[str, str]) -> None:
    page = people.signed_in()
    page.goto(script.url + finished["workspace"])
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


def test_no_page_scrolls_sideways_on_a_telephone(
    people: People, script: Script, finished: dict[str, str], held: str, tmp_path: Path
) -> None:
    page = people.signed_in(viewport=NARROW)
    for name, path in {**finished, "held": held.removeprefix(script.url)}.items():
        page.goto(script.url + path)
        page.screenshot(path=tmp_path / f"{name}-narrow.png", full_page=True)
        assert page.evaluate(CUT_OFF) == {"over": 0, "out": []}, name
    print("Pictures of the pages:", tmp_path)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_pages_stand_in_both_colours(
    people: People, script: Script, finished: dict[str, str], tmp_path: Path, scheme: Any
) -> None:
    page = people.signed_in(viewport=WIDE, color_scheme=scheme)
    seen = set()
    for name, path in finished.items():
        page.goto(script.url + path)
        page.screenshot(path=tmp_path / f"{name}-{scheme}.png")
        assert page.evaluate(CUT_OFF) == {"over": 0, "out": []}, name
        seen.add(page.evaluate("() => getComputedStyle(document.body).backgroundColor"))
    print("Pictures of the pages:", tmp_path)
    assert len(seen) == 1
