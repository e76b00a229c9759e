"""The figures of a run: each ratio as the median over its rounds, against what must hold, and everything as JSON."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench.claims import Bench, Claim, Round
from bench.environment import ROOT, peers_python

MARKS = {True: "met", False: "**not met**", None: ""}


@dataclass
class Report:
    steps: int
    seed: int
    rounds: dict[str, list[Round]] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    def add(self, bench: Bench, rounds: list[Round]) -> None:
        """What came of a bench."""
        self.rounds[bench.name] = rounds
        for claim in bench.claims:
            values = [value for found in rounds if (value := _ratio(claim, found)) is not None]
            if values:
                self.rows.append(_row(claim, values))

    def table(self) -> str:
        """As Markdown."""
        lines = ["| id | ratio | median | least - most | must | | ambitious | |", "|---|---|---|---|---|---|---|---|"]
        for row in self.rows:
            sign = "<=" if row["most"] else ">="
            limits = []
            for name in ("must", "ambitious"):
                limit = row[name]
                limits += ["" if limit is None else f"{sign} {limit:g}", MARKS[row[f"{name}_met"]]]
            spread = f"{row['least']:.3g} - {row['greatest']:.3g}"
            cells = [row["test"], row["what"], f"{row['median']:.3g}", spread, *limits]
            lines.append(f"| {' | '.join(cells)} |")
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """The figures of every round, with the machine and the commit, under the day, and a picture of the ratios."""
        folder.mkdir(parents=True, exist_ok=True)
        names = "-".join(self.rounds)
        path = folder / f"{datetime.now(UTC):%Y-%m-%d}-{names}.json"
        said = {"machine": machine(), "steps": self.steps, "seed": self.seed, "rows": self.rows, "rounds": self.rounds}
        path.write_text(json.dumps(said, indent=1) + "\n")
        subprocess.run([peers_python(), "-m", "bench.peers.plots", path], cwd=ROOT, check=True)


def machine() -> dict[str, str]:
    """What the figures were taken on."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
    ).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "commit": commit,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
    }


def _ratio(claim: Claim, found: Round) -> float | None:
    try:
        return claim.ratio(found)
    except KeyError:
        return None  # somebody did not run, or did not finish


def _row(claim: Claim, values: list[float]) -> dict[str, Any]:
    middle = median(values)
    return {
        "test": claim.test,
        "what": claim.what,
        "median": middle,
        "least": min(values),
        "greatest": max(values),
        "rounds": len(values),
        "most": claim.most,
        "must": claim.must,
        "must_met": claim.holds(middle, claim.must),
        "ambitious": claim.ambitious,
        "ambitious_met": claim.holds(middle, claim.ambitious),
    }
