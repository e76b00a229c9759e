"""What is critical and was done without asking: found as its step ends, told once, and waiting for somebody to look."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Connection
from agents.protocol.updates import ToolCall
from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Forbidden, NotFound
from clawgroups.core.transcript import DecidedThere, Said, TurnEnded
from clawgroups.models import Approval, Overstep, Rule, Session, Step, Task
from clawgroups.services import approvals, overstepping, putting, takeover, transcript
from clawgroups.services.needs import needs_of
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

PUSH = {"kind": "execute", "title": "Tidy up", "raw_input": {"command": "git push"}}
OPTIONS = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]


def say(team: Team, task: Task, *said: Said) -> None:
    """What the agent tells, as its link records it."""
    session = Session.objects.get(attempt=task.attempt)
    link = Connection.objects.get(pk=team.links["scribe"])
    future = transcript.record(
        link.pk,
        epoch=link.epoch,
        since=link.received,
        received=link.received + 1,
        batches=[transcript.Batch(transcript.load([session.pk])[session.pk], said)],
        actor=me(team),
    )
    assert commit.wait(future).applied


def me(team: Team) -> Actor:
    return Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)


def call(status: str, given: dict[str, Any] | None = None, name: str = "c") -> ToolCall:
    return ToolCall(name, {**(PUSH if given is None else given), "status": status})


def ask(team: Team, task: Task) -> Approval:
    session = Session.objects.get(attempt=task.attempt)
    said: dict[str, Any] = {
        "request_id": 1,
        "tool_call": {"toolCallId": "c", **PUSH},
        "options": OPTIONS,
        "actor": me(team),
    }
    return Approval.objects.get(pk=perform(putting.request_approval, session.pk, **said).answer["id"])


def test_what_is_critical_and_was_not_asked_is_told_once(team: Team) -> None:
    task = team.working()
    say(team, task, call("in_progress"))
    assert not Overstep.objects.exists()
    say(team, task, call("completed"))
    say(team, task, call("completed"))
    found = Overstep.objects.get()
    assert (found.step, found.rule.note) == (Step.objects.get(), "Publishes something")
    assert team.journal().count("attempt.overstepped") == 1


def test_what_begins_and_ends_at_once_is_found_as_well(team: Team) -> None:
    say(team, team.working(), call("completed"))
    assert Overstep.objects.count() == 1


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "read", "locations": [{"path": "a"}]},
        {"kind": "execute", "raw_input": {"command": "git status && make"}},
        {"kind": "execute", "raw_input": {"command": "sh run.sh"}},
        {"kind": "execute"},
    ],
)
def test_what_is_not_surely_critical_is_not_pointed_out(team: Team, given: dict[str, Any]) -> None:
    say(team, team.working(), call("completed", given))
    assert not Overstep.objects.exists()


@pytest.mark.parametrize(("option", "found"), [("y", 0), ("n", 1)])
def test_what_people_let_pass_is_none_and_what_they_rejected_is_one(team: Team, option: str, found: int) -> None:
    task = team.working()
    say(team, task, call("pending"))
    perform(approvals.decide_approval, ask(team, task).pk, option_id=option, actor=team.actor("ada"))
    say(team, task, call("completed"))
    assert Overstep.objects.count() == found


def test_what_was_rejected_and_failed_is_none(team: Team) -> None:
    task = team.working()
    say(team, task, call("in_progress"))
    perform(approvals.decide_approval, ask(team, task).pk, option_id="n", actor=team.actor("ada"))
    say(team, task, call("failed"))
    assert not Overstep.objects.exists()


def test_what_had_begun_and_was_never_told_of_again_is_one(team: Team) -> None:
    task = team.working()
    say(team, task, call("in_progress", name="a"), call("pending", name="b"))
    say(team, task, TurnEnded("end_turn"))
    assert [one.step.tool_call_id for one in Overstep.objects.all()] == ["a"]


@pytest.mark.parametrize(("there", "status", "found"), [("rejected", "failed", 0), ("allowed", "completed", 1)])
def test_what_its_owner_said_on_the_machine_is_no_answer_of_ours(
    team: Team, there: str, status: str, found: int
) -> None:
    task = team.working()
    say(team, task, call("in_progress"), DecidedThere("By its owner\n", "c", there))
    say(team, task, call(status))
    assert Overstep.objects.count() == found


def test_where_nothing_is_critical_nothing_is_overstepped(team: Team) -> None:
    Rule.objects.filter(workspace=team.workspace).delete()
    say(team, team.working(), call("completed"))
    assert not Overstep.objects.exists()


def test_the_rules_are_read_once_for_all_folders_that_are_written_alike(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overstepping, "FRESH", timedelta(hours=1))
    task = team.working()
    with CaptureQueriesContext(connection) as asked:
        for folder in ("/srv/a", "/srv/b", "C:\\data"):
            Session.objects.filter(attempt=task.attempt).update(told={"folder": folder})
            say(team, task, call("completed", name=folder))
    reads = [one for one in asked.captured_queries if 'FROM "clawgroups_rule"' in one["sql"]]
    assert len(reads) == 2
    assert Overstep.objects.count() == 3


def test_it_waits_until_somebody_has_looked(team: Team) -> None:
    task = team.working()
    say(team, task, call("completed"))
    found = overstepping.unseen().get()
    with pytest.raises(Forbidden):
        perform(overstepping.look_at_overstep, found.pk, actor=team.actor("gus"))
    with pytest.raises(NotFound):
        perform(overstepping.look_at_overstep, found.pk, actor=team.actor("mallory"))
    with pytest.raises(Forbidden):
        perform(overstepping.look_at_overstep, found.pk, actor=me(team))
    perform(overstepping.look_at_overstep, found.pk, actor=team.actor("bob"))
    perform(overstepping.look_at_overstep, found.pk, actor=team.actor("ada"))
    found.refresh_from_db()
    assert found.seen_by == team.seat("bob")
    assert not overstepping.unseen().exists()
    assert team.journal().count("attempt.overstep_seen") == 1


def test_it_waits_no_longer_than_its_attempt(team: Team) -> None:
    task = team.working()
    say(team, task, call("completed"))
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    assert not overstepping.unseen().exists()


def test_it_is_on_the_list_of_those_who_may_answer(team: Team) -> None:
    say(team, team.working(), call("completed"))
    found = {name: needs_of(team.users[name].pk, timezone.now()) for name in ("bob", "gus", "mallory")}
    assert [need.kind for need in found["bob"]] == ["overstepped"]
    # What it was, stands in no letter.
    assert found["bob"][0].title == "Scribe did something critical without asking: Write it up"
    assert found["gus"] == found["mallory"] == []
    perform(overstepping.look_at_overstep, found["bob"][0].subject, actor=team.actor("ada"))
    assert needs_of(team.users["bob"].pk, timezone.now()) == []
