"""The way of a person who was invited: link, account or sign-in, workspace; and the page that makes the link."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from agents import tokens
from agents.models import Agent
from clawgroups.models import Invitation, Member
from clawgroups.services import invitations
from clawgroups.services.guessing import AT_ONCE
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
ACCOUNT = {"username": "nora", "password1": "a-long-walk-9", "password2": "a-long-walk-9"}


def invite(team: Team, **said: Any) -> str:
    code = tokens.mint_code()
    perform(invitations.make_invitation, team.workspace.pk, code=code, actor=team.actor("ada"), **said)
    return code.secret


def accept(client: Client, code: str, **said: str) -> Any:
    return client.post(reverse("accept-invitation", args=[code]), said)


def test_the_page_makes_a_link_and_shows_it_this_once(team: Team, sign_in: SignIn) -> None:
    ada, there = sign_in("ada"), reverse("make-invitation", args=[team.workspace.pk])
    said = {"role": "guest", "most_uses": "3", "seconds": "3600", "note": "the auditors", "operation": "one"}
    answer = ada.post(there, said)
    page = answer.content.decode()
    (link,) = re.findall(r"http://[^<\s]+/invite/[^<\s]+/", page)
    assert "no-store" in answer["Cache-Control"]
    assert 'class="qr"' in page
    row = Invitation.objects.get()
    assert (row.role, row.most_uses, row.note) == ("guest", 3, "the auditors")
    # Sent again by a reload, it is the same one; looked at later, it is not shown.
    assert link in ada.post(there, said).content.decode()
    assert Invitation.objects.count() == 1
    later = ada.get(reverse("invitations", args=[team.workspace.pk])).content.decode()
    assert "the auditors" in later
    assert "0 of 3 joined" in later
    assert link not in later
    assert Client().get(link.partition("8000")[2]).status_code == 200


def test_a_wrong_form_keeps_what_was_typed_and_makes_nothing(team: Team, sign_in: SignIn) -> None:
    said = {"role": "owner", "most_uses": "0", "seconds": "3600", "note": "the auditors"}
    answer = sign_in("ada").post(reverse("make-invitation", args=[team.workspace.pk]), said)
    assert answer.status_code == 422
    assert "the auditors" in answer.content.decode()
    assert not Invitation.objects.exists()


def test_whoever_has_the_link_sees_the_names_and_nothing_else(team: Team) -> None:
    answer = Client().get(reverse("invitation", args=[invite(team)]))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert "no-store" in answer["Cache-Control"]
    assert "ada invites you to" in page
    assert team.workspace.name in page
    for hidden in (str(team.workspace.pk), team.workspace.goal, "bob", "Scribe"):
        assert hidden not in page
    assert Invitation.objects.get().uses == 0


@pytest.mark.parametrize("agent", [False, True])
def test_a_stranger_makes_an_account_though_sign_up_is_closed_and_lands_in_the_workspace(
    team: Team, agent: bool
) -> None:
    client = Client()
    sign_up = reverse("account_signup")
    assert "Sign-up is closed" in client.get(sign_up).content.decode()
    onward = accept(client, invite(team), account="sign-up", **({"with": "agent"} if agent else {}))
    assert onward.status_code == 303
    assert onward["Location"].startswith(sign_up)
    page = client.get(onward["Location"]).content.decode()
    assert f"Then you are in {team.workspace.name}." in page
    answer = client.post(onward["Location"], ACCOUNT, follow=True)
    place = (
        f"{reverse('new-agent')}?workspace={team.workspace.pk}"
        if agent
        else reverse("workspace", args=[team.workspace.pk])
    )
    assert answer.redirect_chain[-1][0] == place
    assert answer.status_code == 200
    if not agent:
        assert "Welcome! You are in." in answer.content.decode()
    seat = Member.objects.get(user__username="nora")
    assert (seat.workspace_id, seat.role) == (team.workspace.pk, "member")
    # It was good for one: nobody else makes an account by it.
    other = Client()
    assert accept(other, tokens.mint_code().secret).status_code == 404
    assert "Sign-up is closed" in other.get(sign_up).content.decode()
    assert not client.session.get("invited")


def test_who_has_an_account_signs_in_and_lands_in_the_workspace(team: Team) -> None:
    mallory, client = team.users["mallory"], Client()
    mallory.set_password("pw")
    mallory.save()
    onward = accept(client, invite(team, role="guest"), account="sign-in", **{"with": "agent"})
    assert onward["Location"].startswith(reverse("account_login"))
    answer = client.post(onward["Location"], {"login": "mallory", "password": "pw"}, follow=True)
    # A guest brings no agents, whatever is sent.
    assert answer.redirect_chain[-1][0] == reverse("workspace", args=[team.workspace.pk])
    assert team.seat("mallory").role == "guest"


def test_who_is_signed_in_joins_with_one_press_and_brings_an_agent_of_theirs(team: Team, sign_in: SignIn) -> None:
    Agent.objects.filter(pk=team.agents["judge"].pk).update(owner=team.users["mallory"])
    client, code = sign_in("mallory"), invite(team)
    assert "Join as mallory" in client.get(reverse("invitation", args=[code])).content.decode()
    answer = accept(client, code, **{"with": "agent"})
    assert answer["Location"] == reverse("members", args=[team.workspace.pk]) + "#add-agent"
    assert team.seat("mallory").role == "member"


def test_who_is_in_already_is_led_there_and_keeps_their_role(team: Team, sign_in: SignIn) -> None:
    client, code = sign_in("gus"), invite(team, role="admin")
    assert "You are in already" in client.get(reverse("invitation", args=[code])).content.decode()
    assert accept(client, code)["Location"] == reverse("workspace", args=[team.workspace.pk])
    assert team.seat("gus").role == "guest"
    assert Invitation.objects.get().uses == 0


def test_what_has_ended_says_so_without_a_name_and_opens_no_sign_up(team: Team) -> None:
    code, client = invite(team), Client()
    accept(client, code, account="sign-up")
    perform(invitations.revoke_invitation, Invitation.objects.get().pk, actor=team.actor("ada"))
    answer = client.get(reverse("invitation", args=[code]))
    assert answer.status_code == 410
    assert "was revoked" in answer.content.decode()
    assert team.workspace.name not in answer.content.decode()
    # Not either for who came while it was open.
    assert "Sign-up is closed" in client.get(reverse("account_signup")).content.decode()
    client.post(reverse("account_signup"), ACCOUNT)
    assert not User.objects.filter(username="nora").exists()
    assert accept(Client(), code, account="sign-up").status_code == 410


def test_revoked_between_sign_up_and_arrival_it_lets_nobody_in(team: Team) -> None:
    code, client = invite(team), Client()
    accept(client, code, account="sign-in")
    perform(invitations.revoke_invitation, Invitation.objects.get().pk, actor=team.actor("ada"))
    client.force_login(team.users["mallory"], backend="django.contrib.auth.backends.ModelBackend")
    session = client.session
    session["invited"] = [tokens.digest(tokens.read_code(code)), "Sales", False]
    session.save()
    answer = client.get(reverse("enter-invited"))
    assert answer.status_code == 410
    assert not Member.objects.filter(user=team.users["mallory"]).exists()


def test_nobody_is_made_to_join_by_an_address_alone(team: Team, sign_in: SignIn) -> None:
    client, code = sign_in("mallory"), invite(team)
    for there in (reverse("enter-invited"), reverse("invitation", args=[code])):
        client.get(there)
        client.head(there)
    assert client.get(reverse("accept-invitation", args=[code])).status_code == 405
    assert not Member.objects.filter(user=team.users["mallory"]).exists()


def test_whoever_guesses_is_stopped(team: Team) -> None:
    code, client = invite(team), Client()
    codes = [
        client.get(reverse("invitation", args=[tokens.mint_code().secret])).status_code for _ in range(int(AT_ONCE))
    ]
    assert set(codes) == {404}
    assert client.get(reverse("shared-run", args=[tokens.mint_code().secret])).status_code == 429
    assert client.get(reverse("invitation", args=[code])).status_code == 429
