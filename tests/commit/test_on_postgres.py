"""What only a server can do to the writer: deadlock it, cut it off, leave a commit in doubt, refuse a text."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper

from agents.models import Agent
from clawgroups import commit
from clawgroups.commit import writer as writer_module
from clawgroups.commit.batch import Applied, InDoubt, was_committed
from clawgroups.core.changes import Change, Count, Update
from clawgroups.core.errors import Invalid, OutcomeUnknown
from clawgroups.models import Workspace
from tests.commit.support import AGENT, PATIENCE, WORKSPACE, World, agent_of, done, one_batch, world
from tests.commit.support import Process as Other

pytestmark = pytest.mark.django_db(transaction=True)


class Session:
    """A connection of somebody else's, for locks that the writer has to meet."""

    def __init__(self) -> None:
        settings = connection.settings_dict
        self._connection = psycopg.connect(
            host=settings["HOST"], port=settings["PORT"], user=settings["USER"], dbname=settings["NAME"]
        )

    def lock(self, table: str, pk: Any) -> None:
        self._connection.execute(f"SELECT 1 FROM {table} WHERE id = %s FOR UPDATE", [pk])

    def run(self, sql: str) -> list[Any]:
        cursor = self._connection.execute(sql)
        return cursor.fetchall() if cursor.description else []

    def release(self) -> None:
        self._connection.rollback()

    def close(self) -> None:
        self._connection.close()


@pytest.fixture
def somebody() -> Iterator[Session]:
    session = Session()
    yield session
    session.close()


def until(condition: Callable[[], bool]) -> None:
    """Ask again and again, for as long as patience lasts."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.005)):
        if condition():
            return
        pause.wait(0.005)
    raise AssertionError("it did not come about")


def waiting_for_locks() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def cut_off(but: str = "") -> None:
    """End every other connection of this database, as a server does that restarts."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()" + but
        )


def share(world: World, agents: list[Agent]) -> Change:
    return world.change(*(Count(AGENT, agent.pk, "connection_epoch", 1) for agent in agents))


def test_two_writers_that_wait_for_one_agent_do_not_deadlock(
    ada: World, somebody: Session, django_db_setup: None
) -> None:
    bob, agents = world("bob"), [agent_of(ada.user, handle) for handle in ("a", "b")]
    other = Other()
    other.wait()
    try:
        for round_ in range(1, 6):
            for agent in agents:
                somebody.lock("agents_agent", agent.pk)
            other.begin(
                "share",
                user=bob.user.pk,
                workspace=bob.workspace.pk,
                agents=[agent.pk for agent in reversed(agents)],
                times=1,
            )
            future = commit.submit(share(ada, agents))
            until(lambda: waiting_for_locks() == 2)  # each holds its workspace and wants the same agents
            somebody.release()
            assert commit.wait(future, PATIENCE).applied
            assert other.result() == {"applied": 1, "repeats": 0}
            assert set(Agent.objects.values_list("connection_epoch", flat=True)) == {2 * round_}
    finally:
        other.end()


def test_a_deadlock_with_somebody_else_is_repeated_and_writes_once(
    ada: World, somebody: Session, caplog: pytest.LogCaptureFixture
) -> None:
    agent = agent_of(ada.user, "a")
    somebody.run("SET deadlock_timeout = '60s'")  # so that it is the writer who is chosen
    somebody.lock("agents_agent", agent.pk)
    future = commit.submit(share(ada, [agent]))
    until(lambda: waiting_for_locks() == 1)
    somebody.lock("clawgroups_workspace", ada.workspace.pk)
    somebody.release()
    assert commit.wait(future, PATIENCE).applied
    assert "is repeated: deadlock" in caplog.text
    agent.refresh_from_db()
    assert (agent.connection_epoch, ada.seqs()) == (1, [1])


def test_a_writer_whose_connection_was_cut_goes_on_with_another(ada: World, caplog: pytest.LogCaptureFixture) -> None:
    done(ada.change())
    for number in range(2, 6):
        cut_off()
        assert done(ada.change()).seqs[ada.workspace.pk] == number
    assert "is repeated" in caplog.text
    assert ada.seqs() == [1, 2, 3, 4, 5]


def test_a_batch_that_is_cut_off_in_the_middle_is_written_once(ada: World, somebody: Session) -> None:
    done(ada.change())
    somebody.lock("clawgroups_workspace", ada.workspace.pk)
    future = commit.submit(ada.goal("new"))
    until(lambda: waiting_for_locks() == 1)
    cut_off(" AND wait_event_type = 'Lock'")
    somebody.release()
    assert commit.wait(future, PATIENCE).seqs[ada.workspace.pk] == 2
    assert ada.seqs() == [1, 2]


@contextmanager
def lost_answers(monkeypatch: pytest.MonkeyPatch, *, after: bool, times: int = 1) -> Iterator[None]:
    """The server goes away in the writer's next commits: after it has committed, or before."""
    real, left = BaseDatabaseWrapper._commit, [times]  # type: ignore[attr-defined]

    def lose(wrapper: Any) -> Any:
        if threading.current_thread().name != "writer" or not left[0]:
            return real(wrapper)
        left[0] -= 1
        if after:
            real(wrapper)
        wrapper.connection.close()
        raise OperationalError("server closed the connection unexpectedly")

    with monkeypatch.context() as patch:
        patch.setattr(BaseDatabaseWrapper, "_commit", lose)
        yield


@pytest.mark.parametrize("after", [True, False])
def test_a_commit_in_doubt_is_looked_up_and_stands_once(
    ada: World, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    agent = agent_of(ada.user, "a")
    with lost_answers(monkeypatch, after=after):
        outcome = done(share(ada, [agent]))
    agent.refresh_from_db()
    assert (outcome.applied, agent.connection_epoch, ada.seqs()) == (True, 1, [1])
    assert outcome.seqs == {ada.workspace.pk: 1}


def test_a_commit_that_was_lost_in_a_crash_is_not_taken_for_whoever_got_its_number_next(ada: World) -> None:
    done(ada.change())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text")
        (number,) = cursor.fetchone()
    lost = InDoubt(Applied(xid=number))
    assert not was_committed(lost)


def test_a_commit_in_doubt_with_a_database_that_stays_away_is_told_as_unknown(
    ada: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(_doubt: object) -> bool:
        raise OperationalError("still away")

    monkeypatch.setattr(writer_module, "was_committed", away)
    monkeypatch.setattr(writer_module, "RETRY_FOR", 0.05)
    with lost_answers(monkeypatch, after=True), pytest.raises(OutcomeUnknown):
        done(ada.goal("new", operation="k", answer={"n": 1}))
    monkeypatch.undo()
    again = done(ada.goal("newer", operation="k", answer={"n": 2}))
    assert (again.repeated, again.answer, Workspace.objects.get().goal) == (True, {"n": 1}, "new")


@pytest.mark.parametrize("where", ["text", "json", "journal"])
def test_a_text_with_a_zero_character_fails_alone_and_in_words(ada: World, where: str) -> None:
    text = "a\x00b"
    bad = {
        "text": ada.change(Update(WORKSPACE, ada.workspace.pk, {"goal": text})),
        "json": ada.change(Update(WORKSPACE, ada.workspace.pk, {"timers": {"x": text}})),
        "journal": ada.change(facts=(ada.said(text),)),
    }[where]
    with one_batch(ada):
        futures = [commit.submit(change) for change in (ada.change(), bad, ada.change())]
    assert commit.wait(futures[0], PATIENCE).applied
    with pytest.raises(Invalid) as raised:
        commit.wait(futures[1], PATIENCE)
    assert raised.value.code == "not_storable"
    assert commit.wait(futures[2], PATIENCE).applied
    assert ada.seqs() == [1, 2, 3]


def test_a_text_longer_than_its_column_is_told_in_words(ada: World) -> None:
    with pytest.raises(Invalid):
        done(ada.change(Update(WORKSPACE, ada.workspace.pk, {"name": "x" * 500})))


def test_a_forked_child_writes_by_a_thread_of_its_own(ada: World) -> None:
    # In a process that does nothing else: SQLite may not be carried over a fork at all, and `startup` refuses that.
    forking = Other()
    forking.wait()
    forking.begin("fork", user=ada.user.pk, workspace=ada.workspace.pk)
    assert forking.result() == {"seqs": [1, 2, 3], "status": 0, "repeats": 0}
    forking.end()
    assert ada.seqs() == [1, 2, 3]
