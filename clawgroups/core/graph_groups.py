"""What of a large plan is drawn as one box: alike tasks of a layer. And which of its paths is the longest. Pure.

A few tasks are drawn one by one. Of many, those of a layer that need the same skills become a group with a count of
their states; what waits for a person always stands by itself, and a group that is opened shows its foremost tasks.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

FEW = 120  # tasks that are all drawn
NARROW = 6  # tasks of a layer that are all drawn
LEAST = 3  # tasks that make a group
KINDS = 12  # groups of a layer; the smaller ones are put together
ALONE = 24  # tasks of a layer that wait for a person and stand by themselves
OPENED = 36  # tasks that an opened group shows
OTHERS = "~"
_WORD = re.compile(r"\S+")
# In which order states are counted and drawn: from what is over to what is to come.
COURSE = (
    *("done", "in_review", "working", "assigned", "held", "stuck", "stopped", "paused", "ready", "waiting"),
    *("failed", "cancelled"),
)
URGENT = (
    "stuck",
    "stopped",
    "held",
    "failed",
    "working",
    "assigned",
    "in_review",
    "paused",
    "ready",
    "waiting",
    "done",
)
_FOREMOST = {state: place for place, state in enumerate(URGENT)}


@dataclass(frozen=True, slots=True)
class Item:
    """A task as far as a picture of the plan needs it. `state` is the one shown."""

    key: str
    level: int
    title: str
    state: str
    skills: tuple[str, ...] = ()
    needs_person: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """Alike tasks of one layer. `is_open`: some of it are drawn beside it, and this is the rest."""

    key: str
    level: int
    title: str
    items: tuple[Item, ...]
    is_open: bool = False

    @property
    def counts(self) -> list[tuple[str, int]]:
        """How many of its tasks are in which state, from what is over to what is to come."""
        found = Counter(item.state for item in self.items)
        return sorted(found.items(), key=lambda one: COURSE.index(one[0]) if one[0] in COURSE else len(COURSE))


def grouped(items: Sequence[Item], opened: Collection[str] = ()) -> list[Item | Group]:
    """What is drawn, in plan order: tasks, and groups in the place of their first task."""
    if len(items) <= FEW:
        return list(items)
    layers: dict[int, list[Item]] = {}
    for item in items:
        layers.setdefault(item.level, []).append(item)
    return [one for level in sorted(layers) for one in _layer(level, layers[level], opened)]


def group_key(item: Item) -> str:
    """By what a task is grouped: its layer and its skills, as they stand in addresses."""
    return f"{item.level}.{'+'.join(sorted(item.skills)) or 'any'}"


def _layer(level: int, items: Sequence[Item], opened: Collection[str]) -> list[Item | Group]:
    if len(items) <= NARROW:
        return list(items)
    alone = {item.key for item in [item for item in items if item.needs_person][:ALONE]}
    kinds: dict[str, list[Item]] = {}
    for item in items:
        if item.key not in alone:
            kinds.setdefault(group_key(item), []).append(item)
    if len(kinds) > KINDS:
        large = sorted(kinds, key=lambda key: -len(kinds[key]))[: KINDS - 1]
        rest = [item for key, found in kinds.items() if key not in large for item in found]
        kinds = {key: found for key, found in kinds.items() if key in large} | {f"{level}.{OTHERS}": rest}
    drawn: dict[str, Item | Group] = {item.key: item for item in items if item.key in alone}
    for key, found in kinds.items():
        drawn |= {_first(one): one for one in _kind(key, found, opened)}
    place = {item.key: number for number, item in enumerate(items)}
    return sorted(drawn.values(), key=lambda one: place[_first(one)])


def _kind(key: str, items: Sequence[Item], opened: Collection[str]) -> list[Item | Group]:
    if len(items) < LEAST:
        return list(items)
    title = common_title([item.title for item in items])
    if key not in opened:
        return [Group(key, items[0].level, title, tuple(items))]
    foremost = sorted(items, key=lambda item: _FOREMOST.get(item.state, len(_FOREMOST)))
    shown = {item.key for item in foremost[:OPENED]}
    rest = tuple(item for item in items if item.key not in shown)
    parts: list[Item | Group] = [item for item in items if item.key in shown]
    return [*parts, Group(key, items[0].level, title, rest, True)] if rest else parts


def _first(one: Item | Group) -> str:
    """The task in whose place something is drawn: what is left of an opened group comes after those of it shown."""
    return one.key if isinstance(one, Item) else one.items[-1 if one.is_open else 0].key


def common_title(titles: Sequence[str]) -> str:
    """The words that all titles begin with, without numbers at the end; empty where they have none in common."""
    rows = [_WORD.findall(title) for title in titles]
    shared = []
    for words in zip(*rows, strict=False):
        if len(set(words)) > 1:
            break
        shared.append(words[0])
    while shared and not any(char.isalpha() for char in shared[-1]):
        shared.pop()
    return " ".join(shared).rstrip(" :,;-–—")


def longest_path(
    places: Mapping[str, tuple[int, int]], length: int, edges: Iterable[tuple[str, str]], left: Collection[str]
) -> tuple[str, ...]:
    """Of the longest paths of a plan the one with most tasks left, of equals the first.

    `places`: level and bottom level by key, in plan order; `length`: tasks on the longest path; `edges`: parent, child.
    Nothing for a plan of a single layer: every path is the longest then.
    """
    if length < 2:
        return ()
    on = {key: level for key, (level, bottom) in places.items() if level + bottom == length}
    order = {key: number for number, key in enumerate(places)}
    before: dict[str, list[str]] = {}
    for parent, child in edges:
        if parent in on and child in on and on[parent] + 1 == on[child]:
            before.setdefault(child, []).append(parent)
    best: dict[str, tuple[int, int, str]] = {}
    for key in sorted(on, key=on.__getitem__):
        tries = [(best[one][0], -order[one], one) for one in before.get(key, ())]
        number, _, parent = max(tries, default=(0, 0, ""))
        best[key] = (number + (key in left), -order[key], parent)
    at = max((key for key in on if on[key] == length - 1), key=lambda key: best[key][:2], default="")
    path = []
    while at:
        path.append(at)
        at = best[at][2]
    return tuple(reversed(path))
