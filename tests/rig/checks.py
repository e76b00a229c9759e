"""What every agent has to do in the product. A check returns what was seen in a few words, and fails by asserting."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Callable

from agents.protocol import version
from tests.rig import asking, life, pair
from tests.rig.trial import NotItsWay, Trial, said_by
from tests.stories import installation
from tests.stories.script import Json

PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
A_PERSON = ["A person has looked at it"]
OTHER_ORDERS = "it obeys no markers"


def _obeys(trial: Trial) -> None:
    if not trial.manner.markers:
        raise NotItsWay(OTHER_ORDERS)


def stop_in_text(trial: Trial) -> str:
    """The task is cancelled while the agent streams."""
    work = trial.talk(long=True)
    trial.agent.script.post(f"{work.path}/cancel")
    return f"{work.stopped(1):.1f} s"


def stop_in_tool(trial: Trial) -> str:
    """The task is cancelled while a tool of the agent runs: the tool is gone as well."""
    _obeys(trial)
    work = trial.give("Run a tool", "[[SHELL sleep 61.5]]")
    work.answer("allow_once")
    work.until(lambda: trial.agent.runs("sleep 61.5"), "the tool's process")
    trial.agent.script.post(f"{work.path}/cancel")
    took = work.stopped(1)
    work.until(lambda: not trial.agent.runs("sleep 61.5"), "the end of the tool's process", seconds=10)
    return f"{took:.1f} s"


def stop_in_question(trial: Trial) -> str:
    """The task is cancelled while the agent waits for an answer."""
    if not trial.manner.asks:
        raise NotItsWay(trial.manner.why_not)
    work = trial.give("Ask and wait", "[[WRITE never.txt x]]" if trial.manner.markers else trial.manner.talks)
    asked = work.question()
    trial.agent.script.post(f"{work.path}/cancel")
    took = work.stopped(1)
    assert trial.agent.script.get(f"/api/v1/approvals/{asked['id']}")["state"] == "void"
    return f"{took:.1f} s"


def image(trial: Trial) -> str:
    """A picture goes with the task: as a picture where the agent takes pictures, and as a file in any case."""
    _obeys(trial)
    work = trial.give("Look at a picture", "[[TEXT looked]]", files={"pixel.png": PIXEL})
    work.state("done")
    blocks = trial.agent.heard("session/prompt")[-1]["params"]["prompt"]
    kinds = [block["type"] for block in blocks]
    takes = trial.agent.told()["announced"].get("image")
    lies = any(trial.agent.work.glob("*/pixel.png"))
    assert lies, "the file is not in the work folder"
    assert kinds == ["text", "resource_link", *(["image"] if takes else [])], kinds
    return "picture and file" if takes else "file only: takes no pictures"


def returned(trial: Trial) -> str:
    """A returned result is done again in the same session, which knows the first turn."""
    _obeys(trial)
    work = trial.give("Count the turns", "[[HISTORY]]", lines=["matches: user turns [2-9]"])
    work.state("done")
    first, second = work.task["attempts"]
    assert first["state"] == "returned", work.words()
    return f"same session, {turns_known(second)}"


def killed(trial: Trial) -> str:
    """Connector and agent are killed in the middle of a turn and started again."""
    _obeys(trial)
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
    _obeys(trial)
    work = trial.give("Lose the connector", "[[SHELL sleep 21.5]]")
    work.answer("allow_once")
    work.until(lambda: trial.agent.runs("sleep 21.5"), "the tool's process")
    before, begun = trial.agent.kill(whole=False), time.monotonic()
    work.until(lambda: not any(map(installation.command_of, before)), "the end of the agent")
    took = time.monotonic() - begun
    trial.agent.start()
    # Who fails often gets no work for a minute, unless its owner vouches for it.
    trial.agent.script.post(f"/api/v1/agents/{trial.agent.id}/clear")
    work.answer("allow_once")
    states = [attempt["state"] for attempt in work.state("done")["attempts"]]
    assert states == ["expired", "accepted"], work.words()
    return f"the agent ended after {took:.0f} s, done by the next try"


def tools(trial: Trial) -> str:
    """The workspace's own tools are among the agent's."""
    _obeys(trial)
    work = trial.give("Say your tools", "[[TOOLS]]")
    told = said_by(work.state("done")["attempts"][0])
    found = re.findall(r"\S*clawgroups\S*", told)
    assert found, told[:300]
    return f"{len(found)} tools"


def reopens(trial: Trial) -> str:
    """Between a result and its return the agent was restarted: the stored session is opened again."""
    _obeys(trial)
    work = trial.give("Be returned later", "[[HISTORY]]", lines=A_PERSON)
    work.state("in_review")
    trial.agent.stop()
    before = len(trial.agent.heard())
    next_minute()
    trial.agent.start()
    trial.agent.script.post(f"{work.path}/return", {"note": "Again, please."})
    second = work.attempt(2, text="user turns")
    work.state("in_review")
    assert said_by(second).startswith("stub: user turns 2"), work.words()
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
    found = re.search(r"user turns (\d+)", said_by(attempt))
    return f"{found[1]} turns known" if found else "no turns told"


CHECKS: dict[str, Callable[[Trial], str]] = {
    "joins": life.joins,
    "tools": tools,
    "files": life.files,
    "permission": life.by_phone,
    "asks in all ways": asking.in_all_ways,
    "stop in text": stop_in_text,
    "stop in tool": stop_in_tool,
    "stop in question": stop_in_question,
    "image": image,
    "returned": returned,
    "taken over": life.taken_over,
    "two people, in text": pair.in_text,
    "two people, in tool": pair.in_tool,
    "line cut": life.line_cut,
    "server killed": life.server_killed,
    "server restarted": life.server_restarted,
    "restarted": reopens,
    # Nearly last: an agent that dies twice gets no work for a while.
    "agent killed": killed,
    "connector killed": connector_killed,
    "removed": life.removed,
}
