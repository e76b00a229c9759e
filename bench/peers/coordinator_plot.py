"""`python -m bench.peers.coordinator_plot coordinator-cost.json`: prompts and cost over the steps of a run, beside it.

Runs in the peers' environment, which has matplotlib.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import matplotlib as mpl

mpl.use("svg")
mpl.rcParams.update({"svg.hashsalt": "claw", "font.size": 9, "font.family": "sans-serif"})

import matplotlib.pyplot as plt  # noqa: E402

COLOURS = {"plan": "#1f5fa8", "judge": "#1f7a4d", "match": "#8a5a00", "anew": "#b3402f"}
WORDS = {"plan": "a plan", "judge": "judging a result", "match": "choosing members", "anew": "writing a task anew"}


def draw(path: Path) -> list[Path]:
    """Draw the figures; the pictures' paths."""
    said = json.loads(path.read_text())
    turns = said["turns"]
    done = [turn["before"] + turn["steps"] for turn in turns]
    figure, (prompts, cost) = plt.subplots(2, 1, figsize=(7.5, 5.4), sharex=True)
    for kind in sorted({kind for turn in turns for kind in turn["prompts"]}):
        sizes = [turn["prompts"].get(kind) for turn in turns]
        prompts.plot(done, sizes, "o-", color=COLOURS.get(kind, "#5b6470"), label=WORDS.get(kind, kind), markersize=4)
    prompts.set_ylabel("largest prompt, tokens")
    prompts.set_ylim(bottom=0)
    prompts.legend(frameon=False, loc="center right")
    # In the last round nobody is given another task, so it is another thing.
    cost.plot(done[:-1], [turn["cpu_a_step"] for turn in turns[:-1]], "o-", color="#5b6470", markersize=4)
    cost.set_ylabel("coordinator, ms of CPU a step")
    cost.set_ylim(bottom=0)
    cost.set_xlabel(f"steps done, by {said['agents']} agents")
    for axes in (prompts, cost):
        axes.spines[["top", "right"]].set_visible(False)
    figure.align_ylabels()
    made = [path.with_suffix(".svg"), path.with_suffix(".png")]
    figure.savefig(made[0], bbox_inches="tight", metadata={"Date": None})
    figure.savefig(made[1], bbox_inches="tight", dpi=110)
    return made


if __name__ == "__main__":
    for name in sys.argv[1:]:
        print(*draw(Path(name)))
