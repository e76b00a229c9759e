"""A code lets one machine in: once, within the hour, and whoever lost the answer asks again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from agents import tokens
from agents.models import AgentKey, Enrolment
from agents.protocol import codes
from clawgroups.auth import credential_of_bearer
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import ClawError, Forbidden, Invalid, NotFound
from clawgroups.services import agents, enrolling
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def offered(team: Team, name: str = "scribe", *, by: str = "ada", launcher: str = "") -> str:
    code = tokens.mint_code()
    perform(enrolling.offer, team.agents[name].pk, code=code, launcher=launcher, actor=team.actor(by))
    return code.secret


def enrol(code: str, key: str) -> Outcome:
    return perform(enrolling.enrol, code, secret=key)


def keys_of(team: Team, name: str = "scribe") -> list[str]:
    return list(AgentKey.objects.filter(agent=team.agents[name]).order_by("pk").values_list("public_id", flat=True))


def refusal(code: str, key: str) -> tuple[str, str]:
    with pytest.raises(ClawError) as told:
        enrol(code, key)
    return told.value.code, told.value.message


def test_the_key_that_a_machine_brings_opens_the_agents_door(team: Team) -> None:
    code, key = offered(team, launcher="kimi"), codes.new_key()
    agent = team.agents["scribe"]
    said = {"agent": str(agent.pk), "name": "Scribe", "handle": "scribe", "launcher": "kimi"}
    assert enrol(code, key).answer == said
    assert credential_of_bearer(f"Bearer {key}").actor.agent_id == agent.pk
    found = Enrolment.objects.get(agent=agent)
    assert found.key is not None
    assert (found.key.public_id, found.used_at is not None) == (key[3:15], True)


def test_neither_the_code_nor_the_key_is_stored(team: Team) -> None:
    code, key = offered(team), codes.new_key()
    enrol(code, key)
    rows = [*Enrolment.objects.values(), *AgentKey.objects.values()]
    assert code not in str(rows)
    assert key[16:] not in str(rows)


def test_however_it_is_typed_it_is_the_same_code(team: Team) -> None:
    code, key = offered(team), codes.new_key()
    typed = f" {code.upper().replace('-', ' ').replace('0', 'O').replace('1', 'l')} "
    assert enrol(typed, key).answer["handle"] == "scribe"


def test_the_same_key_again_gets_the_same_answer_even_after_the_hour(team: Team) -> None:
    code, key = offered(team), codes.new_key()
    first = enrol(code, key).answer
    Enrolment.objects.update(expires_at=timezone.now() - timedelta(days=1))
    assert enrol(code, key).answer == first
    assert len(keys_of(team)) == 2


def test_another_key_by_a_used_code_is_refused(team: Team) -> None:
    code = offered(team)
    enrol(code, codes.new_key())
    kind, words = refusal(code, codes.new_key())
    assert (kind, "Make a new line" in words) == ("code_used", True)
    assert len(keys_of(team)) == 2


def test_a_revoked_key_does_not_come_in_again_by_its_code(team: Team) -> None:
    code, key = offered(team), codes.new_key()
    enrol(code, key)
    row = AgentKey.objects.get(public_id=key[3:15])
    perform(agents.revoke_key, row.pk, actor=team.actor("ada"))
    kind, words = refusal(code, key)
    assert (kind, "revoked" in words) == ("code_used", True)


def test_after_its_hour_a_code_is_over(team: Team) -> None:
    code = offered(team)
    Enrolment.objects.update(expires_at=timezone.now())
    assert refusal(code, codes.new_key())[0] == "code_expired"


@pytest.mark.parametrize("code", ["", "0000-0000-0000-0000", "x", "\ud800", "a" * 99])
def test_an_unknown_code_is_unknown_whatever_it_looks_like(team: Team, code: str) -> None:
    offered(team)
    assert refusal(code, codes.new_key())[0] == "unknown_code"


@pytest.mark.parametrize("key", ["", "cg_", f"cs_{'0' * 12}_{'0' * 64}", f"cg_{'0' * 12}_{'G' * 64}", "cg_é"])
def test_what_is_no_key_is_refused_and_leaves_the_code_good(team: Team, key: str) -> None:
    code = offered(team)
    with pytest.raises(Invalid):
        enrol(code, key)
    assert enrol(code, codes.new_key()).applied


def test_a_newer_code_voids_an_older_one_that_nobody_used(team: Team) -> None:
    older = offered(team)
    newer = offered(team)
    assert refusal(older, codes.new_key())[0] == "unknown_code"
    assert enrol(newer, codes.new_key()).applied
    # A used one stays, so that its machine may ask again.
    offered(team)
    assert Enrolment.objects.count() == 2


def test_only_the_owner_offers_a_code(team: Team) -> None:
    for who in ("bob", "carol", "mallory"):
        with pytest.raises((NotFound, Forbidden)):
            offered(team, by=who)
    assert not Enrolment.objects.exists()
