"""A task that is written anew: rephrased for fresh tries, or cut into parts that it puts together."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.actors import coordinator_for
from clawgroups.core.errors import Conflict, Forbidden, IllegalMove, Invalid
from clawgroups.models import Dependency, Run, Task
from clawgroups.services import choices, replan, review, runs, tasks
from clawgroups.services.perform import perform
from clawgroups.services.regenerate import regenerate_task
from tests.conftest import Team
from tests.services.test_replan_races import between

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"], "acceptance": ["min_words: 9"]},
    {"key": "check", "title": "Check", "skills": ["review"], "depends_on": ["write"]},
]
PARTS = [{"title": "North", "instructions": "Only the north"}, {"title": "South", "instructions": "Only the south"}]


def done(team: Team, task: Task, name: str) -> None:
    team.try_once(task, {"stopReason": "end_turn"}, name=name, text=f"{task.title} is done.")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))


def used_up(team: Team) -> Task:
    """`write`, whose tries are used up, after `count` and before `check`."""
    run = team.run(PLAN)
    done(team, Task.objects.get(run=run, key="count"), "counter")
    task = Task.objects.get(run=run, key="write")
    for _ in range(3):
        team.try_once(task, {"stopReason": "max_tokens"})
    team.vouch("scribe")
    task.refresh_from_db()
    assert (task.state, task.tries, task.next_actor) == ("ready", 3, "coordinator")
    assert "written anew" in task.reason
    return task


def test_a_task_that_is_rephrased_has_fresh_tries_under_a_new_epoch(team: Team) -> None:
    task = used_up(team)
    epoch = task.epoch
    outcome = perform(regenerate_task, task.pk, instructions="Write one line.", actor=team.actor("bob"))
    task.refresh_from_db()
    assert outcome.answer["epoch"] == task.epoch == epoch + 1
    assert (task.state, task.tries, task.regenerated, task.failure) == ("ready", 0, 1, "")
    assert (task.instructions, task.reason) == ("Write one line.", "")
    assert len(task.brief["dead_ends"]) == 3
    assert team.journal()[-1] == "task.regenerated"


def test_a_stuck_task_that_a_person_rewrites_is_ready_again(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(state="stuck", tries=3, regenerated=1, failure="task_timed_out")
    perform(regenerate_task, task.pk, instructions="Less", actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.state, task.tries, task.blocked_on, task.failure) == ("ready", 0, "nobody", "")


def test_a_split_task_waits_for_its_parts_and_then_puts_them_together(team: Team) -> None:
    task = used_up(team)
    open_tasks = Run.objects.get(pk=task.run_id).open_tasks
    perform(regenerate_task, task.pk, instructions="Put them together.", parts=PARTS, actor=team.actor("ada"))
    task.refresh_from_db()
    parts = list(Task.objects.filter(dependants__task=task).exclude(key="count").order_by("position"))
    assert (task.state, task.waiting_on, task.next_actor, task.tries) == ("waiting", 2, "earlier tasks", 0)
    assert [(p.key, p.title, p.state, p.skills, p.acceptance, p.regenerated) for p in parts] == [
        ("write-1", "North", "ready", ["writing"], ["not_empty"], 1),
        ("write-2", "South", "ready", ["writing"], ["not_empty"], 1),
    ]
    assert Run.objects.get(pk=task.run_id).open_tasks == open_tasks + 2
    check = Task.objects.get(run=task.run, key="check")
    assert [parts[0].level, task.level, check.level] == [1, 2, 3]
    assert team.journal()[-3:] == ["task.split", "task.ready", "task.ready"]
    for part in parts:
        assert list(Dependency.objects.filter(task=part).values_list("parent__key", flat=True)) == ["count"]
        done(team, part, "scribe")
    task.refresh_from_db()
    assert (task.state, task.instructions) == ("ready", "Put them together.")
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.answer("scribe", {"sessionId": "whole"})
    (work,) = team.send("scribe")
    text = work.params["prompt"][0]["text"]
    assert "Result of “North”" in text
    assert "Result of “South”" in text
    team.finish("scribe", "North and south are done.")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    done(team, Task.objects.get(run=task.run, key="check"), "judge")
    assert Run.objects.get(pk=task.run_id).state == "consolidating"


def test_a_part_that_fails_is_not_cut_again_but_goes_to_a_person(team: Team) -> None:
    task = used_up(team)
    perform(regenerate_task, task.pk, instructions="Put them together.", parts=PARTS, actor=team.actor("ada"))
    part = Task.objects.get(run=task.run, key="write-1")
    for _ in range(3):
        team.try_once(part, {"stopReason": "max_tokens"})
    part.refresh_from_db()
    assert (part.state, part.next_actor) == ("stuck", "ada")


def test_keys_of_parts_are_free_ones_of_the_run(team: Team) -> None:
    run = team.run([{"key": "w", "title": "W"}, {"key": "w-1", "title": "Other"}])
    task = Task.objects.get(run=run, key="w")
    perform(regenerate_task, task.pk, instructions="Together", parts=PARTS, actor=team.actor("ada"))
    assert set(Task.objects.filter(run=run).values_list("key", flat=True)) == {"w", "w-1", "w-2", "w-3"}


@pytest.mark.parametrize("parts", [PARTS[:1], PARTS * 5, [{"title": ""}, {"title": "x"}]])
def test_parts_are_two_to_eight_with_a_title_each(team: Team, parts: list[dict[str, Any]]) -> None:
    task = team.one_task()
    with pytest.raises(Invalid):
        regenerate_task(task.pk, instructions="Together", parts=parts, actor=team.actor("ada"))


def test_only_a_task_nobody_works_on_is_written_anew_and_only_in_a_run_under_way(team: Team) -> None:
    working = team.working()
    with pytest.raises(IllegalMove):
        regenerate_task(working.pk, instructions="Less", actor=team.actor("ada"))
    waiting = team.one_task()
    with pytest.raises(Invalid, match="Instructions"):
        regenerate_task(waiting.pk, instructions="  ", actor=team.actor("ada"))
    with pytest.raises(Forbidden):
        regenerate_task(waiting.pk, instructions="Less", actor=team.actor("gus"))
    perform(runs.cancel_run, waiting.run_id, actor=team.actor("ada"))
    with pytest.raises(Conflict):
        regenerate_task(waiting.pk, instructions="Less", actor=team.actor("ada"))


def test_a_repeated_request_regenerates_once(team: Team) -> None:
    task = used_up(team)
    for _ in range(2):
        perform(regenerate_task, task.pk, instructions="Less", actor=team.actor("ada"), operation="op-1")
    assert Task.objects.get(pk=task.pk).regenerated == 1


def test_the_coordinator_writes_nothing_anew_that_has_moved_on_since_it_looked(team: Team) -> None:
    task, coordinator = used_up(team), coordinator_for(team.users["ada"].pk)
    tail = [{"key": "write", "instructions": "Only the coast."}, {"key": "check"}]
    perform(replan.propose_replan, task.run_id, tasks=tail, rationale="", actor=team.actor("bob"))
    perform(replan.accept_replan, task.run_id, actor=team.actor("bob"))
    with pytest.raises(Conflict) as refused:
        perform(regenerate_task, task.pk, instructions="Anything", epoch=task.epoch, actor=coordinator)
    assert refused.value.code == "task_moved"
    task.refresh_from_db()
    assert (task.instructions, task.regenerated) == ("Only the coast.", 0)


@pytest.mark.parametrize("before_the_commit", [False, True])
def test_the_coordinator_writes_nothing_anew_that_a_person_chose_somebody_for_meanwhile(
    team: Team, monkeypatch: pytest.MonkeyPatch, before_the_commit: bool
) -> None:
    task, coordinator = used_up(team), coordinator_for(team.users["ada"].pk)
    seat, ada = team.seat("judge").pk, team.actor("ada")

    def choose() -> object:
        return perform(choices.choose_member, task.pk, member_id=seat, actor=ada)

    between(monkeypatch, choose) if before_the_commit else choose()
    with pytest.raises(Conflict, match="tries left"):
        perform(regenerate_task, task.pk, instructions="Anything", epoch=task.epoch, actor=coordinator)
    assert Task.objects.get(pk=task.pk).brief["only"] == str(seat)
