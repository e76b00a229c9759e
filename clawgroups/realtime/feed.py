"""Which fragments an event changes. The hub calls `fragments` in its executor, once for everybody who watches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from clawgroups.core.actors import ActorKind
from clawgroups.fragments import all_pieces, gone, needs_piece, task_hint
from clawgroups.models import Attempt, Entry, Member, Task

TASK = ("task_card", "task_page", "run_head", "run_row", "run_note", "seat")
RUN = ("run_head", "run_row", "run_note", "run_board", "run_plan", "run_files", "room_current")
ASK = ("task_card", "task_page", "run_head")

# Event type -> names of fragments (`clawgroups.fragments.FRAGMENTS`). A test holds it against the vocabulary.
FEED: dict[str, tuple[str, ...]] = {
    "workspace.created": (),
    "workspace.renamed": ("room_head",),
    "workspace.goal_set": ("room_head",),
    "workspace.rules_set": ("room_head",),
    "workspace.timers_set": (),
    "workspace.outage_over": (),
    "member.joined": ("seat",),
    "member.left": (),
    "member.role_set": ("seat",),
    "agent.online": ("seat",),
    "agent.offline": ("seat",),
    "agent.profile_set": ("seat",),
    "agent.retired": ("seat",),
    "agent.breaker_set": ("seat",),
    "message.posted": ("message",),
    "memory.kept": (),
    "memory.forgotten": (),
    "run.drafted": RUN,
    "run.planning": RUN,
    "run.proposed": RUN,
    "run.started": RUN,
    "run.paused": ("run_head", "run_row", "run_note", "run_board"),
    "run.resumed": ("run_head", "run_row", "run_note", "run_board"),
    "run.consolidating": ("run_head", "run_row", "run_note"),
    "run.done": RUN,
    "run.failed": RUN,
    "run.cancelled": RUN,
    "task.ready": TASK,
    "task.assigned": TASK,
    "task.begun": TASK,
    "task.submitted": TASK,
    "task.returned": TASK,
    "task.done": TASK,
    "task.taken_over": TASK,
    "task.handed_back": TASK,
    "task.released": TASK,
    "task.stuck": TASK,
    "task.parked": TASK,
    "task.failed": TASK,
    "task.cancelled": TASK,
    "attempt.acknowledged": ("task_page",),
    "task.late_result_adopted": TASK,
    "task.regenerated": TASK,
    "task.split": (*TASK, "run_board"),
    "attempt.quiet": ("task_card", "task_page"),
    "attempt.stirred": ("task_card", "task_page"),
    "attempt.contact_lost": ("task_card", "task_page"),
    "attempt.contact_restored": ("task_card", "task_page"),
    "attempt.late_result_kept": ("task_page",),
    "attempt.stop_unconfirmed": ("task_page",),
    "session.option_set": ("task_page",),
    "attempt.plan_ticked": ("agent_plan", "task_card"),
    "attempt.progress_reported": ("task_card", "task_page"),
    "step.recorded": ("step", "task_card"),
    "draft.saved": ("task_page",),
    "approval.requested": ASK,
    "approval.decided": ASK,
    "approval.expired": ASK,
    "approval.voided": ASK,
    "artifact.added": ("run_files", "task_page"),
    "workspace.coordination_set": (),
    "member.profile_set": ("seat",),
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
}
# A person's own doing always may shorten the list of what waits for people; these always may change it.
ASKING = frozenset(
    {
        "approval.requested",
        "approval.decided",
        "approval.expired",
        "approval.voided",
        "task.stuck",
        "run.asked",
        "run.answered",
    }
)
# Which key of a payload names the subject of a fragment.
SUBJECT = {
    "task_card": "task_id",
    "task_page": "task_id",
    "step": "step_id",
    "agent_plan": "attempt_id",
    "message": "message_id",
    "seat": "member_id",
}


def fragments(entries: Sequence[Entry], workspace_id: UUID) -> list[str]:
    """The pieces of HTML that bring a page from before `entries` to after them; each once, as it is now."""
    wanted = _wanted(entries, workspace_id)
    made: list[str] = []
    seq = entries[-1].seq if entries else 0
    made += [task_hint(pk, seq) for pk in wanted.pop("task_page", {})]
    made += all_pieces(wanted)
    made += [gone(f"seat-{pk}") for pk in _left(entries)]
    if _may_need_people(entries, wanted.get("task_card", {})):
        made.append(needs_piece(seq))
    return made


def _left(entries: Sequence[Entry]) -> list[UUID]:
    """Who has left and is not back by now: a seat that was taken again is a piece of its own."""
    left = [UUID(e.payload["member_id"]) for e in entries if e.type == "member.left"]
    back = set(Member.objects.filter(pk__in=left, left_at=None).values_list("pk", flat=True)) if left else set()
    return [pk for pk in dict.fromkeys(left) if pk not in back]


@dataclass(frozen=True)
class _Known:
    """What subjects are found by, read once for all entries: runs by task, seats by agent and by attempt."""

    workspace_id: UUID
    run_of: dict[UUID, UUID]
    seats_of_agent: dict[UUID, list[UUID]]
    seat_of_attempt: dict[UUID, UUID]


def _known(entries: Sequence[Entry], workspace_id: UUID) -> _Known:
    tasks, agents = _named(entries, "task_id"), _named(entries, "agent_id")
    attempts = _named(entries, "attempt_id") | _named(entries, "superseded_id")
    seats: dict[UUID, list[UUID]] = {}
    if agents:
        for agent, pk in Member.objects.filter(workspace=workspace_id, agent__in=agents).values_list("agent_id", "pk"):
            if agent is not None:
                seats.setdefault(agent, []).append(pk)
    return _Known(
        workspace_id,
        dict(Task.objects.filter(pk__in=tasks).values_list("pk", "run_id")) if tasks else {},
        seats,
        dict(Attempt.objects.filter(pk__in=attempts).values_list("pk", "member_id")) if attempts else {},
    )


def _named(entries: Sequence[Entry], key: str) -> set[UUID]:
    return {UUID(value) for entry in entries if (value := entry.payload.get(key))}


def _wanted(entries: Sequence[Entry], workspace_id: UUID) -> dict[str, dict[UUID, None]]:
    """Fragment name -> its subjects in order of appearance."""
    wanted: dict[str, dict[UUID, None]] = {}
    known = _known(entries, workspace_id)
    for entry in entries:
        for name in FEED.get(entry.type, ()):
            for pk in _subjects(name, entry, known):
                wanted.setdefault(name, {})[pk] = None
    # The end of a cancelled task names nobody; whoever was at it is at it no more.
    if over := {e.payload["task_id"] for e in entries if e.type == "task.cancelled"}:
        for pk in Attempt.objects.filter(task__in=over).values_list("member_id", flat=True).distinct():
            wanted.setdefault("seat", {})[pk] = None
    return wanted


def _subjects(name: str, entry: Entry, known: _Known) -> list[UUID]:
    said = entry.payload
    if name in ("room_head", "room_current"):
        return [known.workspace_id]
    if name.startswith("run_"):
        if said.get("run_id"):
            return [UUID(said["run_id"])]
        run_id = known.run_of.get(UUID(said["task_id"])) if said.get("task_id") else None
        return [run_id] if run_id else []
    if name == "seat":
        return _seats(said, known)
    value = said.get(SUBJECT[name])
    return [UUID(value)] if value else []


def _seats(said: dict[str, Any], known: _Known) -> list[UUID]:
    """The seats that an event shows differently: named, of the agent, or of the attempt."""
    found = [UUID(said["member_id"])] if said.get("member_id") else []
    if said.get("agent_id") and not found:
        found += known.seats_of_agent.get(UUID(said["agent_id"]), [])
    attempts = [UUID(said[key]) for key in ("attempt_id", "superseded_id") if said.get(key)]
    return found + [known.seat_of_attempt[pk] for pk in attempts if pk in known.seat_of_attempt]


def _may_need_people(entries: Sequence[Entry], tasks: dict[UUID, None]) -> bool:
    if any(entry.type in ASKING for entry in entries):
        return True
    if not tasks:
        return False
    if any(entry.actor.get("kind") == ActorKind.PERSON and entry.type.startswith("task.") for entry in entries):
        return True
    return Task.objects.filter(pk__in=list(tasks), blocked_on="person").exists()
