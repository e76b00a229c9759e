"""What was found while a run went on is part of what is said of it in the end."""

from __future__ import annotations

import random
from contextlib import ExitStack
from typing import Any
from unittest.mock import Mock

import pytest

from tests.chaos import scene as module
from tests.chaos.history import Verdict
from tests.chaos.rows import CI, Row, Size
from tests.chaos.scene import Scene


def test_what_was_found_during_a_run_still_counts_once_its_end_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "judge", lambda *_, **__: Verdict(lost=1, faults=["a gap"]))
    row = Row("T00", "a run", "servers", 1)
    row.verdict.faults.append("a page heard nothing")
    followers: list[Any] = [Mock(ended=Mock(return_value="done"))]
    size = Size(CI, 1, 1, 1, 1.0)
    scene = Scene(Mock(), Mock(), Mock(), followers, "run", random.Random(1), size, ExitStack(), silent=["no deadline"])
    scene.finish(row)
    assert row.verdict == Verdict(lost=1, faults=["a page heard nothing", "a gap", "no deadline"])
    assert not row.passed
