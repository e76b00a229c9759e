"""Rows read by key are the rows that Django's own queries find, on every database."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest
from django.db import models

from agents.models import Agent, Connection
from clawgroups.keyed import row_of
from clawgroups.models import Attempt, Command, Member, Run, Session, Task, Workspace
from tests.conftest import Team

pytestmark = pytest.mark.django_db

MODELS: list[type[models.Model]] = [Agent, Connection, Attempt, Command, Member, Run, Session, Task, Workspace]


def columns(row: models.Model) -> dict[str, Any]:
    return {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.__name__)
def test_a_row_has_every_column_as_django_reads_it(team: Team, model: type[models.Model]) -> None:
    team.working(instructions="Zahlen, “Worte” und \N{SNOWMAN}")
    rows = list(model._default_manager.all())
    assert rows
    for expected in rows:
        found = row_of(model, expected.pk)
        assert found is not None
        assert columns(found) == columns(expected)
        assert found == expected
        assert not found._state.adding


def test_rows_it_refers_to_come_along_without_another_query(team: Team, django_assert_num_queries: Any) -> None:
    task = team.working()
    with django_assert_num_queries(1):
        found = row_of(Task, task.pk, "run", "workspace", "attempt", "attempt__member", "holder")
    assert found is not None
    assert found.attempt is not None
    with django_assert_num_queries(0):
        read = (found.run.goal, found.workspace.name, found.attempt.state, found.holder)
        member = found.attempt.member
    assert read == (task.run.goal, "Sales", "working", None)
    assert columns(member) == columns(Member.objects.get(pk=member.pk))


def test_there_is_no_row_for_an_unknown_key(team: Team) -> None:
    assert row_of(Task, uuid4()) is None
