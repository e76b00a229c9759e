"""The crowd's plan: which tasks there are, what each waits for, and how far each has come. Pure. Used by `crowd`."""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.browser.crowd_words import SKILLS, Speech

# Of those whose turn it is: how many of a hundred stand where.
OF_A_HUNDRED = (
    ("asks", 2), ("held", 1), ("judge", 2), ("stuck", 2), ("stopped", 1), ("failed", 1), ("cancelled", 1),
    ("paused", 1), ("in_review", 3), ("lost", 1), ("quiet", 2), ("assigned", 6), ("ready", 3), ("done", 5),
    ("working", 69),
)  # fmt: skip
IN_HAND = frozenset({"asks", "lost", "quiet", "assigned", "working"})
STATE_OF = {
    "asks": "working", "lost": "working", "quiet": "working",
    "judge": "in_review", "stopped": "stuck", "paused": "ready",
}  # fmt: skip
"""What the rows say where that is another word."""


@dataclass
class Planned:
    """A task of the plan. `stands`: how it is, more finely than its state."""

    number: int
    level: int
    skill: str
    title: str
    parents: list[Planned] = field(default_factory=list)
    stands: str = "waiting"
    bottom: int = 1

    @property
    def state(self) -> str:
        return STATE_OF.get(self.stands, self.stands)

    @property
    def unfinished(self) -> int:
        """How many of the tasks before it are not done."""
        return sum(1 for parent in self.parents if parent.state != "done")


def planned(tasks: int, hands: int, people: int, speech: Speech) -> list[Planned]:
    """A layered plan of so many tasks, about `hands` of them with agents and at most `people` with people."""
    width = min(max(1, round(hands * 1.2)), max(1, tasks * 3 // 5))
    found = _layers([], (tasks - width) * 2 // 5, width, speech)
    now = found[-1].level + 1 if found else 0
    found = _layers(found, width, width, speech, alike=True)
    found = _layers(found, tasks - len(found), width, speech)
    for one in reversed(found):
        for parent in one.parents:
            parent.bottom = max(parent.bottom, one.bottom + 1)
    _stand(found, now, hands, people, speech)
    return found


def _layers(before: list[Planned], count: int, width: int, speech: Speech, *, alike: bool = False) -> list[Planned]:
    """So many tasks more, in layers that grow narrower towards the end, or in a single one."""
    found = list(before)
    end = len(found) + count
    while len(found) < end:
        left = end - len(found)
        found += _layer(found, left if alike else max(1, min(width, left * 2 // 3)), speech)
    return found


def _layer(before: list[Planned], count: int, speech: Speech) -> list[Planned]:
    level = before[-1].level + 1 if before else 0
    above = [one for one in before if one.level == level - 1]
    made = []
    for place in range(count):
        number = len(before) + place
        skill = SKILLS[number % len(SKILLS)]
        near = place * len(above) // count
        parents = above[near : near + speech.random.choice((1, 1, 2, 3))]
        made.append(Planned(number, level, skill, speech.title(skill), parents))
    return made


def _stand(found: list[Planned], now: int, hands: int, people: int, speech: Speech) -> None:
    """Say of each how far it has come: where what is before it is not done, it waits."""
    ways = [stands for stands, share in OF_A_HUNDRED for _ in range(share)]
    speech.random.shuffle(ways)
    # Even a small crowd has one of each that a page must show.
    ways = ["asks", "working", "held", "working", "stuck", "working", "quiet", "in_review", *ways]
    left = {"hands": hands, "held": people}
    turns = 0
    for one in found:
        if one.unfinished:
            continue
        if one.level < now:
            one.stands = "done"
            continue
        one.stands = ways[turns % len(ways)]
        turns += 1
        kind = "hands" if one.stands in IN_HAND else one.stands
        if left.get(kind) == 0:
            one.stands = "ready"
        elif kind in left:
            left[kind] -= 1
