"""Several processes write to one database, each with a writer of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from agents.models import Agent
from clawgroups import commit
from clawgroups.models import Entry, Operation, Workspace
from tests.commit.support import PATIENCE, Process, World, agent_of, done, world

pytestmark = pytest.mark.django_db(transaction=True)


Pair = tuple[Process, Process]
Job = tuple[str, dict[str, Any]]


@pytest.fixture(scope="module")
def others(django_db_setup: None) -> Iterator[Pair]:
    """Two more processes."""
    made = Process(), Process()
    for process in made:
        process.wait()
    yield made
    for process in made:
        process.end()


def both(others: Pair, *jobs: Job) -> list[dict[str, Any]]:
    """Run these jobs in processes of their own, begun at the same moment."""
    running = list(zip(others, jobs, strict=False))
    for process, (name, arguments) in running:
        process.begin(name, **arguments)
    return [process.result() for process, _ in running]


def test_no_lowering_of_a_counter_is_lost_between_processes(ada: World, others: Pair) -> None:
    task = ada.task(waiting_on=600)
    arguments = {"user": ada.user.pk, "workspace": ada.workspace.pk, "task": task.pk, "times": 300}
    results = both(others, *[("lower", arguments)] * 2)
    assert [result["applied"] for result in results] == [300] * 2
    task.refresh_from_db()
    assert (task.waiting_on, task.state) == (0, "ready")
    assert ada.types() == ["task.ready"]


def test_two_parents_that_finish_in_two_processes_make_their_child_ready_once(ada: World, others: Pair) -> None:
    for round_ in range(10):
        parents, child = [ada.task(state="in_review") for _ in range(2)], ada.task(waiting_on=2)
        common = {"user": ada.user.pk, "workspace": ada.workspace.pk, "child": child.pk, "run": child.run_id}
        results = both(others, *[("finish_parent", {**common, "task": parent.pk}) for parent in parents])
        assert [result["applied"] for result in results] == [True, True]
        child.refresh_from_db()
        assert (child.state, child.waiting_on) == ("ready", 0)
        assert ada.types() == ["task.ready"] * (round_ + 1)


def test_numbers_have_no_gap_and_no_double_between_processes_of_eight_threads(ada: World, others: Pair) -> None:
    arguments = {"user": ada.user.pk, "workspace": ada.workspace.pk, "threads": 8, "each": 100}
    others[0].begin("goals", **arguments)
    here = [commit.submit(ada.change()) for _ in range(400)]
    told = [commit.wait(future, PATIENCE).seqs[ada.workspace.pk] for future in here]
    theirs = others[0].result()["seqs"]
    assert ada.seqs() == list(range(1, 1201))
    assert sorted([*told, *theirs]) == list(range(1, 1201))
    assert Workspace.objects.get().head == 1200


def test_one_operation_in_two_processes_is_written_once_and_answered_twice(ada: World, others: Pair) -> None:
    for number in range(10):
        common = {"user": ada.user.pk, "workspace": ada.workspace.pk, "operation": f"k{number}", "digest": "d"}
        first, second = both(others, *[("operate", {**common, "goal": goal}) for goal in ("red", "blue")])
        assert first["applied"]
        assert second["applied"]
        assert sorted([first["repeated"], second["repeated"]]) == [False, True]
        assert first["answer"] == second["answer"] == {"goal": Workspace.objects.get().goal}
    assert (Operation.objects.count(), ada.seqs()) == (10, list(range(1, 11)))


def test_two_workspaces_that_share_agents_do_not_stand_in_each_others_way(ada: World, others: Pair) -> None:
    bob = world("bob")
    agents = [agent_of(ada.user, handle) for handle in ("a", "b", "c")]
    ids = [str(agent.pk) for agent in agents]
    results = both(
        others,
        ("share", {"user": ada.user.pk, "workspace": ada.workspace.pk, "agents": ids, "times": 600}),
        ("share", {"user": bob.user.pk, "workspace": bob.workspace.pk, "agents": ids[::-1], "times": 600}),
    )
    assert [(result["applied"], result["repeats"]) for result in results] == [(600, 0), (600, 0)]
    assert set(Agent.objects.values_list("connection_epoch", flat=True)) == {1200}
    assert (ada.seqs(), bob.seqs()) == (list(range(1, 601)), list(range(1, 601)))


def test_a_writer_sees_what_another_process_wrote_before_it(ada: World, others: Pair) -> None:
    both(others, ("goals", {"user": ada.user.pk, "workspace": ada.workspace.pk, "threads": 1, "each": 3}))
    assert done(ada.change()).seqs[ada.workspace.pk] == 4
    assert Entry.objects.count() == 4
