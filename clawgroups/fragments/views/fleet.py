"""Everybody at once: who works, who waits, who is stuck, whom it needs.

What is asked of people stands first, then every agent of the workspace as a cell. Cells change one by one as events
come; the view as a whole is loaded anew only when somebody asks for another part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db.models import Exists, OuterRef, Q

from clawgroups.core.lifecycle import TASK_TERMINAL, TaskState
from clawgroups.fragments.cells import COUNTED, STANDS, Cell, cells
from clawgroups.fragments.rooms import RunView
from clawgroups.fragments.tasks import TaskCard, cards_of
from clawgroups.fragments.zoom import Zoom, zoom_of
from clawgroups.models import Approval, Task

NEEDS = 8
# So many agents at the most for cells of this size; more than the last: small ones.
SIZES = ((24, "roomy"), (90, "middle"))
ARRANGED = ("state", "skill", "owner")


@dataclass(frozen=True, slots=True)
class Count:
    """So many agents stand like this. `at`: how many stand before them, for a bar of all."""

    state: str
    words: Any
    number: int
    at: int


@dataclass(frozen=True, slots=True)
class Part:
    """Cells that stand together. `state`: how all of them stood when they were put there; empty: one each."""

    name: Any
    cells: tuple[Cell, ...]
    state: str = ""


@dataclass(frozen=True, slots=True)
class Need:
    """A task that waits for a person, and the agent's question where it is one."""

    card: TaskCard
    ask: Approval | None = None

    @property
    def kind(self) -> str:
        """What is wanted: question, permission, form, asked (would you do it?), verdict or decision."""
        if self.ask is not None:
            return self.ask.kind
        return {TaskState.READY.value: "asked", TaskState.IN_REVIEW.value: "verdict"}.get(
            self.card.task.state, "decision"
        )


@dataclass(frozen=True)
class Fleet:
    """All agents that were asked for, put together in one of several ways."""

    cells: Sequence[Cell]
    everybody: Sequence[Cell]
    by: str

    @property
    def size(self) -> str:
        """How large a cell may be."""
        return next((name for most, name in SIZES if len(self.cells) <= most), "small")

    @property
    def counts(self) -> list[Count]:
        """How many of all stand how, what matters most first."""
        numbers, at, found = Counter(cell.state for cell in self.everybody), 0, []
        for state in STANDS:
            found.append(Count(state, COUNTED[state], numbers[state], at))
            at += numbers[state]
        return found

    @property
    def parts(self) -> list[Part]:
        """The cells in parts, each of those that matter in a fixed order."""
        if self.by == "state":
            return [Part(s, tuple(c for c in self.cells if c.state == s), s) for s in STANDS]
        named: dict[str, list[Cell]] = {}
        for cell in self.cells:
            named.setdefault(best_skill(cell) if self.by == "skill" else owner_of(cell), []).append(cell)
        return [Part(name, tuple(named[name])) for name in sorted(named, key=lambda name: (not name, name.lower()))]

    @property
    def skills(self) -> list[str]:
        """What somebody among all is good at."""
        return sorted({skill for cell in self.everybody for skill in skills_of(cell)})

    @property
    def owners(self) -> list[str]:
        """Whose agents they are."""
        return sorted({owner_of(cell) for cell in self.everybody})


def load(view: RunView, said: Mapping[str, str]) -> dict[str, Any]:
    """What the template needs beside `view`. `said`: the query of the page."""
    everybody = cells(Q(workspace=view.run.workspace_id), "agent__skills")
    by = said.get("by", "")
    asked = {key: said.get(key, "").strip()[:80] for key in ("state", "skill", "owner", "q")}
    fleet = Fleet([c for c in everybody if fits(c, asked)], everybody, by if by in ARRANGED else ARRANGED[0])
    return {
        "fleet": fleet,
        "asked": asked,
        "filtered": any(asked.values()),
        "arranged": ARRANGED,
        "zoom": chosen(view, said.get("agent", "")),
        **needs(view),
    }


def needs(view: RunView) -> dict[str, Any]:
    """What waits for a person in a run: the first of it, and how much more there is. What somebody holds does not."""
    waiting = Task.objects.filter(run=view.run.pk, blocked_on="person").exclude(state__in=[*TASK_TERMINAL, "held"])
    open_ones = Approval.objects.filter(state="open")
    asked = waiting.annotate(asking=Exists(open_ones.filter(task=OuterRef("pk")))).order_by("-asking", "deadline_at")
    ids = list(asked.values_list("pk", flat=True)[:NEEDS]) if view.run.state == "running" and view.needs else []
    by_id = {card.task.pk: card for card in cards_of(ids)} if ids else {}
    asks = {ask.task_id: ask for ask in open_ones.filter(task__in=ids).order_by("-asked_at")} if ids else {}
    more = waiting.count() - NEEDS if len(ids) == NEEDS else 0
    return {"needs": [Need(by_id[pk], asks.get(pk)) for pk in ids if pk in by_id], "more_needs": more}


def chosen(view: RunView, agent: str) -> Zoom | None:
    """The agent that is looked at more closely, if it sits here."""
    try:
        return zoom_of(UUID(agent), view.run.workspace_id) if agent else None
    except ValueError:
        return None


def fits(cell: Cell, asked: Mapping[str, str]) -> bool:
    """Whether a cell is among those that were asked for."""
    words = asked["q"].lower()
    return (
        asked["state"] in ("", cell.state)
        and (not asked["skill"] or asked["skill"] in skills_of(cell))
        and asked["owner"] in ("", owner_of(cell))
        and (not words or any(words in text.lower() for text in _texts(cell)))
    )


def _texts(cell: Cell) -> Iterable[str]:
    return (cell.member.name, cell.member.handle, *(hand.title for hand in cell.hands))


def skills_of(cell: Cell) -> list[str]:
    """What an agent is good at, best first."""
    return [skill.name for skill in cell.agent.skills.all()]


def best_skill(cell: Cell) -> str:
    """What it is best at; empty for one that can do whatever needs no skill."""
    return next(iter(skills_of(cell)), "")


def owner_of(cell: Cell) -> str:
    """The name of its owner."""
    owner = cell.agent.owner
    return owner.get_full_name() or owner.get_username()
