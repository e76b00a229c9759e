"""The figures of `bench.pages` as Markdown, each beside what must hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Json = dict[str, Any]


def _from_to(name: str, shown: str) -> Callable[[Json], str]:
    def cell(page: Json) -> str:
        first, last = page[name]
        return f"{first:{shown}} → {last:{shown}} ({last / first - 1:+.0%})"

    return cell


ROWS: tuple[tuple[str, Callable[[Json], str], str], ...] = (
    ("longest task while it opens, ms", lambda page: f"{page['opening_ms']:.0f}", ""),
    ("longest task, ms", lambda page: f"{page['worst_ms']:.0f}", "<= 100"),
    ("tasks over 50 ms, over 100 ms", lambda page: f"{page['over_50']}, {page['over_100']}", "-, 0"),
    ("longest task, ms of CPU, of those that were traced", lambda page: f"{page['worst_cpu_ms']:.0f}", "<= 100"),
    (
        "of these over 50 ms, over 100 ms of CPU",
        lambda page: f"{page['cpu_over_50']}, {page['cpu_over_100']}",
        "-, 0",
    ),
    ("time on the clock over time of CPU", lambda page: f"{page['stretched']:.2f}", "1: undisturbed"),
    ("heap, MiB, after a minute → at the end", _from_to("heap", ".1f"), "<= +10%"),
    ("heap, MiB a minute", lambda page: f"{page['heap_per_min']:+.3f}", ""),
    ("elements on the page", _from_to("elements", ".0f"), "<= +10%"),
    ("nodes in memory, with those not yet collected", _from_to("nodes", ".0f"), ""),
    ("listeners", _from_to("listeners", ".0f"), "<= +10%"),
    ("entries a second", lambda page: f"{page['entries_per_s']:.0f}", ""),
    ("frames, KiB a second", lambda page: f"{page['frames_per_s']:.1f}, {page['kb_per_s']:.0f}", ""),
    ("entries behind, at most", lambda page: f"{page['behind']}", ""),
    (
        "share of a core: all, script, layout",
        lambda page: ", ".join(f"{page['busy'][what]:.0%}" for what in ("cpu", "script", "layout")),
        "",
    ),
    ("of what it shows, wrong at the end", lambda page: f"{page['wrong_count']} of {page['shown']}", "0"),
)


def table(found: Json) -> str:
    """A row for each figure, a column for each page."""
    pages = found["pages"]
    top = (
        f"{found['entries_per_s']:.0f} entries a second for {found['lasted']:.0f} s, {found['agents']} agents, "
        f"{found['tasks']} tasks; load of the machine up to {found['load']:.1f}"
    )
    lines = [top, "", f"| | {' | '.join(pages)} | must |", f"|---|{'---|' * len(pages)}---|"]
    for name, cell, must in ROWS:
        lines.append(f"| {name} | {' | '.join(map(cell, pages.values()))} | {must} |")
    return "\n".join(lines)
