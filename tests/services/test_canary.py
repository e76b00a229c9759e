"""Canaries: whether somebody hears each queue, who says so, and what a deaf worker does about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from clawgroups import bus, canary
from clawgroups.admin.overview import overview
from clawgroups.api import health
from clawgroups.jobs import DEAF, Ear, come_through
from clawgroups.models import Lease

pytestmark = pytest.mark.django_db
Job = tuple[str, ...]


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[Job]:
    """The jobs that were asked for; there is a Redis, as far as anybody looks."""
    jobs: list[Job] = []
    settings.REDIS_URL = settings.REDIS_URL or "redis://127.0.0.1:1/0"
    monkeypatch.setattr(bus, "enqueue", lambda *job: jobs.append(job))
    monkeypatch.setattr(bus, "answers", lambda: True)
    return jobs


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


NOW = timezone.now()
BOTH = [(canary.JOB, "default"), (canary.JOB, "coordinator")]


def flown(seconds: float, *queues: str) -> None:
    """Canaries are sent, and those of these queues come through at once."""
    canary.send(after(seconds))
    for queue in queues:
        canary.came_through(queue, after(seconds))


def test_every_ten_seconds_a_canary_goes_into_each_queue(sent: list[Job]) -> None:
    for seconds in range(0, 30, 2):
        flown(seconds, "default", "coordinator")
    assert sent == BOTH * 3


def test_canaries_are_not_heaped_up_in_a_queue_that_nobody_hears(sent: list[Job]) -> None:
    for seconds in range(0, 120, 2):
        flown(seconds, "default")
    assert sent.count(BOTH[0]) == 12
    assert sent.count(BOTH[1]) == 4


def test_a_queue_is_deaf_when_its_canary_has_not_come_through_for_a_minute(sent: list[Job]) -> None:
    assert canary.deaf(NOW) == ["coordinator", "default"]
    for seconds in range(0, 120, 2):
        flown(seconds, "default")
    canary.came_through("coordinator", after(59))
    assert canary.deaf(after(118)) == []
    assert canary.deaf(after(120)) == ["coordinator"]
    assert canary.deaf(after(120), queues=["default"]) == []


def test_without_redis_there_is_no_queue_to_hear(sent: list[Job], settings: Any) -> None:
    settings.REDIS_URL = ""
    canary.send(NOW)
    assert sent == []
    assert canary.deaf(NOW) == []


def test_the_job_says_that_its_queue_is_heard(sent: list[Job]) -> None:
    canary.send(NOW)
    come_through("default")
    heard = canary.last_heard()
    assert heard["default"] is not None
    assert heard["coordinator"] is None


# Who says so


def ready() -> tuple[int, str]:
    response = Client().get("/readyz")
    return response.status_code, response.json()["checks"]["worker"]


def test_a_worker_that_sweeps_and_hears_nothing_is_not_ready(sent: list[Job]) -> None:
    now = timezone.now()
    Lease.objects.create(name=health.SWEEP, owner="w", until=now, done_at=now)
    Lease.objects.create(name="watchdog", owner="w", until=now, done_at=now)
    assert ready() == (503, "has done nothing lately")
    canary.send(now)
    canary.came_through("default", now)
    assert ready() == (503, "has done nothing lately")
    canary.came_through("coordinator", now)
    assert ready() == (200, "ok")
    canary.came_through("coordinator", now - timedelta(seconds=61))
    assert ready() == (503, "has done nothing lately")


def test_the_overview_shows_the_sweep_and_each_queue(sent: list[Job]) -> None:
    now = timezone.now()
    Lease.objects.create(name=health.SWEEP, owner="w", until=now, done_at=now)
    canary.send(now)
    canary.came_through("default", now)
    parts = {part.name: (part.ok, part.said) for part in overview().parts}
    assert parts["Worker"] == (True, "last swept 0 s ago")
    assert parts["Queue default"] == (True, "last heard 0 s ago")
    assert parts["Queue coordinator"] == (False, "has never been heard")


# What a deaf worker does


@pytest.fixture
def deaf(sent: list[Job]) -> datetime:
    """A moment at which a worker has been deaf for long, while the sweep went on."""
    now = timezone.now() + DEAF + timedelta(seconds=1)
    Lease.objects.create(name=health.SWEEP, owner="w", until=now, done_at=now)
    for queue in canary.QUEUES:
        Lease.objects.create(name=f"canary:{queue}", owner="w", until=now, done_at=now - DEAF)
    return now


def ear(*queues: str, idle: bool = True) -> Ear:
    return Ear(queues or canary.QUEUES, idle=lambda: idle)


def test_an_idle_worker_that_hears_nothing_for_minutes_leaves(deaf: datetime) -> None:
    assert ear().is_deaf(deaf)


def test_a_worker_stays_that_has_something_in_hand(deaf: datetime) -> None:
    assert not ear(idle=False).is_deaf(deaf)


def test_a_worker_stays_that_has_only_just_come(deaf: datetime) -> None:
    assert not ear().is_deaf(timezone.now() + timedelta(seconds=30))


def test_a_worker_stays_whose_queues_are_heard(deaf: datetime) -> None:
    canary.came_through("default", deaf)
    assert not ear("default").is_deaf(deaf)
    assert ear("coordinator").is_deaf(deaf)


def test_a_worker_stays_while_nobody_sends_canaries(deaf: datetime) -> None:
    Lease.objects.filter(name=health.SWEEP).update(done_at=deaf - timedelta(minutes=2))
    assert not ear().is_deaf(deaf)


def test_a_worker_stays_while_redis_is_away(deaf: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bus, "answers", lambda: False)
    assert not ear().is_deaf(deaf)
