"""What the tests of this folder stand on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.chaos.stacks import Stack, running


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """One installation of all servers for a file; whatever is killed in it, it has to get over."""
    with running("servers") as whole:
        yield whole
