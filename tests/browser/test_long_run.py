"""A long chat and a large run: a page keeps a bounded part of them, takes in everything, and loses nobody's place."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

from playwright.sync_api import Locator, Page, expect

from tests.browser.line import Line, heard
from tests.browser.people import PATIENCE, People
from tests.browser.test_two_people import same_as_a_fresh_page, tell
from tests.stories.script import Script
from tests.stories.waiting import until

LINES = 200
"""So many lines of the chat a page keeps."""
SAID = 240
FOREMOST = 24
"""So many tasks of a large run a page shows."""
PLAN = [{"key": f"t{number}", "title": f"Call number {number}", "skills": ["phoning"]} for number in range(200)]
COUNT_NEW_LINES = """() => {
  window.put = 0;
  const count = (all) => all.forEach(({ addedNodes }) => (window.put += addedNodes.length));
  new MutationObserver(count).observe(document.querySelector(".talk"), { childList: true });
}"""
CHAT = "() => [...document.querySelectorAll('.talk > .say .md')].map((el) => el.textContent.trim())"


def test_a_long_chat_keeps_its_newest_lines_and_leads_to_the_others(people: People, script: Script) -> None:
    workspace = script.workspace("Long chat")
    page = people.signed_in(at=None)
    line = Line(page)
    page.goto(f"{script.url}/w/{workspace}/")
    expect(page.get_by_role("link", name="Earlier messages")).to_be_hidden()
    with ThreadPoolExecutor(6) as many:
        list(many.map(lambda number: tell(script, workspace, f"Line {number}."), range(SAID)))

    caught_up(script, workspace, page, line)
    # By their times, to a thousandth of a second: of several that were said at once, another may have been heard first.
    told = script.get(f"/api/v1/workspaces/{workspace}/messages?limit=1000")["items"]
    said = {one["id"]: one["created_at"][:23] for one in told}
    shown = page.evaluate("() => [...document.querySelectorAll('.talk > .say')].map((el) => el.id.slice(8))")
    assert len(shown) == len(set(shown)) == LINES
    assert len(said) == SAID
    assert max(said[pk] for pk in said.keys() - set(shown)) <= min(said[pk] for pk in shown)
    assert page.evaluate("() => { const el = document.querySelector('.talk'); return el.scrollTop > 0; }")
    gone = {f"Line {number}." for number in range(SAID)} - set(page.evaluate(CHAT))
    page.get_by_role("link", name="Earlier messages").click()
    found = ""
    while not found or page.get_by_role("link", name="Older").count():
        if found:
            page.get_by_role("link", name="Older").first.click()
        found += page.get_by_role("main").inner_text()
    assert {text for text in gone if text not in found.splitlines()} == set()


def test_a_page_that_was_away_puts_up_no_more_lines_than_it_keeps(people: People, script: Script) -> None:
    workspace = script.workspace("Said meanwhile")
    page = people.signed_in(at=None)
    line = Line(page)
    page.goto(f"{script.url}/w/{workspace}/")
    tell(script, workspace, "Before.")
    expect(page.get_by_text("Before.")).to_be_visible()
    people.allow("ERR_INTERNET_DISCONNECTED")
    line.cut()
    with ThreadPoolExecutor(6) as many:
        list(many.map(lambda number: tell(script, workspace, f"Line {number}."), range(SAID)))
    page.evaluate(COUNT_NEW_LINES)
    line.back()
    caught_up(script, workspace, page, line)
    told = script.get(f"/api/v1/workspaces/{workspace}/messages?limit=1000")["items"]
    newest = sorted(told, key=lambda one: one["created_at"])[-LINES:]
    shown = page.evaluate("() => [...document.querySelectorAll('.talk > .say')].map((el) => el.id.slice(8))")
    assert len(shown) == len(set(shown)) == page.evaluate("put") == LINES
    assert {one["created_at"][:23] for one in newest if one["id"] not in shown} <= {newest[0]["created_at"][:23]}
    expect(page.get_by_role("link", name="Earlier messages")).to_be_visible()


def test_of_more_lines_of_one_moment_than_are_kept_the_last_are_kept(people: People, script: Script) -> None:
    # They are nowhere but on the page.
    people.allow(r"404.*/read/")
    workspace = script.workspace("All at once")
    page = people.signed_in(at=None)
    line = Line(page)
    page.goto(f"{script.url}/w/{workspace}/")
    heard(page, lambda: any(frame["type"] == "hello" for frame in line.received), "the server's hello")
    beginning = '<li class="say" data-ordinal="7"'
    said = [f'{beginning} id="message-{n}" hx-swap-oob="merge:#talk-{workspace}"></li>' for n in range(SAID)]
    # Of a moment before, and told last: what a run has come to.
    said.append(f'<li data-ordinal="6.5" id="run-note-1" hx-swap-oob="merge:#talk-{workspace}"></li>')
    now = script.get(f"/api/v1/workspaces/{workspace}/snapshot")
    frame = {"type": "fragments", "workspace": workspace, "generation": now["generation"], "seq": now["seq"] + 1}
    line.say({**frame, "html": "\x1e".join(said)})
    expect(page.locator(".talk > .say")).to_have_count(LINES)
    shown = page.evaluate("() => [...document.querySelectorAll('.talk > .say')].map((el) => el.id)")
    assert shown == [f"message-{n}" for n in range(SAID)][-LINES:]


def test_a_large_run_shows_what_matters_most_and_nothing_is_lost(people: People, script: Script) -> None:
    workspace = script.workspace("Large run")
    path = f"/api/v1/workspaces/{workspace}/runs"
    run = str(script.post(path, {"goal": "Call everybody", "plan": PLAN})["id"])
    room = people.signed_in(at=None)
    pages = {f"{script.url}/w/{workspace}/": room}
    for end in ("", "tasks/", "tasks/?page=2"):
        pages[f"{script.url}/w/{workspace}/runs/{run}/{end}"] = room.context.new_page()
    lines = {page: Line(page) for page in pages.values()}
    for address, page in pages.items():
        page.goto(address)
    # On its own page a plan that has not begun stands as a list to be edited.
    assert [cards(page) for page in pages.values()] == [FOREMOST, 0, 100, 100]
    plan = [*pages.values()][1]
    expect(plan.get_by_role("checkbox", name="Choose “Call number")).to_have_count(100)
    room.get_by_role("link", name="Call number 3", exact=True).focus()

    script.post(f"/api/v1/runs/{run}/start")
    for number in (3, 190):
        task = script.task(run, f"t{number}")
        script.post(f"/api/v1/tasks/{task['id']}/takeover")
    expect(card(room, "Call number 3")).to_contain_text("In human hands", timeout=PATIENCE)
    expect(room.get_by_role("link", name="Call number 3", exact=True)).to_be_focused()
    expect(card([*lines][-1], "Call number 190")).to_contain_text("In human hands")
    script.post(f"/api/v1/runs/{run}/cancel")
    for page, line in lines.items():
        caught_up(script, workspace, page, line)
        expect(page.get_by_role("article").filter(has_text="Stuck")).to_have_count(0)
        assert cards(page) <= 100
    room.locator(":focus").blur()
    for page in lines:
        same_as_a_fresh_page(page)
    expect(room.locator("#announcer")).to_have_text(re.compile(r"^\d+ changes$"))


def card(page: Page, title: str) -> Locator:
    return page.get_by_role("article").filter(has=page.get_by_role("heading", name=title, exact=True))


def cards(page: Page) -> int:
    return page.get_by_role("article").count()


def caught_up(script: Script, workspace: str, page: Page, line: Line) -> None:
    """Wait until the page has acknowledged everything, which it does when it shows it."""

    def has_all() -> bool:
        page.evaluate("1")  # lets Playwright hand on what the socket says
        head = script.head(workspace)
        return any(frame["type"] == "ack" and frame["seq"] == head for frame in line.sent)

    until(has_all, seconds=30, what="the page's word that it has everything")
