"""One installation for the stories that break nothing; those that kill something start their own."""

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
def sales() -> Sales:
    """A table of its own for every test; a failed test shows the seed that makes it again."""
    seed = int(os.environ.get(NAMED_SEED) or random.SystemRandom().randrange(1_000_000))
    print(f"{NAMED_SEED}={seed}")
    return generate(seed)


@pytest.fixture(scope="module")
def own() -> Iterator[Installation]:
    """An installation of one file of stories, which may kill what they like in it: it has to get over it."""
    with installed(**PACE) as installation:
        yield installation
