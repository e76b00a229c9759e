"""The agents that ship with the product, by name."""

from __future__ import annotations

import os

from agents.builtin.acknowledge import acknowledge
from agents.builtin.agent import BuiltinAgent, Spec, Work
from agents.builtin.analyst import analyse
from agents.builtin.pages import make_page, make_site
from agents.builtin.reviewer import check_report
from agents.builtin.tailor import tailor
from agents.builtin.writer import write_report

SPECS = {
    spec.name: spec
    for spec in (
        Spec(
            name="analyst",
            title="Analyst",
            description="Profiles CSV, TSV and XLSX tables: types, gaps, aggregates, a workbook and a chart.",
            skills=("data-analysis", "spreadsheets"),
            kind="profile",
        ),
        Spec(
            name="writer",
            title="Writer",
            description="Composes a report from the results of other tasks; every number names its source.",
            skills=("writing", "reporting"),
            kind="report",
        ),
        Spec(
            name="reviewer",
            title="Reviewer",
            description="Recomputes the numbers of a report from the raw tables and says which are wrong.",
            skills=("review", "fact-checking"),
            kind="review",
        ),
    )
}
WORKS: dict[str, Work] = {
    "profile": analyse,
    "report": write_report,
    "review": check_report,
    "page": make_page,
    "site": make_site,
    "tailored": tailor,
}
PACE = "CLAWGROUPS_BUILTIN_PACE"
_PACE = 0.15


def pace_from_environment() -> float:
    """Seconds between two pieces of streamed text: slow enough to read along and step in, 0 in tests."""
    try:
        return max(float(os.environ.get(PACE, _PACE)), 0.0)
    except ValueError:
        return _PACE


def make(name: str, pace: float | None = None) -> BuiltinAgent:
    """A fresh agent of that name; raises KeyError for a name that is not in `SPECS`."""
    return BuiltinAgent(SPECS[name], WORKS, acknowledge, pace_from_environment() if pace is None else pace)
