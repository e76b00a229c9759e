"""The tests of reliability.md 4A that need no swarm: a long life, refused starts, crash points, takeovers, the state
machine."""

from __future__ import annotations

from collections.abc import Callable

from tests.chaos.crash_points import crash_points
from tests.chaos.history import Verdict
from tests.chaos.long_life import long_life
from tests.chaos.rows import FULL, Row
from tests.chaos.takeover import taken_over
from tests.machine.full import Report, machine_full, variant_full
from tests.tooling.refusals import refusals


def refused_starts(size: str, seed: int) -> Row:
    """T12: whatever would go wrong later is refused at the start, in one clear line each."""
    row = Row("T12", "starts that are refused", "both", seed)
    found = list(refusals())
    row.note(f"{len(found)} cases")
    row.verdict = Verdict(faults=[f"{name}: {line}" for name, line, ok in found if not ok])
    return row


def crashed_turns(size: str, seed: int) -> Row:
    """T14: the coordinator is stopped at each commit of a plan of 30 tasks, before and after it."""
    row = Row("T14", "the coordinator stopped at each commit", "SQLite", seed)
    found = crash_points(sample=None if size == FULL else 12, seed=seed)
    row.note(f"{found.points} points of {found.commits} commits, {found.seconds:.0f} s")
    row.measure("another end", found.differing, 0, "of them")
    row.verdict = Verdict(doubled=found.doubled, repeated=found.repeated, faults=list(found.faults))
    return row


def played_through(size: str, seed: int) -> Row:
    """T23: a state machine over everything that people, agents, time and the coordinator may do."""
    row = Row("T23", "state machine on both databases", "both", seed)
    found = machine_full(seed=seed) if size == FULL else machine_full(examples=30, steps=20, pure=300, seed=seed)
    row.check("it ran on both", len(found.databases) == 2)
    return _played(row, found)


def held_through(size: str, seed: int) -> Row:
    """T21m: the same, mostly over who has a task in hand, and what is decided at the same moment."""
    row = Row("T21m", "state machine of takeovers", "PostgreSQL", seed)
    return _played(row, _variant("hands", size, seed))


def asked_through(size: str, seed: int) -> Row:
    """T22m: the same, mostly over what agents ask, and who answers."""
    row = Row("T22m", "state machine of questions", "PostgreSQL", seed)
    return _played(row, _variant("asking", size, seed))


def _variant(name: str, size: str, seed: int) -> Report:
    return variant_full(name, seed=seed) if size == FULL else variant_full(name, examples=30, steps=20, seed=seed)


def _played(row: Row, found: Report) -> Row:
    core = f", {found.pure_seeds} seeds of the core" if found.pure_seeds else ""
    row.note(f"{found.examples} x {found.steps} steps, {found.walks} walks{core}, {found.seconds:.0f} s")
    row.measure("violations", found.violations, 0, "of them")
    row.verdict = Verdict(faults=list(found.faults))
    return row


OTHERS: dict[str, Callable[[str, int], Row]] = {
    "T04": long_life,
    "T12": refused_starts,
    "T14": crashed_turns,
    "T21": taken_over,
    "T21m": held_through,
    "T22m": asked_through,
    "T23": played_through,
}
