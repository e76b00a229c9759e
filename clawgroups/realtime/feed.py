"""Which fragments an event changes. The hub calls `fragments` in its executor, once for everybody who watches."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.core.actors import ActorKind
from clawgroups.fragments import (
    all_pieces,
    files_mark,
    gone,
    needs_piece,
    run_hint,
    run_view_mark,
    seat_hint,
    task_hint,
    unread_piece,
    work_piece,
)
from clawgroups.fragments.messages import answers_to
from clawgroups.fragments.tasks import dependants_of
from clawgroups.models import Attempt, Entry, Member, Run, Task
from clawgroups.planned import Planned

SEAT = ("seat", "fleet_cell")
FILES = ("run_files", "room_files", "task_page", "run_view")
TASK = ("task_card", "task_page", "run_head", "run_row", "run_note", *SEAT, "run_view")
# Begins or ends what an agent does by the goal and the rules that it was told.
TOLD = (*TASK, "room_unseen")
COURSE = ("task_card", "task_page", "fleet_cell", "run_view")
# What can be done with a task, and its story, depend on these of its run.
PACE = ("run_head", "run_row", "run_note", "run_view", "run_task_pages")
RUN = ("run_head", "run_row", "run_note", "run_plan", "run_files", "room_current", "run_view")
ASK = ("task_card", "task_page", "run_head", "fleet_cell", "run_view")

# Event type -> names of fragments (`clawgroups.fragments.FRAGMENTS`). A test holds it against the vocabulary.
FEED: dict[str, tuple[str, ...]] = {
    "workspace.created": (),
    "workspace.renamed": ("room_head", "room_aim"),
    "workspace.goal_set": ("room_head", "room_aim", "room_unseen"),
    "workspace.rules_set": ("room_head", "room_aim", "room_unseen"),
    "workspace.timers_set": (),
    "workspace.closed": (),
    "workspace.reopened": (),
    "workspace.outage_over": (),
    "member.joined": SEAT,
    "member.left": (),
    "member.role_set": SEAT,
    "member.muted": SEAT,
    "member.unmuted": SEAT,
    "invitation.made": (),
    "invitation.revoked": (),
    "run.shared": (),
    "run.unshared": (),
    "agent.online": SEAT,
    "agent.offline": SEAT,
    "agent.profile_set": SEAT,
    "agent.retired": SEAT,
    "agent.breaker_set": SEAT,
    "message.posted": ("message",),
    "message.edited": ("message",),
    "message.removed": ("message",),
    "message.reacted": ("message",),
    "message.unreacted": ("message",),
    "message.let_on": ("message",),
    "message.heard": ("message",),
    "memory.kept": (),
    "memory.edited": (),
    "memory.struck": (),
    "memory.restored": (),
    "memory.forgotten": (),
    "run.drafted": RUN,
    "run.planning": RUN,
    "run.proposed": RUN,
    "run.started": (*RUN, "run_task_pages"),
    "run.paused": PACE,
    "run.resumed": PACE,
    "run.consolidating": ("run_head", "run_row", "run_note"),
    "run.done": (*RUN, "run_task_pages"),
    "run.failed": (*RUN, "run_task_pages"),
    "run.cancelled": (*RUN, "run_task_pages"),
    "task.ready": TASK,
    "task.assigned": TASK,
    "task.begun": TOLD,
    "task.submitted": TOLD,
    "task.returned": TOLD,
    "task.done": TASK,
    "task.taken_over": TOLD,
    "task.handed_back": TASK,
    "task.released": TOLD,
    "task.stuck": TOLD,
    "task.parked": TASK,
    "task.failed": TOLD,
    "task.cancelled": TOLD,
    "attempt.acknowledged": ("task_page", "room_unseen"),
    "task.late_result_adopted": TOLD,
    "task.regenerated": TASK,
    "task.split": TASK,
    "attempt.quiet": COURSE,
    "attempt.stirred": COURSE,
    "attempt.contact_lost": COURSE,
    "attempt.contact_restored": COURSE,
    "attempt.late_result_kept": ("task_page",),
    "attempt.stop_unconfirmed": TASK,
    "attempt.stop_confirmed": TASK,
    "session.option_set": ("task_page",),
    "attempt.plan_ticked": ("agent_plan", "task_card", "fleet_cell", "run_view"),
    "attempt.progress_reported": COURSE,
    "step.recorded": ("step", "task_card", "run_view"),
    "draft.saved": ("task_page",),
    "approval.requested": ASK,
    "approval.escalated": ASK,
    "approval.voted": ASK,
    "approval.decided": ASK,
    "approval.expired": ASK,
    "approval.voided": ASK,
    "attempt.overstepped": ASK,
    "attempt.overstep_seen": ASK,
    "rule.made": (),
    "rule.revoked": (),
    "artifact.added": FILES,
    "artifact.pinned": FILES,
    "artifact.unpinned": FILES,
    "workspace.coordination_set": (),
    "member.profile_set": SEAT,
    "run.asked": RUN,
    "run.answered": RUN,
    "run.plan_edited": RUN,
    "run.replan_asked": RUN,
    "run.replan_proposed": RUN,
    "run.replan_accepted": RUN,
    "run.replan_rejected": RUN,
    "run.model_called": ("run_head",),
    "run.fell_back": RUN,
    "run.model_returned": RUN,
    "run.budget_set": ("run_head", "run_note"),
    "run.budget_warned": RUN,
    "run.budget_reached": RUN,
    "task.assignee_chosen": TASK,
    "attempt.steered": ("task_card", "task_page", "run_view"),
    "attempt.steer_answered": ("task_card", "task_page", "run_view"),
    "task.paused": TASK,
    "task.resumed": TASK,
    "task.stopped": TASK,
    "control.asked": ("task_card", "task_page", "run_view"),
    "control.answered": ("task_card", "task_page", "run_view"),
    "draft.file_removed": ("task_page",),
    "task.declined": TASK,
    "task.delegated": TASK,
}
# A person's own doing always may shorten the list of what waits for people; these always may change it.
ASKING = frozenset(
    {
        "approval.requested",
        "approval.escalated",
        "approval.voted",
        "approval.decided",
        "approval.expired",
        "approval.voided",
        "attempt.overstepped",
        "attempt.overstep_seen",
        "task.stuck",
        "run.asked",
        "run.proposed",
        "run.started",
        "control.asked",
        "control.answered",
        "run.answered",
        "run.cancelled",
        "run.replan_proposed",
        "run.replan_accepted",
        "run.replan_rejected",
        "run.budget_reached",
        "run.budget_set",
    }
)
# Into the hands of a person, and out of them.
HANDS = frozenset({"task.taken_over", "task.handed_back", "task.submitted"})
# Who answered a message quotes it: other words there are other words here.
REWORDED = frozenset({"message.edited", "message.removed"})
# What a person gave away goes on: nobody is asked for anything, but their own list changes.
HANDED = frozenset({"task.handed_back", "attempt.acknowledged", "task.declined", "task.delegated"})
# What changes how much somebody has not read.
SAID = frozenset({"message.posted", "message.removed"})
# Of these there are many, and only some pages have a place for them: each says which (live.js).
KIND_OF = {"task_card": "cards", "step": "steps", "agent_plan": "steps", "fleet_cell": "cells"}
KINDS = frozenset(KIND_OF.values())
# Of these a page is told only that there is something new.
HINTS = frozenset({"task_page", "run_task_pages", "run_view", "room_files"})
# Which key of a payload names the subject of a fragment.
SUBJECT = {
    "task_card": "task_id",
    "task_page": "task_id",
    "step": "step_id",
    "agent_plan": "attempt_id",
    "message": "message_id",
    "seat": "member_id",
    "fleet_cell": "member_id",
}


Wanted = Mapping[str, Mapping[UUID, None]]
"""Fragment name -> its subjects in order of appearance."""


def fragments(entries: Sequence[Entry], workspace_id: UUID) -> list[str]:
    """The pieces of HTML that bring a page from before `entries` to after them; each once, as it is now."""
    changed = wanted(entries, workspace_id)
    return [piece for kind in ("", *KINDS) for piece in drawn(entries, changed, kind)]


def drawn(entries: Sequence[Entry], wanted: Wanted, kind: str) -> list[str]:
    """Those of one kind, of what `wanted` has found in these entries; "" is whatever is of none."""
    if kind:
        return all_pieces({name: pks for name, pks in wanted.items() if KIND_OF.get(name) == kind})
    made: list[str] = []
    seq = entries[-1].seq if entries else 0
    made += [task_hint(pk, seq) for pk in wanted.get("task_page", {})]
    made += [run_hint(pk, seq) for pk in wanted.get("run_task_pages", {})]
    made += [run_view_mark(pk) for pk in wanted.get("run_view", {})]
    made += [files_mark(pk) for pk in wanted.get("room_files", {})]
    made += [seat_hint(pk, seq) for pk in wanted.get("fleet_cell", {})]
    made += all_pieces({name: pks for name, pks in wanted.items() if name not in HINTS and name not in KIND_OF})
    made += [gone(f"{kind}-{pk}") for pk in _left(entries) for kind in ("seat", "cell")]
    if _may_need_people(entries, wanted.get("task_card", {})):
        made += [needs_piece(seq), work_piece(seq)]
    elif any(entry.type in HANDED for entry in entries):
        made.append(work_piece(seq))
    if any(entry.type in SAID for entry in entries):
        made.append(unread_piece(seq))
    return made


def _by_person(entry: Entry) -> bool:
    return bool(entry.actor.get("kind") == ActorKind.PERSON)


def _left(entries: Sequence[Entry]) -> list[UUID]:
    """Who has left and is not back by now: a seat that was taken again is a piece of its own."""
    left = [UUID(e.payload["member_id"]) for e in entries if e.type == "member.left"]
    back = set(Member.objects.filter(pk__in=left, left_at=None).values_list("pk", flat=True)) if left else set()
    return [pk for pk in dict.fromkeys(left) if pk not in back]


@dataclass(frozen=True)
class _Known:
    """What subjects are found by, read once for all entries: runs and seats by task, seats by agent and by attempt."""

    workspace_id: UUID
    run_of: dict[UUID, UUID]
    seat_of_task: dict[UUID, UUID]
    seats_of_agent: dict[UUID, list[UUID]]
    seat_of_attempt: dict[UUID, UUID]


def _known(entries: Sequence[Entry], workspace_id: UUID) -> _Known:
    tasks, agents = _named(entries, "task_id"), _named(entries, "agent_id")
    attempts = _named(entries, "attempt_id") | _named(entries, "superseded_id")
    seats: dict[UUID, list[UUID]] = {}
    for agent, pk in _seats_known(agents, workspace_id) if agents else ():
        seats.setdefault(agent, []).append(pk)
    rows = _tasks_known(tasks) if tasks else []
    return _Known(
        workspace_id,
        {pk: run for pk, run, _ in rows},
        {pk: seat for pk, _, seat in rows if seat is not None},
        seats,
        dict(_attempts_known(attempts)) if attempts else {},
    )


_seats_known: Planned[tuple[UUID, UUID]] = Planned(
    lambda agents, workspace_id: Member.objects.filter(workspace=workspace_id, agent__in=agents).values_list(
        "agent_id", "pk"
    )
)
_tasks_known: Planned[tuple[UUID, UUID, UUID | None]] = Planned(
    lambda ids: Task.objects.filter(pk__in=ids).order_by().values_list("pk", "run_id", "assignee_id")
)
_attempts_known: Planned[tuple[UUID, UUID]] = Planned(
    lambda ids: Attempt.objects.filter(pk__in=ids).order_by().values_list("pk", "member_id")
)
_asking_runs: Planned[UUID | None] = Planned(
    lambda tasks: (
        Run.objects.filter(tasks__in=tasks, asked_in__isnull=False)
        .order_by()
        .values_list("asked_in", flat=True)
        .distinct()
    )
)
_with_people: Planned[UUID] = Planned(
    lambda tasks: Task.objects.filter(pk__in=tasks, blocked_on="person").order_by().values_list("pk", flat=True)[:1]
)


def _named(entries: Sequence[Entry], key: str) -> set[UUID]:
    return {UUID(value) for entry in entries if (value := entry.payload.get(key))}


def wanted(entries: Sequence[Entry], workspace_id: UUID) -> Wanted:
    """Which fragments of which rows look otherwise after these."""
    wanted: dict[str, dict[UUID, None]] = {}
    known = _known(entries, workspace_id)
    for entry in entries:
        for name in FEED.get(entry.type, ()):
            for pk in _subjects(name, entry, known):
                wanted.setdefault(name, {})[pk] = None
    for name, pk in _besides(entries):
        wanted.setdefault(name, {})[pk] = None
    return wanted


def _besides(entries: Sequence[Entry]) -> Iterator[tuple[str, UUID]]:
    """Fragments and subjects that look otherwise by what happened to their neighbours."""
    # Those that wait for a task say so while a person has it in hand.
    if moved := {e.payload["task_id"] for e in entries if e.type in HANDS and _by_person(e)}:
        for pk in dependants_of(map(UUID, moved)):
            yield "task_card", pk
            yield "task_page", pk
    if reworded := {UUID(e.payload["message_id"]) for e in entries if e.type in REWORDED}:
        yield from (("message", pk) for pk in answers_to(reworded))
    # A message shows how those stand who are asked to answer it.
    if tasks := _named(entries, "task_id"):
        yield from (("message", pk) for pk in _asking_runs(tasks) if pk is not None)
    # The end of a cancelled task names nobody; whoever was at it is at it no more.
    if over := {e.payload["task_id"] for e in entries if e.type == "task.cancelled"}:
        for pk in Attempt.objects.filter(task__in=over).values_list("member_id", flat=True).distinct():
            yield from ((name, pk) for name in SEAT)


def _subjects(name: str, entry: Entry, known: _Known) -> list[UUID]:
    said = entry.payload
    if name.startswith("room_"):
        return [known.workspace_id]
    if name.startswith("run_"):
        if said.get("run_id"):
            return [UUID(said["run_id"])]
        run_id = known.run_of.get(UUID(said["task_id"])) if said.get("task_id") else None
        return [run_id] if run_id else []
    if name == "seat":
        return _seats(said, known)
    if name == "fleet_cell":
        # Some say only which task: whoever has it.
        has_it = known.seat_of_task.get(UUID(said["task_id"])) if said.get("task_id") else None
        return [*_seats(said, known), *([has_it] if has_it else [])]
    value = said.get(SUBJECT[name])
    return [UUID(value)] if value else []


def _seats(said: dict[str, Any], known: _Known) -> list[UUID]:
    """The seats that an event shows differently: named, of the agent, or of the attempt."""
    found = [UUID(said["member_id"])] if said.get("member_id") else []
    if said.get("agent_id") and not found:
        found += known.seats_of_agent.get(UUID(said["agent_id"]), [])
    attempts = [UUID(said[key]) for key in ("attempt_id", "superseded_id") if said.get(key)]
    return found + [known.seat_of_attempt[pk] for pk in attempts if pk in known.seat_of_attempt]


def may_need_people(entries: Sequence[Entry]) -> bool:
    """Whether what waits for people may be another after these."""
    cards = [entry for entry in entries if "task_card" in FEED.get(entry.type, ())]
    return _may_need_people(entries, dict.fromkeys(_named(cards, "task_id")))


def _may_need_people(entries: Sequence[Entry], tasks: Mapping[UUID, None]) -> bool:
    if any(entry.type in ASKING for entry in entries):
        return True
    if not tasks:
        return False
    if any(entry.actor.get("kind") == ActorKind.PERSON and entry.type.startswith("task.") for entry in entries):
        return True
    return _with_people.first(list(tasks)) is not None
