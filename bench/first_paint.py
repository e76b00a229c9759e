"""`python -m bench.first_paint [--agents 300] [--tasks 600] [--rounds 5]`: how soon the pages of a large run are seen.

Starts PostgreSQL, Valkey and the web server, gathers a crowd and opens each page in the machine's Chromium, anew each
time. Prints a table of medians: time to the first byte and to the first contentful paint, size, and the server's CPU.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from statistics import median
from typing import Any

from playwright.sync_api import BrowserContext

from bench.fleet import Alone
from bench.pages import browsing
from bench.swarm import cpu_of
from tests.chaos.processes import ROOT, python

MOST = 2000.0  # milliseconds until something is seen
VIEWS = ("board", "graph", "timeline", "fleet", "list")
TIMES = """() => {
  const [load] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return { first: load.responseStart, paint: paint ? paint.startTime : NaN, kib: load.decodedBodySize / 1024 };
}"""


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.first_paint", description=__doc__)
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--tasks", type=int, default=600)
    parser.add_argument("--rounds", type=int, default=5)
    told = parser.parse_args(given)
    with ExitStack() as over:
        stack = over.enter_context(Alone())
        command = python("-m", "tests.browser.crowd", "--agents", str(told.agents), "--tasks", str(told.tasks))
        said = subprocess.run(command, cwd=ROOT, env=stack.environment, capture_output=True, text=True, check=True)
        made = json.loads(said.stdout.splitlines()[-1])
        paths = {"workspace": made["workspace"], "run": made["run"]}
        paths |= {view: f"{made['run']}view/{view}/" for view in VIEWS}
        context, web = over.enter_context(browsing(stack)), stack.parts["web"].pid
        assert web is not None
        print("| page | first byte, ms | first paint, ms | KiB | CPU of the server, ms |\n|---|---|---|---|---|")
        worst = 0.0
        for name, path in paths.items():
            rows = [_opened(context, web, stack.url + path) for _ in range(told.rounds)]
            found = {key: median(row[key] for row in rows) for key in rows[0]}
            worst = max(worst, found["paint"])
            print(f"| {name} | {found['first']:.0f} | {found['paint']:.0f} | {found['kib']:.0f} | {found['cpu']:.0f} |")
    print(f"slowest first paint: {worst:.0f} ms (must: <= {MOST:.0f})")
    return 0 if worst <= MOST else 1


def _opened(context: BrowserContext, web: int, url: str) -> dict[str, Any]:
    before, page = cpu_of(web), context.new_page()
    page.goto(url, wait_until="load")
    page.wait_for_function("() => performance.getEntriesByName('first-contentful-paint').length > 0")
    times: dict[str, Any] = page.evaluate(TIMES)
    times["cpu"] = 1000 * (cpu_of(web) - before)
    page.close()
    return times


if __name__ == "__main__":
    sys.exit(main())
