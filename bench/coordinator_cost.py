"""`python -m bench.coordinator_cost [--agents 300] [--steps 4000] [--write docs]`: what the coordinator costs.

One run whose every result a scripted model judges, by as many agents as there are, in a fresh folder. Prints a line per
round; with `--write` leaves the figures (coordinator-cost.json) and their pictures (.svg, .png) there.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from bench.crew import installed
from bench.environment import ROOT, peers_python
from bench.report import machine


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench.coordinator_cost", description=__doc__)
    parser.add_argument("--agents", type=int, default=300)
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--write", type=Path, help="a folder for the figures and their pictures")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="claw-bench-", ignore_cleanup_errors=True) as folder:
        installed(folder)
        turns = measured(told.agents, told.steps)
    said = {"machine": machine(), "agents": told.agents, "steps": told.steps, "turns": turns}
    print(compared(turns))
    if told.write:
        path = told.write / "coordinator-cost.json"
        path.write_text(json.dumps(said, indent=1) + "\n")
        subprocess.run([peers_python(), "-m", "bench.peers.coordinator_plot", path], cwd=ROOT, check=True)


def measured(agents: int, steps: int) -> list[dict[str, Any]]:
    """Each round of a run as plain figures."""
    from clawgroups import commit  # noqa: PLC0415  (Django is set up first)
    from tests.conftest import make_team, make_users  # noqa: PLC0415
    from tests.coordinator.long_run import LongRun  # noqa: PLC0415

    turns = []
    with commit.inline():
        for turn in LongRun(make_team(make_users()), agents, steps).rounds():
            print(
                f"{turn.before + turn.steps:5} steps  {turn.cpu_a_step:6.2f} ms and {turn.queries / turn.steps:5.1f}"
                f" queries a step  prompts of {turn.prompts}",
                flush=True,
            )
            turns.append({**asdict(turn), "cpu_a_step": turn.cpu_a_step})
    return turns


def compared(turns: list[dict[str, Any]]) -> str:
    """The last third of the full rounds beside the first third: 1 is flat."""
    full = [turn for turn in turns if turn["steps"] == turns[0]["steps"]][1:-1]
    third = max(len(full) // 3, 1)

    def ratio(of: Any) -> float:
        return float(median(map(of, full[-third:])) / median(map(of, full[:third])))

    kinds = sorted(full[0]["prompts"]) if full else []
    said = [f"prompt of {kind}: {ratio(lambda turn, kind=kind: turn['prompts'][kind]):.2f}" for kind in kinds]
    return "end / beginning: " + ", ".join([*said, f"CPU a step: {ratio(lambda turn: turn['cpu_a_step']):.2f}"])


if __name__ == "__main__":
    main()
