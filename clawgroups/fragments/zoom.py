"""One agent at its work in a workspace: what it has in hand with its newest words and steps, and what it did before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models import Q

from clawgroups.fragments.cells import Cell, cells
from clawgroups.fragments.tasks import TaskCard, cards
from clawgroups.models import Approval, Attempt, Part, Step

ENTRIES = 12  # of a transcript, the newest
PAST = 5


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a transcript: something said, or something done."""

    ordinal: int
    part: Part | None = None
    step: Step | None = None


@dataclass(frozen=True, slots=True)
class Work:
    """A task in hand: its card, the try, the newest lines of its transcript, and what it asks."""

    card: TaskCard
    attempt: Attempt
    lines: tuple[Line, ...]
    earlier: bool
    asks: tuple[Approval, ...] = ()


@dataclass(frozen=True, slots=True)
class Zoom:
    """An agent, looked at closely."""

    cell: Cell
    works: tuple[Work, ...]
    past: tuple[Attempt, ...]

    @property
    def watched(self) -> Attempt | None:
        """The try whose words stream in."""
        return self.works[0].attempt if self.works else None


def zoom_of(member_id: UUID, workspace_id: UUID) -> Zoom | None:
    """The agent at this seat; None where none sits there."""
    found = cells(Q(pk=member_id, workspace=workspace_id), "agent__skills")
    if not found:
        return None
    (cell,) = found
    ended = Attempt.objects.filter(member=member_id).exclude(state__in=["offered", "working"])
    past = ended.select_related("task").order_by("-offered_at")[:PAST]
    return Zoom(cell, tuple(_works(cell)), tuple(past))


def _works(cell: Cell) -> list[Work]:
    ids = [hand.attempt_id for hand in cell.hands]
    attempts = Attempt.objects.filter(pk__in=ids).select_related("member").in_bulk()
    by_task = {card.task.pk: card for card in cards(Q(pk__in=[hand.task_id for hand in cell.hands]))}
    asks: dict[UUID, list[Approval]] = {}
    for ask in Approval.objects.filter(attempt__in=ids, state="open").select_related("attempt__member", "task"):
        asks.setdefault(ask.attempt_id, []).append(ask)
    works = []
    for pk, hand in zip(ids, cell.hands, strict=True):
        if pk in attempts and hand.task_id in by_task:
            lines = lines_of(attempts[pk])
            shown = tuple(lines[-ENTRIES:])
            works.append(
                Work(by_task[hand.task_id], attempts[pk], shown, len(lines) > ENTRIES, tuple(asks.get(pk, ())))
            )
    return works


def lines_of(attempt: Attempt) -> Sequence[Line]:
    """The newest lines of a transcript in their order, one more than are shown where there are more."""
    parts = [Line(part.ordinal, part=part) for part in attempt.parts.order_by("-ordinal")[: ENTRIES + 1]]
    steps = [Line(s.ordinal, step=s) for s in attempt.steps.defer("detail").order_by("-ordinal")[: ENTRIES + 1]]
    return sorted([*parts, *steps], key=lambda line: line.ordinal)[-ENTRIES - 1 :]
