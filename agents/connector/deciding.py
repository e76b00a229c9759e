"""What the agent asks to be allowed: answered by its owner, here, or passed on to the workspace."""

from __future__ import annotations

import asyncio
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from agents.connector import policy
from agents.connector.asking import Person, shown, usable
from agents.connector.disk import DISK, absolute
from agents.connector.ledger import id_key
from agents.connector.policy import Policy, Verdict
from agents.connector.spool import Line
from agents.policy import wanted
from agents.policy.paths import Place
from agents.protocol import version

MOST_CALLS, MOST_CHILDREN, MOST_WAITING = 500, 1000, 20
MOST_HELD = 2 * 1024 * 1024
"""Bytes of messages on tool calls that are remembered."""
MOST_OF_A_CALL = 200 * 1024
"""Bytes of one, and characters of one that is told to the workspace: fewer than a question may have."""
_KEPT = ("toolCallId", "title", "kind", "locations", "content", "rawInput")

Frame = dict[str, Any]


@dataclass(frozen=True)
class Owner:
    """Whose machine this is: what they have decided in advance, and whether they can be asked."""

    policy: Policy
    person: Person | None = None
    patience: float = 120.0
    """Seconds until the workspace is asked what they were asked."""


@dataclass(frozen=True)
class Ways:
    """How a decision reaches those whom it concerns."""

    reply: Callable[[Frame], None]
    """Answer the agent."""
    forward: Callable[[Frame, Line], None]
    """Let the workspace decide."""
    tell: Callable[[Frame], None]
    """Tell the workspace what was decided here."""
    say: Callable[[str], None]
    base: Callable[[str], Path | None]
    """Where a session's agent works: relative paths mean that, its own and the rules'."""


@dataclass
class _Waiting:
    """A question on the terminal."""

    session: str
    task: asyncio.Task[None] | None = field(default=None)


class Desk:
    """Where the permission requests of one life of an agent are decided."""

    def __init__(self, owner: Owner, ways: Ways) -> None:
        self._owner = owner
        self._ways = ways
        self._calls: OrderedDict[tuple[str, str], tuple[Frame, int]] = OrderedDict()
        """Each with the bytes it was told in."""
        self._held = 0
        self._parents: OrderedDict[str, str] = OrderedDict()
        self._waiting: dict[str, _Waiting] = {}
        self._stopped: set[str] = set()
        """Sessions that were asked to stop and have not said that they did."""

    def takes(self, frame: Frame, line: Line) -> bool:
        """Look at what the agent says; True when it goes no further."""
        method, params = frame.get("method"), frame.get("params")
        if not isinstance(params, dict):
            return False
        if method == version.SESSION_UPDATE:
            self._note(params, len(line))
        elif method == version.CANCEL_REQUEST:
            return self._withdrawn(params.get("requestId"))
        elif method == version.REQUEST_PERMISSION and "id" in frame:
            return id_key(frame["id"]) in self._waiting or self._decided(frame, params, line)
        return False

    def turn_begins(self, session: str) -> None:
        """The agent is at a prompt of this session again."""
        self._stopped.discard(session)

    def stop(self, session: str) -> None:
        """The session was asked to stop: from now on only the server, which knows why, lets it go on."""
        self.turn_over(session)
        self._stopped.add(session)

    def turn_over(self, session: str | None = None) -> None:
        """Nobody waits any more for what is asked here in this session, or in any."""
        if session is not None:
            self._stopped.discard(session)
        for key, waiting in list(self._waiting.items()):
            if session in (None, waiting.session, self._parents.get(waiting.session)):
                self._take_off(key, {"result": {"outcome": {"outcome": "cancelled"}}})

    async def close(self) -> None:
        """Ask nobody any more, and answer nobody."""
        tasks = [one.task for one in self._waiting.values() if one.task is not None]
        self._waiting.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # What the agent has told of its calls: some ask about one by its id alone.

    def _note(self, params: Frame, size: int) -> None:
        session, update = params.get("sessionId"), params.get("update")
        if not isinstance(session, str) or not isinstance(update, dict):
            return
        tag = update.get("sessionUpdate")
        if tag in ("tool_call", "tool_call_update"):
            self._remember(session, update, size)
        elif tag == "subagent_update" and isinstance(update.get("sessionId"), str):
            self._parents[update["sessionId"]] = session
            if len(self._parents) > MOST_CHILDREN:
                self._parents.popitem(last=False)

    def _remember(self, session: str, update: Frame, size: int) -> None:
        call_id = update.get("toolCallId")
        if not isinstance(call_id, str):
            return
        before, held = self._calls.pop((session, call_id), ({}, 0))
        self._held -= held
        if update.get("status") in ("completed", "failed"):
            return
        given = {key: update[key] for key in _KEPT if update.get(key) is not None}
        if held + size > MOST_OF_A_CALL:
            # What is not remembered whole is not judged by its parts.
            before, given, size = {}, {wanted.TOO_LARGE: True}, 0
        self._calls[session, call_id] = ({**before, **given}, held + size)
        self._held += held + size
        while len(self._calls) > MOST_CALLS or self._held > MOST_HELD:
            self._held -= self._calls.popitem(last=False)[1][1]

    def _call(self, params: Frame) -> Frame:
        given = params.get("toolCall")
        given = given if isinstance(given, dict) else {}
        before, _ = self._calls.get((str(params.get("sessionId")), str(given.get("toolCallId"))), ({}, 0))
        return {**before, **{key: value for key, value in given.items() if value is not None}}

    # Deciding

    def _decided(self, frame: Frame, params: Frame, line: Line) -> bool:
        call, session = self._call(params), str(params.get("sessionId"))
        verdict = policy.judge(self._owner.policy, call, self._base(session))
        if verdict.answer != "never" and not self._stopped.isdisjoint({session, self._parents.get(session, session)}):
            return False
        match verdict.answer:
            case "never":
                self._answer_by(verdict, frame, call)
                return True
            case "allow":
                option = policy.chosen("allow", params.get("options"), remembers=self._owner.policy.remembers)
                if option is None:
                    return False
                self._answer_by(verdict, frame, call)
                return True
            case "ask-here":
                return self._put(verdict, frame, line, call, session)
            case _:
                return False

    def _base(self, session: str) -> Place | None:
        path = self._ways.base(session) or self._ways.base(self._parents.get(session, session))
        return None if path is None else absolute(str(path))

    def _answer_by(self, verdict: Verdict, frame: Frame, call: Frame) -> None:
        options = frame["params"].get("options")
        option = policy.chosen(verdict.answer, options, remembers=self._owner.policy.remembers)
        by = f"your rule “{verdict.rule}”" if verdict.rule else "your policy"
        allowed = verdict.answer == "allow"
        self._ways.say(f"{'allowed' if allowed else 'rejected'} by {by}: {_title_of(call)}")
        self._settle(frame, option)
        self._tell(frame, call, "allowed" if allowed else "rejected", "rule", verdict, option)

    def _settle(self, frame: Frame, option: Any) -> None:
        if option is None:
            outcome = {"outcome": "cancelled"}
        else:
            outcome = {"outcome": "selected", "optionId": option["optionId"]}
        self._ways.reply({"id": frame["id"], "result": {"outcome": outcome}})

    def _tell(self, frame: Frame, call: Frame, answer: str, by: str, verdict: Verdict, option: Any = None) -> None:
        told = {key: call[key] for key in _KEPT if key in call}
        if len(json.dumps(told)) > MOST_OF_A_CALL:
            told = {key: str(call[key])[:300] for key in ("toolCallId", "title", "kind") if key in call}
        self._ways.tell(
            {
                "sessionId": frame["params"].get("sessionId"),
                "toolCall": told,
                "answer": answer,
                "by": by,
                "rule": "" if verdict.rule is None else str(verdict.rule)[:300],
                "option": "" if option is None else option["kind"],
            }
        )

    # Asking here

    def _put(self, verdict: Verdict, frame: Frame, line: Line, call: Frame, session: str) -> bool:
        person, options = self._owner.person, usable(frame["params"].get("options"))
        if person is None or not options or len(self._waiting) >= MOST_WAITING or not person.is_there():
            return False
        key = id_key(frame["id"])
        until = asyncio.get_running_loop().time() + self._owner.patience
        self._tell(frame, call, "asked", "owner", verdict)
        waiting = self._waiting[key] = _Waiting(session)

        async def ask() -> None:
            option = await person.ask(_question(call, self._base(session)), options, until)
            # Whoever has taken it off meanwhile has answered it.
            if self._waiting.get(key) is not waiting:
                return
            del self._waiting[key]
            if option is None:
                self._ways.say("nobody answered here; the workspace is asked")
                self._ways.forward(frame, line)
                return
            self._settle(frame, option)
            allowed = str(option["kind"]).startswith("allow")
            self._tell(frame, call, "allowed" if allowed else "rejected", "owner", verdict, option)

        waiting.task = asyncio.create_task(ask())
        return True

    def _withdrawn(self, request_id: Any) -> bool:
        key = id_key(request_id)
        if key not in self._waiting:
            return False
        self._take_off(key, {"error": {"code": version.REQUEST_CANCELLED, "message": "withdrawn"}})
        return True

    def _take_off(self, key: str, answer: Frame) -> None:
        waiting = self._waiting.pop(key)
        if waiting.task is not None:
            waiting.task.cancel()
        self._ways.say("it is not asked any more")
        self._ways.reply({"id": json.loads(key), **answer})


def knows_decisions(initialize: Frame) -> bool:
    """Whether a server that says this in its `initialize` knows what it means that something was decided here."""
    found: object = initialize
    for name in ("params", "clientCapabilities", "_meta", version.META_KEY, "extensions"):
        found = found.get(name) if isinstance(found, dict) else None
    return isinstance(found, list) and version.EXTENSION_POLICY in found


def _title_of(call: Frame) -> str:
    return shown(str(call.get("title") or call.get("toolCallId") or "something without a name"), 200).replace("\n", " ")


def _question(call: Frame, base: Place | None) -> str:
    """What is asked, with what it would do: by its arguments, since a title may say anything."""
    asked = wanted.read(call, base, DISK)
    lines = [f"the agent asks: {_title_of(call)} ({', '.join(sorted(asked.kinds))})"]
    if asked.command is not None:
        lines.append("  command: " + shown(asked.command.text).replace("\n", "\n           "))
    lines += [f"  path: {shown(place.real, 500)}" for place in asked.places[:10]]
    if base is not None:
        lines.append(f"  in: {shown(base.real, 500)}")
    if asked.unclear:
        lines.append("  not all that it names is clear")
    return "\n".join(lines)
