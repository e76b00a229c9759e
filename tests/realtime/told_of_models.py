"""Stories for `test_verify_action`: the model: its calls, limits and fallback."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Team

TOLD: list[Callable[[Team], None]] = []
