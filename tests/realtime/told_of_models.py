"""Stories for `test_verify_action`: the model: its calls, limits and fallback."""

from __future__ import annotations

from collections.abc import Callable

from clawgroups.services import coordination
from clawgroups.services.perform import perform
from tests.conftest import Team


def coordination_set(team: Team) -> None:
    said = {"use_model": False, "modes": {"plan": "instant"}, "run": {"tokens": 500_000}}
    perform(coordination.set_coordination, team.workspace.pk, coordination=said, actor=team.actor("carol"))


TOLD: list[Callable[[Team], None]] = [coordination_set]
