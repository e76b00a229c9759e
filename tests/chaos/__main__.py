"""`python -m tests.chaos [T06 ...] [--size full|ci] [--stack servers|embedded|both] [--seed N] [--write FILE]`.

Runs the numbered tests of reliability.md 4A, prints a row for each, and ends with 1 when one failed.
`--write` adds the rows to a Markdown table.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.chaos import approvals, behaviour, kills, load, model_away, offline, readers, standing
from tests.chaos.approvals import APPROVALS
from tests.chaos.behaviour import BEHAVIOUR
from tests.chaos.kills import KILLS
from tests.chaos.load import LOAD
from tests.chaos.model_away import MODEL
from tests.chaos.offline import OFFLINE
from tests.chaos.others import OTHERS
from tests.chaos.readers import READERS
from tests.chaos.rows import CI, FULL, Row
from tests.chaos.stacks import running
from tests.chaos.standing import STANDING

ON_EMBEDDED = ("T02", "T03", "T06", "T07", "T08", "T28")
ON_A_STACK = {**KILLS, **LOAD, **OFFLINE, **READERS, **STANDING}
SIZES = {**kills.SIZES, **load.SIZES, **offline.SIZES, **readers.SIZES, **standing.SIZES}
EVERY = sorted([*ON_A_STACK, *BEHAVIOUR, *MODEL, *APPROVALS, *OTHERS])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("tests", nargs="*", help=f"some of {' '.join(EVERY)}; default: all")
    parser.add_argument("--size", choices=(FULL, CI), default=FULL)
    parser.add_argument("--stack", choices=("servers", "embedded", "both"), default="both")
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    parser.add_argument("--write", type=Path)
    given = parser.parse_args()
    given.tests = given.tests or EVERY
    return given


def rows(given: argparse.Namespace) -> Iterator[Row]:
    """One test after the other, each on a stack of its own."""
    for test in given.tests:
        if test in OTHERS:
            yield OTHERS[test](given.size, given.seed)
            continue
        if test in BEHAVIOUR:
            with behaviour.on_time(test, given.size) as stack:
                yield BEHAVIOUR[test](stack, behaviour.SIZES[test][given.size], given.seed)
            continue
        kinds = ("servers", "embedded") if given.stack == "both" else (given.stack,)
        if test in MODEL:
            for kind in kinds:
                with model_away.on_time(kind, given.size) as stack:
                    yield MODEL[test](stack, model_away.SIZES[test][given.size], given.seed)
            continue
        if test in APPROVALS:
            for kind in kinds:
                with approvals.on_time(kind, given.size) as stack:
                    yield APPROVALS[test](stack, approvals.SIZES[test][given.size], given.seed)
            continue
        for kind in kinds:
            if kind == "embedded" and test not in ON_EMBEDDED:
                continue
            with running(kind) as stack:
                yield ON_A_STACK[test](stack, SIZES[test][given.size], given.seed)


def main() -> int:
    given = arguments()
    failed = 0
    for row in rows(given):
        print(row.line() if row.passed else row.complaint(), flush=True)
        failed += not row.passed
        if given.write is not None:
            with given.write.open("a", encoding="utf-8") as table:
                table.write(f"| {' | '.join(row.cells())} |\n")
    print(f"{failed} failed" if failed else "all passed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
