"""Whether an agent gets work, and why not, as its pages say it; its owner's button."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent
from tests.conftest import Team, quarantine
from tests.web.conftest import SignIn
from tests.web.test_verbs import post

pytestmark = pytest.mark.django_db


def test_an_agent_in_quarantine_says_why_and_its_owner_gives_it_work_again(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    address = reverse("clear-breaker", args=[scribe.pk])
    assert address not in client.get(reverse("agent", args=[scribe.pk])).content.decode()
    quarantine(scribe)
    for name in ("agent", "agent-presence"):
        said = client.get(reverse(name, args=[scribe.pk])).content.decode()
        assert "In quarantine" in said
        assert "It failed the task it was tried with: no model" in said
        assert address in said
    for name, where in (("agents", []), ("workspace", [team.workspace.pk])):
        said = client.get(reverse(name, args=where)).content.decode()
        assert "In quarantine" in said
        assert "It failed the task it was tried with" in said
    assert post(sign_in("bob"), "clear-breaker", scribe.pk).status_code == 404
    post(client, "clear-breaker", scribe.pk)
    scribe.refresh_from_db()
    assert (scribe.breaker, scribe.health) == ("closed", {})


def test_a_resting_agent_says_until_when(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    quarantine(scribe)
    until = timezone.now() + timedelta(seconds=40)
    Agent.objects.filter(pk=scribe.pk).update(breaker="open", breaker_until=until)
    places = (("agent-presence", scribe.pk), ("agents", None), ("workspace", team.workspace.pk))
    for name, where in places:
        said = client.get(reverse(name, args=[where] if where else [])).content.decode()
        assert "Gets no work" in said
        assert until.isoformat()[:19] in said


def test_what_was_said_about_its_work_is_for_its_owner_alone(team: Team, sign_in: SignIn) -> None:
    quarantine(team.agents["scribe"])
    owner, other = sign_in("ada"), sign_in("bob")
    assert "no model" in owner.get(reverse("agents")).content.decode()
    for client, name, where in ((other, "agents", []), (owner, "workspace", [team.workspace.pk])):
        said = client.get(reverse(name, args=where)).content.decode()
        assert "Its owner has to clear it." in said
        assert "no model" not in said
