"""One agent's trial: runs of one task that only it can do, and how they stand."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from tests.chaos.faults import FaultProxy
from tests.rig.machine import Agent
from tests.rig.manners import Manner, manner_of
from tests.rig.person import Person
from tests.stories.installation import Installation
from tests.stories.script import Json, Refused
from tests.stories.waiting import until

T = TypeVar("T")
SLOW = 60.0


class NotItsWay(Exception):
    """This agent never does what the check is about; the text says why, for the table."""


@dataclass
class Trial:
    """One agent's trial on a running product, whose address leads over `way`."""

    product: Installation
    way: FaultProxy
    person: Person
    agent: Agent
    undisturbed: str = ""
    """What it says in a turn of its manner that nobody disturbs, once it has had one."""
    manner: Manner = field(init=False)
    runs: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.manner = manner_of(self.agent.name)

    def give(
        self, title: str, instructions: str, *, lines: list[str] | None = None, files: dict[str, bytes] | None = None
    ) -> Work:
        """A run of one task that only this agent can do, begun."""
        task = {"key": "work", "title": title, "instructions": instructions, "skills": [self.agent.name]}
        plan = [{**task, "acceptance": lines or ["not_empty"]}]
        script, path = self.agent.script, f"/api/v1/workspaces/{self.agent.workspace}/runs"
        fields = {"goal": title, "plan": script.json(plan), "start": "true"}
        answer = script.upload(path, fields, list((files or {}).items()))
        assert answer.status < 400, answer.bytes
        self.runs.append(answer.json["id"])
        return Work(self, answer.json["id"])

    def give_up(self) -> None:
        """Cancel what a check that failed has left, so that the next one finds the agent free."""
        for run in self.runs:
            with suppress(Refused):
                self.agent.script.post(f"/api/v1/runs/{run}/cancel")

    def talk(self, *, long: bool = False) -> Work:
        """A turn that lasts some seconds, or `long` enough to be stopped, seen in its middle; always the same."""
        if not self.manner.talks:
            raise NotItsWay(self.manner.why_not)
        work = self.give("Talk on", self.manner.talks_long if long else self.manner.talks, files=self.manner.files)
        work.attempt(1, text=self.manner.mark)
        return work

    def whole(self, said: str) -> bool:
        """Whether this is what it says when nobody disturbs it: no word lost, none twice."""
        if not self.undisturbed:
            work = self.talk()
            work.finish()
            self.undisturbed = said_by(work.task["attempts"][0])
        return said == self.undisturbed


@dataclass
class Work:
    """A run and its one task."""

    trial: Trial
    run: str

    @property
    def task(self) -> Json:
        return self.trial.agent.script.task(self.run, "work")

    @property
    def path(self) -> str:
        return f"/api/v1/tasks/{self.task['id']}"

    @property
    def draft(self) -> str:
        """What a person has in their draft of it by now."""
        return str((self.trial.agent.script.get(self.path)["draft"] or {}).get("text", ""))

    def until(self, look: Callable[[], T], what: str, *, seconds: float = SLOW) -> T:
        """Look again and again; a failure says how the task stands by then."""
        try:
            return until(look, seconds=seconds, what=what)
        except AssertionError as late:
            raise AssertionError(f"{late} ({self.words()})") from None

    def attempt(self, number: int, *, text: str = "") -> Json:
        """Wait until an attempt is there and has said this."""

        def look() -> Json:
            found = [one for one in self.task["attempts"] if one["number"] == number and text in said_by(one)]
            return found[0] if found else {}

        return self.until(look, f"attempt {number} saying “{text}”")

    def state(self, wanted: str, *, seconds: float = SLOW) -> Json:
        """Wait until the task is in a state; the task."""
        self.until(lambda: self.task["state"] == wanted, wanted, seconds=seconds)
        return self.task

    def finish(self, *, seconds: float = SLOW) -> Json:
        """Wait until the task is done, and allow whatever is asked on the way; the task."""

        def look() -> bool:
            for asked in self.open_questions():
                self._press(asked, "allow_once")  # Else at the next look.
            return bool(self.task["state"] == "done")

        self.until(look, "done", seconds=seconds)
        return self.task

    def stopped(self, number: int) -> float:
        """Wait until the agent has confirmed that an attempt's turn has ended; the seconds that took."""
        begun = time.monotonic()
        self.until(lambda: self.attempt(number)["stop"] == "done", f"the stop of attempt {number}")
        return time.monotonic() - begun

    def question(self) -> Json:
        """Wait for the agent's next open question."""
        return self.until(self.open_questions, "a question")[0]

    def answer(self, kind: str, *, by_phone: bool = False, name: str = "") -> None:
        """Answer the next question by the first option of a kind, by REST or on the task's page on a phone.

        `name`: of its pictures, else they are called by the kind.
        """
        if by_phone:
            asked = self.question()
            self.decide(asked, option_of(asked, kind), name=name or kind)
        else:
            self.until(lambda: self._press(self.question(), kind), "an answer that was taken")

    def decide(self, asked: Json, option: str, *, name: str) -> None:
        """Press an option of a question on its task's page on a phone."""
        agent = self.trial.agent
        self.trial.person.decide(agent.workspace, asked["task"]["id"], asked["id"], option, shot=f"{agent.name}-{name}")

    def open_questions(self) -> list[Json]:
        """What the agent waits for, of all its tasks."""
        path = f"/api/v1/approvals?state=open&workspace={self.trial.agent.workspace}"
        found: list[Json] = self.trial.agent.script.get(path)["items"]
        return found

    def _press(self, asked: Json, kind: str) -> bool:
        """Answer by REST; whether it was taken. OpenCode tells more of a call just after it has asked about it."""
        try:
            self.trial.agent.script.post(f"/api/v1/approvals/{asked['id']}", {"option": option_of(asked, kind)})
        except Refused as refused:
            if refused.answer.json["code"] != "changed":
                raise
            return False
        return True

    def words(self) -> str:
        """How it stands, for whoever reads of a failure."""
        task = self.task
        tries = [(one["number"], one["state"], one["reason"], _last(one)) for one in task["attempts"]]
        return f"{task['state']}, {task['reason']}, {tries}"


def option_of(asked: Json, kind: str) -> str:
    """The first option of a kind that a question offers."""
    return str(next(one["optionId"] for one in asked["options"] if one["kind"] == kind))


def _last(attempt: Json) -> str:
    items = [item.get("text") or f"{item.get('title')}: {item.get('status')}" for item in attempt["transcript"]]
    return " / ".join(items)[-300:]


def said_by(attempt: Json) -> str:
    """The agent's own words of an attempt."""
    return "".join(item["text"] for item in attempt["transcript"] if item["kind"] == "text")
