"""The Chromium part of T19: a person with two pages open, whose line is cut and whose browser knows it."""

from __future__ import annotations

import contextlib
import os
import random
from collections import Counter
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import Error, Page, sync_playwright

from tests.chaos.absences import Events, Trips
from tests.chaos.crew import Room
from tests.chaos.faults import FaultProxy
from tests.chaos.history import Verdict, hexed
from tests.chaos.stacks import Stack
from tests.run import browser as chromium

LOOK = 50
"""Milliseconds between two looks at a page."""
Rows = list[list[str]]
"""What stands on each page, in order: the id of each row, and the states that it shows."""

ROWS = """(html) => {
  const page = html ? new DOMParser().parseFromString(html, "text/html") : document;
  return [...page.querySelectorAll("#page [data-list] > [id], #page .task[id]")].map((el) => {
    const states = [el, ...el.querySelectorAll(".presence")].flatMap((one) => [...one.classList]);
    return [el.id, ...states.filter((name) => /^(task|presence)--/.test(name))].join(" ");
  });
}"""
# Whoever was there for longer may see more of the chat than one who opens the page now.
SAME = f"""(wanted) => {{
  const rows = ({ROWS})(), known = new Set(wanted);
  const here = rows.filter((row) => known.delete(row) || !/^(message|run-note)-/.test(row));
  return new Set(rows).size === rows.length && known.size === 0 && here.length === wanted.length;
}}"""


class Person:
    """Two pages in a browser behind a line: a workspace and a run of it. `page` belongs to somebody signed in."""

    def __init__(self, stack: Stack, room: Room, run: str, line: FaultProxy, page: Page) -> None:
        self._stack, self._workspace, self._line = stack, room.workspace, line
        self._addresses = [f"{stack.url}/w/{room.workspace}/", f"{stack.url}/w/{room.workspace}/runs/{run}/"]
        self._context = page.context
        self._pages = [page, page.context.new_page()]
        self.errors: list[str] = []
        self._context.on("weberror", lambda error: self.errors.append(str(error.error)))
        for one, address in zip(self._pages, self._addresses, strict=True):
            one.goto(address)

    def leave(self, dice: random.Random) -> None:
        """The line is cut, or the cable pulled out; the browser is told, as by an operating system."""
        dice.choice((self._line.cut, self._line.pull))()
        self._context.set_offline(True)

    def back(self) -> None:
        self._line.heal()
        self._context.set_offline(False)

    def look(self) -> Rows:
        """What stands on the pages of somebody who opens them now; the line is not on the way there."""
        fresh = [self._context.request.get(address).text() for address in self._addresses]
        return [self._pages[0].evaluate(ROWS, html) for html in fresh]

    def catch_up(self, truth: Rows, seconds: float) -> None:
        for page, wanted in zip(self._pages, truth, strict=True):
            with contextlib.suppress(Error):
                # Not by frames: of a page behind another one is drawn a second.
                page.wait_for_function(SAME, arg=wanted, timeout=1000 * seconds, polling=LOOK)

    def judge(self, truth: Rows) -> Verdict:
        verdict = Verdict(faults=list(self.errors))
        self.errors.clear()
        for page, now in zip(self._pages, truth, strict=True):
            shown = page.evaluate(ROWS)
            wanted = [row for row in now if not _said(row)] + self._last_said(max(map(_count, (now, shown))))
            often = Counter(row.split()[0] for row in shown)
            twice = [row for row, times in often.items() if times > 1]
            missing = set(wanted) - set(shown)
            over = {row for row in set(shown) - set(wanted) if not row.startswith("run-note-")}
            verdict.lost += len(missing)
            verdict.doubled += len(twice)
            for what, rows in (("twice", twice), ("missing", missing), ("too many", over)):
                verdict.faults += [f"{page.url}: {what}: {', '.join(sorted(rows)[:5])}"] if rows else []
        return verdict

    def _last_said(self, count: int) -> list[str]:
        """The newest messages of the chat."""
        rows = self._stack.rows(
            "SELECT id FROM clawgroups_message WHERE task_id IS NULL "
            f"AND replace(CAST(workspace_id AS text), '-', '') = '{hexed(self._workspace)}' "
            f"ORDER BY created_at DESC, id DESC LIMIT {count}"
        )
        return [f"message-{pk}" for (pk,) in rows]


def _said(row: str) -> bool:
    return row.startswith("message-")


def _count(rows: list[str]) -> int:
    return sum(map(_said, rows))


@contextlib.contextmanager
def person(stack: Stack, room: Room, run: str) -> Iterator[Person]:
    """Somebody who is signed in, in a browser behind a line that can be cut."""
    found = os.environ.get("CHROMIUM") or chromium.find()
    assert found is not None, "this needs Chromium on the PATH"
    with FaultProxy(stack.url) as line, sync_playwright() as playwright:
        # The address stays the one from which the server takes sockets; the way there is the line.
        way = f"--host-resolver-rules=MAP {urlsplit(stack.url).netloc} {urlsplit(line.url).netloc}"
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-dev-shm-usage", way])
        page = browser.new_context().new_page()
        page.goto(stack.manage("login_link"))
        try:
            yield Person(stack, room, run, line, page)
        finally:
            browser.close()


def away(stack: Stack, room: Room, run: str, events: Events, *, count: int, seed: int) -> Trips:
    """One person goes away so many times."""
    with person(stack, room, run) as somebody:
        trips = Trips(events, somebody.look, random.Random(seed))
        trips.make([somebody], count)
    return trips
