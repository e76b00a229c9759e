"""What has failed and can be tried again, and the verb for each kind. There is no queue of dead jobs: what is due is a
row, and a sweep finds it again and again. What is here is what the sweeps wait with, or have given up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import F, Min, Q, QuerySet

from agents.models import Agent, Dial
from clawgroups import bus, commit
from clawgroups.core.actors import Actor
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change, Count, Expect, Outcome, Update, Write
from clawgroups.core.coordination import PATIENCE
from clawgroups.core.errors import Conflict, NotFound
from clawgroups.models import Entry, Export, Letter, ModelCall, ModelServer, Run, Workspace
from clawgroups.services import breakers, dials, exporting, letters, model_calls, model_servers, turns
from clawgroups.services.deadlines import database_now
from clawgroups.services.installation import require_operator

SHOWN = 20  # of each kind
LATE = timedelta(seconds=30)  # that a journal has not been reacted to
LATELY = timedelta(days=7)
Verb = Callable[..., Future[Outcome]]


@dataclass(frozen=True, slots=True)
class Failed:
    """Something that failed: what it is, why, how often it was tried, since when, and when it is tried by itself."""

    pk: Any
    what: str
    why: str
    tries: int
    since: datetime | None
    again_at: datetime | None = None
    about: Any = None


def failed_turns() -> Iterator[Failed]:
    """Runs whose coordinator's turn has ended its worker, and that have not been given back since."""
    rows = Run.objects.select_related("workspace").filter(turn_crashes__gt=0, state__in=turns.ACTIVE)
    for run in rows.order_by("created_at")[:SHOWN]:
        why = run.reason or (f"It ended at: {run.turn_step[:200]}" if run.turn_step else "Its worker ended meanwhile.")
        yield Failed(run.pk, str(run), why, run.turn_crashes, run.started_at, run.turn_until, run.workspace)


def late_reactions(now: datetime) -> Iterator[Failed]:
    """Workspaces whose newest entries nobody has reacted to for a while."""
    rows = Workspace.objects.filter(head__gt=F("reacted")).order_by("pk")[:SHOWN]
    for room in rows:
        new = Entry.objects.filter(workspace=room, generation=room.generation, seq__gt=room.reacted)
        since = new.aggregate(first=Min("at"))["first"]
        if since is not None and since < now - LATE:
            why = f"{room.head - room.reacted} entries have not been reacted to."
            yield Failed(room.pk, room.name, why, 0, since, about=room)


def failed_calls(now: datetime) -> Iterator[Failed]:
    """Questions to the model of the last days that have no answer, of runs that still go on."""
    rows = _calls().filter(ended_at__gte=now - LATELY).select_related("run", "workspace")
    for call in rows.order_by("-ended_at")[:SHOWN]:
        about = f"{call.kind}: {call.run or call.workspace}"
        yield Failed(call.pk, about, call.said or call.fault, call.tries, call.ended_at, about=call.workspace)


def _calls() -> QuerySet[ModelCall]:
    return ModelCall.objects.filter(state="failed", run__state__in=turns.ACTIVE).defer(*model_calls.LARGE)


def resting_servers() -> Iterator[Failed]:
    """Model servers that are not asked for a while, since they failed."""
    for row in ModelServer.objects.filter(enabled=True).exclude(breaker="closed")[:SHOWN]:
        said = str(row.health.get("said") or row.health.get("kind") or "It failed too often.")
        yield Failed(row.pk, row.name, said, int(row.health.get("faults") or 0), None, row.breaker_until)


def resting_agents() -> Iterator[Failed]:
    """Agents that get no work, since too much of it failed or they broke the protocol."""
    for agent in Agent.objects.filter(retired_at=None).exclude(breaker="closed").order_by("name")[:SHOWN]:
        moved = agent.breaker_moves.order_by("-at").first()
        why = moved.reason if moved is not None else str(agent.health.get("reason") or "")
        since = moved.at if moved is not None else None
        yield Failed(agent.pk, agent.name, why or agent.breaker, 0, since, agent.breaker_until, agent)


def failed_dials() -> Iterator[Failed]:
    """Agents that we cannot reach at their address."""
    lost = Q(state="refused") | Q(state="waiting", tries__gt=0)
    for dial in Dial.objects.select_related("agent").filter(lost, agent__retired_at=None)[:SHOWN]:
        again = dial.next_at if dial.state == "waiting" else None
        yield Failed(dial.pk, dial.agent.name, dial.said, dial.tries, dial.since, again, dial.agent)


def failed_letters() -> Iterator[Failed]:
    """Letters that the mail server has not taken."""
    rows = _letters().select_related("user").order_by("made_at")
    for row in rows[:SHOWN]:
        again = letters.next_at(row)
        yield Failed(row.pk, row.user.get_username(), row.problem, row.tries, row.made_at, again)


def _letters() -> QuerySet[Letter]:
    return Letter.objects.filter(sent_at=None).exclude(problem="").exclude(subjects=letters.TEST)


def failed_exports() -> Iterator[Failed]:
    """Archives that could not be made."""
    for row in Export.objects.select_related("workspace").filter(state="failed")[:SHOWN]:
        yield Failed(row.pk, row.workspace.name, row.said, row.tries, row.ended_at, about=row.workspace)


def ask_again(call_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask the model a question once more that has failed; its run waits for the answer again."""
    expects = require_operator(actor)
    call = _calls().filter(pk=call_id).first()
    if call is None or call.run_id is None:
        raise Conflict("This question has not failed, or its run is over.")
    now = database_now()
    values = {
        "state": "waiting",
        "fault": "",
        "said": "",
        "ended_at": None,
        "not_before": None,
        "give_up_at": now + timedelta(seconds=PATIENCE[call.kind] * settings.CLOCK_SCALE),
    }
    writes = (
        Update("clawgroups.ModelCall", call.pk, values, {"state": "failed"}),
        Count("clawgroups.Run", call.run_id, "wanted", 1),
    )
    future = _submit(actor, expects, writes, "model.ask_again", operation, call=str(call.pk), run=str(call.run_id))
    future.add_done_callback(lambda done: None if done.exception() else model_calls.send(call.pk))
    return future


def turn_again(run_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the coordinator take its turn on this run from the beginning; what it died at is not held against it."""
    expects = require_operator(actor)
    run = Run.objects.filter(pk=run_id).first()
    if run is None:
        raise NotFound("There is no such run.")
    if run.state not in turns.ACTIVE:
        raise Conflict(f"The run is {run.state}.")
    if run.paused:
        raise Conflict("The run is paused. Somebody of its workspace has to resume it.")
    writes = (
        Update("clawgroups.Run", run.pk, {"turn_crashes": 0, "turn_step": ""}, {"paused": False, "state": run.state}),
        Count("clawgroups.Run", run.pk, "wanted", 1),
    )
    future = _submit(actor, expects, writes, "turn.again", operation, run=str(run.pk))
    future.add_done_callback(lambda _done: bus.enqueue("clawgroups.coordinate", str(run.pk)))
    return future


def react_again(workspace_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have the workers look at a journal now."""
    expects = require_operator(actor)
    future = _submit(actor, expects, (), "react.again", operation, workspace=str(workspace_id))
    future.add_done_callback(lambda _done: bus.enqueue("clawgroups.react", str(workspace_id)))
    return future


def send_again(letter_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have a letter that was not sent be due now."""
    expects = require_operator(actor)
    row = _letters().filter(pk=letter_id).first()
    if row is None:
        raise Conflict("This letter was sent meanwhile.")
    values = {"made_at": database_now() - letters.AGAIN[-1]}
    writes = (Update("clawgroups.Letter", row.pk, values, {"sent_at": None, "tries": row.tries}),)
    return _submit(actor, expects, writes, "letter.again", operation, letter=str(row.pk))


def _submit(
    actor: Actor, expects: tuple[Expect, ...], writes: tuple[Write, ...], verb: str, operation: str, **said: str
) -> Future[Outcome]:
    audit = Audit(verb, said)
    return commit.submit(
        Change(actor, expects=expects, writes=writes, operation=operation, verb=verb, audits=(audit,), answer=said)
    )


AGAIN: dict[str, tuple[type[Any], Verb]] = {
    "turn": (Run, turn_again),
    "reaction": (Workspace, react_again),
    "call": (ModelCall, ask_again),
    "server": (ModelServer, model_servers.clear_server),
    "agent": (Agent, breakers.clear_breaker),
    "dial": (Dial, dials.retry_dial),
    "letter": (Letter, send_again),
    "export": (Export, exporting.make_again),
}
"""By kind: whose rows they are, and the verb that tries one again."""


def found(now: datetime) -> dict[str, list[Failed]]:
    """Everything that has failed, by kind."""
    return {
        "turn": list(failed_turns()),
        "reaction": list(late_reactions(now)),
        "server": list(resting_servers()),
        "agent": list(resting_agents()),
        "dial": list(failed_dials()),
        "letter": list(failed_letters()),
        "export": list(failed_exports()),
        "call": list(failed_calls(now)),
    }
