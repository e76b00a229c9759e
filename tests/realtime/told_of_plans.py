"""Stories for `test_verify_action`: plans as proposals: edited, changed while they run."""

from __future__ import annotations

from collections.abc import Callable

from tests.conftest import Team

TOLD: list[Callable[[Team], None]] = []
