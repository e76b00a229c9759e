"""@mentions: whom a message names, and what it does to them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

_MENTION = re.compile(r"(?<![\w@/])@([A-Za-z0-9][A-Za-z0-9._-]{0,148}[A-Za-z0-9]|[A-Za-z0-9])")
_CODE = re.compile(r"```.*?```|`[^`]*`", re.DOTALL)
# What the coordinator is called where no member has this handle.
COORDINATOR = "coordinator"


def named(text: str) -> tuple[str, ...]:
    """The handles in `text` as they are written, in order, once each. What stands inside code does not count."""
    found: dict[str, str] = {}
    for name in _MENTION.findall(_CODE.sub(" ", text)):
        found.setdefault(name.casefold(), name)
    return tuple(found.values())


def marked(text: str) -> Iterator[tuple[str, bool]]:
    """The text in pieces, each with whether it is a mention, for text that is no code."""
    at = 0
    for found in _MENTION.finditer(text):
        yield text[at : found.start()], False
        yield found.group(), True
        at = found.end()
    yield text[at:], False


def mentioned(text: str, handles: Mapping[str, UUID]) -> tuple[UUID, ...]:
    """The members named in `text`, in order, once each. Mentions inside code do not count."""
    by_handle = {handle.casefold(): member for handle, member in handles.items()}
    found = (by_handle.get(name.casefold()) for name in named(text))
    return tuple(dict.fromkeys(member for member in found if member is not None))


@dataclass(frozen=True, slots=True)
class Addressee:
    """A member as a message finds it: a person who has a page open or not, or an agent that is connected or not."""

    handle: str
    name: str
    is_agent: bool = False
    here: bool = False


@dataclass(frozen=True, slots=True)
class Reach:
    """What a text does when it is sent; names in the order in which the text has them.

    A person is told: at once, or by a mark when they come back. An agent is asked to answer: at once, or when it is
    back. Who is not named gets nothing. The coordinator takes goals.
    """

    told: tuple[str, ...] = ()
    later: tuple[str, ...] = ()
    agents: tuple[str, ...] = ()
    agents_later: tuple[str, ...] = ()
    coordinator: bool = False
    unknown: tuple[str, ...] = ()

    @property
    def is_to_nobody(self) -> bool:
        """Whether no member is named, so that it is for whoever reads."""
        return not (self.told or self.later or self.agents or self.agents_later or self.coordinator)


def reach(text: str, members: Iterable[Addressee]) -> Reach:
    """What `text` would do, were it sent to these members now."""
    by_handle = {one.handle.casefold(): one for one in members}
    found = [(name, by_handle.get(name.casefold())) for name in named(text)]
    seated = [one for _, one in found if one is not None]
    strange = [name for name, one in found if one is None]
    return Reach(
        told=tuple(one.name for one in seated if not one.is_agent and one.here),
        later=tuple(one.name for one in seated if not one.is_agent and not one.here),
        agents=tuple(one.name for one in seated if one.is_agent and one.here),
        agents_later=tuple(one.name for one in seated if one.is_agent and not one.here),
        coordinator=any(name.casefold() == COORDINATOR for name in strange),
        unknown=tuple(name for name in strange if name.casefold() != COORDINATOR),
    )


def unaddressed(text: str) -> str:
    """A text that names nobody any more: the names stay as words."""
    return _MENTION.sub(r"\1", text)


def without(text: str, name: str) -> str:
    """A text without the mentions of this name, and what stood between them and the rest."""
    gone = re.compile(rf"(?<![\w@/])@{re.escape(name)}\b[,:]?[ \t]*", re.IGNORECASE)
    return gone.sub("", text).strip()
