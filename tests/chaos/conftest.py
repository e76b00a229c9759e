"""What the tests of this folder stand on: two installations, each shared by whatever a group of files kills in it.

Each row plays in a workspace of its own, judges nothing else, and leaves all processes running.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.behaviour import QUICK
from tests.chaos.stacks import Stack, running


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """One installation of all servers; whatever is killed in it, it has to get over."""
    with running("servers") as whole:
        yield whole


@pytest.fixture(scope="session")
def quick() -> Iterator[Stack]:
    """Another one, with deadlines that come soon."""
    with running("servers", CLAWGROUPS_CLOCK_SCALE=str(QUICK)) as whole:
        yield whole
