"""Every way in which an agent asks: for a change, for a command, for two things of one round, for a choice of people.

All is answered in a window as wide as a phone. What is told says how its frames asked, so that a change of an agent's
manner is seen: by an id alone or with what it is about, before the call was told or after it.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass

from tests.rig.machine import FROM_AGENT
from tests.rig.trial import NotItsWay, Trial, Work, option_of
from tests.stories.script import Json

OLD = b"the old words\n"


@dataclass
class Asked:
    """How one frame asked."""

    bare: bool
    """By the id of a call that was told before, and nothing else."""
    early: bool
    """Before the call was told."""

    def __str__(self) -> str:
        return f"{'an id only' if self.bare else 'in full'}, {'early' if self.early else 'late'}"


def in_all_ways(trial: Trial) -> str:
    """Each is answered on a phone, which shows what it is about."""
    if not trial.manner.markers:
        raise NotItsWay("it obeys no markers")
    begun = len(frames(trial))
    change = "[[READ old.txt]] [[WRITE old.txt the new words]]"
    diff = trial.give("Change a file", change, files={"old.txt": OLD})
    _answer(diff, "allow_once", "diff", shows="the new words")
    diff.finish()
    command = trial.give("Run a command", "[[SHELL echo made > made.txt]] [[TEXT tried]]")
    _answer(command, "allow_once", "command", shows="echo made")
    made = sorted(one["name"] for one in command.finish()["artifacts"] if one["kind"] == "result")
    assert made == ["made.txt"], command.words()
    two = trial.give("Do two things at once", "[[WRITE one.txt 1]]&[[WRITE two.txt 2]]")
    together = _two(two)
    made = sorted(one["name"] for one in two.state("done")["artifacts"] if one["kind"] == "result")
    assert made == ["one.txt", "two.txt"], two.words()
    ways = sorted({str(one) for one in ways_of(frames(trial)[begun:])})
    return f"diff, command; two in a round {together}; {'; '.join(ways)}; {_people(trial)}"


def _answer(work: Work, kind: str, name: str, *, shows: str) -> None:
    """Wait until it asks about this, and answer on the phone; what else it asks on the way is allowed."""
    asked = work.question()
    while shows not in json.dumps(asked["tool_call"]):
        work.answer("allow_once")
        asked = work.question()
    work.answer(kind, by_phone=True, name=name)


def _two(work: Work) -> str:
    """Both are answered, the last that came first where both are open; whether they were."""
    work.question()
    time.sleep(1.0)  # The other comes at once, if it comes before the first is answered.
    asked = work.open_questions()
    first, at_once = asked[-1]["id"], len(asked) > 1
    work.decide(asked[-1], option_of(asked[-1], "allow_once"), name="first")
    work.until(lambda: any(one["id"] != first for one in work.open_questions()), "the second question")
    work.answer("allow_once", by_phone=True, name="second")
    return "at once" if at_once else "one after the other"


def _people(trial: Trial) -> str:
    """It asks people by its own tool for that, where it has one that it asks through."""
    work = trial.give("Ask people", "[[ASK Which one?|This one|That one]]")
    work.until(lambda: work.open_questions() or work.task["state"] == "done", "a question, or the end")
    if not work.open_questions():
        return "asks people nothing"
    asked = work.question()
    said = json.dumps(asked)
    assert "Which one?" in said, said[:500]
    work.decide(asked, asked["options"][0]["optionId"], name="choice")
    work.finish()
    return f"asks people as {asked['kind']}"


def frames(trial: Trial) -> list[Json]:
    """What the agent has said so far."""
    return [json.loads(line) for line in (trial.agent.folder / FROM_AGENT).read_text().splitlines()]


def ways_of(said: list[Json]) -> list[Asked]:
    """How each of its requests for permission asked."""
    told: set[str] = set()
    found = []
    for frame in said:
        params = frame.get("params") or {}
        if frame.get("method") == "session/update":
            told.add(params["update"].get("toolCallId", ""))
        elif frame.get("method") == "session/request_permission":
            call = params["toolCall"]
            found.append(Asked(bare=set(call) == {"toolCallId"}, early=call["toolCallId"] not in told))
    return found
