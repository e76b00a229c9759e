"""What must hold of questions and their answers after every step (reliability.md 2.8).

A question's row never changes what it asks, and ends once. Its end reaches its agent once, as one of the options that
it offered, on the line on which it asked; nobody decides but a person who may, or a rule in force; what was allowed is
what the agent asks for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from clawgroups.core.ruling import judge, read_call
from clawgroups.core.sameness import given_else, says_else
from clawgroups.models import Approval, Command, Member, Step, Vote
from clawgroups.services.routing import MAY_ANSWER
from clawgroups.services.ruling import folder_of, read_rules, rules_for
from tests.machine.questions import Questions

Entry = dict[str, Any]
ASKED = (
    "tool_call", "options", "form", "digest", "request_id", "epoch", "session_id", "attempt_id", "kind", "needed",
    "sameness", "asked_at", "expires_at",
)  # fmt: skip
ENDED = (
    "state", "why", "option_id", "option_kind", "sent_option", "decided_by_id", "decided_at", "rule_id", "answer",
    "filled", "agreed",
)  # fmt: skip
ENDS = {"approval.decided": "decided", "approval.expired": "expired", "approval.voided": "void"}
CANCELLED: tuple[Any, ...] = ({"outcome": {"outcome": "cancelled"}}, {"action": "cancel"})


class Answers:
    """Remembers each question of a workspace as it was asked, and as it ended."""

    def __init__(self, workspace_id: UUID, asks: Questions) -> None:
        self._workspace_id, self._asks = workspace_id, asks
        self._asked: dict[UUID, tuple[Any, ...]] = {}
        self._ended: dict[UUID, tuple[Any, ...]] = {}
        self._told: dict[str, str] = {}

    def check(self, new: Sequence[Entry], *, swept: bool) -> list[str]:
        """What is wrong after a step; `new` is what it added to the journal. `swept`: everything due was seen to."""
        related = ("session__agent", "task", "attempt", "decided_by")
        rows = list(Approval.objects.select_related(*related).filter(workspace=self._workspace_id))
        if not rows:
            return self._asks.faults
        found = list(self._asks.faults)
        over = [row for row in rows if row.state != "open" and row.pk not in self._ended]
        for row in rows:
            found += self._kept(row)
        found += self._journaled(new, {str(row.pk): row for row in rows})
        found += _replied(rows)
        for row in over:
            found += self._decided(row) if row.state == "decided" else []
        found += self._sent()
        return [*found, *(one for row in rows if swept for one in _waits(row))]

    def _kept(self, row: Approval) -> Iterator[str]:
        """What is asked never changes; nor does an end."""
        asked = tuple(getattr(row, name) for name in ASKED)
        if self._asked.setdefault(row.pk, asked) != asked:
            yield f"question {row.pk} asked {self._asked[row.pk]}, and asks {asked}"
        ended = tuple(getattr(row, name) for name in ENDED)
        if row.state != "open" and self._ended.setdefault(row.pk, ended) != ended:
            yield f"question {row.pk} ended {self._ended[row.pk]}, and says {ended}"
        if row.pk in self._ended and row.state == "open":
            yield f"question {row.pk} is open again"

    def _journaled(self, new: Sequence[Entry], rows: Mapping[str, Approval]) -> Iterator[str]:
        """Each end is told once, and who decided is a person, where it is no rule."""
        for entry in new:
            if entry["type"] not in ENDS:
                continue
            pk, said = entry["payload"]["approval_id"], entry["payload"]
            if pk in self._told:
                yield f"question {pk} ended twice: {self._told[pk]}, {entry['type']}"
            self._told[pk] = entry["type"]
            if rows[pk].state != ENDS[entry["type"]]:
                yield f"question {pk} is {rows[pk].state}, and the journal says {entry['type']}"
            if entry["type"] == "approval.decided":
                wanted = "system" if said["rule_id"] else "person"
                if entry["actor"]["kind"] != wanted:
                    yield f"question {pk} was decided by {entry['actor']}: {said}"

    def _decided(self, row: Approval) -> Iterator[str]:
        """By a person who may, or by rules in force; and, where it allows, what the agent asks for now."""
        if row.decided_by is None:
            yield from _ruled(row)
        elif not Member.objects.filter(pk=row.decided_by.pk, left_at=None, role__in=MAY_ANSWER, agent=None).exists():
            yield f"question {row.pk} was decided by {row.decided_by}, who may not"
        allows = row.option_kind.startswith("allow")
        if allows and row.decided_by is not None and row.needed > 1:
            have = Vote.objects.filter(approval=row.pk, member__left_at=None, member__role__in=MAY_ANSWER)
            if have.count() < row.needed:
                yield f"question {row.pk} needs {row.needed}, and {have.count()} agreed"
        if row.option_id and row.option_id not in [one["optionId"] for one in row.options]:
            yield f"question {row.pk} was answered {row.option_id}, which was not offered"
        if allows and row.kind == "permission":
            yield from self._allowed(row)

    def _allowed(self, row: Approval) -> Iterator[str]:
        wanted = self._asks.wanted.get((row.session_id, row.session.link, row.request_id))  # type: ignore[arg-type]
        if wanted is not None and given_else(row.tool_call, wanted[0]):
            yield f"{row.tool_call} was allowed, and the agent asks for {wanted[0]}"
        step = Step.objects.filter(attempt=row.attempt, tool_call_id=row.tool_call.get("toolCallId", "")).first()
        if step is not None:
            now = {**step.detail, "title": step.title, "kind": step.kind}
            if says_else(row.tool_call, now):
                yield f"{row.tool_call} was allowed, and the agent says {now}"

    def _sent(self) -> Iterator[str]:
        """A reply goes out once, on the line that it answers on."""
        for pk, times in self._asks.acts.sent.items():
            replies = [(meant, link) for purpose, meant, link in times if purpose == "reply"]
            if len(replies) > 1:
                yield f"reply {pk} was sent {len(replies)} times"
            for meant, link in replies:
                if meant != link:
                    yield f"reply {pk} for link {meant} was sent on {link}"


def _ruled(row: Approval) -> Iterator[str]:
    """The rules in force, of those that were made before it was asked, say what was answered."""
    known = rules_for(row.workspace_id, row.session.agent_id, row.task.run_id, row.sameness, row.asked_at)
    folder = folder_of(row.session)
    rules = read_rules(known.filter(made_at__lte=row.asked_at), folder)
    says = judge(rules, read_call(row.tool_call, row.sameness, folder)).answer
    if says != ("allow" if row.option_kind.startswith("allow") else "deny"):
        yield f"question {row.pk} was answered {row.option_kind} by rule {row.rule_id}, and the rules say {says}"


def _replied(rows: Sequence[Approval]) -> Iterator[str]:
    """Each end has its one reply, which says what the row says; and there is no other reply."""
    found: dict[tuple[UUID | None, str, Any], list[Command]] = {}
    sessions = {row.session_id for row in rows}
    for reply in Command.objects.filter(session__in=sessions, purpose="reply"):
        key = (reply.session_id, str(reply.params["id"]), reply.created_at)
        found.setdefault(key, []).append(reply)
    put = {(row.session_id, str(row.request_id), row.asked_at) for row in rows}
    for row in rows:
        key = (row.session_id, str(row.request_id), row.decided_at or row.asked_at)
        if row.why == "changed" and key in put:
            continue  # Put anew: what its agent is told is told of the row that came in its place.
        told = found.pop(key, [])
        said = [one.params.get("result") for one in told]
        if wrong := _mistold(row, said):
            ended = f"question {row.pk} ({row.kind}) is {row.state} {row.why} {row.option_id}"
            yield f"{ended}, and was told {said}, not {wrong}"
    for key, told in found.items():
        yield f"{[one.params for one in told]} was told, and no question ended at {key[2]}"


def _mistold(row: Approval, said: Sequence[Any]) -> str:
    """What should have been told in place of this; empty where it is right."""
    if row.kind == "question" or row.state == "open" or row.why == "withdrawn":
        return "nothing" if said else ""
    no = [one["optionId"] for one in row.options if one["kind"].startswith("reject")]
    if row.state == "decided":
        if len(said) != 1:
            return "once"
        answer = row.sent_option or row.option_id
        return "" if _option(said[0]) == answer or (not answer and not no and said[0] in CANCELLED) else "as it says"
    if row.state == "expired" or row.why == "changed":
        if len(said) != 1:
            return "once"
        return "" if (_option(said[0]) in no if no else said[0] in CANCELLED) else "a rejection"
    # Of an attempt that is over: an error, `cancelled`, or nothing where its program is gone.
    return "" if not said or (len(said) == 1 and (said[0] is None or said[0] in CANCELLED)) else "that it is over"


def _option(result: Any) -> str:
    """The option that an answer names."""
    if not isinstance(result, dict):
        return ""
    return str(result.get("action") or result.get("outcome", {}).get("optionId", ""))


def _waits(row: Approval) -> Iterator[str]:
    """While a question is open, its task waits for people; without one, it does not."""
    task = row.task
    if task.state not in ("assigned", "working") or task.epoch != row.epoch:
        return
    asked = Approval.objects.filter(task=task.pk, epoch=task.epoch, state="open").exists()
    if asked != (task.blocked_on == "person"):
        yield f"task {task.pk} is {task.state}, waits for {task.blocked_on}, and a question is open: {asked}"
    if asked == (task.resting_since is None):
        yield f"task {task.pk} rests since {task.resting_since}, and a question is open: {asked}"
