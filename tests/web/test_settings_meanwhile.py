"""Two people who set the same thing at once: nobody overwrites what he has not seen, and nothing typed is lost."""

from __future__ import annotations

import pytest
from django.urls import reverse

from clawgroups.models import Run, Workspace
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.test_model_pages import PLAN, SETTINGS, page

pytestmark = pytest.mark.django_db


def version_in(shown: str) -> str:
    return shown.partition('name="version" value="')[2].partition('"')[0]


def test_settings_that_somebody_changed_meanwhile_are_not_overwritten_unseen(team: Team, sign_in: SignIn) -> None:
    carol, there = sign_in("carol"), reverse("set-coordination", args=[team.workspace.pk])
    typed = {**SETTINGS, "run_steps": "4000", "version": version_in(page(carol, "coordination", team.workspace.pk))}
    Workspace.objects.update(coordination={"month": {"tokens": 7}})
    answer = carol.post(there, typed)
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "Somebody has changed this since you opened it" in shown
    assert 'value="4000"' in shown
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == {"month": {"tokens": 7}}
    again = {**typed, "version": version_in(shown)}
    for _ in range(2):
        assert carol.post(there, again).status_code == 303
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == {"run": {"steps": 4000}}


def test_limits_that_somebody_changed_meanwhile_are_not_overwritten_unseen(team: Team, sign_in: SignIn) -> None:
    run, bob = team.run(PLAN), sign_in("bob")
    there = reverse("set-budget", args=[team.workspace.pk, run.pk])
    typed = {"steps": "77", "version": version_in(page(bob, "model-calls", team.workspace.pk, run.pk))}
    Run.objects.update(budget={"tokens": 5})
    answer = bob.post(there, typed)
    shown = answer.content.decode()
    assert (answer.status_code, 'value="77"' in shown) == (422, True)
    assert "Somebody has changed this since you opened it" in shown
    assert bob.post(there, {**typed, "version": version_in(shown)}).status_code == 303
    run.refresh_from_db()
    assert run.budget["steps"] == 77
