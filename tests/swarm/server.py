"""A swarm process beside an installation, on a scripted model server: what stories and the bench start.

The script knows nothing of who asks: which step comes next is read from the conversation, as a model would.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

from agents.swarm.desk import FINISH
from tests.chaos.processes import Process, python
from tests.llm.flavours import Answer
from tests.stories.installation import OURS

Json = dict[str, Any]
Step = tuple[str, Json]
_TITLE = re.compile(r"# Task: ([^\n\"\\]+)")
SKILL = "digging"


def steps_of(title: str, count: int) -> list[Step]:
    """What a sub-agent does for a task: reads, notes, writes in several parts, reports, and is done."""
    name = re.sub(r"\W+", "-", title).strip("-").lower()
    ends: list[Step] = [
        ("write_file", {"name": f"{name}.md", "text": f"# {title}\n\nFound and written down, with its source.\n"}),
        (FINISH, {"result": f"{title}: found, see {name}.md.", "files": [f"{name}.md"]}),
    ]
    begins: list[Step] = [
        ("read_rules", {}),
        ("read_board", {"limit": 5}),
        ("remember", {"key": name, "text": f"{title} is looked into.", "scope": "workspace"}),
        ("report_progress", {"percent": 40, "note": "Half of it is read."}),
        ("post_message", {"text": f"{title}: half of it is read."}),
        ("recall", {"query": name}),
        ("list_files", {}),
        *(("write_file", {"name": f"{name}-{part}.md", "text": f"Part {part} of {title}.\n"}) for part in range(1, 90)),
    ]
    return [*begins[: max(0, count - len(ends))], *ends]


def scripted(count: int) -> Callable[[Json], Answer]:
    """A model that takes `count` steps for each task, one call at a time."""

    def answer(body: Json) -> Answer:
        messages = body["messages"]
        title = _TITLE.search(json.dumps(messages[1]["content"]))
        done = sum(message["role"] == "tool" for message in messages)
        steps = steps_of(title[1] if title else "Something", count)
        name, given = steps[min(done, len(steps) - 1)]
        return Answer(text="", calls=[(f"functions.{name}:{done}", name, json.dumps(given))], finish="tool_calls")

    return answer


class Swarm:
    """The process: one agent with so many sessions."""

    def __init__(
        self, url: str, key: str, model: str, data: Path, *, sessions: int, more: tuple[str, ...] = ()
    ) -> None:
        self.report = data / "swarm.jsonl"
        (data / "swarm.key").write_text(key)
        named = {"provider": "sglang", "url": model, "model": "kimi-k2.6", "mode": "instant", "prices": PRICES}
        (data / "swarm.json").write_text(json.dumps(named))
        told = [
            url,
            "--key-file",
            str(data / "swarm.key"),
            "--model",
            str(data / "swarm.json"),
            "--dir",
            str(data / "work"),
        ]
        told += ["--sessions", str(sessions), "--report", str(self.report), *more]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
        home = {"HOME": str(data), "XDG_CONFIG_HOME": str(data), "XDG_STATE_HOME": str(data)}
        self.process = Process("swarm", python("-m", "agents.swarm", *told), {**kept, **home}, data / "swarm.log")

    def __enter__(self) -> Swarm:
        self.process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.process.stop()

    def turns(self) -> list[Json]:
        """The turns that have ended."""
        if not self.report.exists():
            return []
        text = self.report.read_text()
        return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]

    def memory(self) -> int:
        """The most that it has held, in bytes."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def at_once(turns: Sequence[Json]) -> int:
    """How many worked side by side at most."""
    moves = sorted([(turn["began"], 1) for turn in turns] + [(turn["ended"], -1) for turn in turns])
    return max(accumulate((move for _, move in moves), initial=0))


PRICES = {"miss": 0.95, "hit": 0.16, "out": 4.0}
