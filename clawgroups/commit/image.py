"""The rows of one batch, locked and held in memory while its changes are applied in order.

Every row a batch touches is read under its lock first; changes are then folded onto that image in
submission order and each row is written once. Under the locks this equals one statement per change,
without the danger of a set-based UPDATE that sees only the last of several moves of a row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.models import Model

from clawgroups.commit.forms import Values, Wanted, Written, complete, form_of
from clawgroups.commit.marks import Mark
from clawgroups.core.audit import AUDITED, INSTALLATION
from clawgroups.core.changes import Append, Change, Count, Delete, Expect, Fact, OneOf, Put, Update

WORKSPACE = "clawgroups.Workspace"
AGENT = "agents.Agent"
AUDIT_HEAD = "clawgroups.AuditHead"
# Columns worth telling when somebody else was quicker.
TOLD = {"clawgroups.Task": ("state", "epoch", "holder_id", "assignee_id", "attempt_id")}

Key = tuple[str, Any]


@dataclass(slots=True)
class Row:
    """A row's columns as of now in the batch; `values` is None while it does not exist."""

    values: dict[str, Any] | None
    is_new: bool = False
    dirty: set[str] = field(default_factory=set)


def lock_order(label: str) -> tuple[int, str]:
    """Workspaces first, then agents, then the rest: the one order in which every batch locks."""
    return ({WORKSPACE: 0, AGENT: 1}.get(label, 2), label)


def touched(change: Change) -> Iterable[tuple[str, Any, Iterable[str]]]:
    """(model, pk, columns to be read) of everything a change looks at or writes in existing rows."""
    for expect in change.expects:
        yield expect.model, expect.pk, expect.values
    for write in change.writes:
        match write:
            case Update():
                yield write.model, write.pk, write.expect
            case Count():
                yield write.model, write.pk, (write.column, *write.zero_expect)
                for fact in write.zero_facts:
                    yield from _heads(fact)
            case Append():
                yield write.model, write.pk, (write.column,)
            case Put() | Delete():
                yield write.model, write.pk, ()
    for fact in change.facts:
        yield from _heads(fact)
    if change.audits:
        yield AUDIT_HEAD, INSTALLATION, ("number", "digest")


def _heads(fact: Fact) -> Iterable[tuple[str, UUID, Iterable[str]]]:
    """The head of the journal that a fact adds to, and that of the chain of the audit trail."""
    yield WORKSPACE, fact.workspace_id, ("head", "generation")
    if fact.event.type in AUDITED:
        yield AUDIT_HEAD, fact.workspace_id, ("number", "digest")


class Image:
    """The locked rows of a batch. `load` must run inside the batch's transaction."""

    def __init__(self, connection: BaseDatabaseWrapper) -> None:
        self.connection = connection
        self._form = form_of(connection)
        self.rows: dict[Key, Row] = {}
        self.new: list[Key] = []
        self.gone: dict[str, list[Any]] = defaultdict(list)

    def load(self, changes: Iterable[Change]) -> None:
        """Lock and read every row that `changes` touch, in the one lock order."""
        wanted: dict[str, dict[Any, None]] = defaultdict(dict)
        columns: dict[str, set[str]] = defaultdict(set)
        for change in changes:
            for label, pk, names in touched(change):
                wanted[label][pk] = None
                columns[label].update(names)
        labels = sorted(wanted, key=lock_order)
        reads = [Wanted(apps.get_model(label), tuple(sorted(columns[label])), list(wanted[label])) for label in labels]
        for label, rows in zip(labels, self._form.lock(reads), strict=True):
            self.rows.update({(label, pk): Row(rows.get(pk)) for pk in wanted[label]})

    def row(self, label: str, pk: Any) -> Row:
        found = self.rows.get((label, pk))
        if found is None:
            found = self.rows[label, pk] = Row(None)
        return found

    def told(self, label: str, pk: Any) -> Values | None:
        """A row as it is now, for whoever was slower: with the columns worth telling, which mostly nobody asks for."""
        values = self.row(label, pk).values
        if values is None:
            return None
        if missing := tuple(column for column in TOLD.get(label, ()) if column not in values):
            (rows,) = self._form.lock([Wanted(apps.get_model(label), missing, [pk])])
            values.update({column: rows[pk][column] for column in missing})
        return dict(values)

    def matches(self, label: str, pk: Any, expected: Mapping[str, Any]) -> bool:
        """Whether the row exists and looks as expected."""
        values = self.row(label, pk).values
        if values is None:
            return False
        for column, value in expected.items():  # noqa: SIM110  (a generator for each row costs more than the looking)
            if not _holds(values.get(column), value):
                return False
        return True

    def set(self, label: str, pk: Any, values: Mapping[str, Any]) -> None:
        row = self.row(label, pk)
        assert row.values is not None
        row.values.update(values)
        row.dirty.update(values)

    def insert(self, label: str, pk: Any, values: Mapping[str, Any]) -> None:
        """Add a row; a row of that key that exists already is left to the database to refuse."""
        self.rows[label, pk] = Row(complete(apps.get_model(label), pk, values), is_new=True)
        self.new.append((label, pk))

    def delete(self, label: str, pk: Any) -> None:
        """Remove a row; one that came with this batch was never there."""
        if self.row(label, pk).is_new:
            self.new.remove((label, pk))
        else:
            self.gone[label].append(pk)
        self.rows[label, pk] = Row(None)

    def flush(self, mark: Mark, more: Sequence[Written] = ()) -> str:
        """Write what changed, and `more` after it; the transaction's own number, where it has one, `mark` beside it.

        Updates come first, so that partial unique constraints see the ends of what is superseded
        before they see its successor.
        """
        written = self._updates()
        if self.gone:
            self._write(written, mark)
            written = []
            self._delete()
        return self._write([*written, *self._inserts(), *more], mark)

    def _updates(self) -> list[Written]:
        groups: dict[tuple[str, tuple[str, ...]], list[Values]] = defaultdict(list)
        for (label, _), row in self.rows.items():
            if row.dirty and not row.is_new:
                groups[label, tuple(sorted(row.dirty))].append(row.values or {})
        ordered = sorted(groups.items(), key=lambda g: (lock_order(g[0][0]), g[0][1]))
        return [Written(apps.get_model(label), columns, rows) for (label, columns), rows in ordered]

    def _inserts(self) -> list[Written]:
        groups: dict[str, list[Values]] = defaultdict(list)
        for label, pk in self.new:
            groups[label].append(self.rows[label, pk].values or {})
        return [added(apps.get_model(label), groups[label]) for label in sorted(groups, key=lock_order)]

    def _delete(self) -> None:
        for label, pks in self.gone.items():
            _, counts = apps.get_model(label)._base_manager.using(self.connection.alias).filter(pk__in=pks).delete()
            if counts.get(label, 0) != len(pks):
                raise LostRow(f"{counts.get(label, 0)} of {len(pks)} locked rows of {label} were deleted")

    def _write(self, written: Sequence[Written], mark: Mark) -> str:
        counts, number = self._form.write(written, mark)
        for one, count in zip(written, counts, strict=True):
            if count != len(one.rows):
                raise LostRow(f"{count} of {len(one.rows)} rows of {one.model._meta.label} were written")
        return number


def added(model: type[Model], rows: Sequence[Values]) -> Written:
    """New rows, which all hold the same columns."""
    return Written(model, tuple(rows[0]), rows, is_new=True)


class LostRow(RuntimeError):
    """A locked row was not there to be written: the database did not hold our lock."""


def _holds(value: Any, expected: Any) -> bool:
    return value in expected.values if isinstance(expected, OneOf) else bool(value == expected)


def unmet(image: Image, change: Change) -> Expect | None:
    """The first expectation of a change that does not hold in the image. A row that it makes is there from then on."""
    for expect in change.expects:
        if not image.matches(expect.model, expect.pk, expect.values):
            return expect
    made: set[Key] = set()
    for write in change.writes:
        match write:
            case Update():
                if not image.matches(write.model, write.pk, write.expect):
                    return Expect(write.model, write.pk, write.expect)
            case Put():
                made.add((write.model, write.pk))
            case Count() if write.initial is not None:
                made.add((write.model, write.pk))
            case Count() if (write.model, write.pk) in made:
                pass
            case Append() | Count() | Delete() if image.row(write.model, write.pk).values is None:
                return Expect(write.model, write.pk, {})
            case _:
                pass
    return None
