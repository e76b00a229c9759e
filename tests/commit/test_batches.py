"""What becomes of the changes of one batch: folded in order, each whole or not at all, one write per row."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from agents.models import Agent, Skill
from clawgroups import commit
from clawgroups.commit import Collected
from clawgroups.commit.batch import apply
from clawgroups.commit.image import Image, LostRow, lock_order
from clawgroups.commit.marks import next_mark
from clawgroups.core.changes import Append, Change, Count, Delete, Expect, Insert, OperationId, Put, Update, one_of
from clawgroups.core.errors import Conflict
from clawgroups.core.task_events import TaskReady
from clawgroups.models import Entry, Message, Operation, Task, Workspace
from tests.commit.support import AGENT, TASK, WORKSPACE, World, agent_of, done, some_id, world

pytestmark = pytest.mark.django_db

SKILL = "agents.Skill"
MESSAGE = "clawgroups.Message"


def skill(agent: Agent, pk: Any, level: int = 1) -> dict[str, Any]:
    return {"agent_id": agent.pk, "name": f"s{pk}"[:50], "level": level}


def test_two_updates_of_one_row_are_folded_in_the_order_they_came(ada: World) -> None:
    task = ada.task(state="ready")
    first = ada.change(Update(TASK, task.pk, {"state": "assigned", "epoch": 1, "reason": "a"}, {"state": "ready"}))
    second = ada.change(Update(TASK, task.pk, {"state": "working", "reason": "b"}, {"state": "assigned", "epoch": 1}))
    third = ada.change(Update(TASK, task.pk, {"state": "done"}, {"state": "ready"}))
    with pytest.raises(IntegrityError), transaction.atomic():
        apply([first, second, third])  # nobody was assigned: the constraint holds for the row as it ends
    seat = ada.workspace.members.create(user=ada.user, name="ada", role="owner", joined_at=ada.workspace.created_at)
    Task.objects.filter(pk=task.pk).update(assignee=seat)
    applied = apply([first, second, third])
    assert [answer.applied for answer in applied.answers if not isinstance(answer, Conflict)] == [True, True, False]
    task.refresh_from_db()
    assert (task.state, task.epoch, task.reason) == ("working", 1, "b")


def test_steps_of_one_attempt_in_one_batch_all_stand_and_each_text_is_whole(ada: World) -> None:
    pk = some_id()
    row = {"workspace_id": ada.workspace.pk, "body": "", "created_at": ada.workspace.created_at, "actor": {}}
    changes = [ada.change(Put(MESSAGE, pk, {"body": "one"}, row))]
    changes += [ada.change(Append(MESSAGE, pk, "body", text)) for text in (" two", " three")]
    apply(changes)
    assert Message.objects.get(pk=pk).body == "one two three"
    apply([ada.change(Append(MESSAGE, pk, "body", "!")), ada.change(Append(MESSAGE, pk, "body", "?"))])
    assert Message.objects.get(pk=pk).body == "one two three!?"


def test_an_append_keeps_the_last_of_a_long_text(ada: World) -> None:
    apply([ada.goal("0123456789"), ada.change(Append(WORKSPACE, ada.workspace.pk, "goal", "abc", limit=5))])
    assert Workspace.objects.get().goal == "89abc"


def test_put_makes_a_row_and_then_changes_only_what_it_names(ada: World) -> None:
    agent, pk = agent_of(ada.user, "a"), some_id()
    apply([ada.change(Put(SKILL, pk, {"level": 2}, skill(agent, 1)))])
    assert Skill.objects.get(pk=pk).level == 2
    apply([ada.change(Put(SKILL, pk, {"level": 5}, {**skill(agent, 1), "description": "not this"}))])
    row = Skill.objects.get(pk=pk)
    assert (row.level, row.description) == (5, "")


def test_a_row_may_be_deleted_and_made_again_in_one_change(ada: World) -> None:
    agent, pk = agent_of(ada.user, "a"), some_id()
    Skill.objects.create(pk=pk, **skill(agent, 1))
    apply([ada.change(Delete(SKILL, pk), Insert(SKILL, pk, skill(agent, 1, 4)))])
    assert Skill.objects.get(pk=pk).level == 4


def test_a_row_that_came_and_went_within_a_batch_leaves_nothing(ada: World) -> None:
    agent, pk = agent_of(ada.user, "a"), some_id()
    apply([ada.change(Insert(SKILL, pk, skill(agent, 1))), ada.change(Delete(SKILL, pk))])
    assert not Skill.objects.exists()
    apply(
        [
            ada.change(Insert(SKILL, pk, skill(agent, 1))),
            ada.change(Delete(SKILL, pk), Put(SKILL, pk, skill(agent, 1, 3))),
        ]
    )
    assert Skill.objects.get().level == 3


@pytest.mark.parametrize(
    "write", [Delete(TASK, some_id()), Append(TASK, some_id(), "reason", "x"), Count(TASK, some_id(), "epoch", 1)]
)
def test_what_needs_a_row_that_is_not_there_is_a_mismatch(ada: World, write: Any) -> None:
    outcome = done(ada.change(write))
    assert not outcome.applied
    assert outcome.mismatch is not None
    assert outcome.mismatch.row is None
    assert ada.seqs() == []


def test_a_mismatch_says_how_the_row_is_now_and_nothing_of_the_change_stands(ada: World) -> None:
    task, other = ada.task(state="ready"), ada.task(state="ready")
    apply([ada.change(Update(TASK, task.pk, {"state": "stuck", "epoch": 7}))])
    outcome = done(
        ada.change(
            Update(TASK, other.pk, {"title": "changed"}),
            Update(TASK, task.pk, {"state": "cancelled"}, {"state": one_of("ready", "waiting")}),
        )
    )
    assert outcome.mismatch is not None
    assert (outcome.applied, outcome.mismatch.model, outcome.mismatch.pk) == (False, TASK, task.pk)
    row = dict(outcome.mismatch.row or {})
    assert (row["state"], row["epoch"], row["holder_id"]) == ("stuck", 7, None)
    other.refresh_from_db()
    assert other.title != "changed"
    assert ada.seqs() == [1]


def test_an_expectation_about_a_row_that_is_not_written_is_checked_too(ada: World) -> None:
    task = ada.task()
    wrong = ada.goal("new", expects=(Expect(TASK, task.pk, {"epoch": 1}),))
    right = ada.goal("new", expects=(Expect(TASK, task.pk, {"epoch": 0, "state": one_of("waiting")}),))
    assert [done(change).applied for change in (wrong, right)] == [False, True]


def test_the_counter_that_reaches_zero_moves_its_row_and_says_so_once(ada: World) -> None:
    task = ada.task(waiting_on=2)
    fact = ada.said("zero")
    count = Count(TASK, task.pk, "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}, (fact,))
    applied = apply([ada.change(count, facts=()), ada.change(count, facts=())])
    task.refresh_from_db()
    assert (task.waiting_on, task.state) == (0, "ready")
    assert ada.types() == ["workspace.goal_set"]
    assert applied.heads == {ada.workspace.pk: 1}


def test_a_counter_at_zero_leaves_a_row_that_has_moved_on(ada: World) -> None:
    task = ada.task(waiting_on=1, state="cancelled")
    count = Count(TASK, task.pk, "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}, (ada.said(),))
    apply([ada.change(count, facts=())])
    task.refresh_from_db()
    assert (task.waiting_on, task.state, ada.seqs()) == (0, "cancelled", [])


def test_a_counter_may_speak_in_a_workspace_that_the_change_does_not_name(ada: World) -> None:
    room, other = world("bob"), ada.task(waiting_on=1)
    ready = TaskReady(task_id=other.pk, run_id=other.run_id)
    count = Count(TASK, other.pk, "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}, (ada.said(), room.said()))
    assert ready.type == "task.ready"
    apply([Change(ada.actor, writes=(count,))])
    assert (ada.seqs(), room.seqs()) == ([1], [1])


def test_a_counter_never_goes_below_zero(ada: World) -> None:
    task = ada.task(waiting_on=0)
    with pytest.raises(IntegrityError), transaction.atomic():
        apply([ada.change(Count(TASK, task.pk, "waiting_on", -1))])


def test_numbers_follow_each_other_across_the_changes_of_a_batch_and_of_workspaces(ada: World) -> None:
    bob = world("bob")
    both = ada.change(facts=(ada.said(), bob.said(), ada.said()))
    applied = apply([both, bob.change(), both])
    assert [dict(answer.seqs) for answer in applied.answers if not isinstance(answer, Conflict)] == [
        {ada.workspace.pk: 2, bob.workspace.pk: 1},
        {bob.workspace.pk: 2},
        {ada.workspace.pk: 4, bob.workspace.pk: 3},
    ]
    assert (ada.seqs(), bob.seqs()) == ([1, 2, 3, 4], [1, 2, 3])
    assert list(Workspace.objects.order_by("name").values_list("head", flat=True)) == [4, 3]


def test_an_operation_done_before_gives_its_first_answer_and_writes_nothing(ada: World) -> None:
    first = done(ada.goal("one", operation="k", answer={"n": 1}, verb="v"))
    again = done(ada.goal("two", operation="k", answer={"n": 2}))
    assert (first.repeated, again.repeated, again.applied, again.answer) == (False, True, True, {"n": 1})
    assert Workspace.objects.get().goal == "one"
    assert ada.seqs() == [1]
    assert Operation.objects.get().verb == "v"


def test_an_operation_twice_in_one_batch_is_written_once(ada: World) -> None:
    change = ada.goal("one", operation=OperationId("k", "d"), answer={"n": 1})
    other = ada.goal("two", operation=OperationId("k", "other"), answer={"n": 2})
    first, again, reused = apply([change, change, other]).answers
    assert not isinstance(first, Conflict)
    assert not isinstance(again, Conflict)
    assert (first.repeated, again.repeated, dict(again.answer)) == (False, True, {"n": 1})
    assert isinstance(reused, Conflict)
    assert reused.code == "idempotency_key_reused"
    assert (ada.seqs(), Workspace.objects.get().goal) == ([1], "one")


def test_an_operation_id_belongs_to_its_actor_and_its_workspace(ada: World) -> None:
    bob = world("bob")
    assert not done(ada.goal("a", operation="k")).repeated
    assert not done(bob.goal("b", operation="k")).repeated
    assert not done(Change(bob.actor, ada.workspace.pk, facts=(ada.said(),), operation="k")).repeated


def test_a_mismatch_does_not_use_its_operation_up(ada: World) -> None:
    task = ada.task(state="ready")
    move = Update(TASK, task.pk, {"state": "cancelled"}, {"state": "stuck"})
    assert not done(ada.change(move, operation="k")).applied
    Task.objects.update(state="stuck")
    again = done(ada.change(move, operation="k"))
    assert (again.applied, again.repeated) == (True, False)


def test_a_change_that_fails_leaves_no_partial_write(ada: World) -> None:
    task = ada.task()
    change = ada.change(
        Update(WORKSPACE, ada.workspace.pk, {"goal": "half"}),
        Update(TASK, task.pk, {"state": "held"}),  # without a holder: the database refuses
        operation="k",
    )
    with pytest.raises(IntegrityError), transaction.atomic():
        apply([change])
    assert Workspace.objects.get().goal == ""
    assert (ada.seqs(), Operation.objects.count(), Entry.objects.count()) == ([], 0, 0)


def test_a_row_that_was_locked_and_is_not_there_to_be_written_is_noticed(ada: World) -> None:
    agent = agent_of(ada.user, "a")
    for write in (Update(AGENT, agent.pk, {"name": "x"}), Delete(AGENT, agent.pk)):
        image = Image(connection)
        image.load([ada.change(write)])
        with transaction.atomic():
            Agent.objects.all().delete()
            if isinstance(write, Update):
                image.set(AGENT, agent.pk, write.values)
            else:
                image.delete(AGENT, agent.pk)
            with pytest.raises(LostRow):
                image.flush(next_mark())
            transaction.set_rollback(True)


def test_every_batch_locks_workspaces_then_agents_then_the_rest() -> None:
    labels = ["clawgroups.Task", AGENT, "clawgroups.Attempt", WORKSPACE]
    assert sorted(labels, key=lock_order) == [WORKSPACE, AGENT, "clawgroups.Attempt", "clawgroups.Task"]


def test_thousands_of_rows_fit_into_one_change(ada: World) -> None:
    tasks = [ada.task()]
    tasks += Task.objects.bulk_create(
        Task(
            workspace=ada.workspace,
            run=tasks[0].run,
            key=f"b{n}",
            position=n,
            title="t",
            state="waiting",
            created_at=tasks[0].created_at,
        )
        for n in range(1, 6001)
    )
    outcome = done(ada.change(*(Update(TASK, task.pk, {"state": "cancelled"}, {"state": "waiting"}) for task in tasks)))
    assert outcome.applied
    assert Task.objects.filter(state="cancelled").count() == 6001


def test_the_inline_form_collects_what_would_have_been_hinted_at(ada: World, writer: Collected) -> None:
    future = commit.submit(ada.goal("new", wakes=("agent:1",)))
    assert future.done()
    assert writer.applied[-1].heads == {ada.workspace.pk: 1}
    assert list(writer.applied[-1].wakes) == ["agent:1"]


def test_the_inline_form_tells_faults_in_the_writers_words(ada: World) -> None:
    with pytest.raises(Conflict) as raised:
        done(ada.change(Update(TASK, ada.task().pk, {"key": ada.task().key})))
    assert raised.value.code == "already_exists"
    assert done(ada.change()).applied
