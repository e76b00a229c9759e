"""What a message that names nobody is for: the coordinator decides, where a model may be asked; else it wakes nobody.

A decision is one change, with the rights that the sender has by then: at most what they could have done by naming
somebody, or by giving a goal. It is made once for each question, and never about words that were changed meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from agents.ids import new_id
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor, ActorKind, coordinator_for
from clawgroups.core.addressing import named, unaddressed
from clawgroups.core.changes import Change, Expect, Fact, Insert, Outcome, Update
from clawgroups.core.coordination import read_coordination
from clawgroups.core.events import RunDrafted, RunPlanning
from clawgroups.core.lifecycle import RunState
from clawgroups.core.message_events import MessageHeard
from clawgroups.core.task_events import ArtifactAdded
from clawgroups.core.timers import after
from clawgroups.models import Member, Message, ModelCall, Workspace
from clawgroups.permissions import ACTIONS, require, seat_of
from clawgroups.queries import seats_of_agents
from clawgroups.services import model_calls, talking
from clawgroups.services.attempts import Decision
from clawgroups.services.deadlines import database_now, timers_of
from clawgroups.services.file_rows import artifact
from clawgroups.services.files import StoredFile
from clawgroups.services.messages import message

KIND = "hear"
# While so many are not decided yet, one more wakes nobody: people who chat are not to wait for a model.
MOST_OPEN = 5
MOST_ASKED = 3
OVER = ("answered", "failed", "cancelled")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the coordinator decided: `nobody`, `ask`, `plan`, `answer`; or `unheard`, as it could not be asked."""

    did: str
    why: str
    by: str = ""
    members: tuple[UUID, ...] = ()
    text: str = ""
    said: Any = field(default=None, compare=False)


def is_decided(workspace_id: UUID, body: str, actor: Actor) -> bool:
    """Whether the coordinator decides what is to become of this text, were it said in the chat now."""
    if actor.user_id is None or not body.strip() or named(body):
        return False
    seat = seat_of(actor, workspace_id)
    if seat is None or seat.role not in ACTIONS["run.draft"].roles:
        return False
    workspace = Workspace.objects.get(pk=workspace_id)
    if not read_coordination(workspace.coordination).hears or model_calls.unavailable(workspace):
        return False
    waiting = ModelCall.objects.filter(kind=KIND, acted_at=None, workspace=workspace_id)
    return waiting.count() < MOST_OPEN


def unheard(ids: Iterable[UUID]) -> list[Message]:
    """Those of these messages about which the coordinator is to decide."""
    rows = Message.objects.filter(pk__in=list(ids), removed_at=None, task=None)
    return [row for row in rows if row.heard == talking.UNHEARD]


def due(limit: int) -> dict[UUID, int]:
    """Questions about messages that are over and not acted on."""
    rows = ModelCall.objects.filter(kind=KIND, acted_at=None, state__in=OVER).order_by("created_at")
    return dict(rows.values_list("pk", "round")[:limit])


def let_be(call: ModelCall) -> Future[Outcome]:
    """Nothing is to be done about a question any more: its message was changed, taken back or decided about."""
    return commit.submit(Change(SYSTEM, call.workspace_id, writes=(_acted(call),), verb="message.let_be"))


def ask_again(call: ModelCall, problems: Sequence[str], again: Insert) -> Future[Outcome]:
    """An answer cannot be used: the question is asked once more, with what is wrong with it."""
    writes = (_acted(call, problems=list(problems)), again)
    return commit.submit(Change(SYSTEM, call.workspace_id, writes=writes, verb="message.ask_again"))


def decide(call: ModelCall, said: Message, verdict: Verdict, problems: Sequence[str] = ()) -> Future[Outcome]:
    """Carry a decision out. One that the sender has no right to any more wakes nobody.

    A mismatch: the message was changed or decided about, or rights have moved; decide anew.
    """
    sender = Actor(ActorKind.PERSON, str(said.actor.get("name", "")), user_id=said.actor.get("user"))
    expects: tuple[Expect, ...] = ()
    done, heard = Decision(), {"state": "decided", "did": verdict.did, "why": verdict.why, "by": verdict.by}
    columns: dict[str, Any] = {"heard": heard}
    if verdict.did in _DOES:
        expects = require(sender, "run.draft", said.workspace_id)
        more, done = _DOES[verdict.did](said, verdict, sender)
        columns |= more
    fact = MessageHeard(message_id=said.pk, did=verdict.did, members=verdict.members)
    unmoved = {"edited_at": None, "removed_at": None}
    return commit.submit(
        Change(
            coordinator_for(sender.user_id),
            said.workspace_id,
            expects,
            (
                _acted(call, decision=verdict.said, problems=list(problems)),
                Update("clawgroups.Message", said.pk, columns, unmoved),
                *done.writes,
            ),
            (Fact(said.workspace_id, fact), *done.facts),
            verb="message.hear",
            answer={"id": str(said.pk), "did": verdict.did},
            wakes=tuple(done.wakes),
        )
    )


def _acted(call: ModelCall, **values: Any) -> Update:
    return Update("clawgroups.ModelCall", call.pk, {**values, "acted_at": database_now()}, {"acted_at": None})


def _ask(said: Message, verdict: Verdict, sender: Actor) -> tuple[dict[str, Any], Decision]:
    """Those agents answer, as if the sender had named them."""
    talk = talking.Said(said.pk, said.workspace_id, said.body, None, said.reply_to_id, _files_of(said))
    mentions = verdict.members[:MOST_ASKED]
    decision, _ = talking.wake(talk, mentions, talking.Speaker(sender.user_id), sender, chosen=verdict.why)
    return {}, decision


def _plan(said: Message, verdict: Verdict, sender: Actor) -> tuple[dict[str, Any], Decision]:
    """The message is a goal, in its own words. Its plan never starts by itself: nobody has asked for one."""
    workspace, now, pk = Workspace.objects.get(pk=said.workspace_id), database_now(), new_id()
    values = {
        "workspace_id": workspace.pk,
        "goal": said.body,
        "state": RunState.PLANNING.value,
        "created_by_id": sender.user_id,
        "created_at": now,
        "deadline_at": after(now, timers_of(workspace).run_total),
        "start_when_planned": False,
    }
    decision = Decision([Insert("clawgroups.Run", pk, values)])
    decision.facts.append(Fact(workspace.pk, RunDrafted(run_id=pk, goal=said.body[:500])))
    for stored in _files_of(said):
        row = artifact(workspace.pk, pk, stored, kind="input", actor=sender)
        decision.writes.append(row)
        added = ArtifactAdded(artifact_id=row.pk, run_id=pk, name=stored.name, kind="input")
        decision.facts.append(Fact(workspace.pk, added))
    decision.facts.append(Fact(workspace.pk, RunPlanning(run_id=pk)))
    return {"run_id": pk}, decision


def _answer(said: Message, verdict: Verdict, sender: Actor) -> tuple[dict[str, Any], Decision]:
    """The coordinator answers by itself. Whom its words name is not told by them."""
    text = unaddressed(verdict.text)
    actor = coordinator_for(sender.user_id)
    insert, fact = message(said.workspace_id, body=text, actor=actor, reply_to=said.pk)
    return {}, Decision([insert], [fact])


_DOES = {"ask": _ask, "plan": _plan, "answer": _answer}


def _files_of(said: Message) -> tuple[StoredFile, ...]:
    return tuple(StoredFile(row.name, row.size, row.sha256, row.content_type) for row in said.files.all())


def agents_here(workspace_id: UUID) -> dict[str, Member]:
    """The agents that may be asked, by handle."""
    return {one.handle.casefold(): one for one in seats_of_agents(workspace_id)}
