"""Who worked when: bars with their outcome in words, those at work first, and what could begin when before a start."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from clawgroups.fragments import rooms
from clawgroups.fragments.views import timeline
from clawgroups.fragments.views.timeline_rows import Bar, Row
from clawgroups.models import Approval, Attempt, Run, Session, Task
from clawgroups.services import pausing, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"], "minutes": 20},
    {"key": "write", "title": "Write <it>", "skills": ["writing"], "depends_on": ["count"]},
]


def look(client: Client, run: Run, **said: str) -> str:
    answer = client.get(reverse("run-view", args=[run.workspace_id, run.pk, "timeline"]), said)
    assert answer.status_code == 200
    return answer.content.decode()


def rows(run: Run, **said: str) -> list[Row]:
    (view,) = rooms.runs_of([run.pk])
    return list(timeline.load(view, said)["rows"])


def tried(team: Team, task: Task, name: str, since: datetime, *minutes: int, **more: Any) -> Attempt:
    """A try, with so many minutes until it began, was submitted and was over."""
    names = ("begun_at", "submitted_at", "ended_at")
    times = {one: since + timedelta(minutes=n) for one, n in zip(names, minutes, strict=False)}
    return Attempt.objects.create(
        workspace=team.workspace, task=task, member=team.seat(name), number=1 + task.attempts.count(), epoch=1,
        offered_at=since, **{"state": "accepted", **times, **more},
    )  # fmt: skip


@pytest.fixture
def hour(now: datetime) -> datetime:
    return now - timedelta(hours=1)


@pytest.fixture
def run(team: Team) -> Run:
    return team.run(PLAN)


def task(run: Run, key: str) -> Task:
    return Task.objects.get(run=run, key=key)


def kinds(bar: Bar) -> list[str]:
    return [phase.kind for phase in bar.phases]


def test_a_try_is_a_bar_with_what_happened_in_it(team: Team, run: Run, hour: datetime, sign_in: SignIn) -> None:
    tried(team, task(run, "count"), "counter", hour, 2, 32, 40)
    tried(team, task(run, "write"), "scribe", hour + timedelta(minutes=40), 1, 5, 6, state="returned")
    first, second = rows(run)
    assert [first.name, second.name] == ["Counter", "Scribe"]
    assert kinds(first.bars[0]) == ["offered", "working", "review"]
    offered, working, review = (phase.width for phase in first.bars[0].phases)
    assert working == pytest.approx(15 * offered, rel=0.05)
    assert working == pytest.approx(review * 30 / 8, rel=0.05)
    said = look(sign_in("gus", htmx=True), run)
    assert 'aria-label="Write &lt;it&gt;: Returned, 6 min"' in said
    assert 'aria-label="Count: Accepted, 40 min"' in said
    assert said.count(reverse("task", args=[run.workspace_id, task(run, "count").pk])) == 2
    assert '#shape-back"' in said
    assert "style=" not in said


def test_who_is_at_work_comes_first_and_then_who_began_first(team: Team, run: Run, hour: datetime) -> None:
    count, write = task(run, "count"), task(run, "write")
    tried(team, count, "judge", hour, 1, 2, 3)
    tried(team, count, "counter", hour + timedelta(minutes=1), 1, 2, 3)
    tried(team, write, "scribe", hour + timedelta(minutes=9), 1, state="working")
    found = rows(run)
    assert [(row.name, row.now) for row in found] == [("Scribe", 1), ("Judge", 0), ("Counter", 0)]
    assert found[0].bars[0].is_open
    assert found[0].share == 98
    assert [row.name for row in rows(run, rows="2")] == ["Scribe", "Judge"]


def test_work_side_by_side_lies_in_lanes_and_is_counted(team: Team, run: Run, hour: datetime, sign_in: SignIn) -> None:
    tried(team, task(run, "count"), "counter", hour, 0, 30, 30)
    tried(team, task(run, "write"), "counter", hour, 0, 60, 60)
    Run.objects.filter(pk=run.pk).update(ended_at=hour + timedelta(hours=1), state="done")
    (row,) = rows(run)
    assert [bar.lane for bar in row.bars] == [0, 1]
    said = look(sign_in("ada"), run)
    assert "1.5 worked at once" in said
    assert "on average, 2 at most" in said
    assert "tl__now" not in said


def test_a_person_holds_a_question_waits_and_a_pause_lasts(team: Team, hour: datetime, sign_in: SignIn) -> None:
    held = team.working()
    attempt = held.attempt
    assert attempt is not None
    Attempt.objects.filter(pk=attempt.pk).update(offered_at=hour, begun_at=hour)
    Approval.objects.create(
        workspace=held.workspace, task=held, attempt=attempt, session=Session.objects.get(attempt=attempt), epoch=1,
        request_id=1, digest="x", asked_at=hour + timedelta(minutes=30), expires_at=hour + timedelta(days=1),
    )  # fmt: skip
    (row,) = rows(held.run)
    assert kinds(row.bars[0]) == ["working", "asking"]
    assert row.bars[0].asks
    perform(pausing.pause_task, held.pk, actor=team.actor("ada"))
    Attempt.objects.filter(pk=attempt.pk).update(ended_at=hour + timedelta(minutes=45))
    (row,) = rows(held.run)
    assert (row.bars[0].state, kinds(row.bars[0])[:2]) == ("paused", ["working", "paused"])
    perform(pausing.resume_task, held.pk, actor=team.actor("ada"))
    perform(takeover.take_over, held.pk, actor=team.actor("ada"))
    ada, _scribe = rows(held.run)
    assert (ada.name, ada.is_agent, kinds(ada.bars[0])) == ("ada", False, ["held"])
    assert "tphase--asking" in look(sign_in("ada"), held.run)


def test_looking_at_less_time_at_once(team: Team, run: Run, hour: datetime, sign_in: SignIn) -> None:
    early, late = task(run, "count"), task(run, "write")
    tried(team, early, "counter", hour - timedelta(hours=5), 1, 10, 12)
    tried(team, late, "scribe", hour + timedelta(minutes=55), 1, state="working")
    assert [len(row.bars) for row in rows(run)] == [1, 1]
    assert [len(row.bars) for row in rows(run, zoom="1h")] == [1]
    since = int((hour - timedelta(hours=5, minutes=1)).timestamp())
    assert [len(row.bars) for row in rows(run, **{"from": str(since), "to": str(since + 900)})] == [1]
    assert [row.name for row in rows(run, **{"from": "5", "to": "900"})] == ["Scribe", "Counter"]
    said = look(sign_in("ada"), run, **{"from": str(since), "to": str(since + 900)})
    assert ">Later</a>" in said
    for odd in (
        {"from": "x", "to": "y"},
        {"zoom": "<b>"},
        {"from": "9", "to": "8"},
        {"rows": "-1"},
        {"rows": "9" * 30},
    ):
        assert [len(row.bars) for row in rows(run, **odd)] == [1, 1]


def test_before_a_run_begins_it_shows_what_could_begin_when(team: Team, sign_in: SignIn) -> None:
    proposed = team.run(PLAN, start=False)
    said = look(sign_in("bob"), proposed)
    assert "Nothing has begun. This is what could begin when, 30 min in all" in said
    assert 'aria-label="at the start, for 20 min"' in said
    assert 'aria-label="after 20 min, for 10 min"' in said
    assert "For 1 task nobody has said how long it takes" in said


def test_where_nobody_has_begun_and_nothing_is_planned_it_says_so(team: Team, run: Run) -> None:
    Task.objects.filter(run=run).delete()
    said = {
        "planning": "There is no plan yet.",
        "running": "Nobody has begun yet.",
        "done": "Nobody worked on this run.",
    }
    for state, words in said.items():
        Run.objects.filter(pk=run.pk).update(state=state)
        (view,) = rooms.runs_of([run.pk])
        assert words in render_to_string("runs/views/timeline.html", {"view": view, **timeline.load(view, {})})


def test_it_is_read_in_as_many_queries_however_much_was_done(
    team: Team, run: Run, hour: datetime, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    tried(team, task(run, "count"), "counter", hour, 0, 30, 30)
    (view,) = rooms.runs_of([run.pk])
    with django_assert_num_queries(4):
        timeline.load(view, {})
    with django_assert_num_queries(5):
        timeline.load(view, {"zoom": "10m"})
    for number in range(20):
        tried(team, task(run, "write"), ("scribe", "judge", "bob")[number % 3], timezone.now(), 0, 1, 1)
    with django_assert_num_queries(4):
        timeline.load(view, {})
