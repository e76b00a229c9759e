"""What people can do to a task by hand, a line for each: a verb that comes to the product comes in here.

A verb of the task's holder is a `held(...)`; one that is about holding a task has its name in `HANDS` as well.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.core.changes import Outcome
from clawgroups.core.invariants import OpenTask
from clawgroups.services import (
    asking,
    control,
    delegating,
    draft_files,
    drafts,
    finishing,
    handback,
    pausing,
    regenerate,
    review,
    steering,
    stopping,
    takeover,
    tasks,
)
from tests.machine.cases import About, Case

Given = dict[str, Any]
Fits = Callable[[OpenTask, About], bool]
READY, IN_HAND, HELD, REVIEW = ("ready", "stuck"), ("assigned", "working"), ("held",), ("in_review",)
PARTS = [{"title": "One half", "instructions": "The first."}, {"title": "Other half", "instructions": "The rest."}]


def _to(*states: str) -> Fits:
    return lambda task, about: task.state in states


def _where(what: str) -> Fits:
    """There is something of this kind about the task."""
    return lambda task, about: task.id in about[what]


def _none(task: OpenTask, about: About) -> bool:
    return False


_held = _to(*HELD)


def _halted(task: OpenTask, about: About) -> bool:
    """Something that can go on again."""
    return bool(task.paused_by) or task.state == "stuck"


def nothing(case: Case) -> Given:
    return {}


def _always(**given: Any) -> Callable[[Case], Given]:
    return lambda case: given


def _agent(case: Case) -> Given:
    return {"member_id": case.seat(case.agent)}


def _agent_now(case: Case) -> Given:
    return {**_agent(case), "stop": True}


def _person(case: Case) -> Given:
    return {"member_id": case.seat(case.person), "note": "n"}


def _anyway(case: Case) -> Given:
    return {**_person(case), "anyway": case.pick % 4 > 0}


def _with_text(case: Case) -> Given:
    """Mostly with what stands in the editor."""
    return {**_person(case), **({"text": case.type()} if case.pick % 3 else {})}


def _saved(name: str) -> Callable[[Case], Given]:
    """A text, from the newest version, from an older one, or without a word of which; or one that was kept, gone on
    with."""
    return lambda case: {name: case.type(), "base": case.version(("own",))} if case.pick % 4 else case.goes_on(name)


def _epoch(less: int, **more: Any) -> Callable[[Case], Given]:
    """The epoch that is looked at: the present one, or one that is over."""
    return lambda case: {**more, "epoch": case.epoch(less)}


@dataclass(frozen=True)
class ByHand:
    """A verb: the tasks for which it means something, how often it is tried, what it is given beside its row and the
    actor, whose it mostly is (`by`), and what row it is about (`on`; None: there is none)."""

    verb: Callable[..., Future[Outcome]]
    fits: Fits = _none
    weight: int = 4
    given: Callable[[Case], Given] = nothing
    by: Callable[[Case], str] = Case.anybody
    on: Callable[[Case], UUID | None] = Case.task


def held(
    verb: Callable[..., Future[Outcome]],
    given: Callable[[Case], Given] = nothing,
    weight: int = 4,
    fits: Fits = _held,
) -> ByHand:
    """A verb of a task's holder."""
    return ByHand(verb, fits, weight, given, Case.holder)


BY_HAND: dict[str, ByHand] = {
    "assign": ByHand(tasks.assign_task, _to(*READY), given=_agent),
    "release": ByHand(tasks.release_task, _to(*IN_HAND), given=_epoch(0, reason="r")),
    "stale_release": ByHand(tasks.release_task, _to(*IN_HAND), 2, _epoch(1, reason="r")),
    "cancel": ByHand(tasks.cancel_task, weight=1),
    "accept": ByHand(review.accept_task, _to(*REVIEW)),
    "return": ByHand(review.return_task, _to(*REVIEW), given=_always(reasons=["too short"])),
    "rephrase": ByHand(regenerate.regenerate_task, _to(*READY), given=_always(instructions="Otherwise.")),
    "split": ByHand(
        regenerate.regenerate_task, _to(*READY), 1, _always(instructions="Put them together.", parts=PARTS)
    ),
    # Taking and holding
    "take_over": ByHand(takeover.take_over, _to(*READY, *IN_HAND, *REVIEW)),
    "take_over_stale": ByHand(takeover.take_over, _to(*READY, *IN_HAND, *REVIEW), 1, _epoch(1)),
    "take_asked": ByHand(takeover.take_over, _where("asked"), by=Case.asked),
    "force": ByHand(takeover.take_over, _to(*HELD), weight=2, given=_always(force=True, reason="r")),
    "draft": held(drafts.save_draft, _saved("text"), 10),
    "restore": held(drafts.restore_draft, lambda case: {"version": case.version() or 1}, 2),
    "choose": held(drafts.choose_draft, Case.choice, 6, _where("kept")),
    "add_file": held(draft_files.add_files, lambda case: {"files": [case.file()]}, 3),
    "save_file": held(draft_files.save_file, lambda case: {"stored": case.file(), "base": case.revision()}, 3),
    "remove_file": held(draft_files.remove_file, lambda case: {"artifact_id": case.any_revision()}, 4, _where("file")),
    "submit": held(finishing.submit_held, _saved("result"), 2),
    "hand_back": held(handback.hand_back, lambda case: {"note": "n", "text": case.type()}, 2),
    "hand_back_saved": held(handback.hand_back, _always(note="n"), 2),
    "reassign": held(handback.reassign_task, _agent, 2),
    "reassign_person": held(handback.reassign_task, _anyway, 2),
    # Given by whoever likes, asked, and passed on
    "choose_agent": ByHand(
        handback.reassign_task, _to("waiting", *READY, *IN_HAND), 2, lambda case: {**_agent(case), "stop": True}
    ),
    "choose_person": ByHand(handback.reassign_task, _to("waiting", *READY, *IN_HAND), 3, _anyway),
    "ask_person": ByHand(asking.ask_member, _to(*READY), 3, _anyway),
    "decline": ByHand(asking.decline_task, _where("asked"), 8, _always(reason="r"), Case.asked),
    "delegate": ByHand(delegating.delegate_task, _where("asked"), 8, _anyway, Case.asked),
    # Stopped and paused
    "pause": ByHand(pausing.pause_task, _to("waiting", *READY, *IN_HAND), 3),
    "pause_stale": ByHand(pausing.pause_task, _to(*READY, *IN_HAND), 1, _epoch(1)),
    "resume": ByHand(pausing.resume_task, _halted, 4),
    "stop": ByHand(stopping.stop_task, _to(*IN_HAND), 3, _always(reason="r")),
    # The agent as an instrument
    "steer": held(steering.steer, lambda case: {"text": "Look again.", "when": case.one_of("now", "after_step")}, 10),
    "withdraw_steer": held(steering.withdraw_steer, lambda case: {"command_id": case.steered()}, 4, _where("steer")),
    "stop_steer": held(steering.stop_steer, lambda case: {"command_id": case.steered()}, 4, _where("steer")),
    # Several people
    "ask_for": ByHand(control.ask_for, _to(*HELD), 5, _always(note="please")),
    "grant": ByHand(control.grant, _where("request"), 4, Case.text_for_other, Case.answerer, Case.request),
    "refuse": ByHand(control.refuse, _where("request"), 4, _always(word="later"), Case.answerer, Case.request),
    "withdraw": ByHand(control.withdraw, _where("request"), 4, nothing, Case.asker, Case.request),
    "pass_on": held(control.pass_on, _with_text, 3),
}
# What is about holding a task: tried more often by `engine.Hands`.
RARE = frozenset({"assign", "release", "stale_release", "cancel", "accept", "return", "rephrase", "split"})
HANDS = frozenset(BY_HAND) - RARE
