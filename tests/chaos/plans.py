"""Plans of any size, the same for the same seed."""

from __future__ import annotations

import random
from typing import Any

from tests.chaos.seed import SKILLS

LEVELS = 6


def layered(count: int, seed: int) -> list[dict[str, Any]]:
    """`count` tasks in six levels; each task of a level needs one or two of the level before."""
    dice = random.Random(seed)
    width = max(1, count // LEVELS)
    plan: list[dict[str, Any]] = []
    for number in range(count):
        level = min(number // width, LEVELS - 1)
        before = [f"t{(level - 1) * width + dice.randrange(width)}" for _ in range(2)] if level else []
        plan.append(
            {
                "key": f"t{number}",
                "title": f"Task {number}",
                "skills": [dice.choice(SKILLS)],
                "depends_on": sorted(set(before)),
            }
        )
    return plan


def flat(count: int, seed: int, *, last: int = 0) -> list[dict[str, Any]]:
    """`count` tasks that need nothing, and `last` more that each need three of them."""
    dice = random.Random(seed)
    keys = [f"t{number}" for number in range(count)]
    plan = [{"key": key, "title": f"Task {key}", "skills": [dice.choice(SKILLS)], "depends_on": []} for key in keys]
    for number in range(last):
        before = sorted(dice.sample(keys, min(3, count)))
        plan.append({"key": f"l{number}", "title": f"Last {number}", "skills": [SKILLS[0]], "depends_on": before})
    return plan
