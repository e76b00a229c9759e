"""The workers: two queues, late acknowledgement, no results. A message only says "look at row X"."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.concurrency import get_implementation
from celery.concurrency.prefork import TaskPool as Forking
from celery.signals import celeryd_init, task_postrun, worker_init, worker_process_init
from django.conf import settings
from django.db import connections
from kombu.transport import TRANSPORT_ALIASES
from kombu.transport import redis as redis_transport
from redis.exceptions import ConnectionError as RedisConnectionError

from agents.protocol import acp
from clawgroups import startup
from clawgroups.core.garbage import settle
from clawgroups.core.parent import die_with

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")

app = Celery("clawgroups")
JOBS_PER_POOL = 10_000
HARD_LIMIT = 300  # seconds; it holds on prefork, on threads every blocking call keeps to `core.deadline`


class Channel(redis_transport.Channel):
    """kombu's, but a channel whose connection was closed says so: the worker takes what kombu raises there for a
    fault of its own and ends, when Redis goes away a second time."""

    def _connparams(self, asynchronous: bool = False) -> dict[str, Any]:
        if self.connection.client is None:
            raise RedisConnectionError("This connection to the broker was closed.")
        params: dict[str, Any] = super()._connparams(asynchronous=asynchronous)
        return params


class Transport(redis_transport.Transport):
    """kombu's Redis transport with our channels."""

    Channel = Channel


TRANSPORT_ALIASES["redis"] = TRANSPORT_ALIASES["rediss"] = "clawgroups.celery:Transport"


def broker_url(url: str) -> str:
    """Our REDIS_URL as kombu spells it: a Unix socket has a scheme of its own there."""
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


def queue_of(name: str, args: list[Any], *_: object, **__: object) -> dict[str, str] | None:
    """Where a job goes: a canary into the queue that it is named after, turns and questions to the coordinators."""
    if name == "clawgroups.canary":
        return {"queue": args[0]}
    return {"queue": "coordinator"} if name in ("clawgroups.coordinate", "clawgroups.consult") else None


def configuration() -> dict[str, Any]:
    """Read when the first job is sent or the worker starts: `manage.py up` has no settings to read yet."""
    startup.read_settings()
    return {
        "broker_url": broker_url(settings.REDIS_URL) or "memory://",
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_transport_options": {
            # Above the longest job; the sweeper, not redelivery, brings lost work back.
            "visibility_timeout": 2 * HARD_LIMIT,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 25,
            # A send fails at once; otherwise kombu waits for Redis in the thread that also sends hints.
            "max_retries": 0,
        },
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "task_default_queue": "default",
        "task_routes": (queue_of,),
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_soft_shutdown_timeout": 10,
        # After an outage of Redis a job at hand goes on; its message comes again and finds nothing to do.
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "task_time_limit": HARD_LIMIT,
        "enable_utc": True,
        # On prefork Celery would close the whole pool of connections before and after each job. See `_give_back`.
        "CELERY_DB_REUSE_MAX": JOBS_PER_POOL,
    }


app.add_defaults(configuration)
app.autodiscover_tasks(["clawgroups"], related_name="jobs")


@celeryd_init.connect(weak=False)
def _begin(conf: Any, options: dict[str, Any], **_: object) -> None:
    startup.begin()
    forks = issubclass(get_implementation(options.get("pool") or conf.worker_pool), Forking)
    if forks and settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"):
        startup.refuse(["SQLite may not be carried over a fork: use --pool threads, or PostgreSQL (DATABASE_URL)."])


@task_postrun.connect(weak=False)
def _give_back(sender: Any, **_: object) -> None:
    """A thread's connection goes back to the pool, which hands out none that is dead."""
    if not sender.request.is_eager:
        connections.close_all()


_worker = 0


@worker_init.connect(weak=False)
def _remember(**_: object) -> None:
    global _worker
    _worker = os.getpid()
    acp.load()
    settle()


@worker_process_init.connect(weak=False)
def _tie(**_: object) -> None:
    """A killed worker leaves no child behind, not even one that it had only just forked."""
    die_with(_worker)
