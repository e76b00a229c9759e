"""A run of many steps by many agents, whose every result the model judges: what the coordinator costs on the way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection

from agents.llm.base import Request
from agents.llm.stored import request_from_json
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.prompt import MAX_NOTES
from clawgroups.core.tokens import tokens
from clawgroups.models import ModelCall, Run, Task, Workspace
from clawgroups.reactions import react
from clawgroups.services import memories
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent
from tests.coordinator.model import Model, plan

SKILLS = tuple(f"skill-{number}" for number in range(20))
DAY = 86_400
RESULT = "The count of this part is 42, as in the table of the north. " * 5


@dataclass(frozen=True)
class Turn:
    """One round of everybody: how many steps were done before and in it, and what the coordinator used for that."""

    before: int
    steps: int
    cpu: float
    queries: int
    # The largest prompt of each kind of question, in tokens, about.
    prompts: dict[str, int]

    @property
    def cpu_a_step(self) -> float:
        """Milliseconds of the coordinator for each step."""
        return 1000 * self.cpu / max(self.steps, 1)


def answer(request: Request) -> Any:
    """A model that finds everything well done, and plans one task."""
    if request.schema_name == "judge":
        quote = "The count of this part is 42"
        return {"lines": [{"line": 1, "met": True, "reason": "It gives the count.", "quote": quote}]}
    if request.schema_name == "plan":
        return plan({"key": "t", "title": "T", "instructions": "Do it.", "skills": [SKILLS[0]]})
    return {"choices": {}}


class LongRun:
    """So many agents and one run of so many tasks; `rounds` carries it through."""

    def __init__(self, team: Team, agents: int, steps: int) -> None:
        self.team, self.model = team, Model(team, answer)
        # However slow the machine is, nobody is taken for gone, and no lease is renewed beside the one connection.
        Workspace.objects.filter(pk=team.workspace.pk).update(
            timers=dict.fromkeys(("lost_contact", "turn_lease", "turn"), DAY)
        )
        for number in range(agents):
            name = f"a{number:03d}"
            team.agents[name] = online_agent(team, name, SKILLS[number % len(SKILLS)])
        self.names = {team.seat(name).pk: name for name in team.agents}
        tasks = [
            {
                "key": f"t{number}",
                "title": f"Count part {number}",
                "instructions": "Count it, and say where the number stands.",
                "skills": [SKILLS[number % len(SKILLS)]],
                "acceptance": ["not_empty", "It says the count"],
            }
            for number in range(steps)
        ]
        self.run: Run = team.run(tasks)
        # As in a workspace that is in use for long.
        for number in range(MAX_NOTES):
            self._remember(-number)

    def rounds(self, most: int = 1000) -> Iterator[Turn]:
        """Everybody gets a task and finishes it, again and again, until the run has no more."""
        done = 0
        for number in range(most):
            seen = set(ModelCall.objects.values_list("pk", flat=True))
            cpu, queries = self._turn()
            given = list(Task.objects.filter(run=self.run, state="assigned").values_list("assignee_id", flat=True))
            if not given:
                return
            for member_id in given:
                self._work(self.names[member_id] if member_id else "")
            for _ in range(2):
                used = self._turn()
                cpu, queries = cpu + used[0], queries + used[1]
                self.model.answer()
            used = self._turn()
            # How large the prompt of a plan is by now.
            self._remember(number)
            self.model.draft(f"Plan what follows from part {number}.")
            yield Turn(done, len(given), cpu + used[0], queries + used[1], self._prompts(seen))
            done += len(given)

    def _remember(self, number: int) -> None:
        note = f"Part {number}: everything is counted. " * 20
        perform(memories.remember, self.team.workspace.pk, key=f"n{number}", text=note, actor=self.team.actor("ada"))

    def _turn(self) -> tuple[float, int]:
        """What a reaction and a turn use: seconds of CPU, and queries."""
        queries = 0

        def counted(execute: Any, *asked: Any) -> Any:
            nonlocal queries
            queries += 1
            return execute(*asked)

        began = time.process_time()
        with connection.execute_wrapper(counted):
            react(self.team.workspace.pk)
            take_turn(self.run.pk)
        return time.process_time() - began, queries

    def _work(self, name: str) -> None:
        self.team.send(name)
        self.team.answer(name, {"sessionId": f"s-{name}"})
        self.team.send(name)
        self.team.finish(name, RESULT)

    def _prompts(self, seen: set[Any]) -> dict[str, int]:
        found: dict[str, int] = {}
        for call in ModelCall.objects.exclude(pk__in=seen):
            size = sum(tokens(message.text) for message in request_from_json(call.request).messages)
            found[call.kind] = max(size, found.get(call.kind, 0))
        return found
