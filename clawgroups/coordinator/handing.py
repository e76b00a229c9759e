"""Before a held task leaves somebody's hands: what the checks say of it, who could take it, what they will be told."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.utils import timezone

from clawgroups.coordinator.candidates import candidates_of, people_of, seats_of
from clawgroups.coordinator.needs import surroundings_of_task
from clawgroups.coordinator.situation import need_of, view_of
from clawgroups.core import deadline
from clawgroups.core.acceptance import Verdict
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict
from clawgroups.core.matching import BY_RULES, Match, rank
from clawgroups.models import Attempt, Member, Task
from clawgroups.permissions import get_task
from clawgroups.services import handback
from clawgroups.services.briefs import acknowledge_prompt
from clawgroups.services.checking import check_draft
from clawgroups.services.drafts import keeps
from clawgroups.services.handback_brief import handback_brief
from clawgroups.services.hands import held

CHECKING = 10.0  # seconds: a person waits for it
NAMED = 10
NEXT = "Keep it, finish it yourself, give it to a person, or hand it back anyway: then it waits"


@dataclass(frozen=True, slots=True)
class Outlook:
    """Who could take a task if it was handed back now: everybody, best first, those who cannot last."""

    ranked: tuple[Match, ...] = ()

    @property
    def to(self) -> Match | None:
        """Who would get it."""
        return next((m for m in self.ranked if not m.excluded), None)

    @property
    def out(self) -> tuple[Match, ...]:
        """Who cannot take it now."""
        return tuple(m for m in self.ranked if m.excluded)

    @property
    def waits_for(self) -> str:
        """Whom it would wait for: the best of those who only have to be free or there again; empty: for nobody."""
        return next((m.name for m in self.out if _may_come(m)), "")

    @property
    def why(self) -> str:
        """Why nobody can take it now, by name."""
        said = "; ".join(f"{m.name} {m.excluded}" for m in self.out[:NAMED])
        more = f"; and {len(self.out) - NAMED} more" if len(self.out) > NAMED else ""
        return f"{said}{more}." if said else "There is no agent here."

    @property
    def missed(self) -> Match | None:
        """Whoever had it before, where somebody else would get it now."""
        return next((m for m in self.out if _was_before(m)), None) if self.to is not None else None


def _may_come(one: Match) -> bool:
    return not one.excluded.startswith(("lacks", "has no right", "refused", "is the author", BY_RULES))


def _was_before(one: Match) -> bool:
    return any(part.name == "before" for part in one.parts)


@dataclass(frozen=True, slots=True)
class Preview:
    """What the next one will be told."""

    brief: dict[str, Any]
    text: str
    outlook: Outlook


def outlook(task: Task, attempt: Attempt, only: UUID | None = None) -> Outlook:
    """Who could take the task if it was handed back now; `only`: whether this member could."""
    now = timezone.now()
    seats, people = seats_of(task.workspace_id), people_of(task.workspace_id)
    around = surroundings_of_task(task, now)
    former = task.attempts.filter(member__agent__isnull=False).last()
    preferred = only or (former.member_id if former else None)
    brief = {**task.brief, "preferred": str(preferred or ""), "only": str(only or "")}
    if only is not None:
        brief["refused"] = [one for one in brief.get("refused", []) if one != str(only)]
    task.brief, kept = brief, task.brief
    need = need_of(view_of(task, around))
    task.brief = kept
    everybody = candidates_of(task.workspace, seats, people, now)
    # Who gives it away is not asked for it.
    ranked = rank(need, [one for one in everybody if one.member_id != attempt.member_id])
    return Outlook(tuple(ranked))


def checked(task: Task, actor: Actor, text: str | None = None) -> tuple[Verdict, ...]:
    """What a machine can say of the person's version, line by line; nothing of it is written."""
    try:
        with deadline.within(CHECKING):
            return check_draft(task.pk, actor=actor, text=text).verdicts
    except deadline.Overrun:
        return ()


@keeps("text")
def hand_back(
    task_id: UUID,
    *,
    actor: Actor,
    note: str = "",
    text: str | None = None,
    epoch: int | None = None,
    anyway: bool = False,
    operation: str = "",
) -> Future[Outcome]:
    """`handback.hand_back` with what the checks say. Unless `anyway`, raises `Conflict` where nobody can take it."""
    task, attempt = held(task_id, actor)
    if not anyway:
        _somebody(outlook(task, attempt))
    verdicts = checked(task, actor, text)
    return handback.hand_back(
        task_id, actor=actor, note=note, text=text, verdicts=verdicts, epoch=epoch, operation=operation
    )


def _somebody(found: Outlook) -> None:
    if found.to is not None:
        return
    waits = f" for {found.waits_for}" if found.waits_for else ""
    raise Conflict(
        f"Nobody can take it now: {found.why} {NEXT}{waits}.",
        code="nobody_to_hand_to",
        members=_reasons(found.out),
        waits_for=found.waits_for,
    )


def _reasons(out: Sequence[Match]) -> list[dict[str, str]]:
    return [{"member": str(m.member_id), "name": m.name, "why": m.excluded} for m in out]


@keeps("text")
def reassign(
    task_id: UUID,
    *,
    member_id: UUID,
    actor: Actor,
    note: str = "",
    text: str | None = None,
    epoch: int | None = None,
    anyway: bool = False,
    stop: bool = False,
    operation: str = "",
) -> Future[Outcome]:
    """`handback.reassign_task` with what the checks say. Unless `anyway`, an agent that cannot take it now is named."""
    task = get_task(actor, task_id, "task.hold")
    verdicts: tuple[Verdict, ...] = ()
    if task.state == "held":
        task, attempt = held(task_id, actor)
        agent = Member.objects.filter(pk=member_id, workspace_id=task.workspace_id, agent__isnull=False, left_at=None)
        if agent.exists() and not anyway:
            _this_one(outlook(task, attempt, member_id))
        verdicts = checked(task, actor, text)
    return handback.reassign_task(
        task_id,
        member_id=member_id,
        actor=actor,
        note=note,
        text=text,
        verdicts=verdicts,
        epoch=epoch,
        anyway=anyway,
        stop=stop,
        operation=operation,
    )


def _this_one(found: Outlook) -> None:
    if found.to is not None or not found.out:
        return
    one = found.out[0]
    then = f", or give it to {one.name} anyway: then it waits" if _may_come(one) else ""
    raise Conflict(
        f"{one.name} {one.excluded}. Keep it, finish it yourself, choose somebody else{then}.",
        code="cannot_take_it",
        members=_reasons(found.out),
    )


def preview(task_id: UUID, *, actor: Actor, note: str = "", member_id: UUID | None = None) -> Preview:
    """What the next one would be told if the newest saved version went back now, with this note."""
    task, attempt = held(task_id, actor)
    found = outlook(task, attempt, member_id)
    back = handback_brief(task, attempt, note, None, checked(task, actor))
    brief = {**task.brief, "handback": back}
    task.brief = brief
    prompt = acknowledge_prompt(task, brief)["prompt"]
    return Preview(back, "\n".join(block["text"] for block in prompt if block["type"] == "text"), found)
