"""What can be done to a workspace by its people, its agents, the coordinator and time, on the product's own verbs.

Nothing here decides whether something may be done: a refusal (`ClawError`) is an answer like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from agents.ids import new_id
from agents.models import AgentKey, Connection
from agents.protocol.updates import MessageChunk, ToolCall
from clawgroups import bus, commit
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import Busy, ClawError
from clawgroups.core.transcript import Standing
from clawgroups.gateway import reads
from clawgroups.models import Attempt, Command, Member, Run, Session
from clawgroups.reactions import react
from clawgroups.services import (
    artifacts,
    breakers,
    contact,
    late,
    members,
    runs,
    sessions,
    steering,
    stopping,
    transcript,
    turns,
)
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.machine.by_hand import BY_HAND
from tests.machine.cases import NAMES, Case, made_file

BEGIN = datetime(2026, 5, 4, 8, tzinfo=UTC)
AGENTS = ("scribe", "counter", "judge")
PEOPLE = ("ada", "bob", "carol")
ASKED = ("bob", "carol")  # who may be asked for tasks
FOLDER = "/srv/ann/desk"
PROMPTS = ("work", "acknowledge", "steer")
ENDS: dict[str, Mapping[str, Any]] = {
    "end_turn": {"result": {"stopReason": "end_turn"}},
    "refusal": {"result": {"stopReason": "refusal"}},
    "max_tokens": {"result": {"stopReason": "max_tokens"}},
    "cancelled": {"result": {"stopReason": "cancelled"}},
    "error": {"error": {"code": -32603, "message": "it broke"}},
    "login": {"error": {"code": -32000, "message": "sign in"}},
}
PLANS: tuple[list[dict[str, Any]], ...] = (
    [{"key": "a", "title": "A"}],
    [{"key": "a", "title": "A"}, {"key": "b", "title": "B", "depends_on": ["a"]}],
    [
        {"key": "a", "title": "A"},
        {"key": "b", "title": "B", "depends_on": ["a"]},
        {"key": "c", "title": "C", "depends_on": ["a"], "acceptance": ["It is friendly"]},
        {"key": "d", "title": "D", "depends_on": ["b", "c"]},
    ],
)


@dataclass(frozen=True)
class Ear:
    """What the process that holds an agent's socket knows: how far it has heard, and where a session stands."""

    link: Connection
    standing: Standing
    actor: Actor


class Acts:
    """One workspace, its team, a clock that only moves when told, and whatever can happen."""

    def __init__(self, team: Team) -> None:
        self.team = team
        self.now = BEGIN
        self.pending: list[Change] = []
        self.ears: list[Ear] = []
        self.links = dict(team.links)
        self.up = set(AGENTS)
        self.wanted: dict[str, None] = {}
        self._stack = ExitStack()
        self.sent: dict[UUID, list[tuple[str, UUID | None, UUID]]] = {}
        """Of each frame what it is for, the link that it is for, and each link it was handed to."""
        self.taken: list[str] = []
        """Texts of which their writers were told that they are saved, or kept."""
        self._words = 0

    # The frame of an example

    def begin(self) -> None:
        """Enter the example: a transaction that is rolled back, a clock of its own, hints that go nowhere."""
        self._stack.enter_context(mock.patch("django.utils.timezone.now", self.clock))
        self._stack.enter_context(mock.patch.object(bus, "wake", return_value=None))
        self._stack.enter_context(mock.patch.object(bus, "enqueue", self._enqueue))
        self._stack.enter_context(_rolled_back())
        Member.objects.filter(pk__in=[self.seat(name).pk for name in ASKED]).update(capacity=3)
        for name in AGENTS:
            self.back(name, same=True)

    def end(self) -> None:
        self._stack.close()

    def clock(self) -> datetime:
        """No two looks at it are at the same moment, as no two changes are."""
        self.now += timedelta(microseconds=1)
        return self.now

    def _enqueue(self, job: str, *args: str) -> None:
        if job == "clawgroups.coordinate":
            self.wanted[args[0]] = None

    # Doing

    def do(self, verb: Callable[..., Future[Outcome]], *args: Any, **kwargs: Any) -> Outcome | None:
        """Carry a verb out as a door does; None when it was refused."""
        try:
            return perform(verb, *args, **kwargs)
        except ClawError:
            return None

    def decide(self, verb: Callable[..., Future[Outcome]], *args: Any, **kwargs: Any) -> None:
        """Decide a verb now and keep the change: others will be quicker."""
        with mock.patch.object(commit, "submit", self._keep):
            try:
                verb(*args, **kwargs)
            except ClawError:
                return

    def _keep(self, change: Change) -> Future[Outcome]:
        self.pending.append(change)
        return Future()

    def land(self, pick: int) -> None:
        """Hand over a change that was decided some time ago."""
        change = self.pending.pop(pick % len(self.pending))
        try:
            commit.submit(change).result()
        except ClawError:
            return

    def person(self, name: str) -> Actor:
        return self.team.actor(name)

    def agent(self, name: str) -> Actor:
        return Actor(ActorKind.AGENT, name.title(), agent_id=self.team.agents[name].pk)

    def seat(self, name: str) -> Member:
        return self.team.seat(name)

    # The coordinator and time

    def new_run(self, plan: int, *, start: bool) -> None:
        self.do(
            runs.draft_run,
            self.team.workspace.pk,
            goal="Understand the sales",
            plan=PLANS[plan % len(PLANS)],
            start=start,
            actor=self.person("ada"),
        )

    def turn(self) -> None:
        """What the worker does after a hint: react, then a turn for each run that wants one."""
        react(self.team.workspace.pk)
        # On a machine that is slow enough the lease would be renewed beside the one connection, where there is no run.
        with mock.patch.object(turns, "renew_turn", side_effect=Busy("There is one connection.")):
            for run_id in Run.objects.order_by("created_at", "pk").values_list("pk", flat=True):
                take_turn(run_id)

    def tick(self, seconds: float, *, quiet: bool) -> None:
        """Time passes. Agents that are up are heard; the sweep looks, and what it asks for is done."""
        self.now += timedelta(seconds=seconds)
        held = {
            self.links[name]: epoch
            for name in sorted(self.up)
            for epoch in Connection.objects.filter(pk=self.links[name]).values_list("epoch", flat=True)
        }
        self.do(contact.renew_connections, held)
        for _ in range(3):
            sweep(self.now, quiet=quiet)
            self.turn()

    # Agents

    def drop(self, name: str) -> None:
        """The socket closes."""
        self.up.discard(name)
        link = self.links[name]
        self.do(contact.close_connection, link, epoch=self._epoch(link), reason="closed")

    def back(self, name: str, *, same: bool) -> None:
        """The agent connects again: the same child goes on, or a new one has forgotten everything."""
        if not same:
            self.links[name] = new_id()
        link, agent = self.links[name], self.team.agents[name]
        key = AgentKey.objects.get(agent=agent).pk
        opened = self.do(contact.open_connection, agent.pk, key_id=key, link=link, extensions=["link"])
        if opened is None:
            return
        # One of them goes on in a session that it has stored, on whichever line it is by then.
        told = {"name": name, "resume": name == "counter"}
        self.do(contact.connection_ready, link, epoch=opened.answer["epoch"], announced=told)
        self.up.add(name)
        if not same:
            for session_id, attempt_id in reads.sessions_elsewhere(agent.pk, link):
                why = "another process of the agent came"
                self.do(sessions.session_lost, session_id, attempt_id=attempt_id, reason=why)

    def _epoch(self, link: UUID) -> int:
        return Connection.objects.get(pk=link).epoch

    def send(self, name: str) -> None:
        """Hand an agent what it is owed, one prompt per session at a time."""
        link = self.links[name]
        for command in steering.in_order(sessions.owed_commands(self.team.agents[name].pk, link)):
            busy = Command.objects.filter(session=command.session, state="sent", purpose__in=PROMPTS)
            if command.state == "open" and not (command.purpose in PROMPTS and busy.exists()):
                # A reply is bound to the link on which was asked: its number means something else on any other one.
                self.sent[command.pk] = [*self.sent.get(command.pk, []), (command.purpose, command.link, link)]
                self.do(sessions.command_sent, command.pk, link=link)

    def requests(self, name: str) -> list[Command]:
        """What an agent may answer now, in time or late or again."""
        known = Q(state__in=["sent", "answered", "failed", "interrupted"], purpose__in=["open", *PROMPTS])
        return list(Command.objects.filter(known, agent=self.team.agents[name]).order_by("created_at", "pk"))

    def answer(self, name: str, command: Command, end: str, text: str, *, later: bool) -> None:
        link = self.links[name]
        opened = command.purpose == "open" and end in ("end_turn", "refusal")
        session = {"sessionId": f"acp-{command.session_id}", "_meta": {"clawgroups": {"cwd": FOLDER}}}
        said = {"result": session} if opened else ENDS[end]
        row = Connection.objects.get(pk=link)
        how = self.decide if later else self.do
        how(
            sessions.command_answered,
            command.pk,
            link=link,
            epoch=row.epoch,
            received=row.received + 1,
            text=text,
            **said,
        )

    def at_work(self) -> list[str]:
        """The agents that have a session open; all, where none has."""
        having = set(Session.objects.filter(state="open").values_list("agent_id", flat=True))
        return [name for name in AGENTS if self.team.agents[name].pk in having] or list(AGENTS)

    def listen(self, name: str) -> None:
        """Look where the agent's link and sessions stand: what is said later is placed by what is known now."""
        row = Connection.objects.get(pk=self.links[name])
        open_ones = Session.objects.filter(agent=self.team.agents[name], state="open").order_by("opened_at", "pk")
        found = transcript.load(open_ones.values_list("pk", flat=True))
        self.ears += [Ear(row, standing, self.agent(name)) for standing in found.values()]

    def speak(self, pick: int, text: str) -> None:
        """An agent says and does something, as the process that holds its socket has it in mind."""
        ear = self.ears.pop(pick % len(self.ears))
        call = ToolCall("call-1", {"title": "Look", "status": "in_progress"})
        batch = transcript.Batch(ear.standing, [MessageChunk(text=text), call])
        link, since = ear.link, ear.link.received
        transcript.record(
            link.pk, epoch=link.epoch, since=since, received=since + 1, batches=[batch], actor=ear.actor
        ).result()

    def deliver(self, name: str, pick: int) -> None:
        """An agent delivers a file in one of its sessions, be that over or not."""
        known = list(Session.objects.filter(agent=self.team.agents[name]).order_by("-opened_at", "pk")[:3])
        if known:
            stored = made_file(NAMES[pick % 2], f"{name} {pick % 5}")
            session = known[pick % len(known)] if pick % 4 == 0 else known[0]
            self.do(artifacts.deliver_file, session.pk, stored=stored, actor=self.agent(name))

    def step_is_over(self, name: str) -> None:
        """What the process that holds an agent's socket does after a step: what waits for that goes next."""
        for pk in Session.objects.filter(agent=self.team.agents[name], state="open").values_list("pk", flat=True):
            try:
                if (future := steering.give_way(pk)) is not None:
                    future.result()
            except ClawError:
                continue

    # People

    def by_hand(self, verb: str, case: Case, *, later: bool) -> None:
        """Something a person can do to a task, or to a row that belongs to it."""
        one, about = BY_HAND[verb], BY_HAND[verb].on(case)
        if about is None:
            return
        given = one.given(case)
        if later:
            self.decide(one.verb, about, actor=self.person(case.who), **given)
            return
        words = str(given.get("text") or given.get("result") or "")
        try:
            perform(one.verb, about, actor=self.person(case.who), **given)
        except ClawError as why:
            if "kept_as" not in why.fields:
                return
        if words.endswith("]"):
            self.taken.append(words)

    def typed(self, who: str, after: str = "") -> str:
        """Words that nobody has typed before."""
        self._words += 1
        return f"{after}[{who} {self._words}]"

    def steer(self, pick: int, verb: str) -> None:
        """Something a person can do to a run."""
        known = list(Run.objects.order_by("created_at", "pk").values_list("pk", flat=True))
        how = self.decide if pick % 3 == 0 else self.do
        how(STEER[verb], known[pick % len(known)], actor=self.person("ada"))

    def late_results(self) -> list[Attempt]:
        return list(Attempt.objects.filter(late_at__isnull=False).order_by("offered_at", "pk"))

    def adopt(self, attempt: Attempt, who: str, *, later: bool) -> None:
        """Somebody takes up a result that came too late."""
        how = self.decide if later else self.do
        how(late.adopt_late, attempt.task_id, attempt.pk, actor=self.person(who))

    def misbehave(self, name: str) -> None:
        """An agent breaks the protocol."""
        self.do(breakers.violated, self.team.agents[name].pk, reason="a broken frame", actor=SYSTEM)

    def clear(self, name: str) -> None:
        """An agent's owner vouches for it."""
        self.do(breakers.clear_breaker, self.team.agents[name].pk, actor=self.person("ada"))

    def leave(self, name: str, *, later: bool) -> None:
        """A member's seat is taken away."""
        how = self.decide if later else self.do
        how(members.remove_member, self.seat(name).pk, actor=self.person("ada"))

    def join(self, name: str) -> None:
        """Who has left comes back."""
        if name in PEOPLE:
            self.do(members.add_person, self.team.workspace.pk, username=name, role="member", actor=self.person("ada"))
        else:
            agent = self.team.agents[name].pk
            self.do(members.add_agent, self.team.workspace.pk, agent_id=agent, actor=self.person("ada"))


STEER: dict[str, Callable[..., Future[Outcome]]] = {
    "start": runs.start_run,
    "pause": runs.pause_run,
    "resume": runs.resume_run,
    "cancel": runs.cancel_run,
    "stop": stopping.stop_run,
    "stop_more": partial(stopping.stop_run, more=True),
}


@contextmanager
def _rolled_back() -> Iterator[None]:
    """Whatever is written in here never was."""
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)
