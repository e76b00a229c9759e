"""Queries that are written once give what they give written anew, whatever they are asked with."""

from __future__ import annotations

from datetime import timedelta
from threading import Thread
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import QuerySet
from django.db.models.functions import Length
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from clawgroups.models import Attempt, Member, Session, Task
from clawgroups.planned import Planned
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def of_run(run: UUID) -> QuerySet[Task, Task]:
    return Task.objects.select_related("run", "attempt", "attempt__member").filter(run=run).order_by("position")


def test_rows_with_what_comes_along_are_the_same(team: Team) -> None:
    planned, task = Planned(of_run), team.working()
    for run in (task.run_id, uuid4()):
        found, wanted = planned(run), list(of_run(run))
        assert found == wanted
        for one, two in zip(found, wanted, strict=True):
            assert {**vars(one), "_state": None} == {**vars(two), "_state": None}
            assert one.run == two.run
            assert one.attempt == two.attempt
    with CaptureQueriesContext(connection) as asked:
        found = planned(task.run_id)
        assert found[0].attempt is not None
        assert found[0].attempt.member.pk
    assert len(asked) == 1
    found[0].title = "Another title"
    found[0].save()
    assert Task.objects.get(pk=found[0].pk).title == "Another title"


def test_columns_come_as_they_are_asked_for(team: Team) -> None:
    task = team.working()
    lists: Planned[Any] = Planned(
        lambda pk, title: (
            Task.objects.filter(pk=pk).exclude(title=title).values_list("pk", Length("title"), "created_at", "skills")
        )
    )
    flat: Planned[Any] = Planned(lambda pk: Task.objects.filter(pk=pk).values_list("title", flat=True)[:3])
    named: Planned[Any] = Planned(lambda pk: Task.objects.filter(pk=pk).values("title", "brief"))
    for _ in range(2):
        assert lists(task.pk, "x") == [(task.pk, len(task.title), task.created_at, task.skills)]
        assert lists(task.pk, task.title) == []
        assert flat(task.pk) == [task.title]
        assert (flat.first(task.pk), flat.first(uuid4())) == (task.title, None)
        assert named(task.pk) == [{"title": task.title, "brief": task.brief}]


def test_what_is_given_by_name_is_a_part_of_the_statement(team: Team) -> None:
    tasks: Planned[UUID] = Planned(
        lambda run, most, newest=False: (
            Task.objects.filter(run=run).order_by("-pk" if newest else "pk").values_list("pk", flat=True)[:most]
        )
    )
    run = team.working().run_id
    pks = list(Task.objects.filter(run=run).order_by("pk").values_list("pk", flat=True))
    for _ in range(2):
        assert tasks(run, most=1) == pks[:1]
        assert tasks(run, most=100) == pks
        assert tasks(run, most=1, newest=True) == [pks[-1]]
        assert tasks.first(run, most=2, newest=True) == pks[-1]


def test_moments_and_numbers_and_lists_of_keys_may_be_asked_with(team: Team) -> None:
    task = team.working()
    before: Planned[Task] = Planned(lambda at, number: Task.objects.filter(created_at__lt=at, position__lte=number))
    among: Planned[UUID] = Planned(
        lambda keys, room: Task.objects.filter(pk__in=keys, workspace=room).values_list("pk", flat=True)
    )
    soon = task.created_at + timedelta(seconds=1)
    assert task in before(soon, task.position)
    assert before(soon, task.position - 1) == []
    assert before(task.created_at, task.position) == []
    for keys in ([task.pk], {task.pk, uuid4()}, (uuid4(), uuid4(), task.pk)):
        assert among(keys, team.workspace.pk) == [task.pk]
    for more in range(1, 10):
        assert among([*(uuid4() for _ in range(more)), task.pk], team.workspace.pk) == [task.pk]
    assert among([], team.workspace.pk) == []
    assert among([uuid4()], team.workspace.pk) == []


def test_what_is_nothing_is_asked_as_nothing(team: Team) -> None:
    task = team.working()
    planned: Planned[Attempt] = Planned(lambda at: Attempt.objects.filter(ended_at=at))
    assert planned(timezone.now()) == []
    assert planned(None) == [Attempt.objects.get(task=task)]


def test_a_value_that_the_statement_does_not_hold_is_refused(team: Team) -> None:
    planned: Planned[Member] = Planned(lambda pk, _more: Member.objects.filter(pk=pk))
    with pytest.raises(ValueError, match=r"values \[1\] are not in the statement"):
        planned(uuid4(), "x")


@pytest.mark.django_db(transaction=True)
def test_each_thread_asks_by_its_own_connection(team: Team) -> None:
    session = Session.objects.get(attempt=team.working().attempt)
    planned: Planned[Session] = Planned(lambda pk: Session.objects.select_related("attempt").filter(pk=pk))
    seen: list[list[Session]] = [planned(session.pk)]

    def ask() -> None:
        seen.append(planned(session.pk))
        connection.close()

    for _ in range(2):
        thread = Thread(target=ask)
        thread.start()
        thread.join()
    assert seen == [[session]] * 3
