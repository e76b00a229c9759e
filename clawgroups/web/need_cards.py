"""What the page "Needs you" shows of its items: the rows behind them, read together for those that are shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import Prefetch, Q
from django.utils.translation import gettext_lazy as _

from agents.models import Agent
from clawgroups.core import announced
from clawgroups.core.actors import Actor
from clawgroups.fragments import rooms
from clawgroups.fragments.handovers import question_of, team_of
from clawgroups.fragments.tasks import lines_of
from clawgroups.models import Approval, ControlRequest, Member, Overstep, Task, Vote
from clawgroups.services import agent_requests, needs
from clawgroups.services.needs import Need
from clawgroups.web.http import Viewer

LATELY = timedelta(seconds=90)
DAY = timedelta(days=1)
SETTLED = 60
FORMS = {needs.QUESTION: "question", needs.FORM: "form"}
# Kind -> the group by which it is filtered.
GROUPS: dict[str, tuple[Any, frozenset[str]]] = {
    "permissions": (_("Permissions"), frozenset({needs.PERMISSION})),
    "questions": (_("Questions"), frozenset({needs.QUESTION, needs.FORM, needs.GOAL})),
    "reviews": (_("Reviews"), frozenset({needs.REVIEW})),
    "plans": (_("Plans"), frozenset({needs.PLAN, needs.CHANGE})),
    "hands": (_("Handovers"), frozenset({needs.ASKED, needs.OFFER, needs.REQUEST})),
    "stuck": (_("Held up"), frozenset({needs.STUCK, needs.BUDGET, needs.LOGIN, needs.OVERSTEPPED})),
}
TONES = {
    **dict.fromkeys((needs.PERMISSION, needs.QUESTION, needs.FORM, needs.GOAL), "ask"),
    **dict.fromkeys((needs.ASKED, needs.OFFER, needs.REQUEST), "hold"),
    **dict.fromkeys((needs.STUCK, needs.BUDGET, needs.LOGIN, needs.OVERSTEPPED), "bad"),
    **dict.fromkeys((needs.PLAN, needs.CHANGE), "live"),
    needs.REVIEW: "review",
}


@dataclass
class Card:
    """An item with the rows that it is drawn from; of alike questions all of them, the first in front."""

    need: Need
    asks: Sequence[Approval] = ()
    task: Task | None = None
    lines: Sequence[Any] = ()
    question: Any = None
    request: ControlRequest | None = None
    view: rooms.RunView | None = None
    overstep: Overstep | None = None
    agent: Agent | None = None
    logins: Sequence[announced.Login] = ()
    signing_in: Any = None
    viewer: Viewer | None = field(default=None, repr=False)

    @property
    def ask(self) -> Approval | None:
        return self.asks[0] if self.asks else None

    @property
    def id(self) -> str:
        """The name of its element; that of its key, without what a selector would stumble over."""
        return f"need-{self.need.kind}-{self.need.subject}"

    @property
    def tone(self) -> str:
        return "bad" if self.is_critical else TONES[self.need.kind]

    @property
    def template(self) -> str:
        return f"needs/_{FORMS.get(self.need.kind, self.need.kind)}.html"

    @property
    def mark(self) -> str:
        """Changes when what its buttons do has changed."""
        task = f"{self.task.epoch}" if self.task else ""
        return f"{len(self.asks)}-{self.asks[-1].pk}" if len(self.asks) > 1 else task

    @property
    def is_critical(self) -> bool:
        return self.ask is not None and self.ask.rule is not None and self.ask.rule.answer == "critical"

    @property
    def may_be_kept(self) -> bool:
        """Whether its answer may hold for the next hours."""
        ask = self.ask
        return bool(ask and ask.kind == needs.PERMISSION and ask.sameness and ask.needed == 1 and not self.is_critical)


def cards_of(found: Sequence[Need], actor: Actor, now: datetime) -> list[Card]:
    """The items with what they show, in their order. What is gone meanwhile is left out."""
    by_kind: dict[str, list[Need]] = {}
    for need in found:
        by_kind.setdefault(need.kind, []).append(need)
    made: dict[str, Card] = {}
    for load, kinds in (
        (_asks, needs.QUESTIONS),
        (_tasks, (needs.REVIEW, needs.STUCK, needs.ASKED)),
        (_requests, (needs.OFFER, needs.REQUEST)),
        (_runs, (needs.PLAN, needs.CHANGE, needs.GOAL, needs.BUDGET)),
        (_oversteps, (needs.OVERSTEPPED,)),
        (_logins, (needs.LOGIN,)),
    ):
        wanted = [need for kind in kinds for need in by_kind.get(kind, ())]
        if wanted:
            made |= {card.need.key: card for card in load(wanted, actor, now)}
    cards = [made[need.key] for need in found if need.key in made]
    viewers: dict[UUID, Viewer] = {}
    for card in cards:
        pk = card.need.workspace_id
        card.viewer = viewers.setdefault(pk, Viewer(actor, pk)) if pk else None
    return cards


def questions(wanted: Q) -> list[Approval]:
    """Open questions with everything that their card shows."""
    votes = Prefetch("votes", Vote.objects.filter(member__left_at=None).select_related("member"))
    rows = Approval.objects.filter(wanted, state="open").select_related(
        "attempt__member", "task", "workspace", "asked_of", "rule__made_by"
    )
    return list(rows.prefetch_related(votes).order_by("asked_at", "pk"))


def _asks(found: Sequence[Need], actor: Actor, now: datetime) -> Iterable[Card]:
    ids = {pk for need in found for pk in (need.subject, *need.alike)}
    rows = {row.pk: row for row in questions(Q(pk__in=ids))}
    for need in found:
        asks = [rows[pk] for pk in (need.subject, *need.alike) if pk in rows]
        if asks:
            yield Card(need, asks, task=asks[0].task)


def _tasks(found: Sequence[Need], actor: Actor, now: datetime) -> Iterable[Card]:
    rows = Task.objects.filter(pk__in=[need.subject for need in found])
    tasks = {t.pk: t for t in rows.select_related("workspace", "run", "assignee", "holder", "attempt__member")}
    asked = [tasks[need.subject] for need in found if need.kind == needs.ASKED and need.subject in tasks]
    seats = {seat.workspace_id: seat for seat in Member.objects.filter(user=actor.user_id, left_at=None)}
    teams = team_of(list({task.workspace_id for task in asked})) if asked else {}
    held = Task.objects.filter(state="held", holder__in=list(seats.values())).count() if asked else 0
    for need in found:
        task = tasks.get(need.subject)
        if task is None:
            continue
        card = Card(need, task=task)
        if need.kind == needs.ASKED and (seat := seats.get(task.workspace_id)):
            card.question = question_of(task, seat, held + len(asked) - 1, teams.get(task.workspace_id, []))
        if need.kind == needs.REVIEW and task.attempt is not None:
            card.lines = lines_of(task, [task.attempt])
        yield card


def _requests(found: Sequence[Need], actor: Actor, now: datetime) -> Iterable[Card]:
    rows = ControlRequest.objects.filter(pk__in=[need.subject for need in found])
    requests = {row.pk: row for row in rows.select_related("member", "holder", "task__workspace", "task__run")}
    for need in found:
        if need.subject in requests:
            one = requests[need.subject]
            yield Card(need, task=one.task, request=one)


def _runs(found: Sequence[Need], actor: Actor, now: datetime) -> Iterable[Card]:
    views = {view.run.pk: view for view in rooms.runs(Q(pk__in=[need.subject for need in found]))}
    return (Card(need, view=views[need.subject]) for need in found if need.subject in views)


def _oversteps(found: Sequence[Need], actor: Actor, now: datetime) -> Iterable[Card]:
    rows = Overstep.objects.filter(pk__in=[need.subject for need in found])
    oversteps = {row.pk: row for row in rows.select_related("step", "rule", "attempt__member", "task")}
    for need in found:
        if one := oversteps.get(need.subject):
            yield Card(need, task=one.task, overstep=one)


def _logins(found: Sequence[Need], actor: Actor, now: datetime) -> Iterable[Card]:
    agents = {agent.pk: agent for agent in Agent.objects.filter(pk__in=[need.subject for need in found])}
    for need in found:
        if agent := agents.get(need.subject):
            last = agent_requests.latest(agent.pk, "authenticate")
            yield Card(need, agent=agent, logins=announced.logins(agent.announced), signing_in=last)


@dataclass(frozen=True, slots=True)
class Settled:
    """A question that does not wait any more: how it ended, for whoever still has it before their eyes."""

    key: str
    ended: str
    answer: str = ""
    by: str = ""
    is_mine: bool = False


def settled_lately(actor: Actor, workspaces: Sequence[UUID], now: datetime) -> list[Settled]:
    """The questions that were answered or taken back a moment ago, in these workspaces."""
    # Who waited for a day has not been looked at for a day: the index by time keeps this short.
    over = Approval.objects.filter(workspace__in=workspaces, asked_at__gt=now - DAY, decided_at__gt=now - LATELY)
    rows = over.exclude(state="open").select_related("decided_by").order_by("-decided_at")[:SETTLED]
    return [
        Settled(
            f"need-{one.kind}-{one.pk}",
            one.state,
            next((o["name"] for o in one.options if o["optionId"] == one.option_id), ""),
            one.decided_by.name if one.decided_by else "",
            one.decided_by is not None and one.decided_by.user_id == actor.user_id,
        )
        for one in rows
    ]
