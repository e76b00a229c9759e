"""`python -m bench.pages [--seconds 600] [--rate 150] [--agents 300] [--tasks 4000]`: what a run does to its pages.

A whole installation works on a run with so many agents on real sockets, and its journal grows by so many entries a
second (`bench.pages_writer`). The machine's Chromium shows the workspace and the run meanwhile. Prints a line of JSON
and a table: long tasks, what is kept (heap, nodes, listeners), and whether the pages keep up and show what is so.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, sync_playwright

from bench.pages_table import table
from bench.pages_watch import PROBE, Watched, trace
from bench.pages_writer import READY, SKILL
from tests.chaos.crew import Crew, Room, furnish, working
from tests.chaos.history import head_of
from tests.chaos.plans import layered
from tests.chaos.processes import Process, python
from tests.chaos.stacks import Stack, running
from tests.run import browser as chromium
from tests.stories.waiting import until

Json = dict[str, Any]
EVENTS_PER_TASK = 11  # that `steady` agents make of a task, about
WRITERS = 60  # of 300 agents: those who are played by the writer
EVERY = 20.0  # seconds between two looks at what is kept
TRACED = 5.0  # of these
SETTLE = 5.0  # seconds after the load of a page that count as its opening
CATCH_UP = 60.0
SIZES = {1440: 900, 390: 844}


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.pages", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=150, help="entries of the journal a second")
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the pages, before and after")
    told = parser.parse_args(given)
    found = measured(told)
    print(json.dumps(found))
    print(table(found))
    return 0


def measured(told: argparse.Namespace) -> Json:
    """Everything in a line."""
    with ExitStack() as over:
        stack = over.enter_context(running("servers"))
        played = max(1, told.agents * WRITERS // 300)
        room = furnish(stack, max(1, told.agents - played), alike=True)
        work = EVENTS_PER_TASK * told.agents / told.rate
        roles = {agent["name"]: "steady" for agent in room.agents}
        crew = over.enter_context(working(Crew(stack, room.agents, seed=told.seed, work=work, roles=roles)))
        run = room.start_run([*layered(told.tasks - played, told.seed), *_for_the_writer(played)])
        writer = _writer(stack, room, run, told.rate)
        over.callback(writer.stop)
        writer.start()
        until(lambda: READY in writer.said(), seconds=300, what="the writer's workers")
        context = over.enter_context(browsing(stack))
        paths = {"workspace": f"/w/{room.workspace}/", "run": f"/w/{room.workspace}/runs/{run}/"}
        pages = [Watched(context, name, stack.url + path) for name, path in paths.items()]
        pictures(pages, told.pictures, "before")
        found = _watch(pages, stack, room, told.seconds)
        # From here on nothing changes any more: the pages must show what is so.
        writer.stop()
        crew.stop()
        _catch_up(pages, stack, room)
        pictures(pages, told.pictures, "after")
        for page in pages:
            found["pages"][page.name] |= page.compared()
    return {**vars(told), "pictures": str(told.pictures), **found}


def _for_the_writer(count: int) -> list[Json]:
    return [{"key": f"w{n}", "title": f"Telephone {n}", "skills": [SKILL], "depends_on": []} for n in range(count)]


def _writer(stack: Stack, room: Room, run: str, rate: float) -> Process:
    command = python("-m", "bench.pages_writer", room.workspace, run, str(rate))
    return Process("writer", command, stack.environment, stack.data / "writer.log")


@contextmanager
def browsing(stack: Stack) -> Iterator[BrowserContext]:
    """The owner's browser, signed in."""
    found = os.environ.get("CHROMIUM") or chromium.find()
    assert found is not None, "There is no Chromium on the PATH."
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-dev-shm-usage"])
        context = browser.new_context(viewport={"width": 1440, "height": SIZES[1440]})
        context.set_default_timeout(60_000)
        door = context.new_page()
        door.goto(stack.manage("login_link", "owner").split()[-1])
        door.close()
        context.add_init_script(PROBE)
        try:
            yield context
        finally:
            browser.close()


def _watch(pages: list[Watched], stack: Stack, room: Room, seconds: float) -> Json:
    """Look at the pages every so often; what was found by page, and what the server did meanwhile."""
    browser = pages[0].page.context.browser
    assert browser is not None
    pages[0].page.wait_for_timeout(SETTLE * 1000)
    for page in pages:
        page.opened()
    head, began, loads = head_of(stack, room.workspace), time.monotonic(), []
    while (passed := time.monotonic() - began) < seconds:
        pages[0].page.wait_for_timeout(max(1.0, min(EVERY, seconds - passed) - TRACED) * 1000)
        trace(browser, pages, TRACED)
        for page in pages:
            page.look(head_of(stack, room.workspace))
        loads.append(os.getloadavg()[0])
        print(f"{passed:.0f} s: {[page.said() for page in pages]}", file=sys.stderr, flush=True)
    passed = time.monotonic() - began
    rate = (head_of(stack, room.workspace) - head) / passed
    tasks = dict(stack.rows("SELECT state, count(*) FROM clawgroups_task GROUP BY state"))
    return {
        "lasted": passed,
        "entries_per_s": rate,
        "load": max(loads),
        "states": tasks,
        "pages": {page.name: page.figures() for page in pages},
    }


def _catch_up(pages: list[Watched], stack: Stack, room: Room) -> None:
    """Wait until nothing more is written and every page has taken in everything."""
    given_up_at = time.monotonic() + CATCH_UP
    before = -1
    while time.monotonic() < given_up_at:
        head = head_of(stack, room.workspace)
        if head == before and all(page.acked() >= head for page in pages):
            return
        before = head
        pages[0].page.wait_for_timeout(2000)


def pictures(pages: list[Watched], folder: Path | None, moment: str) -> None:
    """How the pages look, wide and narrow. What this costs is not theirs."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    for page in pages:
        with page.mine():
            for width, height in SIZES.items():
                page.page.set_viewport_size({"width": width, "height": height})
                page.page.screenshot(path=folder / f"{page.name}-{width}-{moment}.png")
            page.page.set_viewport_size({"width": 1440, "height": SIZES[1440]})


if __name__ == "__main__":
    sys.exit(main())
