"""A stored session is opened again by the next try: who gave the last try up late does not take that one along."""

from __future__ import annotations

from uuid import uuid4

import pytest

from agents.models import Agent
from clawgroups.core.errors import Conflict
from clawgroups.gateway import reads
from clawgroups.models import Session, Task
from clawgroups.services import sessions, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def test_two_sockets_of_a_restarted_agent_lose_its_session_once(team: Team) -> None:
    scribe = team.agents["scribe"]
    Agent.objects.filter(pk=scribe.pk).update(announced={**scribe.announced, "resume": True})
    task = team.working()
    # Two sockets came in, and both have read what lived on another link.
    [(session, attempt)] = reads.sessions_elsewhere(scribe.pk, uuid4())
    perform(sessions.session_lost, session, reason="the agent was restarted", attempt_id=attempt)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    with pytest.raises(Conflict):
        perform(sessions.session_lost, session, reason="the agent was restarted", attempt_id=attempt)
    now = Task.objects.select_related("attempt").get(pk=task.pk)
    assert now.attempt is not None
    assert (now.state, now.attempt.number, now.attempt.state) == ("assigned", 2, "offered")
    reopened = Session.objects.get(pk=session)
    assert (reopened.state, reopened.attempt_id) == ("opening", now.attempt.pk)
