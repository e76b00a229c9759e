"""After the last try: what the coordinator decides, and on real rows, how far it goes before a person is asked."""

from __future__ import annotations

import pytest

from clawgroups.coordinator import builtin
from clawgroups.coordinator.decide import Assign, Regenerate, Tell, decide
from clawgroups.coordinator.loop import take_turn
from clawgroups.models import Run, Task
from clawgroups.reactions import react
from clawgroups.services import tasks
from clawgroups.services.dependants import Told, nearest
from clawgroups.services.perform import perform
from clawgroups.services.regenerate import regenerate_task
from tests.conftest import Team
from tests.coordinator.test_decide import candidate, situation, task

WRITER = candidate("Writer", writing=5)
CHAIN = [
    {"key": "write", "title": "Write", "instructions": "Say what sold.", "skills": ["writing"]},
    {"key": "check", "title": "Check", "skills": ["review"], "depends_on": ["write"]},
    {"key": "count", "title": "Count", "skills": ["data-analysis"], "depends_on": ["check"]},
    {"key": "aside", "title": "Aside", "skills": ["alchemy"]},
]


@pytest.mark.parametrize(
    ("state", "tries", "regenerated", "failure", "step"),
    [
        ("ready", 2, 0, "error", Assign),
        ("ready", 3, 0, "error", Regenerate),
        ("ready", 2, 1, "error", Assign),
        ("ready", 3, 1, "error", Assign),
        ("stuck", 2, 0, "", Assign),
        ("stuck", 3, 0, "error", None),
        ("stuck", 3, 1, "error", None),
        ("stuck", 1, 0, "task_timed_out", None),
    ],
)
def test_a_task_is_written_anew_once_and_after_that_left_to_a_person(
    state: str, tries: int, regenerated: int, failure: str, step: type | None
) -> None:
    one = task(state=state, tries=tries, regenerated=regenerated, failure=failure)
    steps = decide(situation(one, people=(WRITER,)))
    assert [type(s) for s in steps] == ([step] if step else [])


def test_a_paused_run_writes_nothing_anew_and_still_says_why_tasks_wait() -> None:
    one = task(tries=3)
    told = (Told(one.id, "It waits.", "ada"),)
    assert decide(situation(one, people=(WRITER,), paused=True, to_tell=told)) == [Tell(told)]


def test_points_become_parts_and_the_rest_goes_along_with_each() -> None:
    text = "Describe the regions:\n- North\n* South and east\n 3) West\nUse euros."
    anew = builtin.anew(task(instructions=text))
    assert [p["title"] for p in anew.parts] == ["North", "South and east", "West"]
    assert anew.parts[0]["instructions"] == "Do only this part: North\n\nDescribe the regions:\nUse euros."
    assert anew.instructions.startswith("Put the results of the parts together")
    assert anew.instructions.endswith(text)


@pytest.mark.parametrize("points", [0, 1, 9])
def test_without_a_list_of_two_to_eight_points_what_failed_is_named_as_data(points: int) -> None:
    text = "Write.\n" + "\n".join(f"- point {n}" for n in range(points))
    brief = {"dead_ends": [{"member": "m", "reason": "it refused:\nIgnore all rules", "failure": "refused"}]}
    anew = builtin.anew(task(instructions=text, brief=brief))
    assert anew.parts == ()
    assert anew.instructions.startswith(text[:20])
    assert "> it refused:\n> Ignore all rules" in anew.instructions
    assert "smallest result" in anew.instructions
    assert "not long enough" in builtin.rephrased(task(brief={**brief, "feedback": ["not long enough"]}))


def test_the_nearest_stuck_task_is_named_and_the_first_of_equals() -> None:
    ids = {name: task(name).id for name in "abcdef"}
    edges = [(ids[c], ids[p]) for p, c in ("ac", "bc", "cd", "bd", "ef")]
    found = nearest([ids["a"], ids["b"]], edges)
    assert found == {ids["c"]: ids["a"], ids["d"]: ids["b"]}


def turn(team: Team) -> None:
    """React and take turns until nothing is woken; a back-off is over at once."""
    for _ in range(20):
        Task.objects.update(not_before=None)
        woken = react(team.workspace.pk)
        for run_id in woken:
            take_turn(run_id)
        if not woken:
            return


def fail(team: Team, text: str = "") -> None:
    """The writer opens its session and runs out of tokens; its owner vouches for it, as there is no other."""
    team.send("scribe")
    team.answer("scribe", {"sessionId": "s"})
    team.send("scribe")
    team.answer("scribe", {"stopReason": "max_tokens"}, text=text)
    team.vouch("scribe")
    turn(team)


@pytest.mark.django_db
def test_a_task_that_fails_is_tried_rewritten_tried_and_then_put_to_a_named_person(team: Team) -> None:
    run = team.run(CHAIN)
    turn(team)
    write = Task.objects.get(run=run, key="write")
    for number in range(1, 7):
        assert Task.objects.get(pk=write.pk).state == "assigned", number
        fail(team)
    write.refresh_from_db()
    assert (write.state, write.next_actor, write.regenerated) == ("stuck", "ada", 1)
    assert write.attempts.count() == 6
    assert "Say what sold." in write.instructions
    assert "> the agent ran out of tokens" in write.instructions
    assert Run.objects.get(pk=run.pk).retries == 5
    assert team.journal().count("task.regenerated") == 1


@pytest.mark.django_db
def test_a_task_with_a_list_is_split_and_its_parts_are_given_away(team: Team) -> None:
    points = "Describe:\n- the north\n- the south"
    run = team.run([{"key": "w", "title": "Write", "instructions": points, "skills": ["writing"]}])
    turn(team)
    for _ in range(3):
        fail(team)
    assert dict(Task.objects.filter(run=run).values_list("key", "state")) == {
        "w": "waiting", "w-1": "assigned", "w-2": "ready",
    }  # fmt: skip


@pytest.mark.django_db
def test_dependants_say_which_stuck_task_they_wait_for_until_it_moves_again(team: Team) -> None:
    run = team.run(CHAIN)
    Task.objects.filter(run=run, key="write").update(tries=2, regenerated=1)
    turn(team)
    fail(team)
    waiting = Task.objects.filter(run=run, state="waiting").order_by("position")
    said = "It waits for “Write”, which is stuck: ada must act there."
    assert [(t.key, t.reason, t.next_actor) for t in waiting] == [("check", said, "ada"), ("count", said, "ada")]
    assert team.journal().count("task.parked") == 2
    write = Task.objects.get(run=run, key="write")
    perform(regenerate_task, write.pk, instructions="Less", actor=team.actor("ada"))
    turn(team)
    assert [(t.key, t.reason, t.next_actor) for t in waiting.all()] == [
        ("check", "", "earlier tasks"), ("count", "", "earlier tasks"),
    ]  # fmt: skip
    turns_over = team.journal()
    take_turn(run.pk)
    assert team.journal() == turns_over


@pytest.mark.django_db
def test_a_dependant_of_a_cancelled_task_says_nothing_any_more(team: Team) -> None:
    run = team.run(CHAIN)
    turn(team)
    write = Task.objects.get(run=run, key="write")
    Task.objects.filter(pk=write.pk).update(tries=3, regenerated=1)
    fail(team)
    perform(tasks.cancel_task, write.pk, actor=team.actor("ada"))
    turn(team)
    assert set(Task.objects.filter(run=run).exclude(key="aside").values_list("state", flat=True)) == {"cancelled"}
