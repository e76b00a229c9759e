"""Stories for `test_verify_action`: who is chosen for a task, and why."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Team

TOLD: list[Callable[[Team], None]] = []
