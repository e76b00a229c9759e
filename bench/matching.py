"""The instance of P5: how well each of 300 members fits each of 4,000 tasks of three of 48 skills."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MEMBERS = 300
SKILLS = 48
NEEDED = 3
CAPACITY = 14


def levels_and_needs(tasks: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(members, skills) levels in [0, 1), and (tasks, skills) weights of what each task needs."""
    dice = np.random.default_rng(seed)
    levels = dice.random((MEMBERS, SKILLS), dtype=np.float32)
    needs = np.zeros((tasks, SKILLS), dtype=np.float32)
    for task in range(tasks):
        needs[task, dice.choice(SKILLS, NEEDED, replace=False)] = dice.dirichlet([1.0] * NEEDED)
    return levels, needs


def instance(tasks: int, seed: int) -> NDArray[np.float32]:
    """(tasks, members): weights of the needed skills times levels in [0, 1)."""
    levels, needs = levels_and_needs(tasks, seed)
    return needs @ levels.T
