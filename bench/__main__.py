"""`python3 claw bench [P1 P5 ...] [--rounds 3] [--steps 4000] [--write FOLDER]`: everybody in turn, then the table.

`--smoke` does each once, small, and looks only at whether it is right.
"""

from __future__ import annotations

import argparse
import resource
import sys
from pathlib import Path

from bench.claims import BENCHES, Bench, Round
from bench.environment import Arena, Contestant, Failed, arena
from bench.report import Report

SMOKE_STEPS = 48
SMOKE_BROWSERS = 100
FILES = 8192


def main() -> int:
    parser = argparse.ArgumentParser(prog="claw bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=" ".join(bench.name for bench in BENCHES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--smoke", action="store_true")
    parser.add_argument("--write", type=Path, help="a folder for the figures as JSON and the table")
    told = parser.parse_args()
    if unknown := set(told.names) - {bench.name for bench in BENCHES}:
        parser.error(f"there is no {', '.join(sorted(unknown))}")
    chosen = [bench for bench in BENCHES if not told.names or bench.name in told.names]
    if told.smoke:
        told.rounds, told.steps = 1, SMOKE_STEPS
    # A thousand browsers need a thousand sockets, here and in the server.
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, FILES), most))
    report = Report(told.steps, told.seed)
    with arena() as place:
        for bench in chosen:
            report.add(bench, _rounds(place, bench, told, report))
    # So small, ratios say nothing.
    print("Who ran was right." if told.smoke else report.table())
    if report.failed:
        print(f"Did not finish: {', '.join(report.failed)}.")
    if told.write:
        report.write(told.write)
    return 1 if report.failed else 0


def _rounds(place: Arena, bench: Bench, told: argparse.Namespace, report: Report) -> list[Round]:
    """Everybody once per round, in an order that turns, so that nobody always follows the same one."""
    rounds: list[Round] = []
    contestants = bench.contestants
    if told.smoke:
        # No ratio is looked at: who has run for another claim does not run again.
        ran = {name for past in report.rounds.values() for found in past for name in found}
        contestants = tuple(one for one in contestants if not (one.peer or _is_large(one) or one.name in ran))
    for number in range(told.rounds):
        found: Round = {}
        for at in range(len(contestants)):
            one = contestants[(at + number) % len(contestants)]
            try:
                found[one.name] = place.run(one, steps=told.steps, seed=told.seed + number)
            except Failed as fault:
                print(fault, file=sys.stderr)
                report.failed.append(one.name)
                continue
            print(f"{bench.name} round {number + 1}: {one.name}: {_said(found[one.name])}", file=sys.stderr, flush=True)
        rounds.append(found)
    return rounds


def _is_large(one: Contestant) -> bool:
    """Whether it takes more browsers than a small run is meant for."""
    told = one.arguments
    return "--browsers" in told and int(told[told.index("--browsers") + 1]) > SMOKE_BROWSERS


def _said(figures: dict[str, float]) -> str:
    if "seconds" not in figures:
        return ", ".join(f"{name} {value:.3g}" for name, value in figures.items())
    speed, cpu = figures["steps"] / figures["seconds"], 1000 * figures["cpu"] / figures["steps"]
    return f"{speed:,.0f} a second, {cpu:.3f} s of CPU for 1,000"


if __name__ == "__main__":
    sys.exit(main())
