"""One page under observation: its long tasks, what it keeps, what its socket brings, and whether it shows what is so.

Everything is taken in the page itself or from Chromium, and what the looking costs is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, BrowserContext

Json = dict[str, Any]
LONG, TOO_LONG = 50, 100  # milliseconds
FIRST_MINUTE = 60.0
MEGA = 2**20
PROBE = """
(() => {
  const fresh = () => ({ long: [], slow: [], frames: 0, chars: 0 });
  const probe = (window.probe = { now: fresh(), seq: 0, acked: 0 });
  probe.take = () => {
    const { now, seq, acked } = probe;
    probe.now = fresh();
    const elements = document.getElementsByTagName("*").length;
    return { ...now, seq, acked, elements, at: performance.now() };
  };
  const observe = (type, take) =>
    new PerformanceObserver((list) => list.getEntries().forEach(take)).observe({ type, buffered: true });
  observe("longtask", (one) => probe.now.long.push([one.startTime, one.duration]));
  observe("long-animation-frame", (one) => {
    if (one.duration < 100) return;
    const scripts = one.scripts.map((script) => [
      `${script.invoker} ${script.sourceURL.split("/").pop()} ${script.sourceFunctionName}`,
      script.duration, script.forcedStyleAndLayoutDuration]);
    const end = one.startTime + one.duration;
    probe.now.slow.push({ at: one.startTime, ms: one.duration, scripts,
      layout: one.styleAndLayoutStart ? end - one.styleAndLayoutStart : 0 });
  });
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        probe.now.frames += 1;
        probe.now.chars += data.length;
        const [, seq] = /"seq":(\\d+)/.exec(data.slice(0, 300)) || [];
        if (seq) probe.seq = +seq;
      });
    }
    send(data) {
      const [, seq] = /"(?:after|seq)":(\\d+)/.exec(data) || [];
      if (seq) probe.acked = +seq;
      super.send(data);
    }
  };
})();
"""
# What each element with a name says, without what depends on when it was written.
SHOWN = """() => {
  const shown = {};
  for (const el of document.querySelectorAll("main [id]")) {
    if (el.closest("form, [data-own], [popover]") || el.querySelector("[id]:not([data-own])")) continue;
    const copy = el.cloneNode(true);
    copy.querySelectorAll("time, .pace, .presence, [data-own]").forEach((part) => part.remove());
    shown[el.id] = copy.textContent.replace(/\\s+/g, " ").trim();
  }
  return shown;
}"""


class Watched:
    """A page of the product, opened now."""

    def __init__(self, context: BrowserContext, name: str, url: str) -> None:
        self.name, self.page = name, context.new_page()
        self._wall, self._cpu = (context.new_cdp_session(self.page) for _ in range(2))
        self._wall.send("Performance.enable")
        self._cpu.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._mine: list[tuple[float, float]] = []
        self._long: list[tuple[float, float]] = []
        self._slow: list[Json] = []
        self._opening: list[float] = []
        self._cpu_ms: list[float] = []
        self._begun: Json = {}
        self._looks: list[Json] = []
        self.page.goto(url, wait_until="load")

    @contextmanager
    def mine(self) -> Iterator[None]:
        """What happens within is done by us and costs the page nothing."""
        began = float(self.page.evaluate("performance.now()"))
        yield
        self._mine.append((began, float(self.page.evaluate("performance.now()"))))

    def opened(self) -> None:
        """The page is open: from here on it only follows."""
        self._take()
        self._opening = self._durations(self._long)
        self._long, self._slow = [], []
        self._begun = self._look(0)

    def look(self, head: int) -> None:
        """Note what there is now, while the server's journal stands at `head`."""
        self._looks.append(self._look(head))

    def _look(self, head: int) -> Json:
        took = self._take()
        cpu = _metrics(self._cpu)
        with self.mine():
            self._wall.send("HeapProfiler.collectGarbage")
            kept = _metrics(self._wall)
        return {
            "at": took["at"] / 1000,
            "seq": took["seq"],
            "elements": took["elements"],
            "frames": took["frames"],
            "chars": took["chars"],
            "behind": max(0, head - took["acked"]) if head else 0,
            "heap": kept["JSHeapUsedSize"] / MEGA,
            "nodes": kept["Nodes"],
            "listeners": kept["JSEventListeners"],
            "wall": kept["TaskDuration"],
            "cpu": cpu["TaskDuration"],
            "script": cpu["ScriptDuration"],
            "layout": cpu["LayoutDuration"] + cpu["RecalcStyleDuration"],
        }

    def _take(self) -> Json:
        took: Json = self.page.evaluate("probe.take()")
        self._long += [(at, ms) for at, ms in took["long"]]
        self._slow += took["slow"]
        return took

    def spent(self, cpu_ms: list[float]) -> None:
        """So much time of CPU did its tasks take while they were traced."""
        self._cpu_ms += cpu_ms

    def acked(self) -> int:
        return int(self.page.evaluate("probe.acked"))

    def said(self) -> str:
        """The last look, for somebody who waits."""
        last = self._looks[-1]
        worst = max(self._durations(self._long), default=0)
        return (
            f"{self.name}: {last['heap']:.1f} MiB, {last['nodes']:.0f} nodes, behind {last['behind']}, {worst:.0f} ms"
        )

    def figures(self) -> Json:
        """What came of it so far."""
        first, last = self._begun, self._looks[-1]
        later = [look for look in self._looks if look["at"] - first["at"] >= FIRST_MINUTE] or self._looks
        span = last["at"] - first["at"]
        long = self._durations(self._long)
        spent = {what: (last[what] - first[what]) / span for what in ("cpu", "script", "layout")}
        return {
            "opening_ms": max(self._opening, default=0.0),
            "worst_ms": max(long, default=0.0),
            "over_50": sum(1 for ms in long if ms > LONG),
            "over_100": sum(1 for ms in long if ms > TOO_LONG),
            "worst_cpu_ms": max(self._cpu_ms, default=0.0),
            "cpu_over_50": sum(1 for ms in self._cpu_ms if ms > LONG),
            "cpu_over_100": sum(1 for ms in self._cpu_ms if ms > TOO_LONG),
            "entries_per_s": (last["seq"] - first["seq"]) / span,
            "frames_per_s": sum(look["frames"] for look in self._looks) / span,
            "kb_per_s": sum(look["chars"] for look in self._looks) / span / 1024,
            "behind": max(look["behind"] for look in self._looks),
            "busy": spent,
            "stretched": (last["wall"] - first["wall"]) / max(last["cpu"] - first["cpu"], 1e-9),
            **{what: [later[0][what], last[what]] for what in ("heap", "elements", "nodes", "listeners")},
            "heap_per_min": slope([(look["at"] / 60, look["heap"]) for look in later]),
            "nodes_per_min": slope([(look["at"] / 60, look["nodes"]) for look in later]),
            "slowest": sorted(self._theirs(), key=lambda one: -float(one["ms"]))[:5],
        }

    def compared(self) -> Json:
        """How much of what it shows is not what the page shows when it is loaded anew."""
        fresh = self.page.context.new_page()
        fresh.goto(self.page.url)
        fresh.wait_for_timeout(2000)
        one, other = (page.evaluate(SHOWN) for page in (self.page, fresh))
        fresh.close()
        wrong = sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))
        return {"shown": len(other), "wrong": wrong[:20], "wrong_count": len(wrong), "unread": _ends(one, other, wrong)}

    def _durations(self, long: list[tuple[float, float]]) -> list[float]:
        return [ms for at, ms in long if not self._is_mine(at, at + ms)]

    def _theirs(self) -> list[Json]:
        return [one for one in self._slow if not self._is_mine(one["at"], one["at"] + one["ms"])]

    def _is_mine(self, began: float, ended: float) -> bool:
        return any(began < end and ended > start for start, end in self._mine)


def trace(browser: Browser, pages: list[Watched], seconds: float) -> None:
    """For so long note what each task of the pages takes of a CPU: on a busy machine the clock says little."""
    browser.start_tracing(categories=["-*", "disabled-by-default-devtools.timeline", "blink.user_timing"])
    for page in pages:
        page.page.evaluate(f"void performance.mark('claw-{page.name}')")
    pages[0].page.wait_for_timeout(seconds * 1000)
    events: list[Json] = json.loads(browser.stop_tracing())["traceEvents"]
    where = {event["name"]: (event["pid"], event["tid"]) for event in events if event["name"].startswith("claw-")}
    for page in pages:
        thread = where.get(f"claw-{page.name}")
        tasks = [one for one in events if one["name"] == "RunTask" and (one["pid"], one["tid"]) == thread]
        page.spent([one.get("tdur", 0) / 1000 for one in tasks])


def _metrics(session: Any) -> dict[str, float]:
    return {one["name"]: one["value"] for one in session.send("Performance.getMetrics")["metrics"]}


def _ends(one: Json, other: Json, wrong: list[str]) -> list[list[str]]:
    """Of the first of what differs: what either page says."""
    return [[name, str(one.get(name))[-200:], str(other.get(name))[-200:]] for name in wrong[:3]]


def slope(points: list[tuple[float, float]]) -> float:
    """How much y grows for each x, by the line that fits best."""
    count = len(points)
    x, y = (sum(values) / count for values in zip(*points, strict=True))
    spread = sum((one - x) ** 2 for one, _ in points)
    return sum((one - x) * (other - y) for one, other in points) / spread if spread else 0.0
