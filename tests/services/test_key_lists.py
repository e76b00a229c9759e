"""Rows looked up by a list of keys are the same on every database; PostgreSQL plans one statement for all lengths."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.db.models import F

from clawgroups.models import Member, Run, Task
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(team: Team) -> Run:
    return team.run([{"key": key, "title": key.upper(), "skills": ["writing"]} for key in "abc"])


def keys(*names: str) -> list[UUID]:
    return list(Task.objects.filter(key__in=names).values_list("pk", flat=True))


def names(**wanted: Any) -> list[str]:
    return list(Task.objects.filter(**wanted).order_by("key").values_list("key", flat=True))


def test_those_are_found_whose_keys_are_in_the_list(run: Run) -> None:
    assert names(pk__in=keys("a", "c")) == ["a", "c"]
    assert names(pk__in=[*keys("b"), None, uuid4()]) == ["b"]
    assert names(pk__in=[]) == []
    assert names(run__in=[run]) == names(run_id__in=[run.pk]) == ["a", "b", "c"]
    assert list(Task.objects.exclude(pk__in=keys("a")).order_by("key").values_list("key", flat=True)) == ["b", "c"]


def test_a_query_or_an_expression_may_stand_for_keys(run: Run) -> None:
    assert names(run__in=Run.objects.filter(goal=run.goal)) == ["a", "b", "c"]
    assert names(pk__in=[F("pk"), *keys("a")]) == ["a", "b", "c"]


def test_people_are_found_by_their_numbers(team: Team) -> None:
    people = [team.actor(name).user_id or 0 for name in ("ada", "bob")]
    found = Member.objects.filter(workspace=team.workspace, user_id__in=people)
    assert set(found) == {team.seat("ada"), team.seat("bob")}


def test_one_statement_serves_lists_of_any_length_on_postgresql(run: Run) -> None:
    texts = {Task.objects.filter(pk__in=[uuid4() for _ in range(n)]).query.sql_with_params()[0] for n in (2, 3, 4)}
    assert len(texts) == (1 if connection.vendor == "postgresql" else 3)


def test_a_single_key_is_compared_on_postgresql(run: Run) -> None:
    (alone,) = keys("b")
    assert names(pk__in=[alone]) == names(pk__in=[alone, alone]) == ["b"]
    text = Task.objects.filter(pk__in=[alone]).query.sql_with_params()[0]
    assert ("ANY" in text, " IN " in text) == (False, connection.vendor != "postgresql")
