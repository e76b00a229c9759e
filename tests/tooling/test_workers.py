"""Real workers: what Celery is told, what it leaves behind when it is killed, and what it does without a broker."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import psycopg
import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from clawgroups import jobs
from clawgroups.coordinator import loop
from clawgroups.core.parent import tie_to
from clawgroups.core.timers import Timers
from clawgroups.supervisor.family import WORKER
from tests.run import servers
from tests.tooling.processes import alive, children, eventually
from tests.tooling.refusals import PLACE, ROOT, a_folder, configure, start

PREFORK = ("--pool", "prefork", "--concurrency", "2")
THREADS = ("--pool", "threads", "--concurrency", "2")
READY = 40.0
IN_TIME = 5.0


# What Celery is told


def test_celery_is_told_what_the_rules_say() -> None:
    conf = current_app.conf
    assert (conf.task_acks_late, conf.task_reject_on_worker_lost) == (True, True)
    assert conf.worker_prefetch_multiplier == 1
    assert (conf.task_ignore_result, conf.result_backend) == (True, None)
    assert conf.task_time_limit == 300
    assert not conf.beat_schedule
    assert conf.accept_content == ["json"]
    options = conf.broker_transport_options
    assert options["visibility_timeout"] > conf.task_time_limit
    # A turn ends within twice its limit, by itself or with its process: before its message comes again.
    assert options["visibility_timeout"] > 2 * Timers().turn
    assert (options["unacked_restore_interval"], options["unacked_restore_throttle"]) == (5, 1)


def test_every_job_keeps_to_them_and_its_message_only_names_a_row() -> None:
    ours = {name: job for name, job in current_app.tasks.items() if not name.startswith("celery.")}
    assert ours.keys() == {"clawgroups.react", "clawgroups.coordinate", "clawgroups.consult", "clawgroups.canary"}
    for job in ours.values():
        assert (job.acks_late, job.reject_on_worker_lost, job.ignore_result) == (True, True, True)
        assert list(job.run.__annotations__.values()) == ["str", "None"]
    queues = {name: current_app.amqp.router.route({}, name, ["coordinator"])["queue"].name for name in ours}
    assert queues == {
        "clawgroups.react": "default",
        "clawgroups.coordinate": "coordinator",
        "clawgroups.consult": "coordinator",
        "clawgroups.canary": "coordinator",
    }
    assert current_app.amqp.router.route({}, "clawgroups.canary", ["default"])["queue"].name == "default"


def test_no_code_of_ours_asks_for_a_time_a_chord_or_a_result() -> None:
    banned = (
        "eta=",
        "countdown=",
        "chord(",
        "celery import chain",
        "celery import group",
        ".apply_async(",
        ".delay(",
        "AsyncResult",
        ".retry(",
    )
    found = [
        f"{path.name}: {word}"
        for path in (ROOT / "clawgroups").rglob("*.py")
        for word in banned
        if word in path.read_text(encoding="utf-8")
    ]
    assert found == []


def test_kombu_is_given_our_socket_options_and_not_redis_pys(settings: Any) -> None:
    with servers.redis() as url, current_app.connection_for_write(url.replace("unix://", "redis+socket://")) as made:
        options = made.channel()._connparams()
        assert (options["socket_timeout"], options["health_check_interval"]) == (10, 25)
    assert current_app.conf.broker_transport_options["socket_keepalive"] is True


def test_a_send_without_redis_fails_at_once(settings: Any) -> None:
    began = time.monotonic()
    connection = current_app.connection_for_write(f"redis://127.0.0.1:{servers.free_port()}/0")
    with pytest.raises(OperationalError), connection:
        current_app.send_task("clawgroups.react", args=["x"], connection=connection, retry=False)
    assert time.monotonic() - began < 2


# Real processes


class Place:
    """A data folder that was prepared, and a look at its rows from outside."""

    def __init__(self, data: Path, **settings: str) -> None:
        self.data, self.settings = data, settings
        self.log = data / "worker.log"

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return {**kept, **PLACE, "CLAWGROUPS_DATA": str(self.data), **self.settings}

    def ask(self, statement: str, *values: Any) -> list[Any]:
        """Say something to its database; the first row that comes back."""
        if "DATABASE_URL" in self.settings:
            with psycopg.connect(self.settings["DATABASE_URL"], autocommit=True) as database:
                cursor = database.execute(statement.replace("?", "%s"), values)
                return list(cursor.fetchone() or ()) if cursor.description else []
        file = self.data / "clawgroups.sqlite3"
        with contextlib.closing(sqlite3.connect(file, timeout=20, isolation_level=None)) as lite:
            return list(lite.execute(statement, values).fetchone() or ())

    def heard(self, queue: str) -> bool:
        return any(self.ask("SELECT done_at FROM clawgroups_lease WHERE name = ?", f"canary:{queue}"))

    def lines_of(self, process: int) -> set[int]:
        """The ports from which a process is connected to the database."""
        database = psycopg.conninfo.conninfo_to_dict(self.settings["DATABASE_URL"])
        lines = psutil.Process(process).net_connections("tcp")
        return {line.laddr.port for line in lines if line.raddr and line.raddr.port == int(database["port"] or 5432)}

    def empty(self) -> None:
        """Forget what killed workers have left in Redis, and what was noted of them."""
        configure(self.settings["REDIS_URL"], "FLUSHALL")
        self.ask("DELETE FROM clawgroups_lease")

    def python(self, code: str) -> str:
        """Run something in a process of the product's."""
        done = subprocess.run(
            [sys.executable, "-c", "import django; django.setup()\n" + code],
            cwd=ROOT,
            env={**self.environment, "DJANGO_SETTINGS_MODULE": "clawgroups.settings"},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @contextmanager
    def worker(self, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
        """A worker, gone afterwards; what it logged is printed where a test fails."""
        command = [sys.executable, "-m", "celery", "-A", "clawgroups", "worker", "--loglevel", "INFO", *arguments]
        with self.log.open("wb") as log:
            process = subprocess.Popen(
                [*command, "--without-mingle", "--without-gossip"],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                preexec_fn=tie_to(os.getpid(), signal.SIGKILL),  # noqa: PLW1509  (calls the kernel only)
            )
        try:
            yield process
        except BaseException:
            print(self.log.read_text(errors="replace")[-4000:])
            raise
        finally:
            process.kill()
            process.wait()


@contextmanager
def place(**settings: str) -> Iterator[Place]:
    with a_folder() as data:
        done = start(("manage.py", "prepare"), data, {**PLACE, **settings})
        assert done.returncode == 0, done.stderr
        yield Place(data, **settings)


@pytest.fixture(scope="module")
def large() -> Iterator[Place]:
    """As on many machines."""
    with servers.postgres() as database, servers.redis() as url, place(DATABASE_URL=database, REDIS_URL=url) as made:
        yield made


@pytest.fixture(scope="module")
def small() -> Iterator[Place]:
    """As on one machine."""
    with servers.redis() as url, place(REDIS_URL=url) as made:
        yield made


def test_a_killed_prefork_worker_leaves_no_child_behind(large: Place) -> None:
    large.empty()
    with large.worker(*PREFORK, "-Q", "default") as worker:
        # A canary came through: the children do their work, and the parent sweeps.
        assert eventually(lambda: large.heard("default"), READY)
        family = children(worker.pid)
        assert len(family) == 2
        worker.kill()
        assert eventually(lambda: not any(map(alive, family)), 2.0)


def test_killed_children_are_replaced_work_and_end_with_their_parent(large: Place) -> None:
    large.empty()
    with large.worker(*PREFORK, "-Q", "default") as worker:
        assert eventually(lambda: large.heard("default"), READY)
        family = children(worker.pid)
        for child in family:
            os.kill(child, signal.SIGKILL)
        assert eventually(lambda: len(set(children(worker.pid)) - set(family)) == 2, 10)
        long_ago = datetime.now(UTC) - timedelta(minutes=9)
        large.ask("UPDATE clawgroups_lease SET done_at = NULL, until = ? WHERE name = 'canary:default'", long_ago)
        assert eventually(lambda: large.heard("default"), 15)
        fresh = children(worker.pid)
        worker.kill()
        assert eventually(lambda: not any(map(alive, fresh)), 2.0)


def test_a_worker_keeps_its_connections_to_the_database_from_one_job_to_the_next(large: Place) -> None:
    large.empty()
    with large.worker(*PREFORK[:2], "--concurrency", "1", "-Q", "default") as worker:
        assert eventually(lambda: large.heard("default"), READY)
        (child,) = children(worker.pid)
        # What decides has one, and so has what writes.
        assert eventually(lambda: len(large.lines_of(child)) >= 2, IN_TIME)
        before = large.lines_of(child)
        long_ago = datetime.now(UTC) - timedelta(minutes=9)
        large.ask("UPDATE clawgroups_lease SET done_at = NULL, until = ? WHERE name = 'canary:default'", long_ago)
        assert eventually(lambda: large.heard("default"), 15)
        assert before <= large.lines_of(child)


TAKEN_AND_DROPPED = """
import os
from celery import current_app
import redis
from clawgroups import bus
current_app.send_task("clawgroups.canary", args=["restored"], queue="default", retry=False)
connection = current_app.connection_for_read()
queue = current_app.amqp.queues["default"](connection.default_channel)
message = queue.get(no_ack=False)
assert message is not None
client = bus.client()
(tag,) = client.zrange("unacked_index", 0, -1)
client.zadd("unacked_index", {tag: 1})  # taken long before the visibility timeout
print(client.hlen("unacked"), flush=True)
os._exit(0)  # killed with the message in its hands
"""


def test_a_message_in_the_hands_of_a_killed_prefork_worker_comes_back(large: Place) -> None:
    comes_back(large, PREFORK)


def test_a_message_in_the_hands_of_a_killed_threads_worker_comes_back(small: Place) -> None:
    comes_back(small, THREADS)


def comes_back(place: Place, pool: Sequence[str]) -> None:
    place.empty()
    values = "INSERT INTO clawgroups_lease (name, owner, until, detail) VALUES ('canary:restored', '', ?, '{}')"
    place.ask(values, datetime.now(UTC).isoformat(" "))
    assert place.python(TAKEN_AND_DROPPED) == "1"
    with place.worker(*pool, "-Q", "default"):
        # The options of celery.py make it seconds; kombu's own would make it minutes.
        assert eventually(lambda: place.heard("restored"), READY)


GOAL = """
from clawgroups.auth import actor_of_user
from clawgroups.models import Workspace
from clawgroups.services import people, runs
from clawgroups.services.perform import perform
actor = actor_of_user(people.ensure_first_person())
done = perform(runs.draft_run, Workspace.objects.get().pk, goal="Write", plan=[{"key": "w", "title": "W"}],
               start=True, actor=actor)
print(done.answer["id"])
"""


def test_a_worker_goes_on_without_redis(small: Place) -> None:
    small.empty()
    # As `up` starts it.
    with small.worker(*WORKER[5:]):
        assert eventually(lambda: small.heard("default") and small.heard("coordinator"), READY)
        with stopped(small.settings["REDIS_URL"]):
            run = small.python(GOAL).replace("-", "")
            began = time.monotonic()
            assert eventually(lambda: any(small.ask("SELECT turned FROM clawgroups_run WHERE id = ?", run)), 20)
            assert time.monotonic() - began < IN_TIME
            small.ask("UPDATE clawgroups_lease SET done_at = NULL WHERE name LIKE 'canary%'")
        # And it hears again once Redis is back, with nobody doing anything about it.
        long_ago = (datetime.now(UTC) - timedelta(minutes=9)).isoformat(" ")
        small.ask("UPDATE clawgroups_lease SET until = ? WHERE name LIKE 'canary%'", long_ago)
        assert eventually(lambda: small.heard("default") and small.heard("coordinator"), 45)


@contextmanager
def stopped(url: str) -> Iterator[None]:
    """Redis does not answer for a while: its process stands still."""
    path = url.removeprefix("unix://")
    found = [
        int(entry.name)
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and str(Path(path).parent).encode() in command_line(entry)
    ]
    (server,) = found
    os.kill(server, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(server, signal.SIGCONT)


def command_line(entry: Path) -> bytes:
    with contextlib.suppress(OSError):
        return (entry / "cmdline").read_bytes()
    return b""


def test_what_ends_a_process_is_the_hard_limit_of_a_pool_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[int] = []
    monkeypatch.setattr(os, "_exit", ended.append)
    taken: list[Any] = []
    monkeypatch.setattr(jobs, "take_turn", lambda run, *, stuck: taken.append(stuck))
    jobs.coordinate("01a219e5-a522-7274-8b71-a10338cba080")
    assert taken == [jobs.end_process]
    assert loop.take_turn.__kwdefaults__ == {"stuck": None}
    jobs.end_process(None)  # type: ignore[arg-type]
    assert ended == [jobs.EX_TEMPFAIL]
