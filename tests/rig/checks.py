"""What every agent has to do in the product. A check returns what was seen in a few words, and fails by asserting."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from agents.protocol import version
from tests.rig.outfit import Agent, Page
from tests.stories import installation
from tests.stories.installation import Installation
from tests.stories.script import Json
from tests.stories.waiting import until

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
T = TypeVar("T")
SLOW = 60.0
A_PERSON = ["A person has looked at it"]


@dataclass
class Trial:
    """One agent's trial on a running product."""

    product: Installation
    page: Page
    agent: Agent

    def give(self, title: str, instructions: str, *, lines: list[str] | None = None, file: bytes = b"") -> Work:
        """A run of one task that only this agent can do, begun."""
        task = {"key": "work", "title": title, "instructions": instructions, "skills": [self.agent.name]}
        plan = [{**task, "acceptance": lines or ["not_empty"]}]
        script, path = self.agent.script, f"/api/v1/workspaces/{self.agent.workspace}/runs"
        fields = {"goal": title, "plan": script.json(plan), "start": "true"}
        files = [("pixel.png", file)] if file else []
        answer = script.upload(path, fields, files)
        assert answer.status < 400, answer.bytes
        return Work(self, answer.json["id"])


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

    def until(self, look: Callable[[], T], what: str, *, seconds: float = SLOW) -> T:
        """Look again and again; a failure says how the task stands by then."""
        try:
            return until(look, seconds=seconds, what=what)
        except AssertionError as late:
            raise AssertionError(f"{late} ({self.words()})") from None

    def attempt(self, number: int, *, text: str = "") -> Json:
        """Wait until an attempt is there and has said this."""

        def look() -> Json:
            found = [one for one in self.task["attempts"] if one["number"] == number and text in said(one)]
            return found[0] if found else {}

        return self.until(look, f"attempt {number} saying “{text}”")

    def state(self, wanted: str, *, seconds: float = SLOW) -> Json:
        """Wait until the task is in a state; the task."""
        self.until(lambda: self.task["state"] == wanted, wanted, seconds=seconds)
        return self.task

    def stopped(self, number: int) -> float:
        """Wait until the agent has confirmed that an attempt's turn has ended; the seconds that took."""
        begun = time.monotonic()
        self.until(lambda: self.attempt(number)["stop"] == "done", f"the stop of attempt {number}")
        return time.monotonic() - begun

    def question(self) -> Json:
        """Wait for the agent's next open question."""
        path = f"/api/v1/approvals?state=open&workspace={self.trial.agent.workspace}"
        items = self.until(lambda: self.trial.agent.script.get(path)["items"], "a question")
        found: Json = items[0]
        return found

    def answer(self, kind: str, *, by_page: bool = False) -> None:
        """Answer the next question by the first option of a kind, by REST or on the task's page."""
        asked = self.question()
        option = next(one["optionId"] for one in asked["options"] if one["kind"] == kind)
        if by_page:
            self.trial.page.decide(self.trial.agent.workspace, asked["task"]["id"], asked["id"], option)
        else:
            self.trial.agent.script.post(f"/api/v1/approvals/{asked['id']}", {"option": option})

    def words(self) -> str:
        """How it stands, for whoever reads of a failure."""
        task = self.task
        tries = [(one["number"], one["state"], one["reason"], said(one)[:300]) for one in task["attempts"]]
        return f"{task['state']}, {task['reason']}, {tries}"


def said(attempt: Json) -> str:
    return "".join(item["text"] for item in attempt["transcript"] if item["kind"] == "text")


def joins(trial: Trial) -> str:
    """It connects by the copied command and says what it is."""
    told = trial.agent.told()["announced"]
    return str(told["version"])


def permission(trial: Trial) -> str:
    """Two files are to be written: one is allowed on the page, the other refused by REST."""
    work = trial.give("Write two files", "[[WRITE yes.txt allowed]] [[WRITE no.txt refused]] [[TEXT both tried]]")
    work.answer("allow_once", by_page=True)
    work.answer("reject_once")
    task = work.state("done")
    files = [one["name"] for one in task["artifacts"] if one["kind"] == "result"]
    steps = [item["status"] for item in task["attempts"][0]["transcript"] if item["kind"] == "step"]
    assert files == ["yes.txt"], work.words()
    return "allowed and refused" if len(steps) == 2 else f"calls {steps}"


def stop_in_text(trial: Trial) -> str:
    """The task is cancelled while the agent streams."""
    work = trial.give("Talk on", "[[SLEEP 40]]")
    work.attempt(1, text="tick3")
    path = work.path
    trial.agent.script.post(f"{path}/cancel")
    return f"{work.stopped(1):.1f} s"


def stop_in_tool(trial: Trial) -> str:
    """The task is cancelled while a tool of the agent runs: the tool is gone as well."""
    work = trial.give("Run a tool", "[[SHELL sleep 61.5]]")
    work.answer("allow_once")
    work.until(lambda: trial.agent.runs("sleep 61.5"), "the tool's process")
    trial.agent.script.post(f"{work.path}/cancel")
    took = work.stopped(1)
    work.until(lambda: not trial.agent.runs("sleep 61.5"), "the end of the tool's process", seconds=10)
    return f"{took:.1f} s"


def stop_in_question(trial: Trial) -> str:
    """The task is cancelled while the agent waits for an answer."""
    work = trial.give("Ask and wait", "[[WRITE never.txt x]]")
    asked = work.question()
    trial.agent.script.post(f"{work.path}/cancel")
    took = work.stopped(1)
    assert trial.agent.script.get(f"/api/v1/approvals/{asked['id']}")["state"] == "void"
    return f"{took:.1f} s"


def image(trial: Trial) -> str:
    """A picture goes with the task: as a picture where the agent takes pictures, and as a file in any case."""
    work = trial.give("Look at a picture", "[[TEXT looked]]", file=PIXEL)
    work.state("done")
    blocks = trial.agent.heard("session/prompt")[-1]["params"]["prompt"]
    kinds = [block["type"] for block in blocks]
    takes = trial.agent.told()["announced"].get("image")
    lies = any(trial.agent.folder.glob("work/*/pixel.png"))
    assert lies, "the file is not in the work folder"
    assert kinds == ["text", "resource_link", *(["image"] if takes else [])], kinds
    return "picture and file" if takes else "file only: takes no pictures"


def returned(trial: Trial) -> str:
    """A returned result is done again in the same session, which knows the first turn."""
    work = trial.give("Count the turns", "[[HISTORY]]", lines=["matches: user turns [2-9]"])
    work.state("done")
    first, second = work.task["attempts"]
    assert first["state"] == "returned", work.words()
    return f"same session, {turns_known(second)}"


def killed(trial: Trial) -> str:
    """Connector and agent are killed in the middle of a turn and started again."""
    work = trial.give("Be killed", "[[SLEEP 8]] [[HISTORY]]")
    work.attempt(1, text="tick3")
    trial.agent.kill(whole=True)
    before = len(trial.agent.heard())
    trial.agent.start()
    task = work.state("done", seconds=120)
    first, second = task["attempts"]
    assert (first["state"], second["state"]) == ("expired", "accepted"), work.words()
    return f"“{first['reason']}”, then {reopened(trial, before)}, {turns_known(second)}"


def connector_killed(trial: Trial) -> str:
    """Only the connector is killed, while a tool runs: the agent that nobody hears any more ends as well."""
    work = trial.give("Lose the connector", "[[SHELL sleep 21.5]]")
    work.answer("allow_once")
    work.until(lambda: trial.agent.runs("sleep 21.5"), "the tool's process")
    before, begun = trial.agent.kill(whole=False), time.monotonic()
    work.until(lambda: not any(map(installation.command_of, before)), "the end of the agent")
    took = time.monotonic() - begun
    trial.agent.start()
    work.answer("allow_once")
    states = [attempt["state"] for attempt in work.state("done")["attempts"]]
    assert states == ["expired", "accepted"], work.words()
    return f"the agent ended after {took:.0f} s, done by the next try"


def tools(trial: Trial) -> str:
    """The workspace's own tools are among the agent's."""
    work = trial.give("Say your tools", "[[TOOLS]]")
    told = said(work.state("done")["attempts"][0])
    found = re.findall(r"\S*clawgroups\S*", told)
    assert found, told[:300]
    return f"{len(found)} tools"


def reopens(trial: Trial) -> str:
    """Between a result and its return the agent was restarted: the stored session is opened again."""
    work = trial.give("Be returned later", "[[HISTORY]]", lines=A_PERSON)
    work.state("in_review")
    trial.agent.stop()
    before = len(trial.agent.heard())
    next_minute()
    trial.agent.start()
    trial.agent.script.post(f"{work.path}/return", {"note": "Again, please."})
    second = work.attempt(2, text="user turns")
    work.state("in_review")
    assert said(second).startswith("stub: user turns 2"), work.words()
    how = reopened(trial, before)
    trial.agent.script.post(f"{work.path}/accept")
    return f"{how}, {turns_known(second)}"


def next_minute() -> None:
    """gemini cannot load a session in the clock minute in which it was made."""
    now = time.time()
    time.sleep(61 - now % 60)


def reopened(trial: Trial, before: int) -> str:
    """By which calls a session was opened since the frame with this number."""
    methods = (frame.get("method") for frame in trial.agent.heard()[before:])
    return ", ".join(method for method in methods if method in version.OPENING)


def turns_known(attempt: Json) -> str:
    found = re.search(r"user turns (\d+)", said(attempt))
    return f"{found[1]} turns known" if found else "no turns told"


def server_killed(trial: Trial) -> str:
    """The web server is killed in the middle of a turn: the turn goes on, no word is lost or doubled."""
    work = trial.give("Outlive the server", "[[SLEEP 12]]")
    work.attempt(1, text="tick3")
    killed = trial.product.kill("web")
    trial.product.returned("web", killed)
    trial.agent.script.reachable()
    task = work.state("done")
    (attempt,) = task["attempts"]
    assert re.findall(r"tick(\d+) ", said(attempt)) == [str(n) for n in range(48)], said(attempt)
    return "one attempt, every word once"


def taken_over(trial: Trial) -> str:
    """A person takes over in the middle of the stream, edits, and hands back."""
    work = trial.give("Be taken over", "[[SLEEP 40]]")
    work.attempt(1, text="tick3")
    script, path = trial.agent.script, work.path
    script.post(f"{path}/takeover")
    took = work.stopped(1)
    draft = script.get(path)["draft"]["text"]
    assert "tick3" in draft
    script.post(f"{path}/draft", {"text": f"{draft}\n\nA person wrote this sentence."})
    script.post(f"{path}/handback", {"note": "[[RESET]] Keep my sentence."})
    task = work.state("done")
    last = task["attempts"][-1]
    assert last["acknowledgement"].strip(), work.words()
    assert "A person wrote this sentence." in last["result"], work.words()
    return f"stopped in {took:.1f} s, acknowledged, went on"


CHECKS: dict[str, Callable[[Trial], str]] = {
    "joins": joins,
    "tools": tools,
    "permission": permission,
    "stop in text": stop_in_text,
    "stop in tool": stop_in_tool,
    "stop in question": stop_in_question,
    "image": image,
    "returned": returned,
    "taken over": taken_over,
    "server killed": server_killed,
    "restarted": reopens,
    # Last: an agent that dies twice gets no work for a while.
    "agent killed": killed,
    "connector killed": connector_killed,
}
