"""The thread that writes: what it takes, what it refuses, and that nobody's mistake is another's failure."""

from __future__ import annotations

import asyncio
import re
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection, transaction

from clawgroups import bus, commit
from clawgroups.commit import writer as writer_module
from clawgroups.commit.awaiting import _Mailbox, told_together
from clawgroups.commit.writer import MAX_BATCH, MAX_WAITING, Writer
from clawgroups.core.changes import Change, Count, Outcome, Update
from clawgroups.core.errors import Busy, Conflict, Invalid, OutcomeUnknown
from clawgroups.models import Entry
from tests.commit.process import parent_done
from tests.commit.support import PATIENCE, TASK, WORKSPACE, World, done, one_batch, some_id, world

pytestmark = pytest.mark.django_db(transaction=True)
YES = Outcome(True)


def together(count: int, work: Callable[[int], None]) -> None:
    """Run `work` in so many threads that start at the same moment; the first failure is raised."""
    barrier, failures = threading.Barrier(count), list[BaseException]()

    def run(number: int) -> None:
        barrier.wait(PATIENCE)
        try:
            work(number)
        except BaseException as fault:  # noqa: BLE001  raised below
            failures.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * PATIENCE)
    if failures:
        raise failures[0]


def test_no_lowering_of_a_counter_is_lost_between_threads(ada: World) -> None:
    task = ada.task(waiting_on=400)
    count = Count(TASK, task.pk, "waiting_on", -1, {"state": "waiting"}, {"state": "ready"}, (ada.said("zero"),))

    def lower(_: int) -> None:
        waiting = [commit.submit(ada.change(count, facts=())) for _ in range(50)]
        assert all(commit.wait(future, PATIENCE).applied for future in waiting)

    together(8, lower)
    task.refresh_from_db()
    assert (task.waiting_on, task.state, ada.seqs()) == (0, "ready", [1])


def test_two_parents_that_finish_together_make_their_child_ready_once(ada: World) -> None:
    for _ in range(20):
        parents = [ada.task(state="in_review") for _ in range(2)]
        child = ada.task(waiting_on=2)
        before = Entry.objects.count()
        changes = [parent_done(ada.actor, ada.workspace.pk, p.pk, child.pk, child.run_id) for p in parents]
        together(2, lambda number, changes=changes: _applied(changes[number]))  # type: ignore[misc]
        child.refresh_from_db()
        assert (child.state, child.waiting_on, Entry.objects.count() - before) == ("ready", 0, 1)


def _applied(change: Change) -> None:
    assert done(change).applied


def test_numbers_have_no_gap_and_no_double_under_eight_threads(ada: World) -> None:
    told: list[int] = []

    def write(_: int) -> None:
        waiting = [commit.submit(ada.change()) for _ in range(100)]
        told.extend(commit.wait(future, PATIENCE).seqs[ada.workspace.pk] for future in waiting)

    together(8, write)
    assert ada.seqs() == list(range(1, 801))
    assert sorted(told) == list(range(1, 801))
    ada.workspace.refresh_from_db()
    assert ada.workspace.head == 800


def test_changes_that_wait_together_are_one_transaction(ada: World) -> None:
    with one_batch(ada):
        waiting = [commit.submit(ada.change()) for _ in range(30)]
    for future in waiting:
        commit.wait(future, PATIENCE)
    assert Entry.objects.filter(seq__gt=1).values("at").distinct().count() == 1


def test_one_bad_change_of_fifty_fails_alone(ada: World, caplog: pytest.LogCaptureFixture) -> None:
    task = ada.task()
    bad = ada.change(Update(TASK, task.pk, {"state": "held"}), verb="task.spoil")
    with one_batch(ada):
        waiting = [commit.submit(bad if number == 20 else ada.change()) for number in range(50)]
    outcomes = [_outcome(future) for future in waiting]
    assert [isinstance(outcome, IntegrityError) for outcome in outcomes] == [n == 20 for n in range(50)]
    assert ada.seqs() == list(range(1, 51))
    assert "task.spoil" in caplog.text


def _outcome(future: Future[Outcome]) -> Outcome | BaseException:
    try:
        return commit.wait(future, PATIENCE)
    except Exception as fault:  # noqa: BLE001  it is what is looked at
        return fault


# What only our own code can do wrong: each must reach its caller, and only its caller.
WRONG: dict[str, Callable[[World], Change]] = {
    "an unknown column": lambda w: w.change(Update(TASK, some_id(), {}, {"nothing": 1})),
    "an unknown model": lambda w: w.change(Update("clawgroups.Nothing", some_id(), {})),
    "a workspace that is not there": lambda w: w.change(facts=(type(w.said())(some_id(), w.said().event),)),
    "a value of another kind": lambda w: w.change(Update(WORKSPACE, w.workspace.pk, {"generation": "many"})),
    "an answer that is no JSON": lambda w: w.change(operation="k", answer={"id": some_id()}),
    "an id that is none": lambda w: w.change(Update(WORKSPACE, "none", {"goal": "x"})),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_mistake_in_a_change_reaches_its_caller_and_nobody_else(ada: World, name: str) -> None:
    with one_batch(ada):
        waiting = [commit.submit(change) for change in (ada.change(), WRONG[name](ada), ada.change())]
    first, wrong, last = [_outcome(future) for future in waiting]
    assert isinstance(first, Outcome)
    assert isinstance(last, Outcome)
    assert isinstance(wrong, Exception)
    assert ada.seqs() == [1, 2, 3]


@pytest.mark.parametrize("text", ["\ud800", "half \udfff pair"])
def test_a_text_that_no_database_can_hold_is_told_in_words(ada: World, text: str) -> None:
    with one_batch(ada):
        waiting = [commit.submit(change) for change in (ada.change(), ada.goal(text), ada.change())]
    first, wrong, last = [_outcome(future) for future in waiting]
    assert isinstance(wrong, Invalid)
    assert wrong.code == "not_storable"
    assert isinstance(first, Outcome)
    assert isinstance(last, Outcome)


def test_a_number_beyond_the_column_is_told_in_words(ada: World) -> None:
    with pytest.raises(Invalid):
        done(ada.change(Update(WORKSPACE, ada.workspace.pk, {"reacted": 2**80})))


def test_what_exists_already_is_a_conflict(ada: World) -> None:
    task = ada.task()
    with pytest.raises(Conflict) as raised:
        done(ada.change(Update(TASK, ada.task().pk, {"key": task.key})))
    assert raised.value.code == "already_exists"


def test_a_waiter_that_gives_up_takes_nobody_with_it(ada: World) -> None:
    async def give_up(future: Future[Outcome]) -> None:
        await asyncio.wait_for(commit.outcome(future), 0.01)

    with one_batch(ada):
        futures = [commit.submit(ada.change()) for _ in range(3)]
        with pytest.raises(TimeoutError):
            asyncio.run(give_up(futures[0]))
    outcomes = [commit.wait(future, PATIENCE) for future in futures]
    assert [outcome.seqs[ada.workspace.pk] for outcome in outcomes] == [2, 3, 4]


async def test_a_loop_is_woken_once_for_all_that_a_batch_settles(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    futures = [Future[Outcome]() for _ in range(5)]
    outcomes = [commit.outcome(future) for future in futures]
    wake, woken = loop.call_soon_threadsafe, list[Any]()

    def counted(callback: Any, *args: Any, **more: Any) -> asyncio.Handle:
        woken.append(callback)
        return wake(callback, *args, **more)

    def settle_all() -> None:
        with told_together():
            for future in futures:
                future.set_result(Outcome(True))
                # The loop is as quick as can be: it has looked before the next one is settled.
                asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(PATIENCE)

    monkeypatch.setattr(loop, "call_soon_threadsafe", counted)
    await loop.run_in_executor(None, settle_all)
    assert [(await outcome).applied for outcome in outcomes] == [True] * 5
    assert sum(isinstance(getattr(one, "__self__", None), _Mailbox) for one in woken) == 1


def test_a_subscriber_that_fails_harms_neither_the_changes_nor_the_writer(
    ada: World, caplog: pytest.LogCaptureFixture
) -> None:
    task = ada.task()

    def fail(_topic: str, _value: Any) -> None:
        raise ZeroDivisionError

    with one_batch(ada):
        bad = ada.change(Update(TASK, task.pk, {"state": "held"}))
        waiting = [commit.submit(change) for change in (ada.change(), bad, ada.change())]
        leave = bus.subscribe(bus.workspace_topic(ada.workspace.pk), fail)
    outcomes = [_outcome(future) for future in waiting]
    leave()
    assert [isinstance(outcome, Outcome) for outcome in outcomes] == [True, False, True]
    assert done(ada.change()).seqs[ada.workspace.pk] == 4
    assert "ZeroDivisionError" in caplog.text


def test_a_hint_follows_the_commit_and_the_release_of_its_futures(ada: World) -> None:
    heard: list[tuple[int, bool, int]] = []
    box: list[Future[Outcome]] = []
    filled = threading.Event()

    def hear(_topic: str, head: int) -> None:
        filled.wait(PATIENCE)
        heard.append((head, box[0].done(), Entry.objects.filter(workspace=ada.workspace).count()))

    leave = bus.subscribe(bus.workspace_topic(ada.workspace.pk), hear)
    box.append(commit.submit(ada.change()))
    filled.set()
    commit.drain(PATIENCE)
    leave()
    assert heard == [(1, True, 1)]


def test_more_than_the_queue_holds_is_refused_at_once_and_the_rest_is_written(ada: World) -> None:
    with one_batch(ada):
        waiting = [commit.submit(ada.change()) for _ in range(MAX_WAITING)]
        with pytest.raises(Busy):
            commit.submit(ada.change())
    for future in waiting:
        commit.wait(future, PATIENCE)
    assert ada.seqs() == list(range(1, MAX_WAITING + 2))
    sizes = Entry.objects.filter(seq__gt=1).values("at").distinct().count()
    assert sizes == MAX_WAITING / MAX_BATCH


def test_a_drain_commits_what_waits_and_then_refuses(ada: World) -> None:
    with one_batch(ada):
        waiting = [commit.submit(ada.change()) for _ in range(20)]
    assert commit.drain(PATIENCE)
    assert all(future.done() for future in waiting)
    assert ada.seqs() == list(range(1, 22))
    with pytest.raises(Busy):
        commit.submit(ada.change())
    assert not commit.is_open()
    commit.reopen()
    assert done(ada.change()).applied


def test_a_drain_that_takes_too_long_says_so(ada: World, caplog: pytest.LogCaptureFixture) -> None:
    with one_batch(ada):
        future = commit.submit(ada.change())
        assert not commit.drain(0.05)
    assert commit.wait(future, PATIENCE).applied
    assert "could not commit everything" in caplog.text


def test_submitting_inside_a_transaction_is_refused(ada: World) -> None:
    with transaction.atomic(), pytest.raises(RuntimeError, match="atomic"):
        commit.submit(ada.change())


def test_waiting_where_an_event_loop_runs_is_refused() -> None:
    async def door() -> None:
        commit.wait(Future())

    with pytest.raises(RuntimeError, match="event loop"):
        asyncio.run(door())


def test_a_wait_that_runs_out_says_that_the_outcome_is_unknown_and_the_log_says_what_keeps_the_writer(
    ada: World, caplog: pytest.LogCaptureFixture
) -> None:
    with one_batch(ada):
        future = commit.submit(ada.change(operation="k", answer={"n": 1}))
        with pytest.raises(OutcomeUnknown):
            commit.wait(future, 0.01)
    assert re.search("the writer is at.*in commit_batch.*", caplog.text, re.DOTALL)
    again = done(ada.change(operation="k", answer={"n": 2}))
    assert (again.repeated, again.answer) == (True, {"n": 1})


def test_a_lone_change_does_not_wait_for_the_next_one(ada: World, monkeypatch: pytest.MonkeyPatch) -> None:
    # In so short a pause the machine keeps the writer from running every few thousand times, as it does in a long one
    # once in many more.
    monkeypatch.setattr(writer_module, "PAUSE", 1e-6)
    monkeypatch.setattr(writer_module, "commit_batch", lambda batch: [one.future.set_result(YES) for one in batch])
    own, change = Writer(), ada.change()
    for _ in range(8_000):
        assert commit.wait(own.submit(change), PATIENCE) is YES
    assert own.drain(PATIENCE)


def test_first_submits_of_many_threads_start_one_thread(ada: World) -> None:
    own = Writer()
    futures: list[Future[Outcome]] = []
    together(16, lambda _: futures.append(own.submit(ada.change())))
    for future in futures:
        commit.wait(future, PATIENCE)
    assert ada.seqs() == list(range(1, 17))
    assert own.drain(PATIENCE)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_writer_that_died_is_followed_by_another_that_goes_on(ada: World, monkeypatch: pytest.MonkeyPatch) -> None:
    own, died = Writer(), threading.Event()

    def die(_batch: Any) -> None:
        died.set()
        raise SystemExit

    monkeypatch.setattr(writer_module, "commit_batch", die)
    own.submit(ada.change())
    assert died.wait(PATIENCE)
    monkeypatch.undo()
    thread = own._thread
    assert thread is not None
    thread.join(PATIENCE)
    assert commit.wait(own.submit(ada.change()), PATIENCE).applied
    assert own.drain(PATIENCE)


def test_a_database_that_stays_away_is_told_to_all_at_once(
    ada: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sizes: set[int] = set()

    def away(changes: Sequence[Change]) -> Any:
        sizes.add(len(changes))
        raise OperationalError("connection refused")

    with one_batch(ada):
        futures = [commit.submit(ada.change()) for _ in range(40)]
        monkeypatch.setattr(writer_module, "RETRY_FOR", 0.05)
        monkeypatch.setattr(writer_module, "apply", away)
    assert all(isinstance(_outcome(future), Busy) for future in futures)
    assert sizes == {40}  # the batch was repeated whole and never split
    assert "was not written" in caplog.text
    monkeypatch.undo()
    assert done(ada.change()).applied


@pytest.fixture(autouse=True)
def no_thread_left() -> Iterator[None]:
    yield
    commit.drain(PATIENCE)
    commit.reopen()


def test_workspaces_do_not_wait_for_each_others_numbers(ada: World) -> None:
    rooms = [ada, world("bob"), world("carol")]

    def write(number: int) -> None:
        for _ in range(20):
            done(rooms[number].change())

    together(3, write)
    assert [room.seqs() for room in rooms] == [list(range(1, 21))] * 3
