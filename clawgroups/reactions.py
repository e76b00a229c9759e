"""When this happened, start that: the table from event types to runs whose coordinator is woken.

One reaction per workspace reads the journal from the stored cursor and advances it in the same
change as what it starts. Woken by a hint, else by the sweeper: a lost message only delays.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum
from uuid import UUID

from django.db.models import Exists, OuterRef

from clawgroups import commit
from clawgroups.coordinator import hearing
from clawgroups.core import deadline
from clawgroups.core.actors import ActorKind
from clawgroups.keyed import row_of
from clawgroups.models import Entry, Run, Task, Workspace
from clawgroups.planned import Planned
from clawgroups.services import agent_judges, model_calls, turns

BATCH = 1000
Runs = set[UUID]


class Whom(Enum):
    """Whose coordinator an event wakes."""

    RUN = "the run that it names"
    # A member may be free now, or was used up.
    TASK = "the run of its task and of what it judges, and those in which something waits for a member"
    WAITING = "every run in which something waits for a member"


REACTIONS: dict[str, Whom] = {
    "run.drafted": Whom.RUN,
    "run.planning": Whom.RUN,
    "run.proposed": Whom.RUN,
    "run.started": Whom.RUN,
    "run.resumed": Whom.RUN,
    "run.answered": Whom.RUN,
    "run.budget_set": Whom.RUN,
    "run.model_called": Whom.RUN,
    "run.replan_asked": Whom.RUN,
    "run.replan_accepted": Whom.RUN,
    "run.replan_rejected": Whom.RUN,
    "run.consolidating": Whom.RUN,
    "task.ready": Whom.RUN,
    "task.submitted": Whom.TASK,
    "task.returned": Whom.TASK,
    "task.released": Whom.TASK,
    "task.stuck": Whom.TASK,
    "task.handed_back": Whom.TASK,
    "task.late_result_adopted": Whom.TASK,
    "task.regenerated": Whom.RUN,
    "task.split": Whom.RUN,
    "attempt.late_result_kept": Whom.TASK,
    "agent.breaker_set": Whom.WAITING,
    "task.taken_over": Whom.TASK,
    "task.done": Whom.TASK,
    "task.failed": Whom.TASK,
    "task.cancelled": Whom.TASK,
    "member.joined": Whom.WAITING,
    "agent.online": Whom.WAITING,
    "agent.profile_set": Whom.WAITING,
    "member.profile_set": Whom.WAITING,
    "task.assignee_chosen": Whom.TASK,
    "task.paused": Whom.RUN,
    "task.resumed": Whom.RUN,
}


_new: Planned[Entry] = Planned(
    lambda workspace_id, generation, seq: Entry.objects.filter(
        workspace=workspace_id, generation=generation, seq__gt=seq
    ).order_by("seq")[:BATCH]
)
_runs_of: Planned[UUID] = Planned(
    lambda tasks: Task.objects.filter(pk__in=tasks).order_by().values_list("run_id", flat=True).distinct()
)
_waiting_in: Planned[UUID] = Planned(
    lambda workspace_id: (
        Run.objects.filter(workspace_id=workspace_id, state="running")
        .filter(Exists(Task.objects.filter(run=OuterRef("pk"), state__in=["ready", "stuck"])))
        .order_by()
        .values_list("pk", flat=True)
    )
)
_active_of: Planned[UUID] = Planned(
    lambda runs: Run.objects.filter(pk__in=runs, state__in=turns.ACTIVE).order_by("pk").values_list("pk", flat=True)
)


def react(workspace_id: UUID) -> list[UUID]:
    """React to everything new in a workspace's journal; the runs whose turn is wanted by it.

    Keeps to the deadline of its thread; what is left then is found by the next one.
    """
    woken: list[UUID] = []
    while True:
        deadline.check()
        workspace = row_of(Workspace, workspace_id)
        if workspace is None or not (entries := _new(workspace_id, workspace.generation, workspace.reacted)):
            return woken
        runs = _existing(affected(entries, workspace_id))
        said = [UUID(entry.payload["message_id"]) for entry in entries if _names_nobody(entry)]
        asked = hearing.questions_about(said) if said else []
        outcome = commit.wait(turns.react_to(workspace, upto=entries[-1].seq, runs=runs, asked=asked))
        if not outcome.applied:
            return woken  # another worker reacts to the same entries
        for call in asked:
            model_calls.send(call.pk)
        woken += runs
        if len(entries) < BATCH:
            return woken


def _names_nobody(entry: Entry) -> bool:
    """Whether it may be a message about which the coordinator decides whom it is for."""
    said = entry.payload
    in_chat = entry.type == "message.posted" and not said.get("mentions") and not said.get("task_id")
    return bool(in_chat and entry.actor.get("kind") == ActorKind.PERSON)


def affected(entries: Iterable[Entry], workspace_id: UUID) -> Runs:
    """The runs that these entries wake, in two queries, however many entries."""
    found: Runs = set()
    tasks: set[UUID] = set()
    anybody = False
    for entry in entries:
        whom = REACTIONS.get(entry.type)
        if whom is Whom.RUN:
            found.add(UUID(entry.payload["run_id"]))
        elif whom is not None:
            anybody = True
            if whom is Whom.TASK:
                tasks.add(UUID(entry.payload["task_id"]))
    if tasks:
        found.update(_runs_of(tasks))
        found.update(agent_judges.judged_runs(tasks))
    if anybody:
        found.update(_waiting_in(workspace_id))
    return found


def _existing(runs: Runs) -> list[UUID]:
    return _active_of(runs)
