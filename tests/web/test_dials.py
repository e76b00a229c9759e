"""The address of an agent that we dial: typed, shown, changed, allowed."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from agents.models import Connection, Dial
from clawgroups import sealing
from clawgroups.services import dials
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

ADDRESS = "wss://agent.example.org/acp"


def post(client: Client, name: str, team: Team, **data: str) -> Any:
    return client.post(reverse(name, args=[team.agents["scribe"].pk]), data)


def page(client: Client, name: str, team: Team) -> str:
    answer = client.get(reverse(name, args=[team.agents["scribe"].pk]))
    assert answer.status_code == 200
    return answer.content.decode()


def row(team: Team) -> Dial:
    return Dial.objects.get(pk=team.agents["scribe"].pk)


def key_of(team: Team) -> str:
    return sealing.unseal(row(team).secret, purpose=dials.purpose(team.agents["scribe"].pk))


def test_an_address_is_given_with_a_key_that_no_page_shows_again(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    assert "Give it an address" in page(ada, "agent", team)
    assert post(ada, "set-dial", team, address=ADDRESS, secret="Bearer s3cret").status_code == 303
    assert key_of(team) == "s3cret"
    for name in ("agent", "dial", "dial-state"):
        assert "s3cret" not in page(ada, name, team)
    assert ADDRESS in page(ada, "agent", team)
    assert "It has come in by a connection of its own" in page(ada, "dial-state", team)
    Connection.objects.update(closed_at=team.workspace.created_at)
    assert "Waiting to be dialled" in page(ada, "dial-state", team)
    assert "agent.profile_set" in team.journal()


def test_the_key_stays_unless_it_is_replaced_or_forgotten(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    post(ada, "set-dial", team, address=ADDRESS, secret="first")
    post(ada, "set-dial", team, address=ADDRESS + "/v2", secret="")
    assert (row(team).address, key_of(team)) == (ADDRESS + "/v2", "first")
    post(ada, "set-dial", team, address=ADDRESS, secret="second")
    assert key_of(team) == "second"
    post(ada, "set-dial", team, address=ADDRESS, secret="", forget="on")
    assert row(team).secret == ""


def test_a_key_is_never_taken_along_to_another_machine(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    post(ada, "set-dial", team, address=ADDRESS, secret="first")
    refused = post(ada, "set-dial", team, address="wss://elsewhere.example.org/acp", secret="")
    assert refused.status_code == 422
    assert "This is another machine: enter its key again" in refused.content.decode()
    assert row(team).address == ADDRESS
    post(ada, "set-dial", team, address="wss://elsewhere.example.org/acp", secret="", forget="on")
    assert (row(team).address, row(team).secret) == ("wss://elsewhere.example.org/acp", "")


@pytest.mark.parametrize(
    ("address", "secret", "said"),
    [
        ("", "", "This field is required."),
        ("http://agent.example.org", "", "An address is like"),
        ("ws://agent.example.org", "", "Without encryption"),
        ("wss://me:pass@agent.example.org/", "", "holds no name or key"),
        (ADDRESS, "two words", "A key is one word"),
        (ADDRESS, "line\r\nbreak", "A key is one word"),
    ],
)
def test_what_cannot_be_dialled_is_said_in_the_form(
    team: Team, sign_in: SignIn, address: str, secret: str, said: str
) -> None:
    answer = post(sign_in("ada"), "set-dial", team, address=address, secret=secret)
    assert answer.status_code == 422
    shown = answer.content.decode()
    assert said in shown
    assert "two words" not in shown
    assert not Dial.objects.exists()


def test_the_page_says_how_it_stands_and_what_can_be_done(team: Team, sign_in: SignIn) -> None:
    ada, sue = sign_in("ada"), sign_in("sue")
    post(ada, "set-dial", team, address=ADDRESS)
    Dial.objects.update(state="refused", said="It refused us: 401. <Correct> its key.")
    shown = page(ada, "dial-state", team)
    assert "Not dialled any more" in shown
    assert "It refused us: 401. &lt;Correct&gt; its key." in shown
    assert "Try again now" in shown
    assert "Allow a private network" not in shown
    assert "Allow a private network" in page(sue, "dial-state", team)
    post(ada, "retry-dial", team)
    assert (row(team).state, row(team).said) == ("waiting", "")
    post(sue, "allow-private", team, allowed="yes")
    assert row(team).private
    assert "leads into a private network" in page(ada, "dial-state", team)
    post(sue, "allow-private", team, allowed="no")
    assert not row(team).private
    Dial.objects.update(state="connected")
    assert "Connected" in page(ada, "dial-state", team)
    post(ada, "remove-dial", team)
    assert not Dial.objects.exists()


def test_nobody_else_sees_or_changes_it(team: Team, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    post(ada, "set-dial", team, address=ADDRESS)
    for name in ("dial", "dial-state"):
        assert bob.get(reverse(name, args=[team.agents["scribe"].pk])).status_code == 404
    for name in ("set-dial", "remove-dial", "retry-dial"):
        assert post(bob, name, team, address=ADDRESS).status_code == 404
    assert post(ada, "allow-private", team, allowed="yes").status_code == 403
    assert not row(team).private


def test_a_retired_agent_is_given_no_address(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    post(ada, "retire-agent", team)
    assert "Dialled by us" not in page(ada, "agent", team)
    assert post(ada, "set-dial", team, address=ADDRESS).status_code == 422
    assert not Dial.objects.exists()
