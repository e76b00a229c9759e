"""People among the candidates: asked where no agent does it as well, never forced; and what a round reads."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent, Skill
from clawgroups.coordinator import history
from clawgroups.coordinator.history import history_of
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.situation import situation_of
from clawgroups.core.errors import Conflict
from clawgroups.core.record import Tally
from clawgroups.models import Attempt, Dependency, Member, Run, Session, Task
from clawgroups.reactions import react
from clawgroups.services import agents, handback, members, rests, runs, takeover
from clawgroups.services.asking import decline_task
from clawgroups.services.perform import perform
from clawgroups.services.regenerate import regenerate_task
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services.test_regenerate import PARTS, used_up
from tests.services.test_regenerate import done as done_by

pytestmark = pytest.mark.django_db


def may_be_asked(team: Team, name: str, skill: str = "law", level: int = 4, **more: Any) -> None:
    said: dict[str, Any] = {"skills": [{"name": skill, "level": level}], "capacity": 1, **more}
    perform(members.set_profile, team.workspace.pk, actor=team.actor(name), **said)


def legal(team: Team) -> Task:
    return team.one_task(skills=["law"])


def turn(team: Team, task: Task) -> Task:
    react(team.workspace.pk)
    take_turn(task.run_id)
    return Task.objects.get(pk=task.pk)


def let_it_pass(task: Task) -> None:
    """The time in which the person could have answered is over."""
    past = timezone.now() - timedelta(seconds=1)
    Task.objects.filter(pk=task.pk).update(not_before=past, deadline_at=past)
    sweep(timezone.now(), quiet=False)


def test_a_person_is_asked_for_what_no_agent_can_do_and_takes_it(team: Team) -> None:
    may_be_asked(team, "bob")
    task = turn(team, legal(team))
    assert (task.state, task.assignee, task.blocked_on, task.next_actor) == ("ready", None, "person", "bob")
    assert task.not_before == task.deadline_at
    assert task.resting_since is not None
    assert task.match["chosen"]["person"] is True
    assert not Attempt.objects.exists()
    assert rests.amiss(timezone.now(), 10) == []
    # Asked once, however often the coordinator looks; and anybody may still take it.
    assert turn(team, task).match == task.match
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    task.refresh_from_db()
    assert (task.state, task.holder) == ("held", team.seat("bob"))
    perform(handback.hand_back, task.pk, actor=team.actor("bob"), note="Too hard")
    task = turn(team, task)
    assert task.state == "stuck"
    assert "bob was asked and did not take it" in task.reason


def test_not_this_one_is_fine_and_the_next_is_asked(team: Team) -> None:
    may_be_asked(team, "bob", level=5)
    may_be_asked(team, "carol")
    task = turn(team, legal(team))
    with pytest.raises(Conflict, match="not asked for this task"):
        perform(decline_task, task.pk, actor=team.actor("carol"))
    perform(decline_task, task.pk, actor=team.actor("bob"))
    task = turn(team, task)
    assert task.next_actor == "carol"
    perform(decline_task, task.pk, actor=team.actor("carol"))
    task = turn(team, task)
    assert (task.state, task.next_actor) == ("stuck", "ada")


def test_who_does_not_answer_is_passed_by_and_nothing_is_overdue(team: Team) -> None:
    may_be_asked(team, "bob", level=5)
    may_be_asked(team, "carol")
    task = turn(team, legal(team))
    let_it_pass(task)
    task = turn(team, task)
    assert task.next_actor == "carol"
    with pytest.raises(Conflict):
        perform(decline_task, task.pk, actor=team.actor("bob"))
    # While an agent that has learned it meanwhile is busy, it waits for that one and nothing is overdue.
    Skill.objects.create(agent=team.agents["scribe"], name="law", level=1)
    team.run([{"key": "w", "title": "W", "skills": ["writing"]}])
    other = Task.objects.get(key="w")
    assert turn(team, other).assignee == team.seat("scribe")
    let_it_pass(task)
    task = turn(team, task)
    assert (task.state, task.blocked_on, task.next_actor) == ("ready", "nobody", "coordinator")
    assert task.reason == "carol was asked and did not answer."
    assert task.deadline_at is not None
    assert task.deadline_at > timezone.now()
    assert task.resting_since is None


def test_who_does_not_answer_while_the_run_is_paused_leaves_nothing_overdue(team: Team) -> None:
    may_be_asked(team, "bob")
    task = turn(team, legal(team))
    perform(runs.pause_run, task.run_id, actor=team.actor("ada"))
    let_it_pass(task)
    sweep(timezone.now(), quiet=False)
    task.refresh_from_db()
    assert "who may resume the run" in task.next_actor
    assert task.resting_since is not None
    perform(runs.resume_run, task.run_id, actor=team.actor("ada"))
    task = turn(team, task)
    assert (task.state, task.next_actor) == ("stuck", "ada")


def test_agents_do_what_agents_can_do(team: Team) -> None:
    may_be_asked(team, "bob", "writing", 5)
    first, second = team.one_task(), team.one_task(key="two")
    assert turn(team, first).assignee == team.seat("scribe")
    # Scribe is busy now, and bob is not asked for what only has to wait a little.
    assert turn(team, second).blocked_on == "nobody"


def test_a_person_who_is_clearly_better_is_asked_before_an_agent(team: Team) -> None:
    Skill.objects.filter(agent=team.agents["scribe"]).update(level=1)
    may_be_asked(team, "bob", "writing", 5)
    assert turn(team, team.one_task()).next_actor == "bob"


def test_a_person_is_asked_before_an_agent_that_failed_at_it_gets_the_last_try(team: Team) -> None:
    may_be_asked(team, "bob", "writing", 1)
    task = team.one_task()
    dead_ends = [{"member": str(team.seat("scribe").pk), "reason": "stalled"}]
    Task.objects.filter(pk=task.pk).update(tries=2, brief={"dead_ends": dead_ends})
    task = turn(team, task)
    assert task.next_actor == "bob"
    perform(decline_task, task.pk, actor=team.actor("bob"))
    assert turn(team, task).assignee == team.seat("scribe")


def test_an_agents_last_try_does_not_wait_for_a_person_who_is_busy(team: Team) -> None:
    may_be_asked(team, "bob", "writing", 1)
    held = team.one_task(key="held", skills=["nothing"])
    perform(takeover.take_over, held.pk, actor=team.actor("bob"))
    task = team.one_task()
    dead_ends = [{"member": str(team.seat("scribe").pk), "reason": "stalled"}]
    Task.objects.filter(pk=task.pk).update(tries=2, brief={"dead_ends": dead_ends})
    assert turn(team, task).assignee == team.seat("scribe")


@pytest.mark.parametrize(
    "why", ["capacity", "hours", "busy", "asked elsewhere", "guest", "inactive", "gone", "not the skill"]
)
def test_nobody_is_asked_who_cannot_be(team: Team, why: str) -> None:
    today = timezone.now().strftime("%a").lower()
    other_days = [day for day in ("mon", "tue", "wed", "thu", "fri", "sat", "sun") if day != today]
    now = timezone.now()
    near = {"zone": "UTC", "days": [today], "from": f"{now + timedelta(hours=2):%H:%M}", "to": f"{now:%H}:00"}
    far = {"zone": "UTC", "days": [other_days[2]], "from": "12:00", "to": "13:00"}
    may_be_asked(team, "bob", hours=(far if str(near["from"]) > str(near["to"]) else near) if why == "hours" else {})
    task = legal(team)
    match why:
        case "capacity":
            perform(members.set_profile, team.workspace.pk, capacity=0, actor=team.actor("bob"))
        case "busy":
            held = team.one_task(key="held", skills=["nothing"])
            perform(takeover.take_over, held.pk, actor=team.actor("bob"))
        case "asked elsewhere":
            assert turn(team, team.one_task(key="first", skills=["law"])).next_actor == "bob"
        case "guest":
            Member.objects.filter(name="bob").update(role="guest")
        case "inactive":
            team.users["bob"].is_active = False
            team.users["bob"].save()
        case "gone":
            Member.objects.filter(name="bob").update(left_at=timezone.now())
        case "not the skill":
            Task.objects.filter(pk=task.pk).update(skills=["cooking"])
    task = turn(team, task)
    assert (task.assignee, task.brief.get("asked")) == (None, None)
    if why == "hours":
        assert task.reason == "bob could do it and is outside the hours they gave."


# What a round knows


def done(team: Team, state: str, number: int = 1, failure: str = "", days: int = 1) -> None:
    """So many attempts of scribe at writing ended so."""
    task = Task.objects.filter(skills=["writing"]).first() or team.one_task()
    first = Attempt.objects.filter(task=task).count() + 1
    ended = timezone.now() - timedelta(days=days)
    for n in range(number):
        Attempt.objects.create(
            workspace=team.workspace,
            task=task,
            member=team.seat("scribe"),
            number=first + n,
            epoch=1,
            state=state,
            failure=failure,
            offered_at=ended,
            ended_at=ended,
        )


def record(team: Team) -> dict[str, Tally]:
    history.forget(team.workspace.pk)
    return dict(history_of(team.workspace.pk, timezone.now()).records.get(team.seat("scribe").pk, {}))


def test_the_record_counts_what_the_agent_answers_for_in_the_last_month_since_it_was_reset(team: Team) -> None:
    assert record(team) == {}
    done(team, "accepted", 3)
    done(team, "returned")
    done(team, "expired", failure="stalled")
    done(team, "superseded")  # a person took it over
    done(team, "cancelled", failure="released")
    done(team, "accepted", 5, days=31)
    assert record(team) == {"writing": Tally(3, 1, 1), "": Tally(3, 1, 1)}
    perform(agents.reset_record, team.agents["scribe"].pk, skill="writing", actor=team.actor("ada"))
    assert record(team) == {}
    done(team, "accepted", days=0)
    Attempt.objects.filter(number=Attempt.objects.count()).update(ended_at=timezone.now())
    assert record(team) == {"writing": Tally(1, 0, 0), "": Tally(1, 0, 0)}


def test_a_record_that_was_just_read_is_not_read_again(team: Team) -> None:
    record(team)
    with CaptureQueriesContext(connection) as queries:
        history_of(team.workspace.pk, timezone.now())
    assert len(queries) == 0


def test_the_cost_is_the_median_of_what_sessions_told_that_ended_in_accepted_work(team: Team) -> None:
    costs = ((0.1, "USD"), (0.5, "USD"), (0.3, "USD"), (9.0, "EUR"), (None, ""))
    for number, (amount, currency) in enumerate(costs):
        done(team, "accepted")
        attempt = Attempt.objects.order_by("-number").first()
        assert attempt is not None
        usage = {"used": 10, "size": 100, "cost": {"amount": amount, "currency": currency}}
        Session.objects.create(
            workspace=team.workspace,
            agent=team.agents["scribe"],
            task=attempt.task,
            attempt=attempt,
            public_id=f"s{number}",
            digest="",
            told={"usage": usage} if amount else {},
            opened_at=timezone.now(),
        )
    history.forget(team.workspace.pk)
    found = history_of(team.workspace.pk, timezone.now())
    assert found.costs == {team.agents["scribe"].pk: 0.3}
    assert found.usual_cost == 0.3


def test_who_did_what_a_task_builds_on_knows_it_and_reviews_with_fresh_eyes(team: Team) -> None:
    run = team.run(
        [
            {"key": "a", "title": "A", "skills": ["writing"], "acceptance": ["not_empty"]},
            {"key": "b", "title": "B", "skills": ["writing"], "depends_on": ["a"]},
            {"key": "c", "title": "C", "skills": ["review"], "depends_on": ["a"]},
        ]
    )
    first = Task.objects.get(run=run, key="a")
    team.try_once(first, {"stopReason": "end_turn"}, text="Done")
    react(team.workspace.pk)
    take_turn(run.pk)
    take_turn(run.pk)
    task = Task.objects.get(run=run, key="b")
    react(team.workspace.pk)
    take_turn(run.pk)
    task.refresh_from_db()
    assert task.assignee == team.seat("scribe")
    assert "did work that it builds on" in task.match["chosen"]["reasons"]
    review = Task.objects.get(run=run, key="c")
    assert review.assignee == team.seat("judge")
    assert [part["name"] for part in review.match["chosen"]["parts"]] == ["skill", "record", "load", "cost"]


def builds_on(task: Task) -> frozenset[UUID]:
    """Whose work it builds on, as the coordinator sees it."""
    situation = situation_of(Run.objects.select_related("workspace").get(pk=task.run_id), timezone.now())
    return next(one.knows for one in situation.tasks if one.id == task.pk)


def test_whose_work_a_task_builds_on_is_asked_anew_once_the_plan_is_another(team: Team) -> None:
    run = team.run(
        [
            {"key": "a", "title": "A", "skills": ["writing"], "acceptance": ["not_empty"]},
            {"key": "b", "title": "B", "skills": ["review"]},
        ]
    )
    first, review = Task.objects.get(run=run, key="a"), Task.objects.get(run=run, key="b")
    done_by(team, first, "scribe")
    assert builds_on(review) == frozenset()
    Dependency.objects.create(task=review, parent=first)
    Run.objects.filter(pk=run.pk).update(plan_version=F("plan_version") + 1)
    assert builds_on(review) == {team.seat("scribe").pk}


def test_a_task_that_was_split_builds_on_the_work_of_those_who_did_its_parts(team: Team) -> None:
    task = used_up(team)
    assert builds_on(task) == {team.seat("counter").pk}
    perform(regenerate_task, task.pk, instructions="Put them together.", parts=PARTS, actor=team.actor("ada"))
    for part in Task.objects.filter(dependants__task=task).exclude(key="count"):
        done_by(team, part, "scribe")
    assert builds_on(task) == {team.seat("counter").pk, team.seat("scribe").pk}


def test_a_round_asks_as_many_questions_for_many_members_and_tasks_as_for_few(team: Team) -> None:
    run = team.run([{"key": f"t{n}", "title": "T", "skills": ["writing"]} for n in range(2)])
    may_be_asked(team, "bob")

    def asked() -> int:
        history.forget()
        found = Run.objects.select_related("workspace").get(pk=run.pk)
        with CaptureQueriesContext(connection) as queries:
            situation_of(found, timezone.now())
        return len(queries)

    asked()  # what stays the same for as long as the plan does is asked the first time
    few = asked()
    for number in range(20):
        agent = Agent.objects.create(
            owner=team.users["ada"], name=f"A{number}", handle=f"a{number}", created_at=timezone.now()
        )
        Member.objects.create(
            workspace=team.workspace,
            agent=agent,
            name=agent.name,
            handle=agent.handle,
            role="agent",
            joined_at=timezone.now(),
        )
    done(team, "accepted", 3)
    may_be_asked(team, "carol")
    may_be_asked(team, "ada")
    assert asked() == few <= 23
