"""Seats: muting, leaving with one's agents, and giving the whole workspace away."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User

from agents.ids import new_id
from agents.models import Agent
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import ClawError, Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Attempt, Member, Message, Run, Task
from clawgroups.permissions import SPEAKING, require
from clawgroups.services import agents, answers, members, message_changes, messages, muting, ownership
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def mute(team: Team, who: str, by: str = "ada") -> None:
    perform(muting.mute_member, team.seat(who).pk, actor=team.actor(by))


def say(team: Team, actor: Actor, body: str = "Hello") -> Message:
    said = perform(messages.post_message, team.workspace.pk, body=body, actor=actor)
    return Message.objects.get(pk=said.answer["id"])


def test_whoever_is_muted_says_nothing_and_does_all_else(team: Team) -> None:
    bob = team.actor("bob")
    said = say(team, bob)
    mute(team, "bob", by="carol")
    for verb, more in (
        (messages.post_message, {"body": "x"}),
        (message_changes.edit_message, {"body": "x", "version": 0}),
    ):
        pk = team.workspace.pk if verb is messages.post_message else said.pk
        with pytest.raises(Forbidden) as fault:
            perform(verb, pk, **more, actor=bob)  # type: ignore[arg-type]
        assert fault.value.code == "muted"
        assert "Ask ada or carol." in fault.value.message
    assert all(require(bob, name, team.workspace.pk) for name in ("run.draft", "task.take_over", "workspace.view"))
    perform(message_changes.remove_message, said.pk, actor=bob)
    perform(muting.unmute_member, team.seat("bob").pk, actor=team.actor("ada"))
    assert say(team, bob, "Back").body == "Back"
    assert team.journal().count("member.muted") == team.journal().count("member.unmuted") == 1


def test_every_way_of_speaking_is_an_action_of_the_table() -> None:
    assert {"message.post", "message.edit", "message.react"} == SPEAKING


def test_an_agent_that_is_muted_says_nothing_and_is_not_asked(team: Team) -> None:
    scribe = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    mute(team, "scribe")
    with pytest.raises(Forbidden):
        say(team, scribe)
    say(team, team.actor("ada"), "@scribe what do you think?")
    assert not Run.objects.filter(kind="talk").exists()
    say(team, team.actor("ada"), "@counter what do you think?")
    assert Run.objects.filter(kind="talk").count() == 1


def test_the_answer_of_an_agent_that_was_muted_meanwhile_is_not_posted(team: Team) -> None:
    say(team, team.actor("ada"), "@scribe what do you think?")
    task = Task.objects.select_related("run__asked_in", "workspace").get(kind="talk")
    attempt = Attempt(pk=new_id(), task=task, member=team.seat("scribe"), result="I think so.")
    assert answers.answer_of(task, attempt).writes
    mute(team, "scribe")
    attempt.member = team.seat("scribe")
    assert not answers.answer_of(task, attempt).writes


@pytest.mark.parametrize(
    ("who", "by", "wanted"),
    [
        ("ada", "carol", Forbidden),
        ("carol", "carol", Forbidden),
        ("gus", "bob", Forbidden),
        ("gus", "mallory", NotFound),
    ],
)
def test_who_may_not_be_muted_by_whom(team: Team, who: str, by: str, wanted: type[ClawError]) -> None:
    with pytest.raises(wanted):
        mute(team, who, by)
    assert not Member.objects.filter(muted_at__isnull=False).exists()


@pytest.mark.parametrize("kind", [ActorKind.AGENT, ActorKind.PERSON, ActorKind.COORDINATOR])
def test_who_is_nobody_in_particular_sits_nowhere(team: Team, kind: ActorKind) -> None:
    with pytest.raises(NotFound):
        require(Actor(kind, "Nobody"), "workspace.view", team.workspace.pk)


def test_muting_twice_is_told(team: Team) -> None:
    with pytest.raises(Conflict):
        perform(muting.unmute_member, team.seat("bob").pk, actor=team.actor("ada"))
    mute(team, "bob")
    with pytest.raises(Conflict):
        mute(team, "bob")


def test_leaving_and_coming_back_does_not_end_it(team: Team) -> None:
    mute(team, "bob")
    perform(members.remove_member, team.seat("bob").pk, actor=team.actor("bob"))
    perform(members.add_person, team.workspace.pk, username="bob", actor=team.actor("ada"))
    with pytest.raises(Forbidden):
        say(team, team.actor("bob"))


def bring(team: Team, who: str) -> Member:
    """An agent of somebody's, seated."""
    made = perform(agents.register_agent, name=f"Of {who}", workspace_id=team.workspace.pk, actor=team.actor(who))
    team.agents["brought"] = Agent.objects.get(pk=made.answer["id"])
    return team.seat("brought")


@pytest.mark.parametrize("by", ["bob", "ada"])
def test_a_persons_agents_leave_with_them(team: Team, by: str) -> None:
    brought = bring(team, "bob")
    perform(members.remove_member, team.seat("bob").pk, actor=team.actor(by))
    gone = Member.objects.filter(workspace=team.workspace, left_at__isnull=False)
    assert set(gone.values_list("handle", flat=True)) == {"bob", brought.handle}
    assert team.journal().count("member.left") == 2
    agent = Actor(ActorKind.AGENT, "Of bob", agent_id=brought.agent_id)
    with pytest.raises(NotFound):
        require(agent, "workspace.view", team.workspace.pk)


def test_while_an_agent_of_theirs_has_work_in_hand_they_stay_and_it_is_named(team: Team) -> None:
    carol, ada = team.seat("carol"), team.actor("ada")
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(owner=carol.user_id)
    team.assigned("scribe")
    with pytest.raises(Conflict, match="Scribe has work in hand"):
        perform(members.remove_member, carol.pk, actor=ada)
    assert not Member.objects.filter(left_at__isnull=False).exists()


def give(team: Team, to: str, by: str = "ada", confirm: str = "Sales") -> Any:
    return perform(
        ownership.transfer_workspace,
        team.workspace.pk,
        member_id=team.seat(to).pk,
        confirm=confirm,
        actor=team.actor(by),
    )


def test_the_owner_gives_the_workspace_away_and_stays_as_admin(team: Team) -> None:
    mute(team, "bob")
    give(team, "bob", confirm="  Sales ")
    assert (team.seat("bob").role, team.seat("ada").role) == ("owner", "admin")
    assert team.seat("bob").muted_at is None
    assert Member.objects.filter(workspace=team.workspace, role="owner").count() == 1
    with pytest.raises(Forbidden):
        give(team, "carol")
    # Now the one who gave it away can leave, and only the new owner gives it back.
    give(team, "ada", by="bob")
    assert team.seat("ada").role == "owner"


@pytest.mark.parametrize(
    ("to", "by", "confirm", "wanted"),
    [
        ("bob", "carol", "Sales", Forbidden),
        ("bob", "ada", "Sale", Invalid),
        ("bob", "ada", "", Invalid),
        ("gus", "ada", "Sales", Invalid),
        ("ada", "ada", "Sales", Invalid),
        ("scribe", "ada", "Sales", Invalid),
        ("bob", "sue", "Sales", NotFound),
    ],
)
def test_what_is_no_transfer(team: Team, to: str, by: str, confirm: str, wanted: type[ClawError]) -> None:
    with pytest.raises(wanted):
        give(team, to, by, confirm)
    assert team.seat("ada").role == "owner"


def test_it_is_not_given_to_an_account_that_was_closed(team: Team) -> None:
    User.objects.filter(username="bob").update(is_active=False)
    with pytest.raises(Invalid):
        give(team, "bob")
