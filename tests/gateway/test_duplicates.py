"""T15 at reduced size: messages that come up to three times, early, late and in another order end in the same rows.

What has an identity (an answer, a question, a tool call, a plan) counts once, however often and whenever it
comes. What has none (a piece of text, whose place is its order) is the transport's to carry once and in order:
that is what the count of frames is for, so here the line also breaks under it, and frames are sent again.
"""

from __future__ import annotations

import json
import random
from typing import Any
from uuid import uuid4

import pytest

from clawgroups.core.fold import digest, fold
from clawgroups.journal import Snapshot, entries_after, entry_as_json, snapshot
from clawgroups.models import Approval, Attempt, Entry, Step, Task
from clawgroups.services import approvals
from clawgroups.services.perform import perform, read_async
from tests.conftest import Team
from tests.gateway.support import Frame, Socket, new_key, task_state, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)

CALLS = 12
ASKED = (2, 5, 9)
WINDOW = 8


def update(tag: str, **fields: Any) -> Frame:
    return {"method": "session/update", "params": {"update": {"sessionUpdate": tag, **fields}}}


def spoken() -> list[Frame]:
    """A turn in the order in which an agent says it, without its answer."""
    said: list[Frame] = []
    for number in range(CALLS):
        call = f"c{number}"
        words = [{"type": "text", "text": f"{number}.{piece} "} for piece in range(3)]
        said.append(update("tool_call", toolCallId=call, title=f"Look {number}", kind="read", status="pending"))
        said += [update("agent_message_chunk", messageId=f"m{number // 4}", content=one) for one in words]
        if number in ASKED:
            options = [{"optionId": "yes", "name": "Allow", "kind": "allow_once"}]
            params = {"toolCall": {"toolCallId": call, "rawInput": {"n": number}}, "options": options}
            said.append({"id": number, "method": "session/request_permission", "params": params})
        said.append(update("tool_call_update", toolCallId=call, status="in_progress"))
        said.append(update("tool_call_update", toolCallId=call, status="completed", rawOutput={"n": number}))
    said.append(update("plan", entries=[{"content": "Read", "priority": "high", "status": "completed"}]))
    return said


def is_text(frame: Frame) -> bool:
    return bool(frame.get("params", {}).get("update", {}).get("sessionUpdate") == "agent_message_chunk")


def disturbed(said: list[Frame], rng: random.Random) -> tuple[list[Frame], list[Frame]]:
    """The same turn out of order and with copies; some of these come only after the answer."""
    placed: list[tuple[float, Frame]] = []
    late: list[Frame] = []
    for at, frame in enumerate(said):
        if is_text(frame):
            placed.append((at, frame))
            continue
        for copy in range(rng.randint(1, 3)):
            place = at + rng.uniform(-WINDOW, WINDOW)
            if copy and rng.random() < 0.3:
                late.append(frame)
            else:
                placed.append((place, frame))
    rng.shuffle(late)
    return [frame for _, frame in sorted(placed, key=lambda one: one[0])], late


def projection(task: Task) -> dict[str, Any]:
    """What is left of a turn: everything that people and the next task go by."""
    row = Task.objects.get(pk=task.pk)
    attempts = Attempt.objects.filter(task=task).order_by("number")
    asked = Approval.objects.filter(task=task).order_by("request_id")
    calls = Step.objects.filter(attempt__task=task).values_list("tool_call_id", "title", "kind", "status", "detail")
    # The line is cut on purpose: that contact was lost and came back is no trace of the turn.
    besides = ["step.recorded", "artifact.added", "attempt.contact_lost", "attempt.contact_restored"]
    moves = Entry.objects.filter(payload__task_id=str(task.pk)).exclude(type__in=besides)
    return {
        "task": [row.state, row.epoch, row.tries, row.blocked_on],
        "attempts": [[a.number, a.state, a.stop, a.result, a.late_result, a.plan] for a in attempts],
        "steps": sorted((list(one) for one in calls), key=lambda one: one[0]),
        "texts": [list(one) for one in texts(task)],
        "asked": [[one.request_id, one.state, one.option_id] for one in asked],
        "journal": sorted(moves.values_list("type", flat=True)),
    }


class Wire:
    """An agent behind a connector: what was not acknowledged is sent again on the next socket."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.socket = Socket(uuid4(), answering=False).open(key)
        self.said: list[str] = []

    def say(self, frame: Frame) -> None:
        text = json.dumps({"jsonrpc": "2.0", **frame})
        self.said.append(text)
        self.socket.say(text)

    async def hello(self) -> None:
        asked = await self.socket.asked("initialize")
        self.say({"id": asked["id"], "result": {"protocolVersion": 1}})

    async def breaks(self, rng: random.Random) -> None:
        """The line is cut, or the server's process dies."""
        if rng.random() < 0.5:
            await self.socket.hang_up()
        else:
            await self.socket.kill()
        self.socket = Socket(self.socket.link, answering=False).open(self.key)
        resume = await self.socket.asked("_clawgroups/resume")
        for text in self.said[int(resume["params"]["received"]) :]:
            self.socket.say(text)
        await self.hello()


def decide_all(team: Team, task: Task) -> None:
    for approval in Approval.objects.filter(task=task, state="open"):
        perform(approvals.decide_approval, approval.pk, option_id="yes", actor=team.actor("bob"))


async def turn(team: Team, key: str, rng: random.Random | None) -> dict[str, Any]:
    """One turn, clean or disturbed, to its end; what it left."""
    task = await read_async(team.assigned)
    wire = Wire(key)
    await wire.hello()
    opening = await wire.socket.asked("session/new")
    session = f"s-{task.pk}"
    before, after = (spoken(), []) if rng is None else disturbed(spoken(), rng)
    early = 0 if rng is None else rng.randint(1, 3)
    for number, frame in enumerate(before):
        if number == early:
            for _ in range(1 if rng is None else rng.randint(1, 3)):
                wire.say({"id": opening["id"], "result": {"sessionId": session}})
            prompt = await wire.socket.asked("session/prompt")
        if "params" in frame:
            frame["params"]["sessionId"] = session
        wire.say(frame)
        # What is said before the session is known is kept in memory only: nothing was asked for then.
        if rng is not None and number > early and rng.random() < 0.04:
            await wire.breaks(rng)
    await until_row(lambda: Approval.objects.filter(task=task).count(), lambda found: found == len(ASKED))
    await read_async(decide_all, team, task)
    for number in ASKED:
        assert (await wire.socket.answered(number))["result"]["outcome"]["optionId"] == "yes"
    for _ in range(1 if rng is None else rng.randint(1, 3)):
        wire.say({"id": prompt["id"], "result": {"stopReason": "end_turn"}})
    for frame in after:
        wire.say(frame)
    if after:
        wire.say({"id": prompt["id"], "result": {"stopReason": "refusal"}})
        wire.say({"id": prompt["id"], "error": {"code": 1, "message": "no"}})
    await task_state(task, "in_review")
    await wire.socket.acked(len(wire.said))
    await wire.socket.hang_up()
    return await read_async(projection, task)


def folded(team: Team, since: Snapshot) -> tuple[str, str]:
    """The hash that a client comes to which has followed the journal, and the server's own."""
    now = snapshot(team.workspace.pk)
    entries = entries_after(team.workspace.pk, now.head.generation, since.head.seq, 100_000)
    return digest(fold(since.state, [entry_as_json(entry) for entry in entries])), digest(now.state)


@pytest.mark.parametrize("seed", range(5))
async def test_a_disturbed_turn_leaves_what_a_clean_one_leaves(team: Team, seed: int) -> None:
    key, _ = await read_async(new_key, team)
    clean = await turn(team, key, None)
    assert clean["attempts"][0][3] == "8.0 8.1 8.2 9.0 9.1 9.2 10.0 10.1 10.2 11.0 11.1 11.2 "
    assert clean["journal"].count("task.submitted") == 1
    since = await read_async(snapshot, team.workspace.pk)
    assert await turn(team, key, random.Random(seed)) == clean, f"seed {seed}"
    client, server = await read_async(folded, team, since)
    assert client == server, f"seed {seed}"
