"""Verbs of the gateway on the frames an agent is owed, and on what its answers mean.

Every request to an agent is a Command row whose id is the JSON-RPC id. An answer to a known open row
is taken on any later connection; only the task's epoch decides whether it still counts.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from agents.ids import new_id
from clawgroups import bus, commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update, one_of
from clawgroups.core.errors import Conflict, NotFound
from clawgroups.core.failures import Failure
from clawgroups.core.lifecycle import AttemptVerb, TaskVerb, move_attempt, move_task
from clawgroups.core.shrinking import shrink
from clawgroups.core.task_events import AttemptAcknowledged, TaskSubmitted
from clawgroups.core.timers import wait_for_review
from clawgroups.keyed import row_of
from clawgroups.models import Attempt, Command, Session, Task
from clawgroups.planned import Planned
from clawgroups.services import acknowledging, breakers, handed, late, openings, steered, steering
from clawgroups.services.attempts import TURNS, Decision, fence, release, void_approvals
from clawgroups.services.deadlines import in_hand, timers_of, waits, waits_in_hand
from clawgroups.services.hands import on_behalf
from clawgroups.services.tasks import prompt_command, told_rules

MAX_RESULT = 1_000_000
ENDINGS = {
    "refusal": (Failure.REFUSED, "the agent refused it"),
    "max_tokens": (Failure.OUT_OF_TOKENS, "the agent ran out of tokens"),
    "max_turn_requests": (Failure.OUT_OF_TURNS, "the agent used up its turns"),
    "cancelled": (Failure.STOPPED, "the agent stopped by itself"),
}


def owed_commands(agent_id: UUID, link: UUID) -> list[Command]:
    """What is to be sent on this link: open commands, and requests sent on it that lack an answer.

    A prompt or reply that belongs to a session of another link is not among them.
    """
    return [command for command in _owed_to(agent_id) if may_go_to(command, link)]


_owed_to: Planned[Command] = Planned(
    lambda agent_id: (
        Command.objects.select_related("session", "attempt")
        .filter(agent_id=agent_id, state__in=["open", "sent"])
        .order_by("created_at", "pk")
    )
)


def open_commands(agents: Iterable[UUID]) -> list[Command]:
    """What these agents have not been sent yet, in order."""
    return _open_commands(list(agents))


_open_commands: Planned[Command] = Planned(
    lambda agents: (
        Command.objects.select_related("agent", "session", "attempt__member")
        .filter(agent_id__in=agents, state="open")
        .order_by("created_at", "pk")
    )
)


def may_go_to(command: Command, link: UUID) -> bool:
    """Whether this link is the one that a command belongs on."""
    if command.state == "sent":
        return command.link == link
    if command.purpose == "open" or command.session is None:
        return True
    return command.session.link == link


def command_sent(which: UUID | Command, *, link: UUID, epoch: int | None = None) -> Future[Outcome]:
    """The frame was handed to the socket: open -> sent. The first prompt makes its task work.

    `epoch` is the connection's: a socket that was replaced sends nothing any more. Of a row that was read with agent,
    session, attempt and its member (`open_commands`) nothing is read again, but for what a prompt's task needs.
    """
    command = which if isinstance(which, Command) else _command(which)
    now = timezone.now()
    # A notification or reply has no answer to wait for.
    final = "sent" if command.purpose not in ("cancel", "reply") else "answered"
    values: dict[str, Any] = {"state": final, "link": link, "sent_at": now}
    moved = Decision()
    if command.purpose == steering.STEER:
        prompt, moved = steered.sent(command, now)
        values |= prompt
    decision = Decision([Update("clawgroups.Command", command.pk, values, {"state": "open"}), *moved.writes])
    attempt = command.attempt
    if attempt is not None and attempt.state == "offered" and command.purpose in ("work", "acknowledge"):
        task = openings.task_of(attempt)
        if task.epoch == attempt.epoch:
            decision.add(openings.begun(task, attempt, command.purpose, now))
    fenced = () if epoch is None else (Expect("agents.Connection", link, {"epoch": epoch}),)
    return _submit(command, decision, "command.sent", fenced)


def command_answered(
    command_id: UUID,
    *,
    link: UUID,
    epoch: int,
    received: int,
    result: Mapping[str, Any] | None = None,
    error: Mapping[str, Any] | None = None,
    text: str = "",
    begins: UUID | None = None,
) -> Future[Outcome]:
    """An agent answered a request. `text` is the last message of the turn; `received` counts frames.

    `epoch` is the connection's. A second answer to the same request changes nothing (a mismatch). `begins`: see
    `openings.opened`; the prompt that is to be sent under this id is in the answer ("prompt": purpose, method, params).
    """
    command = _command(command_id)
    now = timezone.now()
    answer: dict[str, Any] = {"result": shrink(dict(result or {}))} if error is None else {"error": dict(error)}
    values = {
        "state": "answered" if error is None else "failed",
        "answered_at": now,
        "answer": answer if command.purpose != "open" else {},
    }
    # An answer to what was given up comes too late to count, but its words are kept.
    awaited = {"state": one_of("sent", "interrupted")}
    decision = Decision([Update("clawgroups.Command", command.pk, values, awaited)])
    decision.writes.append(
        Update("agents.Connection", link, {"received": received}, {"epoch": epoch, "agent_id": command.agent_id})
    )
    match command.purpose:
        case "open":
            decision.add(openings.opened(command, link, result, error, begins))
        case "set":
            decision.add(openings.option_set(command, result, error))
        case "work" | "acknowledge":
            decision.add(_turn_ended(command, link, result, error, text[-MAX_RESULT:]))
        case steering.STEER:
            over, noted = steered.answered(command, link, result, error, text)
            answer |= noted
            decision.add(over)
        case _:
            pass
    decision.add(openings.rests_for_quota(command, error, now))
    return _submit(command, decision, "command.answered", told=_prompt_in(decision, begins))


def _turn_ended(
    command: Command, link: UUID, result: Mapping[str, Any] | None, error: Mapping[str, Any] | None, text: str
) -> Decision:
    attempt = command.attempt
    assert attempt is not None
    task = openings.current(attempt)
    now = timezone.now()
    stop = str((result or {}).get("stopReason") or "")
    if task is None:
        return late.keep(command, openings.task_of(attempt), link, stop_reason=stop, text=text)
    if command.purpose == "acknowledge" and error is None and (why := _no_acknowledgement(attempt, stop, text)):
        return acknowledging.not_understood(task, attempt, now, why=why, answered=command.pk)
    if error is not None or stop != "end_turn":
        return openings.failed(command, task, attempt, *_turn_failure(error, stop, text))
    if command.purpose == "acknowledge":
        return _acknowledged(command, task, attempt, text)
    submitted = {
        "state": move_attempt(attempt.state, AttemptVerb.SUBMIT).value,
        "result": text,
        "submitted_at": now,
        "progress_at": now,
        # Contact may be lost at this moment: a completion counts until it is given up.
        "contact": "live",
        "back_by": None,
        "quiet_since": None,
    }
    values = {
        "state": move_task(task.state, TaskVerb.SUBMIT).value,
        **waits(task, wait_for_review(now, timers_of(task.workspace)), now),
    }
    decision = Decision(
        [
            Update("clawgroups.Attempt", attempt.pk, submitted, {"state": attempt.state}),
            Update("clawgroups.Task", task.pk, values, fence(task)),
        ],
        [Fact(task.workspace_id, TaskSubmitted(task_id=task.pk, attempt_id=attempt.pk))],
    )
    # It has ended its turn without waiting for the answer.
    decision.add(void_approvals(attempt, now))
    decision.add(handed.carried_on(task, attempt, now))
    return decision


def _no_acknowledgement(attempt: Attempt, stop: str, text: str) -> str:
    """Why a turn that was to acknowledge a hand-back did not; empty where it did."""
    if stop != "end_turn":
        return _turn_failure(None, stop, text)[1]
    return "" if (attempt.acknowledgement or text).strip() else "it ended its turn without a word"


def _turn_failure(error: Mapping[str, Any] | None, stop: str, text: str) -> tuple[Failure, str]:
    """The kind of a turn that ended without a result, and how it is said. What ACP does not know is malformed."""
    if error is not None:
        failure, said = openings.kind_of(error)
        return failure, said if failure is Failure.LOGIN_NEEDED else f"the agent reported an error: {said}"
    failure, reason = ENDINGS.get(stop, (Failure.MALFORMED, f"the turn ended with “{stop[:60]}”"))
    if failure is Failure.REFUSED and text.strip():
        reason = f"{reason}: {text.strip()[:500]}"
    return failure, reason


def _acknowledged(command: Command, task: Task, attempt: Attempt, text: str) -> Decision:
    """The hand-back brief was understood: the words are kept and shown, then the work is prompted.

    What the agent said by its tool (`reports.acknowledge`) stands already.
    """
    session = command.session
    assert session is not None
    told, text = bool(attempt.acknowledgement), attempt.acknowledgement or text
    now = timezone.now()
    brief = {**attempt.brief, "acknowledged": True}
    waiting = waits_in_hand(task, in_hand(attempt, start_by=None), attempt.member.name, now)
    columns = {
        "agent_id": command.agent_id,
        "attempt_id": attempt.pk,
        "epoch": attempt.epoch,
        "created_at": timezone.now(),
        **(prompt := prompt_command(task, brief, session)),
    }
    return Decision(
        [
            Update(
                "clawgroups.Attempt",
                attempt.pk,
                {"acknowledgement": text, "brief": brief, "start_by": None, **told_rules(task, prompt)},
                {"state": attempt.state},
            ),
            # Nothing of an open question's rest: that task waits for a person still.
            Update("clawgroups.Task", task.pk, {} if task.blocked_on == "person" else waiting, fence(task)),
            Insert("clawgroups.Command", new_id(), columns),
        ],
        [] if told else [Fact(task.workspace_id, AttemptAcknowledged(task_id=task.pk, attempt_id=attempt.pk))],
        [bus.agent_topic(command.agent_id)],
    )


def links_lost(agent_id: UUID, link: UUID) -> list[tuple[UUID, UUID]]:
    """Sessions of this agent that lived on other links which are closed, with their attempts: their child is gone.

    Also those that ended with their task while a turn was still out: with the program that turn is over.
    """
    return _lost(agent_id, link)


def _gone(agent_id: UUID, link: UUID) -> QuerySet[Any, tuple[UUID, UUID]]:
    gone = Session.objects.filter(agent_id=agent_id).exclude(link=link)
    out = Command.objects.filter(agent_id=agent_id, state="sent", purpose__in=TURNS).values("session_id")
    return gone.filter(Q(state="open") | Q(pk__in=out)).values_list("pk", "attempt_id")


_lost: Planned[tuple[UUID, UUID]] = Planned(_gone)


def session_lost(
    session_id: UUID,
    *,
    reason: str,
    failure: Failure = Failure.CRASHED,
    seen: Mapping[str, Any] | None = None,
    attempt_id: UUID | None = None,
) -> Future[Outcome]:
    """The child behind a session is gone for good: its attempt is released, nothing is sent again.

    `seen` is what the caller saw of the attempt; where that has moved on since, the answer is a mismatch. `attempt_id`
    is the one that the caller saw it in; raises `Conflict` where the session was opened again for another since.
    """
    session = Session.objects.select_related("agent", "attempt").get(pk=session_id)
    if attempt_id not in (None, session.attempt_id):
        raise Conflict("The session goes on in another attempt.", code="session_reopened")
    now = timezone.now()
    closed = {"state": "closed", "closed_at": now}
    unmoved = {"state": session.state, "attempt_id": session.attempt_id}
    decision = Decision([Update("clawgroups.Session", session.pk, closed, unmoved)])
    owed = list(Command.objects.select_related("attempt").filter(session=session, state__in=["open", "sent"]))
    cut_off = steered.cut_off(owed, now)
    told = {write.pk for write in cut_off.writes}
    decision.add(cut_off)
    stopping: dict[UUID, Attempt] = {}
    for command in owed:
        if command.pk in told:
            continue
        decision.writes.append(
            Update("clawgroups.Command", command.pk, {"state": "interrupted"}, {"state": command.state})
        )
        if command.attempt is not None and command.attempt.stop in ("asked", "unconfirmed"):
            stopping[command.attempt.pk] = command.attempt
    for stopped in stopping.values():
        # Whatever was still going on there has ended with the program.
        decision.writes.append(Update("clawgroups.Attempt", stopped.pk, {"stop": "done"}))
        decision.add(late.confirmed(stopped))
    task = openings.current(session.attempt)
    # A task that a person holds stays with them.
    if task is not None and session.attempt.state in ("offered", "working") and task.holder_id is None:
        attempt = session.attempt
        ended = {
            "state": move_attempt(attempt.state, AttemptVerb.EXPIRE).value,
            "ended_at": now,
            "reason": reason,
            "failure": failure.value,
        }
        decision.writes.append(
            Update("clawgroups.Attempt", attempt.pk, ended, {**(seen or {}), "state": attempt.state})
        )
        decision.take(breakers.after_failure(attempt, failure, reason, now))
        decision.add(void_approvals(attempt, now, tell=False))
        decision.add(release(task, now, reason=reason, failure=failure))
    actor = Actor(ActorKind.AGENT, session.agent.name, agent_id=session.agent_id)
    return commit.submit(
        Change(
            actor,
            session.workspace_id,
            (),
            tuple(decision.writes),
            tuple(decision.facts),
            verb="session.lost",
            wakes=tuple(decision.wakes),
        )
    )


def _submit(
    command: Command,
    decision: Decision,
    verb: str,
    expects: tuple[Expect, ...] = (),
    told: Mapping[str, Any] | None = None,
) -> Future[Outcome]:
    actor = Actor(ActorKind.AGENT, command.agent.name, agent_id=command.agent_id)
    if command.attempt is not None:
        actor = on_behalf(actor, command.attempt)
    workspace_id = command.attempt.workspace_id if command.attempt else None
    return commit.submit(
        Change(
            actor,
            workspace_id,
            (Expect("agents.Agent", command.agent_id, {"retired_at": None}), *expects),
            tuple(decision.writes),
            tuple(decision.facts),
            verb=verb,
            answer={"id": str(command.pk), **(told or {})},
            wakes=tuple(decision.wakes),
        )
    )


def _prompt_in(decision: Decision, begins: UUID | None) -> dict[str, Any]:
    """The prompt that goes out by this change itself, if one does."""
    made = next((one.values for one in decision.writes if isinstance(one, Insert) and one.pk == begins), None)
    return {} if made is None else {"prompt": {name: made[name] for name in ("purpose", "method", "params")}}


def _command(command_id: UUID) -> Command:
    found = row_of(Command, command_id, "agent", "session", "attempt", "attempt__member")
    if found is None:
        raise NotFound("There is no such request.")
    return found
