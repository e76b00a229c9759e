"""The ids of what a session names: whoever reads its rows again, after any restart, comes to the same."""

from __future__ import annotations

from uuid import uuid4, uuid5

import pytest

from clawgroups.core.transcript import MOST_KEPT, MOST_NAMES, Standing


@pytest.mark.parametrize("name", ["", "call-1", "é" * 40, "x" * (2 * MOST_KEPT)])
def test_a_name_is_version_5_under_its_attempt_however_often_it_is_asked_for(name: str) -> None:
    standing = Standing(uuid4(), uuid4(), uuid4(), uuid4(), epoch=1, live=True)
    expected = uuid5(standing.attempt_id, f"{standing.session_id}:step:{name}")
    # More others in between than are remembered.
    others = [standing.step_id(f"other {number}") for number in range(2 * MOST_NAMES)]
    assert [standing.step_id(name), standing.step_id(name), standing.copy().step_id(name)] == [expected] * 3
    assert len({*others, expected}) == 2 * MOST_NAMES + 1
