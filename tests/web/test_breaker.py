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
    assert "In quarantine" in client.get(reverse("agents")).content.decode()
    assert "In quarantine" in client.get(reverse("workspace", args=[team.workspace.pk])).content.decode()
    assert post(sign_in("bob"), "clear-breaker", scribe.pk).status_code == 404
    post(client, "clear-breaker", scribe.pk)
    scribe.refresh_from_db()
    assert (scribe.breaker, scribe.health) == ("closed", {})


def test_a_resting_agent_says_until_when(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    quarantine(scribe)
    until = timezone.now() + timedelta(seconds=40)
    Agent.objects.filter(pk=scribe.pk).update(breaker="open", breaker_until=until)
    said = client.get(reverse("agent-presence", args=[scribe.pk])).content.decode()
    assert "Gets no work" in said
    assert until.isoformat()[:19] in said
