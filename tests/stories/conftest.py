"""The stories' installations: one that nothing breaks, one in which things are killed, one with settings of its own.

Whoever shares one is run by the same process (`tests.run.together`). Each story has a workspace of its own.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from tests.run.prepared import PREPARED
from tests.stories.installation import Installation, installed
from tests.stories.sales import Sales, generate
from tests.stories.script import Script

PACE = {"CLAWGROUPS_BUILTIN_PACE": "0.05"}
"""Slow enough to step into a turn, fast enough for a test."""
SCALE = "0.05"
"""So that a machine that is away for longer than it is waited for need not be away for minutes."""
SOME = 900
NAMED_SEED = "CLAW_STORY_SEED"


@pytest.fixture(scope="session")
def claw() -> Iterator[Installation]:
    """The shared installation, from its very first start on."""
    with installed(**PACE, **{PREPARED: ""}) as installation:
        yield installation
        assert not installation.faults()


@pytest.fixture(scope="session")
def token(claw: Installation) -> str:
    return claw.token()


@pytest.fixture
def script(claw: Installation, token: str) -> Script:
    """The owner's script on the shared installation."""
    return Script(claw.url, token)


@pytest.fixture
def seed() -> int:
    """Shown where a test fails: it makes the same table again."""
    chosen = int(os.environ.get(NAMED_SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{NAMED_SEED}={chosen}")
    return chosen


@pytest.fixture
def sales(seed: int) -> Sales:
    """A table of its own for every test, small enough to be read in no time."""
    return generate(seed, count=SOME)


@pytest.fixture(scope="session")
def own() -> Iterator[Installation]:
    """An installation in which stories may kill what they like: it has to get over it."""
    with installed(**PACE) as installation:
        yield installation


@pytest.fixture(scope="session")
def other() -> Iterator[Installation]:
    """One with a quick clock, that takes one megabyte at a time."""
    with installed(**PACE, CLAWGROUPS_CLOCK_SCALE=SCALE, CLAWGROUPS_MAX_UPLOAD_MB="1") as installation:
        yield installation
        assert not installation.faults()
