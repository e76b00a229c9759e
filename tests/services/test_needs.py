"""What waits for a person: one list over all their workspaces, the same for page, badge and notices."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent
from clawgroups.models import Approval, Member, Overstep, Rule, Run, Step, Task, Vote, Workspace
from clawgroups.services import control, needs, overstepping, takeover, workspaces
from clawgroups.services.needs import Need, needs_of
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent
from tests.services.waiting_support import YES_NO, alike, asks, several

pytestmark = pytest.mark.django_db


def of(team: Team, name: str, now: datetime | None = None) -> list[Need]:
    return needs_of(team.users[name].pk, now or timezone.now())


def kinds(team: Team, name: str) -> list[str]:
    return [need.kind for need in of(team, name)]


def test_nothing_waits_for_somebody_without_a_seat_or_a_right(team: Team) -> None:
    asks(team, team.working())
    assert kinds(team, "bob") == ["permission"]
    assert kinds(team, "mallory") == kinds(team, "gus") == []
    assert needs_of(None, timezone.now()) == []


def test_a_question_is_named_by_its_row_and_says_nothing_of_its_arguments(team: Team) -> None:
    ask = asks(team, team.working(), title="rm -rf /", raw_input={"command": "rm -rf /secret"})
    (need,) = of(team, "bob")
    assert (need.key, need.keys) == (f"approval:{ask.pk}", (f"approval:{ask.pk}",))
    assert need.title == "Scribe asks for permission: Write it up"
    assert need.url == f"/w/{team.workspace.pk}/tasks/{ask.task_id}/#ask-{ask.pk}"
    assert (need.since, need.until, need.workspace) == (ask.asked_at, ask.expires_at, "Sales")


def test_a_question_that_is_put_to_one_person_waits_for_nobody_else(team: Team) -> None:
    ask = asks(team, team.working())
    Approval.objects.filter(pk=ask.pk).update(asked_of=team.seat("carol"))
    assert (kinds(team, "carol"), kinds(team, "bob"), kinds(team, "ada")) == (["permission"], [], [])


def test_whoever_has_agreed_is_asked_no_more(team: Team) -> None:
    ask = asks(team, team.working())
    Approval.objects.filter(pk=ask.pk).update(needed=2)
    Vote.objects.create(approval=ask, member=team.seat("bob"), option_id="y", at=timezone.now())
    assert (kinds(team, "bob"), kinds(team, "carol")) == ([], ["permission"])


def test_questions_that_ask_for_the_same_are_one_item(team: Team) -> None:
    first, second, third = several(team, 3)
    (need,) = of(team, "bob")
    assert (need.subject, need.alike) == (first.pk, (second.pk, third.pk))
    assert need.keys == tuple(f"approval:{ask.pk}" for ask in (first, second, third))
    assert need.until == first.expires_at
    assert needs.count_of(team.users["bob"].pk, timezone.now()) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"sameness": "t" * 64},
        {"sameness": ""},
        {"needed": 2},
        {"options": [YES_NO[0]]},
        {"options": [*YES_NO, {"optionId": "z", "name": "Also", "kind": "allow_once"}]},
    ],
)
def test_what_differs_in_what_it_asks_or_offers_stands_alone(team: Team, other: dict[str, Any]) -> None:
    _, second = several(team, 2)
    assert len(of(team, "bob")) == 1
    Approval.objects.filter(pk=second.pk).update(**other)
    assert len(of(team, "bob")) == 2


def test_the_same_question_in_two_workspaces_is_two_items(team: Team) -> None:
    several(team, 2)
    room = perform(workspaces.create_workspace, name="Other", goal="", actor=team.actor("ada"))
    elsewhere = Team(Workspace.objects.get(pk=room.answer["id"]), team.users, {})
    elsewhere.agents["far"] = online_agent(elsewhere, "far", "far")
    alike(asks(elsewhere, elsewhere.working("far", skills=["far"]), "far"))
    assert [need.workspace for need in of(team, "ada")] == ["Sales", "Other"]


def wait_for_person(task: Task, state: str, **columns: Any) -> Task:
    """The task waits for a person since an hour ago."""
    since = timezone.now() - timedelta(hours=1)
    Task.objects.filter(pk=task.pk).update(state=state, blocked_on="person", resting_since=since, **columns)
    return Task.objects.get(pk=task.pk)


@pytest.mark.parametrize(("state", "kind"), [("in_review", "review"), ("stuck", "stuck"), ("ready", "stuck")])
def test_a_task_that_only_a_person_can_move_on_waits(team: Team, state: str, kind: str) -> None:
    task = wait_for_person(team.one_task(), state)
    (need,) = of(team, "bob")
    assert (need.kind, need.key, need.since) == (kind, f"{kind}:{task.pk}:{task.epoch}", task.resting_since)
    assert kinds(team, "gus") == []


def test_a_task_whose_agent_asks_waits_once(team: Team) -> None:
    ask = asks(team, team.working())
    task = Task.objects.get(pk=ask.task_id)
    assert task.blocked_on == "person"
    assert kinds(team, "bob") == ["permission"]
    Approval.objects.filter(pk=ask.pk).update(asked_of=team.seat("carol"))
    wait_for_person(task, "stuck")
    assert kinds(team, "bob") == []


def test_what_a_person_holds_waits_for_nobody(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert kinds(team, "bob") == kinds(team, "ada") == []


def test_who_asks_for_a_held_task_waits_for_its_holder_and_an_offer_for_whom_it_was_made_to(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(control.ask_for, task.pk, actor=team.actor("carol"))
    assert (kinds(team, "bob"), kinds(team, "carol"), kinds(team, "ada")) == (["request"], [], [])
    assert of(team, "bob")[0].title == "carol asks you for this: Write it up"
    perform(control.pass_on, task.pk, member_id=team.seat("ada").pk, actor=team.actor("bob"))
    assert (kinds(team, "ada"), kinds(team, "carol")) == (["offer"], [])


def test_who_is_asked_to_do_a_task_and_nobody_else(team: Team) -> None:
    later = timezone.now() + timedelta(minutes=5)
    asked = {"brief": {"asked": [str(team.seat("bob").pk)]}, "not_before": later, "next_actor": "bob"}
    wait_for_person(team.one_task(), "ready", **asked)
    assert (kinds(team, "bob"), kinds(team, "carol")) == (["asked"], [])


def test_a_plan_a_goal_and_a_limit_wait(team: Team) -> None:
    plan = team.run([{"key": "a", "title": "A"}], start=False)
    goal, limit = (team.run([{"key": "a", "title": "A"}], start=False) for _ in range(2))
    Run.objects.filter(pk=goal.pk).update(state="planning", question="Who is it for?")
    Run.objects.filter(pk=limit.pk).update(state="running", budget_stop="1,000 of 1,000 tokens are used.")
    assert kinds(team, "bob") == ["plan", "goal", "budget"]
    assert of(team, "bob")[0].key == f"plan:{plan.pk}"
    assert kinds(team, "gus") == []
    Run.objects.filter(pk=limit.pk).update(budget_stop="", replan={"id": "r1", "at": timezone.now().isoformat()})
    assert kinds(team, "bob") == ["plan", "goal", "change"]
    Run.objects.filter(pk=limit.pk).update(replan={"asked": {"id": "r2"}})
    assert kinds(team, "bob") == ["plan", "goal"]


def test_an_agent_that_has_to_be_signed_in_waits_for_its_owner(team: Team) -> None:
    agent = team.agents["scribe"]
    since = timezone.now().isoformat()
    Agent.objects.filter(pk=agent.pk).update(announced={"needs_login": {"message": "Sign in", "since": since}})
    assert (kinds(team, "ada"), kinds(team, "bob")) == (["login"], [])
    (need,) = of(team, "ada")
    assert (need.workspace_id, need.url) == (None, f"/agents/{agent.pk}/")


def test_what_waits_longest_comes_first(team: Team) -> None:
    ask = asks(team, team.working(key="one"))
    wait_for_person(team.one_task(key="two"), "stuck")
    assert kinds(team, "bob") == ["stuck", "permission"]
    Approval.objects.filter(pk=ask.pk).update(asked_at=timezone.now() - timedelta(hours=2))
    assert kinds(team, "bob") == ["permission", "stuck"]


def test_the_list_takes_as_many_queries_for_300_items_as_for_one(team: Team) -> None:
    (ask,) = several(team, 1)

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as made:
            of(team, "bob")
        return len(made)

    few = queries()
    copy: dict[str, Any] = {f.attname: getattr(ask, f.attname) for f in Approval._meta.concrete_fields}
    rows = [Approval(**{**copy, "id": new_id(), "sameness": f"{n:064}"}) for n in range(300)]
    Approval.objects.bulk_create(rows)
    assert len(of(team, "bob")) == 301
    assert queries() == few <= 9


def test_a_seat_that_is_left_takes_everything_from_the_list(team: Team) -> None:
    asks(team, team.working())
    Member.objects.filter(pk=team.seat("bob").pk).update(left_at=timezone.now())
    assert kinds(team, "bob") == []


def test_every_kind_has_words_and_a_place(team: Team) -> None:
    for kind in needs.WORDS:
        assert Need(kind, UUID(int=1), timezone.now(), "it", "Scribe").title


def test_what_was_done_without_asking_waits_until_somebody_has_looked(team: Team) -> None:
    task = team.working()
    assert task.attempt is not None
    rule = Rule.objects.filter(workspace=team.workspace, answer="critical")[0]
    now = timezone.now()
    step = Step.objects.create(id=new_id(), attempt=task.attempt, ordinal=1, tool_call_id="c1", started_at=now)
    done = Overstep.objects.create(
        id=step.pk, workspace=team.workspace, task=task, attempt=task.attempt, step=step, rule=rule, at=now
    )
    assert (kinds(team, "bob"), kinds(team, "gus")) == (["overstepped"], [])
    assert of(team, "bob")[0].title == "Scribe did something critical without asking: Write it up"
    perform(overstepping.look_at_overstep, done.pk, actor=team.actor("carol"))
    assert kinds(team, "bob") == []
