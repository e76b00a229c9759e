"""The team that most tests begin with, made once by the verbs and then laid down again from its rows.

Making it takes thirteen verbs; most tests took longer to seat their team than to do what they are about. The first one
of a process makes it; its rows are kept, and come back with other ids, other people and at another moment.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import Any
from uuid import UUID

from django.apps import apps
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import AutoField, Model
from django.utils import timezone

from agents.ids import new_id

# What belongs to processes, and what is bound to ids and moments: a trail that begins later is a trail, too.
LEFT_OUT = frozenset({"WriterMark", "Lease", "AuditRow", "AuditHead", "Operation"})
ALMOST = timedelta(seconds=2)
Row = dict[str, Any]


@dataclass(frozen=True)
class _User:
    name: str


def is_real_time() -> bool:
    """Whether no test has put a clock of its own in the place of ours."""
    return abs(timezone.now() - datetime.now(UTC)) < ALMOST


def models() -> list[type[Model]]:
    """The tables that the verbs of a team write."""
    found = chain(apps.get_app_config("agents").get_models(), apps.get_app_config("clawgroups").get_models())
    return [model for model in found if model.__name__ not in LEFT_OUT]


class Template:
    """The rows of a team, as they stood at a moment. `users`: whose ids stand in them."""

    def __init__(self, users: Mapping[str, User], since: datetime) -> None:
        self._since = since
        self._names = {user.pk: name for name, user in users.items()}
        rows = [(model, row) for model in models() for row in model._base_manager.values()]
        own = {row["id"] for _, row in rows if isinstance(row.get("id"), UUID)}
        # Ids tell in which order they were made.
        self._ids = sorted(own, key=str)
        self._rows = [(model, {name: self._kept(name, value) for name, value in row.items()}) for model, row in rows]

    def lay(self, users: Mapping[str, User]) -> dict[UUID, UUID]:
        """Write all of it for these people, as of now; the new id of each old one."""
        ids = {old: new_id() for old in self._ids}
        told = {str(old): str(new) for old, new in ids.items()}
        moved = timezone.now() - self._since
        made: dict[type[Model], list[Model]] = {}
        for model, row in self._rows:
            values = {name: _laid(value, ids, told, users, moved) for name, value in row.items()}
            if isinstance(model._meta.pk, AutoField):
                del values["id"]
            made.setdefault(model, []).append(model(**values))
        with transaction.atomic():
            for model, found in made.items():
                model._base_manager.bulk_create(found)
        return ids

    def _kept(self, name: str, value: Any) -> Any:
        """A value, its people by name."""
        if isinstance(value, dict):
            return {key: self._kept(key, inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._kept("", inner) for inner in value]
        if type(value) is int and (name in ("user", "owner_id", "created_by_id") or name.endswith("user_id")):
            return _User(self._names[value])
        return value


def _laid(
    value: Any, ids: Mapping[UUID, UUID], told: Mapping[str, str], users: Mapping[str, User], moved: timedelta
) -> Any:
    match value:
        case UUID():
            return ids.get(value, value)
        case str():
            return told.get(value, value)
        case datetime():
            return value + moved
        case _User(name):
            return users[name].pk
        case dict():
            return {key: _laid(inner, ids, told, users, moved) for key, inner in value.items()}
        case list():
            return [_laid(inner, ids, told, users, moved) for inner in value]
    return value
