"""What a template of a run is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from clawgroups.core.plan import PROSE

MOST_NAME = 100


def gettext_noop(message: str) -> str:
    """Words that pages show in the reader's language; whoever collects words for translators finds them by this."""
    return message


class Kind(StrEnum):
    """What an input is: words of a line or of several, a list, tables, the rows of one table, or a text."""

    LINE = "line"
    TEXT = "text"
    LIST = "list"
    TABLES = "tables"
    ROWS = "rows"
    DOCUMENT = "document"


TABLE_SUFFIXES = (".csv", ".tsv", ".tab", ".xlsx", ".xlsm")
TEXT_SUFFIXES = (".md", ".markdown", ".txt")
SUFFIXES: Mapping[Kind, tuple[str, ...]] = {
    Kind.TABLES: TABLE_SUFFIXES,
    Kind.ROWS: TABLE_SUFFIXES,
    Kind.DOCUMENT: TEXT_SUFFIXES,
}


@dataclass(frozen=True, slots=True)
class Input:
    """Something that is asked for. `begin` stands in the field at first; `otherwise` counts where it is left empty.

    `most`: how many entries a list or table may have. `name_columns`: which column of a table names the rows.
    """

    name: str
    label: str
    kind: Kind
    help: str = ""
    required: bool = True
    begin: str = ""
    otherwise: str = ""
    most: int = 0
    name_columns: tuple[str, ...] = ()

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Endings of the files it takes; none for words."""
        return SUFFIXES.get(self.kind, ())

    @property
    def takes_words(self) -> bool:
        """Whether it can be typed."""
        return self.kind is not Kind.TABLES


@dataclass(frozen=True, slots=True)
class Step:
    """A task of the plan, or with `each` (the name of an input) one for each entry of it.

    Its words take `$name` of any input, and with `each`: `$each`, `$slug`, `$facts`. `after`: keys of other steps.
    `about` tells people what it does before there is a plan.
    """

    key: str
    about: str
    title: str
    instructions: str
    each: str = ""
    after: tuple[str, ...] = ()
    kind: str = PROSE
    skills: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ("not_empty",)
    minutes: int = 0
    output: str = "text"


@dataclass(frozen=True, slots=True)
class Template:
    """A kind of run. `samples`: example files that ship with the product; `sample_words`: what is typed with them."""

    name: str
    title: str
    about: str
    icon: str
    goal: str
    inputs: tuple[Input, ...]
    steps: tuple[Step, ...]
    deliverables: tuple[str, ...]
    why: str
    samples: tuple[str, ...] = ()
    sample_words: Mapping[str, str] = field(default_factory=dict)

    @property
    def needs_writer(self) -> bool:
        """Whether somebody has to write freely, which agents that work by rules cannot."""
        return any(step.kind == PROSE for step in self.steps)

    def input(self, name: str) -> Input:
        """The input of that name; raises StopIteration for another."""
        return next(one for one in self.inputs if one.name == name)


@dataclass(frozen=True, slots=True)
class Entry:
    """One of a list: its name, a name for its files, and what is known of it."""

    name: str
    slug: str
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Given:
    """What was given, by input: words, the name of a text's file, or entries."""

    words: Mapping[str, str]
    entries: Mapping[str, tuple[Entry, ...]] = field(default_factory=dict)
