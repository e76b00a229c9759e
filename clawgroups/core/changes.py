"""A verb's decision as a value: what it expects, what becomes of it, what is new, what is said.

A `Change` is applied by `clawgroups.commit` all at once or not at all. Models are named by label
("clawgroups.Task"), so that deciding needs no database and no Django.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from clawgroups.core.actors import Actor
from clawgroups.core.audit import Audit
from clawgroups.core.events import Event

Values = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OneOf:
    """An expectation that holds when the column has any of these values."""

    values: frozenset[Any]


def one_of(*values: Any) -> OneOf:
    """Expect any of `values`."""
    return OneOf(frozenset(values))


@dataclass(frozen=True, slots=True)
class Expect:
    """A row that must look like this at commit time; nothing of it changes (e.g. an `auth_version`)."""

    model: str
    pk: Any
    values: Values


@dataclass(frozen=True, slots=True)
class Update:
    """A row that must exist and match `expect`, and then becomes `values`."""

    model: str
    pk: Any
    values: Values
    expect: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Insert:
    """A new row with a primary key chosen by the decider."""

    model: str
    pk: Any
    values: Values


@dataclass(frozen=True, slots=True)
class Delete:
    """A row that must exist and is removed: settings-like lines, and what somebody took back; never other history."""

    model: str
    pk: Any


@dataclass(frozen=True, slots=True)
class Put:
    """A row that is made with `values` and `initial`, or, where it exists, becomes `values`."""

    model: str
    pk: Any
    values: Values
    initial: Values = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Append:
    """Text added to the end of a column of an existing row, bounded to its last `limit` characters."""

    model: str
    pk: Any
    column: str
    text: str
    limit: int = 1_000_000


@dataclass(frozen=True, slots=True)
class Count:
    """`column += delta`, summed under the row's lock. Where there is no such row, it is made with `initial`, if given.

    When the result is zero and the row matches `zero_expect`, it also becomes `zero_values` and
    `zero_facts` are journaled. That is how the last of several parents unblocks a task, whichever
    batch or process it finishes in.
    """

    model: str
    pk: Any
    column: str
    delta: int
    zero_expect: Values = field(default_factory=dict)
    zero_values: Values = field(default_factory=dict)
    zero_facts: tuple[Fact, ...] = ()
    initial: Values | None = None


Write = Update | Insert | Delete | Put | Append | Count


@dataclass(frozen=True, slots=True)
class Fact:
    """One journal entry to be: an event, in a workspace."""

    workspace_id: UUID
    event: Event
    actor: Actor | None = None


class OperationId(str):
    """An operation id with the digest of its input: the same id with another input is refused."""

    __slots__ = ("digest",)
    digest: str

    def __new__(cls, key: str, digest: str = "") -> OperationId:
        made = super().__new__(cls, key)
        made.digest = digest
        return made


@dataclass(frozen=True, slots=True)
class Change:
    """Everything one verb does. `operation` repeats safely: the same id gives the first answer.

    `workspace_id` is the workspace whose operations it belongs to (None: the installation).
    `answer` is what the caller gets back once it is committed; JSON values only. `wakes` are bus
    topics to hint at.
    """

    actor: Actor
    workspace_id: UUID | None = None
    expects: tuple[Expect, ...] = ()
    writes: tuple[Write, ...] = ()
    facts: tuple[Fact, ...] = ()
    operation: str = ""
    verb: str = ""
    answer: Values = field(default_factory=dict)
    wakes: tuple[str, ...] = ()
    # What goes onto the installation's audit trail; facts of the kinds in `core.audit` are on their workspace's.
    audits: tuple[Audit, ...] = ()


@dataclass(frozen=True, slots=True)
class Mismatch:
    """Why a change was not applied: the row that did not match, as it is now (None: no such row)."""

    model: str
    pk: Any
    row: Values | None
    expected: Values


@dataclass(frozen=True, slots=True)
class Outcome:
    """The answer to a submitted change.

    `applied` is False when `mismatch` says which row was not as expected: an answer, not an error.
    `repeated` is True when the operation id had been applied before; `answer` is the first one.
    `seqs` are the journal numbers given, by workspace.
    """

    applied: bool
    answer: Values = field(default_factory=dict)
    mismatch: Mismatch | None = None
    repeated: bool = False
    seqs: Mapping[UUID, int] = field(default_factory=dict)
