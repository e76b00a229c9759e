"""An agent that is retired in the middle of a turn leaves nothing that waits for it."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clawgroups.coordinator.evidence import look
from clawgroups.models import Command, Task
from clawgroups.services.agents import retire_agent
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def test_what_a_retired_agent_was_owed_is_given_up_by_the_sweep_that_gives_its_work_on(team: Team) -> None:
    task = team.working()
    perform(retire_agent, team.agents["scribe"].pk, actor=team.actor("ada"))
    sweep(timezone.now(), quiet=False)
    assert Task.objects.get(pk=task.pk).state == "ready"
    assert not Command.objects.filter(state__in=["open", "sent"]).exists()
    assert look().owed == ()
