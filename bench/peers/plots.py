"""`python -m bench.peers.plots RESULTS.json ...`: a picture beside each, the ratios of all rounds against their limits.

Runs in the peers' environment, which has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "claw", "font.size": 8.5, "font.family": "sans-serif"})

import matplotlib.pyplot as plt  # noqa: E402

MET, MISSED, PLAIN = "#1f7a4d", "#b3402f", "#5b6470"


def share(row: dict[str, Any], value: float) -> float:
    """How good a value is against the limit: 1 is the limit itself, more is better."""
    limit = row["must"] if row["must"] is not None else row["ambitious"]
    if not limit:
        return 1.0
    good = limit / value if row["most"] and value else value / limit
    return min(max(good, 0.05), 10.0)


def draw(path: Path) -> Path:
    """Draw the rows of a results file that have a limit; the picture's path."""
    said = json.loads(path.read_text())
    rows = [row for row in said["rows"] if row["must"] or row["ambitious"]]
    figure, axes = plt.subplots(figsize=(8, 0.34 * len(rows) + 1.1))
    for place, row in enumerate(reversed(rows)):
        met = row["must_met"] if row["must"] is not None else row["ambitious_met"]
        middle, ends = share(row, row["median"]), sorted(share(row, row[end]) for end in ("least", "greatest"))
        axes.plot(ends, [place, place], color=MET if met else MISSED, linewidth=5, alpha=0.3, solid_capstyle="round")
        axes.plot([middle], [place], "o", color=MET if met else MISSED, markersize=6)
        if row["must"] and row["ambitious"] and row["must"] != row["ambitious"]:
            axes.plot([share(row, row["ambitious"])], [place], "|", color=PLAIN, markersize=12)
    axes.axvline(1.0, color=PLAIN, linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks([0.2, 0.5, 1, 2, 5, 10], ["0.2", "0.5", "must", "2 x", "5 x", "10 x"])
    axes.set_yticks(range(len(rows)), [f"{row['test']}  {row['what']}: {row['median']:.3g}" for row in reversed(rows)])
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(left=False)
    axes.set_xlabel("better than the limit to the right; the bar: all rounds; | the ambitious limit")
    target = path.with_suffix(".svg")
    figure.savefig(target, bbox_inches="tight", metadata={"Date": None})
    return target


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(draw(Path(name)))
