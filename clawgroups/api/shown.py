"""Rows as the API shows them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from django.utils import timezone

from agents.models import Agent, AgentKey, Dial
from clawgroups.core.record import Tally
from clawgroups.core.timer_settings import SETTINGS
from clawgroups.core.timers import Timers
from clawgroups.fragments.agents import Work
from clawgroups.fragments.handovers import Handed, handed_of
from clawgroups.fragments.stop_progress import progress_of
from clawgroups.fragments.stops import overruns_of
from clawgroups.models import (
    Approval,
    Artifact,
    Attempt,
    Dependency,
    Draft,
    Member,
    Memory,
    MemoryVersion,
    Override,
    Part,
    Run,
    Step,
    Task,
    Workspace,
)
from clawgroups.permissions import OF_THE_TEAM
from clawgroups.services.recalling import source_of

Json = dict[str, Any]
TRANSCRIPT = 500
TOLD = ("handback", "acknowledged", "given", "note", "feedback", "dead_ends", "earlier")


def moment(at: datetime | None) -> str | None:
    """A time as ISO 8601 in UTC."""
    return None if at is None else at.isoformat().replace("+00:00", "Z")


def columns(row: Any, *names: str) -> Json:
    """These columns as JSON has them."""
    said: Json = {}
    for name in names:
        value = getattr(row, name)
        if isinstance(value, datetime):
            value = moment(value)
        said[name] = str(value) if isinstance(value, UUID) else value
    return said


def workspace(row: Workspace) -> Json:
    """`timers`: the workspace's own deadlines in seconds; `timers_in_force`: all of them."""
    said = columns(row, "id", "name", "goal", "rules", "rules_version", "created_at", "generation", "head", "timers")
    said["closed_at"] = moment(row.closed_at)
    timers = Timers().overridden(row.timers)
    return {**said, "timers_in_force": {name: getattr(timers, name) for name in SETTINGS}}


def member(row: Member) -> Json:
    said = columns(row, "id", "name", "handle", "role", "joined_at")
    if row.user_id is not None:
        said |= columns(row, "skills", "hours", "capacity")
    said["muted_at"] = moment(row.muted_at)
    return {**said, "user": row.user_id, "agent": str(row.agent_id) if row.agent_id else None}


def seat(row: Member | None) -> Json | None:
    """A member as part of something else."""
    return None if row is None else {"id": str(row.pk), "name": row.name}


def agent(row: Agent) -> Json:
    said = columns(
        row,
        "id",
        "name",
        "handle",
        "description",
        "version",
        "toolkits",
        "model",
        "device",
        "max_sessions",
        "created_at",
    )
    skills = [columns(one, "name", "title", "description", "level", "tags", "examples") for one in row.skills.all()]
    health = {
        "state": row.breaker,
        "until": moment(row.breaker_until),
        "reason": row.health.get("reason", ""),
        "detail": row.health.get("detail", ""),
    }
    return {
        **said,
        "skills": skills,
        "builtin": row.is_builtin,
        "retired_at": moment(row.retired_at),
        "breaker": health,
    }


def record(work: Work) -> Json:
    """What became of an agent's tries in the last days: in all, per needed skill, and failures by kind."""

    def tally(one: Tally) -> Json:
        return {"accepted": one.accepted, "returned": one.returned, "failed": one.failed}

    found = work.record
    return {
        "days": work.days,
        **tally(found.total),
        "typical_seconds": work.typical,
        "skills": {name: tally(one) for name, one in found.skills.items()},
        "failures": dict(found.failures),
    }


def dial(row: Dial | None) -> Json:
    if row is None:
        return {"address": ""}
    said = columns(row, "address", "private", "state", "said", "since", "tries", "next_at")
    return {**said, "has_key": bool(row.secret)}


def key(row: AgentKey) -> Json:
    return columns(row, "id", "public_id", "created_at", "expires_at", "last_used_at", "revoked_at")


def run(row: Run) -> Json:
    """`question`: what the coordinator asks before it plans; `answers`: what it was told so far."""
    said = columns(
        row, "id", "goal", "kind", "state", "paused", "planner", "rationale", "question", "answers", "reason",
        "created_at", "started_at", "ended_at", "deadline_at",
    )  # fmt: skip
    return {**said, "workspace": str(row.workspace_id)}


def run_in_full(row: Run) -> Json:
    """`stops`: once everything in it was stopped, how far its agents are with that."""
    states = Counter(Task.objects.filter(run=row).values_list("state", flat=True))
    stops = progress_of(row.pk).as_json() if row.paused else None
    return {**run(row), "tasks": dict(states), "stops": stops}


def parents_of(run_id: UUID) -> dict[UUID, list[str]]:
    """The keys of the tasks that each task of a run depends on."""
    found: dict[UUID, list[str]] = {}
    edges = Dependency.objects.filter(task__run_id=run_id).order_by("parent__position")
    for task_id, parent in edges.values_list("task_id", "parent__key"):
        found.setdefault(task_id, []).append(parent)
    return found


def task(row: Task, parents: Mapping[UUID, list[str]]) -> Json:
    said = columns(
        row, "id", "key", "position", "title", "instructions", "kind", "skills", "acceptance", "state", "epoch",
        "paused", "tries", "blocked_on", "next_actor", "deadline_at", "deadline_effect", "close_by", "resting_since",
        "reason", "match", "created_at", "ended_at",
    )  # fmt: skip
    return {
        **said,
        "run": str(row.run_id),
        "workspace": str(row.workspace_id),
        "depends_on": parents.get(row.pk, []),
        "assignee": seat(row.assignee),
        "holder": seat(row.holder),
        "attempt": str(row.attempt_id) if row.attempt_id else None,
    }


def choice(row: Override) -> Json:
    """A person's choice that the matching learns from."""
    said = columns(row, "id", "skills", "at")
    by = str(row.actor.get("name", ""))
    task = {"id": str(row.task_id), "title": row.task.title}
    return {**said, "task": task, "passed": seat(row.proposed), "chosen": seat(row.chosen), "by": by}


def attempt(row: Attempt) -> Json:
    said = columns(
        row, "id", "number", "epoch", "state", "contact", "stop", "plan", "result", "late_result", "late_at", "reason",
        "acknowledgement", "verdicts", "progress", "rules_version", "offered_at", "begun_at", "progress_at",
        "quiet_since", "start_by", "close_by", "back_by", "submitted_at", "ended_at",
    )  # fmt: skip
    # What it was told of people's work: each try keeps its own.
    said["brief"] = {key: row.brief[key] for key in TOLD if key in row.brief}
    adopted_from = None if row.adopted_from_id is None else str(row.adopted_from_id)
    return {**said, "member": seat(row.member), "adopted_from": adopted_from}


def transcript(attempt_id: UUID, *, after: int, limit: int, closely: bool) -> Json:
    """Messages and tool calls of an attempt in order, from the one after ordinal `after`.

    `closely`: with thoughts, what was decided on the agent's machine, and the details of tool calls, which guests and
    other agents do not get.
    """
    parts = Part.objects.filter(attempt_id=attempt_id, ordinal__gt=after)
    if not closely:
        parts = parts.exclude(kind__in=OF_THE_TEAM)
    steps = Step.objects.filter(attempt_id=attempt_id, ordinal__gt=after)
    items = [columns(p, "ordinal", "kind", "text", "after_stop", "at") for p in parts.order_by("ordinal")[: limit + 1]]
    items += [_step(step, closely) for step in steps.order_by("ordinal")[: limit + 1]]
    items.sort(key=lambda item: (item["ordinal"], item["kind"] != "prompt"))
    given = items[:limit]
    return {"items": given, "next": given[-1]["ordinal"] if len(items) > limit else None}


def _step(row: Step, closely: bool) -> Json:
    said = columns(row, "ordinal", "id", "title", "status", "started_at", "ended_at")
    return {**said, "kind": "step", "tool": row.kind, **({"detail": row.detail} if closely else {})}


def handed(row: Handed) -> Json:
    """Where a hand-back stands."""
    return columns(row, "state", "giver", "who", "text", "until", "reason")


def task_in_full(row: Task, *, closely: bool) -> Json:
    """A task with its attempts, what happened in each (`after_stop`: when it was asked to stop, when it did, and what
    it spent in between), and the draft of the open one."""
    attempts = []
    rows = list(row.attempts.select_related("member").order_by("number"))
    overruns = overruns_of(rows)
    for one in rows:
        told = transcript(one.pk, after=-1, limit=TRANSCRIPT, closely=closely)
        after_stop = overruns[one.pk].as_json() if one.pk in overruns else None
        said = {**attempt(one), "after_stop": after_stop}
        attempts.append({**said, "transcript": told["items"], "transcript_next": told["next"]})
    draft = Draft.objects.filter(attempt=row.attempt, kind="own").last() if row.attempt else None
    back = handed_of(row, rows, timezone.now())
    return {
        **task(row, parents_of(row.run_id)),
        "handed": None if back is None else handed(back),
        "given": row.brief.get("given", []),
        "attempts": attempts,
        "draft": None if draft is None else columns(draft, "version", "text", "saved_at"),
        "artifacts": [artifact(one) for one in row.artifacts.exclude(kind="kept")],
    }


def approval(row: Approval) -> Json:
    said = columns(
        row, "id", "kind", "state", "why", "epoch", "tool_call", "options", "form", "digest", "sameness", "option_id",
        "option_kind", "sent_option", "answer", "filled", "needed", "asked_at", "escalates_at", "expires_at",
        "decided_at",
    )  # fmt: skip
    return {
        **said,
        "asked_of": seat(row.asked_of),
        "votes": [{"member": seat(vote.member), "at": moment(vote.at)} for vote in row.votes.all()],
        "rule": str(row.rule_id) if row.rule_id else None,
        "workspace": str(row.workspace_id),
        "task": {"id": str(row.task_id), "title": row.task.title},
        "attempt": str(row.attempt_id),
        "member": seat(row.attempt.member),
        "decided_by": seat(row.decided_by),
    }


def artifact(row: Artifact) -> Json:
    said = columns(
        row, "id", "kind", "name", "revision", "size", "sha256", "content_type", "actor", "created_at", "pinned_at"
    )
    task_id = str(row.task_id) if row.task_id else None
    where = {"run": str(row.run_id), "task": task_id, "attempt": str(row.attempt_id) if row.attempt_id else None}
    return {**said, **where, "url": f"/api/v1/artifacts/{row.pk}/content"}


def memory(row: Memory) -> Json:
    """`scope`: "workspace", "task" or "agent". `source`: the task, attempt or message that it came out of."""
    said = columns(row, "id", "key", "text", "actor", "kept_at", "version", "struck_at", "struck_by")
    agent = str(row.agent_id) if row.agent_id else None
    where = {"scope": row.scope, "task": str(row.task_id) if row.task_id else None, "agent": agent}
    return {**said, **where, "source": source_of(row)}


def memory_version(row: MemoryVersion) -> Json:
    """One thing that was done to a note. `what`: "kept", "edited", "struck" or "restored"."""
    said = columns(row, "id", "what", "text", "actor", "at")
    attempt = str(row.attempt_id) if row.attempt_id else None
    return {**said, "attempt": attempt, "message": str(row.message_id) if row.message_id else None}
