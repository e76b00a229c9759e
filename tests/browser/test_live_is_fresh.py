"""Whoever looks on while much happens sees in the end what somebody sees who opens the page then."""

from __future__ import annotations

import difflib
import json
import os
from functools import partial
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.people import People
from tests.browser.views import SIZES
from tests.stories.installation import Installation
from tests.stories.waiting import until

FULL = bool(os.environ.get("BROWSER_FULL"))
ENTRIES = 500 if FULL else 250
WINDOWS: list[dict[str, Any]] = [
    {"viewport": {"width": across, "height": down}, "color_scheme": theme}
    for across, down in SIZES.values()
    for theme in ("light", "dark")
]
# Each page stands in one of the windows; all rounds together have each page in each of them.
ROUNDS = range(len(WINDOWS) if FULL else 1)
GATHER = """
import json
from clawgroups.models import Artifact, Task
from tests.browser.crowd import gather
made = gather(agents=24, tasks=60, name="Stirred")
tasks = Task.objects.filter(run=made.run)
print(json.dumps({"workspace": str(made.workspace), "run": str(made.run),
    "working": str(tasks.filter(state="working").first().pk), "held": str(tasks.filter(state="held").first().pk)}))
"""
STIR = """
import json
from tests.browser.stir import stir
print(json.dumps(stir("{workspace}", {seed}, {entries})))
"""
# What a page says, and what a fresh one says, element by element: tags, names, states, addresses, words. Moments count
# by their date, not by how they are put; what is typed into, what a viewer opened, how far they have read, and what
# only the passing of time changes, is not compared. Of a list that a page keeps more of than a fresh one brings, the
# lines of both are.
SAY = """(html) => {
  const fresh = new DOMParser().parseFromString(html, "text/html");
  const own = /^(htmx-|is-here$|is-new$)/;
  const skip = "script, noscript, style, template, input[type=hidden], [hidden], " +
    "[data-older], [data-passing], .since, [data-down]";
  const oldest = new Map();
  for (const list of fresh.querySelectorAll("[data-list][data-most]"))
    oldest.set(list.id, +(list.querySelector(":scope > [data-ordinal]")?.dataset.ordinal ?? 0));
  const says = (page) => {
    const lines = [];
    const walk = (el, depth) => {
      if (el.matches(skip) || +el.dataset?.ordinal < oldest.get(el.parentElement.id)) return;
      const classes = [...el.classList].filter((name) => !own.test(name)).join(".");
      const at = el.matches("time") ? el.dateTime : el.matches("a") ? el.getAttribute("href") : "";
      lines.push(`${"  ".repeat(depth)}${el.localName}#${el.id}.${classes} ${at}`);
      if (el.matches("time, textarea, select, svg.icon")) return;
      for (const node of el.childNodes) {
        if (node.nodeType === 1) walk(node, depth + 1);
        else if (node.nodeType === 3 && node.data.trim())
          lines.push(`${"  ".repeat(depth + 1)}${node.data.trim().replace(/\\s+/g, " ")}`);
      }
    };
    walk(page.querySelector("#page"), 0);
    return lines;
  };
  return [says(fresh), says(document)];
}"""


def told(said: str) -> Any:
    return json.loads(said.strip().splitlines()[-1])


@pytest.fixture(scope="module")
def stirred(claw: Installation) -> dict[str, str]:
    return told(claw.manage("shell", "-c", GATHER))  # type: ignore[no-any-return]


def addresses(stirred: dict[str, str]) -> list[str]:
    room = f"/w/{stirred['workspace']}/"
    run = f"{room}runs/{stirred['run']}/"
    views = [f"{run}view/{kind}/" for kind in ("board", "graph", "timeline", "fleet", "list")]
    return [
        room,
        *views,
        f"{room}tasks/{stirred['working']}/",
        f"{room}tasks/{stirred['held']}/",
        f"{run}files/",
        f"{room}files/",
    ]


def differences(page: Page) -> list[str]:
    """Where the page says something else than one that is opened now."""
    fresh = page.context.request.get(page.url).text()
    wanted, now = page.evaluate(SAY, fresh)
    return list(difflib.unified_diff(wanted, now, "fresh", "live", lineterm="", n=1))


def agrees(page: Page) -> bool:
    # Cells stay where they were put, so that nothing jumps, until somebody asks for it; or the page does it by itself
    # and takes the button away: whoever waited for it then would wait in vain.
    page.evaluate("() => document.querySelector('[data-arrange]:not([hidden])')?.click()")
    return not differences(page)


@pytest.mark.parametrize("turn", ROUNDS)
def test_every_view_that_saw_hundreds_of_things_happen_says_what_a_fresh_one_says(
    people: People, claw: Installation, stirred: dict[str, str], turn: int
) -> None:
    windows = [people.signed_in(at=None, **window) for window in WINDOWS]
    pages = []
    for number, address in enumerate(addresses(stirred)):
        pages.append(windows[(number + turn) % len(windows)].context.new_page())
        pages[-1].goto(claw.url + address)
    told_to = STIR.format(workspace=stirred["workspace"], seed=7 + turn, entries=ENTRIES)
    done = told(claw.manage("shell", "-c", told_to, seconds=240))
    assert len(done["done"]) > 8, done
    wrong = {}
    for page in pages:
        try:
            # What is asked is whether they agree in the end; each look opens the page anew, in seconds beside others.
            until(partial(agrees, page), seconds=60, what="the same page")
        except AssertionError:
            wrong[page.url] = differences(page)[:40]
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
