"""What waits for a person, over all their workspaces: the one list that page, badge and notices are made from.

`needs_of` reads no arguments of agents: what exactly is asked is loaded by whoever shows it, for what is shown.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zlib import crc32

from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, Connection
from clawgroups.core.actors import Role
from clawgroups.core.lifecycle import RunState, TaskState
from clawgroups.core.replan_asked import read_asked
from clawgroups.models import Approval, ControlRequest, Member, Run, Task
from clawgroups.permissions import ACTIONS
from clawgroups.queries import asked_now
from clawgroups.services import overstepping
from clawgroups.services.budgets import OPEN
from clawgroups.services.review import other_judge
from clawgroups.services.routing import put_to

MOST = 1_000  # of one kind; whoever has more waiting has lost count anyway

PERMISSION, QUESTION, FORM, REVIEW, STUCK = "permission", "question", "form", "review", "stuck"
ASKED, OFFER, REQUEST, PLAN, CHANGE, GOAL = "asked", "offer", "request", "plan", "change", "goal"
BUDGET, LOGIN, OVERSTEPPED = "budget", "login", "overstepped"
QUESTIONS = frozenset({PERMISSION, QUESTION, FORM})
# Kind -> what waits, in words that hold no arguments: letters and notices say this and no more.
WORDS: dict[str, str | Promise] = {
    PERMISSION: _("%(who)s asks for permission"),
    QUESTION: _("%(who)s has a question"),
    FORM: _("%(who)s has a question"),
    REVIEW: _("A result waits for a verdict"),
    STUCK: _("Somebody has to decide how it goes on"),
    ASKED: _("You are asked to do this"),
    OFFER: _("%(who)s would pass this on to you"),
    REQUEST: _("%(who)s asks you for this"),
    PLAN: _("A plan waits for a start"),
    CHANGE: _("A change of the plan waits for a yes or no"),
    GOAL: _("The coordinator asks about a goal"),
    BUDGET: _("A limit is used up"),
    LOGIN: _("An agent has to be signed in"),
    OVERSTEPPED: _("%(who)s did something critical without asking"),
}


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for a person. `subject` is the row that it is about, by its kind:

    permission, question, form: an Approval. review, stuck, asked: a Task. offer, request: a ControlRequest.
    plan, change, goal, budget: a Run. overstepped: an Overstep. login: an Agent, which belongs to a person and to no
    workspace.

    `since`: when it began to wait; `until`: when it stops, by itself. `who` asks, `about` what: names of ours and
    titles of tasks, never what an agent wrote. `alike`: other questions that ask for the same, and are shown with it.
    `occasion`: which time it is, where the same row may wait again.
    """

    kind: str
    subject: UUID
    since: datetime
    about: str
    who: str = ""
    workspace_id: UUID | None = None
    workspace: str = ""
    until: datetime | None = None
    place: tuple[str, ...] = ()
    alike: tuple[UUID, ...] = ()
    occasion: str = ""
    merges: tuple[Any, ...] = field(default=(), repr=False)

    @property
    def key(self) -> str:
        """Its name, the same for as long as it waits: "approval:ID" of what agents ask, else "kind:ID:occasion"."""
        if self.kind in QUESTIONS:
            return f"approval:{self.subject}"
        return f"{self.kind}:{self.subject}{self.occasion and f':{self.occasion}'}"

    @property
    def keys(self) -> tuple[str, ...]:
        """Its key, and those of the others that are shown with it: whoever was told of these was told of it."""
        return (self.key, *(f"approval:{pk}" for pk in self.alike))

    @property
    def what(self) -> str:
        """What is wanted, without any argument of an agent."""
        return WORDS[self.kind] % {"who": self.who}

    @property
    def title(self) -> str:
        """What is wanted, and of what."""
        return f"{self.what}: {self.about}"

    @property
    def url(self) -> str:
        """Where it stands beside everything else of it; it wants a sign-in."""
        name, *args = self.place
        at = f"#ask-{self.subject}" if self.kind in QUESTIONS else ""
        return f"{reverse(name, args=args)}{at}"


def needs_of(user_id: int | None, now: datetime) -> list[Need]:
    """What waits for this person, that which waits longest first, in a fixed number of queries.

    Questions that ask for the same thing in one workspace, with the same choices, are one item.
    """
    if user_id is None:
        return []
    seats = _seats(user_id)
    found = [
        *_questions(user_id),
        *_tasks(seats, now),
        *_requests(seats),
        *_runs(seats),
        *_oversteps(seats),
        *_logins(user_id),
    ]
    return sorted(found, key=lambda need: (need.since, need.key))


def count_of(user_id: int | None, now: datetime) -> int:
    """How many items that list has: the badge."""
    return len(needs_of(user_id, now))


def rooms_where(user_id: int | None, action: str) -> list[UUID]:
    """The workspaces in which a person may do this."""
    return _where(_seats(user_id), action)


def _seats(user_id: int | None) -> dict[UUID, Member]:
    """The person's seats, by workspace."""
    rows = Member.objects.filter(user=user_id, user__is_active=True, left_at=None)
    return {seat.workspace_id: seat for seat in rows}


def _where(seats: Mapping[UUID, Member], action: str) -> list[UUID]:
    """The workspaces in which they may do this."""
    return [pk for pk, seat in seats.items() if Role(seat.role) in ACTIONS[action].roles]


def _questions(user_id: int) -> list[Need]:
    mine = Approval.objects.filter(put_to(user_id), state="open").order_by("asked_at", "pk")
    columns = ("pk", "kind", "asked_at", "expires_at", "workspace_id", "workspace__name", "task_id", "task__title")
    rows = mine.values(*columns, "attempt__member__name", "sameness", "options", "needed")[:MOST]
    return merged(
        Need(
            row["kind"],
            row["pk"],
            row["asked_at"],
            row["task__title"],
            row["attempt__member__name"],
            row["workspace_id"],
            row["workspace__name"],
            row["expires_at"],
            ("task", str(row["workspace_id"]), str(row["task_id"])),
            merges=alike_by(row["workspace_id"], row["kind"], row["sameness"], row["options"], row["needed"]),
        )
        for row in rows
    )


def alike_by(
    workspace_id: UUID, kind: str, sameness: str, options: Sequence[Mapping[str, Any]], needed: int
) -> tuple[Any, ...]:
    """What two questions have in common that may be answered as one; nothing for a question that stands alone.

    A permission is answered by the kind of its choice, so that one with two choices of the same kind stands alone.
    """
    by = sorted(str(option.get("kind" if kind == PERMISSION else "name", "")) for option in options)
    if not sameness or len(set(by)) < len(by):
        return ()
    return (workspace_id, kind, sameness, needed, *by)


def merged(needs: Iterable[Need]) -> list[Need]:
    """The questions with those that ask for the same put to the one that waits longest."""
    made: list[Need] = []
    first: dict[tuple[Any, ...], int] = {}
    for need in needs:
        at = first.get(need.merges) if need.merges else None
        if at is None:
            first[need.merges] = len(made)
            made.append(need)
        else:
            until = min((one for one in (made[at].until, need.until) if one is not None), default=None)
            made[at] = replace(made[at], alike=(*made[at].alike, need.subject), until=until)
    return made


def _tasks(seats: Mapping[UUID, Member], now: datetime) -> Iterator[Need]:
    """Tasks that a person has to move on. What an agent asks is a question, and what somebody holds is theirs."""
    states = (TaskState.IN_REVIEW, TaskState.STUCK, TaskState.READY)
    rows = Task.objects.filter(
        workspace__in=_where(seats, "task.take_over"), state__in=states, blocked_on="person", run__state="running"
    ).exclude(approvals__state="open")
    held = rows.select_related("workspace", "run", "attempt").order_by("resting_since", "pk")[:MOST]
    mine = {seat.pk for seat in seats.values()}
    for task in held:
        kind = _kind_of(task, mine, now)
        if kind:
            yield Need(
                kind,
                task.pk,
                task.resting_since or (task.attempt and task.attempt.submitted_at) or task.created_at,
                task.title,
                task.next_actor,
                task.workspace_id,
                task.workspace.name,
                task.deadline_at,
                ("task", str(task.workspace_id), str(task.pk)),
                occasion=str(task.epoch),
            )


def _kind_of(task: Task, mine: set[UUID], now: datetime) -> str:
    """What a task wants of a person; empty where that is somebody else's."""
    if task.state == TaskState.IN_REVIEW:
        own = task.attempt if task.attempt is not None and task.attempt.member_id in mine else None
        return "" if own is not None and other_judge(task, own) is not None else REVIEW
    if task.state == TaskState.STUCK:
        return STUCK
    if not task.brief.get("asked"):
        return STUCK
    return ASKED if asked_now(task, now) in mine else ""


def _requests(seats: Mapping[UUID, Member]) -> Iterator[Need]:
    """What they are offered by the holder of a task, and who asks for one that they hold."""
    mine = [seat.pk for pk in _where(seats, "control.answer") if (seat := seats[pk])]
    theirs = Q(state="offered", member__in=mine) | Q(state="open", holder__in=mine)
    rows = ControlRequest.objects.filter(theirs, task__state="held", task__holder=F("holder"))
    for one in rows.select_related("task__workspace", "member", "holder")[:MOST]:
        offered = one.state == "offered"
        yield Need(
            OFFER if offered else REQUEST,
            one.pk,
            one.asked_at,
            one.task.title,
            one.holder.name if offered else one.member.name,
            one.workspace_id,
            one.task.workspace.name,
            place=("task", str(one.workspace_id), str(one.task_id)),
        )


def _runs(seats: Mapping[UUID, Member]) -> Iterator[Need]:
    """Plans to start, changes to accept, goals asked about, limits that are used up."""
    # One that starts by itself waits for nobody.
    proposed = Q(state=RunState.PROPOSED, start_when_planned=False, workspace__in=_where(seats, "run.start"))
    changes = Q(state=RunState.RUNNING, workspace__in=_where(seats, "run.edit_plan")) & ~Q(replan={})
    goals = Q(state=RunState.PLANNING, workspace__in=_where(seats, "run.answer")) & ~Q(question="")
    stops = Q(state__in=OPEN, workspace__in=_where(seats, "run.set_budget")) & ~Q(budget_stop="")
    resting = Task.objects.filter(run=OuterRef("pk"), state=TaskState.READY, resting_since__isnull=False)
    rests = Subquery(resting.order_by("resting_since").values("resting_since")[:1])
    rows = Run.objects.filter(proposed | changes | goals | stops).annotate(rests=rests).select_related("workspace")
    for run in rows.order_by("created_at")[:MOST]:
        for kind, since, occasion in _wants(run):
            yield Need(
                kind,
                run.pk,
                since or run.created_at,
                run.goal[:200],
                "",
                run.workspace_id,
                run.workspace.name,
                place=("run", str(run.workspace_id), str(run.pk)),
                occasion=occasion,
            )


def _wants(run: Any) -> Iterator[tuple[str, datetime | None, str]]:
    """What a run wants of people: the kind, since when as far as that is known, and which time it is."""
    if run.state == RunState.PROPOSED:
        yield PLAN, None, ""
    if run.state == RunState.PLANNING and run.question:
        yield GOAL, None, str(len(run.answers))
    if run.state == RunState.RUNNING and run.replan and read_asked(run.replan) is None:
        yield CHANGE, _moment(run.replan.get("at")), str(run.replan.get("id", ""))
    if run.budget_stop:
        yield BUDGET, run.rests, f"{crc32(run.budget_stop.encode()):08x}"


def _oversteps(seats: Mapping[UUID, Member]) -> Iterator[Need]:
    """What agents did without asking though it is critical, until somebody has looked at it."""
    here = overstepping.unseen().filter(workspace__in=_where(seats, "approval.decide"))
    for one in here.select_related("task__workspace", "attempt__member")[:MOST]:
        yield Need(
            OVERSTEPPED,
            one.pk,
            one.at,
            one.task.title,
            one.attempt.member.name,
            one.workspace_id,
            one.task.workspace.name,
            place=("task", str(one.workspace_id), str(one.task_id)),
        )


def _logins(user_id: int) -> Iterator[Need]:
    """Agents of theirs that are connected, and want their owner to sign in."""
    here = Exists(Connection.objects.filter(agent=OuterRef("pk"), closed_at=None))
    rows = Agent.objects.filter(here, owner=user_id, retired_at=None, announced__needs_login__isnull=False)
    for agent in rows.order_by("name")[:MOST]:
        told = agent.announced.get("needs_login") or {}
        since = _moment(told.get("since"))
        if since is not None:
            place = ("agent", str(agent.pk))
            yield Need(LOGIN, agent.pk, since, agent.name, agent.name, place=place, occasion=str(told["since"]))


def _moment(said: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(str(said))
    except ValueError:
        return None
