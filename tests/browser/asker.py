"""An agent that takes a task and asks, whenever a test has it ask; it speaks plain ACP over the socket."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from websockets.sync.client import connect

from tests.stories.script import Json, Script
from tests.stories.test_tools import Agent

SKILL = "asking"
PLAN = [{"key": "dig", "title": "Dig a well", "skills": [SKILL]}]
OPTIONS = [
    {"optionId": "yes", "name": "Allow", "kind": "allow_once"},
    {"optionId": "no", "name": "Reject", "kind": "reject_once"},
]


class Asker(Agent):
    """At work on one task."""

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type]
        self.asked = 0

    def ask(self, command: str) -> None:
        """May it run this?"""
        self.asked += 1
        call = {"toolCallId": f"c{self.asked}", "title": command, "kind": "execute", "rawInput": {"command": command}}
        self._call("session/request_permission", {"sessionId": "one", "toolCall": call, "options": OPTIONS})

    def _call(self, method: str, params: Json) -> None:
        self.socket.send(json.dumps({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}))


@contextmanager
def asking(script: Script, workspace: str) -> Iterator[Asker]:
    """An agent of the owner's in a workspace, in the middle of its turn on a task."""
    made = script.post(
        "/api/v1/agents", {"name": "Digger", "skills": [{"name": SKILL, "level": 4}], "workspace": workspace}
    )
    url = script.url.replace("http", "ws", 1) + "/acp/connect"
    with connect(url, additional_headers={"Authorization": f"Bearer {made['key']}"}) as socket:
        agent = Asker(socket)
        listener = threading.Thread(target=agent.listen, daemon=True)
        listener.start()
        script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Water", "plan": PLAN, "start": True})
        agent.prompts.get(timeout=60)
        yield agent
    listener.join(20)
