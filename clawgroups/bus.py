"""Hints between processes: "look again", never data that stands nowhere else.

The only place below the doors that knows Redis and Celery. Topics are `workspace:<id>` (value: the
journal's head), `agent:<id>` (commands are owed), `live:<attempt>` (streaming text), `here:<workspace>`
and `typing:<workspace>` (people; these three may be lost), `passes` (who may be here).
A hint is delivered to the subscribers of this process at once and to other processes through one
Redis channel; when Redis is away, it is lost, and readers find out by looking at the head.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import threading
import time
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any
from uuid import UUID

import kombu.exceptions
import redis
from celery import current_app
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

log = logging.getLogger(__name__)

Callback = Callable[[str, Any], None]
Item = tuple[str, Any]
Job = tuple[str, tuple[str, ...]]

CHANNEL = "clawgroups:hints"
MOST_WAITING = 10_000  # hints for a Redis that hangs; more are lost, and readers look by themselves
PROCESS = f"{os.getpid()}-{uuid.uuid4().hex[:8]}"
_JOB = "job"
APART = 0.2  # seconds between two messages for the same job

_subscribers: dict[str, set[Callback]] = defaultdict(set)
_lock = threading.Lock()


def _after_fork() -> None:
    """In a forked child: another thread of the parent may have held the lock, and holds it for ever here."""
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_after_fork)


def workspace_topic(workspace_id: UUID) -> str:
    return f"workspace:{workspace_id}"


def agent_topic(agent_id: UUID) -> str:
    return f"agent:{agent_id}"


def dials_topic() -> str:
    """Somebody is to be dialled, or no more."""
    return "dials"


def store_topic(agent_id: UUID) -> str:
    """Asks the process that holds an agent's socket to store what it has heard; the value is a token."""
    return f"store:{agent_id}"


def stored_topic(token: str) -> str:
    """Says that what was asked for under this token is stored."""
    return f"stored:{token}"


def here_topic(workspace_id: UUID) -> str:
    """Somebody has come whom nobody saw: look who is here."""
    return f"here:{workspace_id}"


def typing_topic(workspace_id: UUID) -> str:
    """Who types a message at this moment; may be lost."""
    return f"typing:{workspace_id}"


def passes_topic() -> str:
    """A token, session, password or account is not what it was: look who may still be here."""
    return "passes"


def live_topic(attempt_id: UUID) -> str:
    return f"live:{attempt_id}"


def hint(workspace_id: UUID, seq: int) -> None:
    """Say that a workspace's journal stands at `seq`."""
    wake(workspace_topic(workspace_id), seq)


def live(attempt_id: UUID, payload: dict[str, Any]) -> None:
    """Pass streaming text on to those who watch this attempt; may be lost."""
    wake(live_topic(attempt_id), payload)


def wake(topic: str, value: Any = None) -> None:
    """Deliver a hint here and, by the sender thread, everywhere."""
    _deliver(topic, value)
    _sender.put((topic, value))


def enqueue(job: str, *args: str) -> None:
    """Ask the workers to run `job` soon. Safe to lose: the sweeper finds due work in the database."""
    _sender.put((_JOB, (job, args)))


def subscribe(topic: str, callback: Callback) -> Callable[[], None]:
    """Call `callback(topic, value)` on each hint, from whichever thread; returns the way out.

    After a gap in the connection to Redis every subscriber is called with value None: look again.
    """
    with _lock:
        _subscribers[topic].add(callback)
    _listener.ensure()

    def leave() -> None:
        with _lock:
            _subscribers[topic].discard(callback)
            if not _subscribers[topic]:
                del _subscribers[topic]

    return leave


def _deliver(topic: str, value: Any) -> None:
    with _lock:
        callbacks = tuple(_subscribers.get(topic, ()))
    for callback in callbacks:
        callback(topic, value)


# Every option that redis-py 8 has a default of its own for: a blocked Redis may cost seconds, not minutes.
SOCKET: dict[str, Any] = {
    "socket_timeout": 5,
    "socket_connect_timeout": 2,
    "health_check_interval": 0,
    # One more try: after a restart of Redis the connection at hand is always a dead one.
    "retry": Retry(NoBackoff(), 1),
}
# A Unix socket has no keepalive, and its connection class refuses the option.
KEEPALIVE: dict[str, Any] = {"socket_keepalive": True}


def client() -> redis.Redis:
    """A Redis client with every socket option explicit (redis-py 8 changed its defaults)."""
    keepalive = {} if settings.REDIS_URL.startswith("unix") else KEEPALIVE
    return redis.Redis.from_url(settings.REDIS_URL, **SOCKET, **keepalive)


def answers() -> bool:
    """Whether Redis answers now."""
    try:
        with client() as connection:
            return bool(connection.ping())
    except (redis.RedisError, OSError):
        return False


def lengths(queues: Iterable[str]) -> dict[str, int] | None:
    """How many messages wait in each queue of the workers; None where there is no Redis, or it does not answer."""
    if not settings.REDIS_URL:
        return None
    try:
        with client() as connection:
            return {queue: int(connection.llen(queue)) for queue in queues}
    except (redis.RedisError, OSError):
        return None


def workers(patience: float = 0.5) -> list[str]:
    """The workers that answer within so many seconds; none without Redis."""
    if not settings.REDIS_URL:
        return []
    try:
        said_by = current_app.control.ping(timeout=patience)
    except (redis.RedisError, OSError, kombu.exceptions.OperationalError):
        return []
    return sorted(name for said in said_by or () for name in said)


class _Sender:
    """One thread that publishes hints and job messages, so that no writer waits for Redis."""

    def __init__(self) -> None:
        self._queue: queue.Queue[Item] = queue.Queue()
        self._pid = 0
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()

    def put(self, item: Item) -> None:
        if not settings.REDIS_URL:
            return
        with self._lock:
            if self._pid != os.getpid():
                self._pid, self._queue = os.getpid(), queue.Queue()
                threading.Thread(target=self._run, args=(self._queue,), name="bus-sender", daemon=True).start()
        if self._queue.qsize() < MOST_WAITING:
            self._queue.put(item)

    def _run(self, waiting: queue.Queue[Item]) -> None:
        connection, jobs = client(), Jobs()
        while True:
            items = _drain(waiting, jobs.wait(time.monotonic()))
            hints = {t: v for t, v in items if t != _JOB and not t.startswith("live:")}
            lives = [(t, v) for t, v in items if t.startswith("live:")]
            for job in (v for t, v in items if t == _JOB):
                jobs.ask(job)
            try:
                if hints or lives:
                    said = {"from": PROCESS, "hints": [*hints.items(), *lives]}
                    connection.publish(CHANNEL, json.dumps(said))
                for name, args in jobs.due(time.monotonic()):
                    current_app.send_task(name, args=args, retry=False, ignore_result=True)
            except (redis.RedisError, OSError, kombu.exceptions.OperationalError) as lost:
                log.warning("hints not sent, readers will look by themselves: %s", lost)


def _drain(waiting: queue.Queue[Item], timeout: float | None) -> list[Item]:
    """What waits; nothing at all after `timeout` seconds (None: something has to come)."""
    items: list[Item] = []
    try:
        items.append(waiting.get(timeout=timeout))
        while len(items) < 1000:
            items.append(waiting.get_nowait())
    except queue.Empty:
        pass
    return items


class Jobs:
    """Jobs that were asked for: the first at once, what is asked again within `APART` seconds once after them."""

    def __init__(self) -> None:
        self._asked: dict[Job, None] = {}
        self._sent: dict[Job, float] = {}

    def ask(self, job: Job) -> None:
        """This job is to be sent."""
        self._asked[job] = None

    def wait(self, now: float) -> float | None:
        """Seconds until the next one is due; None where none was asked for."""
        return min((max(0.0, self._at(job) - now) for job in self._asked), default=None)

    def due(self, now: float) -> list[Job]:
        """What is to be sent now, and is taken for sent."""
        found = [job for job in self._asked if self._at(job) <= now]
        self._sent = {job: at for job, at in self._sent.items() if at + APART > now}
        for job in found:
            del self._asked[job]
            self._sent[job] = now
        return found

    def _at(self, job: Job) -> float:
        return self._sent.get(job, float("-inf")) + APART


class _Listener:
    """One thread per process that hears the hints of the other processes."""

    def __init__(self) -> None:
        self._pid = 0
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._lock = threading.Lock()

    def ensure(self) -> None:
        if not settings.REDIS_URL:
            return
        with self._lock:
            if self._pid != os.getpid():
                self._pid = os.getpid()
                threading.Thread(target=self._run, name="bus-listener", daemon=True).start()

    def _run(self) -> None:
        pause = threading.Event()
        while True:
            try:
                self._listen()
            except (redis.RedisError, OSError) as lost:
                log.warning("not hearing hints, trying again: %s", lost)
                pause.wait(1)

    def _listen(self) -> None:
        with client().pubsub(ignore_subscribe_messages=True) as pubsub:  # type: ignore[no-untyped-call]
            pubsub.subscribe(CHANNEL)
            with _lock:
                topics = tuple(_subscribers)
            for topic in topics:
                _deliver(topic, None)
            while True:
                message = pubsub.get_message(timeout=3)
                if message is None:
                    continue
                said = json.loads(message["data"])
                if said["from"] == PROCESS:
                    continue
                for topic, value in said["hints"]:
                    _deliver(topic, value)


_sender = _Sender()
_listener = _Listener()
