"""The workers: two queues, late acknowledgement, no results. A message only says "look at row X"."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")

app = Celery("clawgroups")


def broker_url(url: str) -> str:
    """Our REDIS_URL as kombu spells it: a Unix socket has a scheme of its own there."""
    return url.replace("unix://", "redis+socket://", 1) if url.startswith("unix://") else url


def configuration() -> dict[str, Any]:
    """Read when the first job is sent or the worker starts: `manage.py up` has no settings to read yet."""
    return {
        "broker_url": broker_url(settings.REDIS_URL) or "memory://",
        "broker_connection_retry_on_startup": True,
        "broker_transport_options": {
            # Above the longest job; the sweeper, not redelivery, brings lost work back.
            "visibility_timeout": 600,
            "unacked_restore_interval": 5,
            "unacked_restore_throttle": 1,
            "socket_timeout": 10,
            "socket_connect_timeout": 2,
            "socket_keepalive": True,
            "health_check_interval": 25,
        },
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,
        "task_ignore_result": True,
        "task_default_queue": "default",
        "task_routes": {"clawgroups.coordinate": {"queue": "coordinator"}},
        "task_serializer": "json",
        "accept_content": ["json"],
        "worker_prefetch_multiplier": 1,
        "worker_hijack_root_logger": False,
        "worker_send_task_events": False,
        "worker_soft_shutdown_timeout": 10,
        "task_time_limit": 300,
        "enable_utc": True,
    }


app.add_defaults(configuration)
app.autodiscover_tasks(["clawgroups"], related_name="jobs")
