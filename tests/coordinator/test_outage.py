"""No model server is there any more: every run that waits for a plan goes on, not only the one that noticed."""

from __future__ import annotations

import pytest
from django.utils import timezone

from agents.llm.base import Fault, FaultKind
from clawgroups.models import ModelCall, Run
from clawgroups.services import consulting, model_calls, runs, turns
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.coordinator.model import GOAL, Model

pytestmark = pytest.mark.django_db


def test_every_run_that_waits_for_a_plan_goes_on_when_the_only_server_goes_away(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(team, [Fault(FaultKind.UNREACHABLE, "no connection")])
    monkeypatch.setattr(model_calls, "ask", model.scripted)
    for _ in range(3):
        perform(runs.draft_run, team.workspace.pk, goal=GOAL, actor=team.actor("ada"))
    model.react()
    tried = ModelCall.objects.filter(kind="plan").order_by("created_at")[0]
    for _ in range(3):
        assert set(Run.objects.values_list("state", flat=True)) == {"planning"}
        ModelCall.objects.filter(pk=tried.pk).update(not_before=None)
        consulting.consult(tried.pk)
    assert len(turns.runs_wanting(timezone.now())) == 3
    model.react()
    assert set(Run.objects.values_list("state", "planner")) == {("proposed", "built-in coordinator")}
    assert len(model.asked) == 3
