"""`python -m bench.fleet [--seconds 600] [--rate 150] [--agents 300]`: the fleet view while its agents work.

Starts PostgreSQL, Valkey and the web server, gathers a crowd (`tests.browser.crowd`) and plays it
(`bench.fleet_writer`). The machine's Chromium shows the fleet view of the run. Prints a line of JSON and a table: long
tasks, frames that were dropped, what is kept, what the server spent, and what does not show as it would if loaded anew.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from bench.pages import CATCH_UP, EVERY, SETTLE, TRACED, browsing, pictures
from bench.pages_table import table
from bench.pages_watch import Watched, trace
from bench.pages_writer import READY
from bench.swarm import cpu_of
from tests.chaos.history import head_of
from tests.chaos.processes import Process, python
from tests.chaos.stacks import Servers
from tests.stories.waiting import until

Json = dict[str, Any]
# Frames that the page would have shown and did not, told by gaps between two of them.
FRAMES = """
(() => {
  const kept = (window.drops = { shown: 0, dropped: 0, worst: 0 });
  let last = 0;
  const frame = (now) => {
    const gap = last ? now - last : 0;
    kept.shown += 1;
    kept.dropped += Math.max(0, Math.round(gap / 16.67) - 1);
    kept.worst = Math.max(kept.worst, gap);
    last = now;
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
})();
"""


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--rate", type=float, default=150, help="entries of the journal a second")
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--tasks", type=int, default=4000)
    parser.add_argument("--pictures", type=Path, help="a folder for pictures of the view, before and after")
    told = parser.parse_args(given)
    found = measured(told)
    print(json.dumps(found))
    print(table(found))
    print(json.dumps({key: found[key] for key in ("frames", "server", "moved")}, indent=1))
    return 0


def measured(told: argparse.Namespace) -> Json:
    """Everything in a line."""
    with ExitStack() as over:
        stack = over.enter_context(Alone())
        command = python("-m", "bench.fleet_writer", str(told.agents), str(told.tasks), str(told.rate))
        writer = Process("writer", command, stack.environment, stack.data / "writer.log")
        over.callback(writer.stop)
        writer.start()
        until(lambda: READY in writer.said(), seconds=300, what="the crowd")
        made = next(json.loads(line) for line in writer.said().splitlines() if line.startswith("{"))
        context = over.enter_context(browsing(stack))
        context.add_init_script(FRAMES)
        page = Watched(context, "fleet", f"{stack.url}{made['run']}view/fleet/")
        pictures([page], told.pictures, "before")
        found = _watch(page, stack, made["id"], told.seconds)
        writer.stop()
        _caught_up(page, stack, made["id"])
        found["pages"]["fleet"] |= page.compared()
        pictures([page], told.pictures, "after")
    return {**vars(told), "pictures": str(told.pictures), **found}


class Alone(Servers):
    """Without worker and coordinator: the writer plays their parts, so that all there is to see is its doing."""

    def __init__(self) -> None:
        super().__init__()
        self.parts = {"web": self.parts["web"]}

    def __enter__(self) -> Servers:
        self.start()
        return self

    def __exit__(self, *fault: object) -> None:
        self.remove()


def _watch(page: Watched, stack: Servers, workspace: str, seconds: float) -> Json:
    browser, web = page.page.context.browser, stack.parts["web"].pid
    assert browser is not None
    assert web is not None
    page.page.wait_for_timeout(SETTLE * 1000)
    page.opened()
    page.page.evaluate("Object.assign(drops, { shown: 0, dropped: 0, worst: 0 })")
    head, began, loads, cpu = head_of(stack, workspace), time.monotonic(), [os.getloadavg()[0]], cpu_of(web)
    while (passed := time.monotonic() - began) < seconds:
        page.page.wait_for_timeout(max(1.0, min(EVERY, seconds - passed) - TRACED) * 1000)
        trace(browser, [page], TRACED)
        page.look(head_of(stack, workspace))
        loads.append(os.getloadavg()[0])
        print(f"{passed:.0f} s: {page.said()}", file=sys.stderr, flush=True)
    passed = time.monotonic() - began
    states = dict(stack.rows("SELECT state, count(*) FROM clawgroups_task GROUP BY state"))
    moved = stack.rows("SELECT type, count(*) FROM clawgroups_entry GROUP BY type ORDER BY 2 DESC LIMIT 12")
    return {
        "lasted": passed,
        "entries_per_s": (head_of(stack, workspace) - head) / passed,
        "load": max(loads),
        "states": states,
        "moved": dict(moved),
        "server": {"cores": (cpu_of(web) - cpu) / passed},
        "frames": page.page.evaluate("drops"),
        "pages": {page.name: page.figures()},
    }


def _caught_up(page: Watched, stack: Servers, workspace: str) -> None:
    given_up_at = time.monotonic() + CATCH_UP
    while time.monotonic() < given_up_at and page.acked() < head_of(stack, workspace):
        page.page.wait_for_timeout(1000)


if __name__ == "__main__":
    sys.exit(main())
