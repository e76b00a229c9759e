"""The owner's rules go by the folder that the agent starts in: in a worktree, by the worktree."""

from __future__ import annotations

from typing import Any

import pytest

from agents.connector.deciding import Owner
from agents.connector.policy import Policy
from agents.connector.rules import read_text
from tests.agents.support import FakeServer, bridged
from tests.agents.test_deciding import OPTIONS
from tests.agents.test_worktree import SESSION, Shop, shop

__all__ = ["shop"]

RULES = """
[[rule]]
answer = "never"
path = "deploy/keys"
[[rule]]
answer = "allow"
kind = "edit"
path = "**"
"""


@pytest.mark.parametrize(
    ("path", "option"),
    [
        ("deploy/keys/production", "no"),
        ("{tree}/deploy/keys/production", "no"),
        ("app.py", "yes"),
        ("{tree}/app.py", "yes"),
        ("claw-files/report.md", "yes"),
    ],
)
async def test_a_rule_on_a_folder_of_the_repository_means_that_of_the_worktree(
    shop: Shop, path: str, option: str
) -> None:
    owner, repository = Owner(Policy.of(read_text(RULES))), shop.place().repository
    async with FakeServer() as server, bridged(server, shop.root, repository=repository, owner=owner) as running:
        await server.until(lambda: running.children)
        ours = {"session": SESSION, "files": shop.store.url, "key": "session-key", "task": "T1"}
        opening: dict[str, Any] = {"cwd": "/", "mcpServers": [], "_meta": {"clawgroups": ours}}
        await server.send({"id": "n", "method": "session/new", "params": opening})
        await running.child.until(lambda: running.child.asked("session/new"))
        tree = running.child.asked("session/new")[0]["params"]["cwd"]
        running.child.say({"id": "n", "result": {"sessionId": "s"}})
        call = {"toolCallId": "c", "kind": "edit", "locations": [{"path": path.format(tree=tree)}]}
        asked = {"sessionId": "s", "toolCall": call, "options": OPTIONS}
        running.child.say({"id": 7, "method": "session/request_permission", "params": asked})
        await running.child.until(lambda: any(one.get("id") == 7 for one in running.child.heard))
        (answer,) = (one for one in running.child.heard if one.get("id") == 7)
        assert answer["result"]["outcome"] == {"outcome": "selected", "optionId": option}
