"""Links that let people in: who joins by one, how often, until when, and what ends it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.utils import timezone

from agents import tokens
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import ClawError, Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import AuditRow, Entry, Invitation, Member
from clawgroups.services import invitations, members
from clawgroups.services.perform import begin, perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def invite(team: Team, by: str = "ada", **said: Any) -> Invitation:
    made = perform(
        invitations.make_invitation, team.workspace.pk, code=tokens.mint_code(), actor=team.actor(by), **said
    )
    return Invitation.objects.get(pk=made.answer["id"])


def join(team: Team, row: Invitation, who: str = "mallory") -> Member:
    said = perform(invitations.join, row.digest, actor=team.actor(who))
    return Member.objects.get(pk=said.answer["member"])


def refused(team: Team, row: Invitation, who: str = "mallory") -> str:
    with pytest.raises(ClawError) as fault:
        join(team, row, who)
    return fault.value.code


def test_whoever_has_the_link_joins_with_its_role_and_it_is_on_record(team: Team) -> None:
    row = invite(team, role="guest", note="the auditor")
    seat = join(team, row)
    assert (seat.role, seat.handle, seat.left_at) == ("guest", "mallory", None)
    row.refresh_from_db()
    assert row.uses == 1
    entry = Entry.objects.get(workspace=team.workspace, type="member.joined", payload__user_id=seat.user_id)
    assert entry.payload["invitation_id"] == str(row.pk)
    assert entry.actor["name"] == "mallory"
    kinds = AuditRow.objects.filter(chain=team.workspace.pk).values_list("action", flat=True)
    assert {"invitation.made", "member.joined"} <= set(kinds)


def test_only_a_hash_of_the_code_is_kept_and_the_code_finds_it_however_it_is_typed(team: Team) -> None:
    code = tokens.mint_code()
    perform(invitations.make_invitation, team.workspace.pk, code=code, actor=team.actor("carol"))
    row = invitations.find(code.secret.upper().replace("-", " "))
    assert code.secret not in str(Invitation.objects.filter(pk=row.pk).values())
    assert code.secret not in str(list(Entry.objects.values_list("payload", flat=True)))
    with pytest.raises(NotFound):
        invitations.find(tokens.mint_code().secret)


@pytest.mark.parametrize("who", ["bob", "gus"])
def test_only_admins_invite(team: Team, who: str) -> None:
    with pytest.raises(Forbidden):
        invite(team, who)
    with pytest.raises(NotFound):
        invite(team, "mallory")


@pytest.mark.parametrize(
    ("said", "field"),
    [
        ({"role": "owner"}, "role"),
        ({"role": "agent"}, "role"),
        ({"most_uses": 0}, "most_uses"),
        ({"most_uses": 501}, "most_uses"),
        ({"most_uses": True}, "most_uses"),
        ({"seconds": 1}, "seconds"),
        ({"seconds": 10**9}, "seconds"),
        ({"note": "x" * 81}, "note"),
    ],
)
def test_what_is_wrong_is_told_with_its_field(team: Team, said: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as fault:
        invite(team, **said)
    assert fault.value.fields["field"] == field


def test_it_lets_in_as_many_as_it_says_and_who_is_in_uses_nothing_up(team: Team) -> None:
    row = invite(team, most_uses=2)
    assert refused(team, row, "bob") == "already_here"
    join(team, row, "mallory")
    join(team, row, "sue")
    User.objects.create_user("late")
    team.users["late"] = User.objects.get(username="late")
    assert refused(team, row, "late") == "used"
    assert Member.objects.get(user=team.users["bob"]).role == "member"


def test_what_has_ended_lets_nobody_in_and_says_why(team: Team) -> None:
    revoked, over, void, gone = (invite(team, by) for by in ("ada", "ada", "carol", "carol"))
    perform(invitations.revoke_invitation, revoked.pk, actor=team.actor("carol"))
    Invitation.objects.filter(pk=over.pk).update(expires_at=timezone.now() - timedelta(seconds=1))
    assert refused(team, revoked) == "revoked"
    assert refused(team, over) == "over"
    carol = team.seat("carol")
    # Its maker's right is what it hands on: lowered, removed or closed, it is gone.
    perform(members.set_role, carol.pk, role="member", actor=team.actor("ada"))
    assert refused(team, void) == "void"
    perform(members.set_role, carol.pk, role="admin", actor=team.actor("ada"))
    User.objects.filter(username="carol").update(is_active=False)
    assert refused(team, gone) == "void"
    assert not Member.objects.filter(user=team.users["mallory"]).exists()


def test_a_revoked_one_is_taken_back_and_let_in_by_again(team: Team) -> None:
    row = invite(team)
    perform(invitations.revoke_invitation, row.pk, actor=team.actor("ada"))
    with pytest.raises(Conflict):
        perform(invitations.revoke_invitation, row.pk, actor=team.actor("ada"))
    perform(invitations.restore_invitation, row.pk, actor=team.actor("ada"))
    with pytest.raises(Conflict):
        perform(invitations.restore_invitation, row.pk, actor=team.actor("ada"))
    assert join(team, row).role == "member"
    for who, wanted in (("bob", Forbidden), ("sue", NotFound)):
        with pytest.raises(wanted):
            perform(invitations.revoke_invitation, row.pk, actor=team.actor(who))


def test_whoever_was_removed_does_not_come_back_by_a_link_of_before(team: Team) -> None:
    before = invite(team, role="admin", most_uses=5)
    perform(members.remove_member, team.seat("bob").pk, actor=team.actor("ada"))
    assert refused(team, before, "bob") == "left_since"
    assert Member.objects.get(user=team.users["bob"]).left_at is not None
    seat = join(team, invite(team), "bob")
    assert (seat.role, seat.left_at) == ("member", None)


def test_a_form_that_is_sent_twice_makes_one_invitation(team: Team) -> None:
    code = tokens.derive_code("once")
    said: dict[str, Any] = {"code": code, "actor": team.actor("ada"), "operation": "one"}
    first = perform(invitations.make_invitation, team.workspace.pk, **said)
    again = perform(invitations.make_invitation, team.workspace.pk, **said)
    assert again.repeated
    assert again.answer == first.answer
    assert Invitation.objects.count() == 1


def test_an_agent_takes_up_no_invitation(team: Team) -> None:
    row = invite(team)
    scribe = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    with pytest.raises(Forbidden):
        perform(invitations.join, row.digest, actor=scribe)


def test_too_many_are_not_open_at_once(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(invitations, "MOST_OPEN", 1)
    row = invite(team)
    with pytest.raises(Conflict) as fault:
        invite(team)
    assert fault.value.code == "too_many_invitations"
    perform(invitations.revoke_invitation, row.pk, actor=team.actor("ada"))
    assert UUID(str(invite(team).pk))


@pytest.mark.django_db(transaction=True)
def test_of_many_who_come_at_once_as_many_get_in_as_it_says(team: Team) -> None:
    row = invite(team, most_uses=3)
    people = [actor_of_user(User.objects.create_user(f"guest-{n}")) for n in range(6)]
    # Decided together, committed together: each has read that nobody has joined yet.
    waiting = [begin(invitations.join, row.digest, actor=one) for one in people]
    came: list[object] = []
    for finish in waiting:
        try:
            came.append(finish().applied)
        except Conflict as fault:
            came.append(fault.code)
    assert came.count(True) == 3
    assert came.count("used") == 3
    row.refresh_from_db()
    assert row.uses == Member.objects.filter(workspace=team.workspace, handle__startswith="guest-").count() == 3
