"""Invitations, read-only links, muting and transfer from a script."""

from __future__ import annotations

import pytest
from django.test import Client

from clawgroups.models import Invitation, Member, Share
from tests.api.conftest import As, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def test_an_invitation_is_made_listed_joined_by_and_revoked(team: Team, as_: As) -> None:
    ada, room = as_("ada"), f"/workspaces/{team.workspace.pk}"
    said = {"role": "guest", "most_uses": 2, "note": "auditors"}
    made = ada.post(f"{room}/invitations", said, Idempotency_Key="k")
    assert made.status_code == 201
    # Lost on the way, the answer is the same, code and all; and nobody else is told it.
    assert ada.post(f"{room}/invitations", said, Idempotency_Key="k").json() == made.json()
    code = made.json()["code"]
    assert made.json()["link"].endswith(f"/invite/{code}/")
    joined = as_("mallory").post("/invitations/join", {"code": code.upper()})
    assert (joined.status_code, joined.json()["role"]) == (201, "guest")
    assert problem(as_("mallory").post("/invitations/join", {"code": code})) == (409, "already_here")
    (one,) = ada.get(f"{room}/invitations").json()["items"]
    assert (one["uses"], one["state"], one["note"], one["made_by"]["name"]) == (1, "open", "auditors", "ada")
    assert code not in str(one)
    assert ada.call("DELETE", f"/invitations/{one['id']}").status_code == 200
    assert problem(as_("sue").post("/invitations/join", {"code": code})) == (409, "revoked")
    assert problem(as_("bob").get(f"{room}/invitations")) == (403, "forbidden")
    assert Invitation.objects.count() == 1


def test_codes_are_not_guessed(as_: As) -> None:
    mallory = as_("mallory")
    codes = [problem(mallory.post("/invitations/join", {"code": f"{n}" * 16}))[1] for n in range(1, 10)]
    assert set(codes) == {"unknown_code"}
    assert problem(mallory.post("/invitations/join", {"code": "a" * 16})) == (404, "unknown_code")
    assert problem(mallory.post("/invitations/join", {"code": "b" * 16})) == (429, "rate_limited")


def test_a_run_is_shown_by_a_link_until_it_is_taken_back(team: Team, as_: As) -> None:
    run, carol = team.one_task().run, as_("carol")
    link = carol.post(f"/runs/{run.pk}/shares", {"seconds": 3600}).json()["link"].partition("8000")[2]
    assert Client().get(link).status_code == 200
    (one,) = carol.get(f"/runs/{run.pk}/shares").json()["items"]
    assert one["void"] is False
    assert carol.call("DELETE", f"/shares/{one['id']}").status_code == 200
    assert Client().get(link).status_code == 404
    assert Share.objects.get().revoked_at is not None


def test_a_member_is_muted_and_the_workspace_given_away(team: Team, as_: As) -> None:
    ada, room, bob = as_("ada"), f"/workspaces/{team.workspace.pk}", team.seat("bob").pk
    assert ada.post(f"{room}/members/{bob}/mute").json()["muted"] is True
    assert problem(as_("bob").post(f"{room}/messages", {"body": "x"})) == (403, "muted")
    seats = {one["handle"]: one for one in ada.get(f"{room}/members").json()["items"]}
    assert seats["bob"]["muted_at"]
    assert seats["gus"]["muted_at"] is None
    assert ada.post(f"{room}/members/{bob}/unmute").json()["muted"] is False
    assert problem(ada.post(f"{room}/transfer", {"member": str(bob), "confirm": "no"})) == (422, "invalid")
    assert ada.post(f"{room}/transfer", {"member": str(bob), "confirm": "Sales"}).json()["owner"] == str(bob)
    assert Member.objects.get(pk=bob).role == "owner"
