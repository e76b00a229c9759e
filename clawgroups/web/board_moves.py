"""Moving a task on the board: what a card may do for the one who looks, and the menu of its moves.

A move posts to the address of its verb; here nothing is carried out.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_safe

from clawgroups.coordinator.ranking import ranking_now
from clawgroups.core.board_moves import CHOOSE, Column, How, Move, Stand, column_of, move, moves
from clawgroups.core.failures import Failure
from clawgroups.core.matching import Match
from clawgroups.fragments.tasks import TaskCard, cards_of
from clawgroups.fragments.views.board import WORDS
from clawgroups.models import Workspace
from clawgroups.services.overdue import is_offered
from clawgroups.web.http import Viewer, actor_of, is_htmx, page
from clawgroups.web.task_doors import task_of
from clawgroups.web.workspaces import follows

FITTING = 8


@dataclass(frozen=True, slots=True)
class Target:
    """A column as a target for one card: the move that leads there, or why none does. `post`: its verb's address."""

    column: Column
    move: Move | None = None
    reason: str = ""
    post: str = ""

    @property
    def word(self) -> Any:
        """What the column is called."""
        return WORDS[self.column][1]

    @property
    def state(self) -> str:
        return WORDS[self.column][0]


def shown(viewer: Viewer, workspace: Workspace, cards: Iterable[TaskCard]) -> dict[str, Any]:
    """What the board needs of the viewer: how each card stands for them, and what may be done with those alike."""
    stands: dict[Stand, int] = {}
    of_card: dict[UUID, int] = {}
    for card in cards:
        of_card[card.task.pk] = stands.setdefault(stand_of(card, viewer, workspace), len(stands))
    rules = [(number, targets(stand)) for stand, number in stands.items()]
    return {"stands": of_card, "rules": rules}


def stand_of(card: TaskCard, viewer: Viewer, workspace: Workspace) -> Stand:
    """How a card stands for the viewer."""
    task, seat = card.task, viewer.seat
    # Read once with the run, and not again with each card.
    task.workspace = workspace
    held = task.holder is not None
    return Stand(
        state=task.state,
        paused=bool(task.paused),
        halted=task.state == "stuck" and task.failure == Failure.HALTED,
        holder=task.holder.name if task.holder else "",
        mine=held and seat is not None and task.holder_id == seat.pk,
        offered=held and is_offered(task, task.attempt, timezone.now()),
        verdict=task.state == "in_review" and task.blocked_on == "person",
        own=bool(seat and task.state == "in_review" and task.attempt and task.attempt.member_id == seat.pk),
        run=task.run.state,
        role=seat.role if seat else "",
    )


def targets(stand: Stand) -> list[Target]:
    """All columns as targets. An address is told from that of the task's page on, as it is the same for all cards."""
    return [_target(column, found) for column, found in moves(stand).items()]


def _target(column: Column, found: Move | str) -> Target:
    if isinstance(found, str):
        return Target(column, reason=found)
    nobody = [UUID(int=0), UUID(int=0)]
    return Target(column, found, post=reverse(found.verb, args=nobody).removeprefix(reverse("task", args=nobody)))


@require_safe
def task_moves(request: HttpRequest, workspace_id: UUID, task_id: UUID) -> HttpResponse:
    """What can be done with a card, as a menu; or with `to` the question that the move to that column asks first."""
    actor = actor_of(request)
    found = task_of(actor, workspace_id, task_id, "task.view")
    (card,) = cards_of([task_id])
    stand = stand_of(card, Viewer(actor, workspace_id), found.workspace)
    asked = _asked(stand, request.GET.get("to", ""))
    context = {
        "follows": follows([found.workspace]),
        "task": found,
        "card": card,
        "here": WORDS[column_of(found.state, found.paused)][1],
        "asked": asked,
        "choices": _choices(stand),
        "out": [one for one in targets(stand) if one.move is None],
        **(_who(ranking_now(found, timezone.now()), str(found.assignee_id)) if asked and asked.move == CHOOSE else {}),
    }
    if is_htmx(request):
        return render(request, "tasks/_moves.html", context)
    return page(request, "tasks/moves.html", context)


def _asked(stand: Stand, to: str) -> Target | None:
    """The move to a column, where it asks something first."""
    if to not in Column.__members__.values():
        return None
    found = move(stand, Column(to))
    return _target(Column(to), found) if isinstance(found, Move) and found.how is How.ASKS else None


def _choices(stand: Stand) -> list[Target]:
    """The moves there are, each once, in the order of the columns."""
    found: dict[str, Target] = {}
    for one in targets(stand):
        if one.move is not None:
            found.setdefault(one.move.verb, one)
    return list(found.values())


def _who(ranked: list[Match], has_it: str) -> dict[str, Any]:
    """Who could be chosen: those who fit, best first, and how many cannot."""
    fit = [one for one in ranked if not one.excluded and str(one.member_id) != has_it]
    return {"fitting": fit[:FITTING], "others": len(ranked) - min(len(fit), FITTING)}
