"""A coordinator with a scripted model: what it is asked, what it answers, and the turns that follow."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.llm.base import Request
from agents.llm.scripted import Scripted
from clawgroups import commit
from clawgroups.coordinator.loop import take_turn
from clawgroups.models import ModelCall, ModelServer, Run, Task
from clawgroups.reactions import react
from clawgroups.services import call_ends, consulting, goal_questions, model_calls, runs, turns
from clawgroups.services.files import StoredFile
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.model_support import server

Json = dict[str, Any]
GOOD: list[Json] = [
    {"key": "look", "title": "Look into it", "instructions": "Find what is known.", "skills": ["writing"]},
    {
        "key": "report",
        "title": "Write the report",
        "instructions": "Write what was found in one page.",
        "skills": ["writing"],
        "depends_on": ["look"],
        "acceptance": ["not_empty", "min_words: 20"],
        "output": "document",
        "assignee": "@scribe",
        "why": "It writes.",
        "minutes": 30,
    },
]
GOAL = "Which region sells best, and why? Write one page about it."


def plan(*tasks: Json, rationale: str = "First look, then write.", **more: Any) -> Json:
    """A plan as the model says it."""
    return {"question": "", "rationale": rationale, "tasks": list(tasks or GOOD), **more}


class Model:
    """The one model that is set up, with its script: answers, or a function of the request."""

    def __init__(self, team: Team, says: Iterable[Any] | Callable[[Request], Any]) -> None:
        self.team = team
        self.scripted = Scripted(says)
        self.server = server("K2")

    @property
    def asked(self) -> list[str]:
        """What each request said, oldest first."""
        return [request.messages[-1].text for request in self.scripted.asked]

    def turns(self, most: int = 30) -> None:
        """Everything that follows by itself: reactions, turns, and answers of the model."""
        for _ in range(most):
            self.react()
            if not self.answer():
                return
        raise AssertionError("it never comes to rest")

    def react(self) -> None:
        """Reactions and turns as long as there are any; no answer of the model."""
        while woken := [*react(self.team.workspace.pk), *turns.runs_wanting(timezone.now())]:
            for run_id in woken:
                take_turn(run_id)

    def wake(self, run_id: UUID) -> None:
        """What the sweep does for a run whose time has come, and what follows."""
        commit.wait(turns.want_turn([run_id]))
        take_turn(run_id)
        self.react()

    def answer(self) -> int:
        """Ask the model every open question, as if its time had come; how many there were."""
        # What is tried in vain again and again is given up.
        ModelCall.objects.filter(state="waiting", tries__gte=4).update(give_up_at=timezone.now())
        late = call_ends.late(timezone.now(), 100)
        for give_up in late:
            commit.wait(give_up())
        calls = list(ModelCall.objects.filter(state="waiting").order_by("-priority", "created_at"))
        for call in calls:
            ModelCall.objects.filter(pk=call.pk).update(not_before=None)
            ModelServer.objects.update(breaker_until=timezone.now())
            with pytest.MonkeyPatch.context() as patched:
                patched.setattr(model_calls, "ask", self.scripted)
                consulting.consult(call.pk)
        return len(calls) + len(late)

    def draft(self, goal: str = GOAL, *files: StoredFile, start: bool | None = None) -> Run:
        """A goal, and what follows from it."""
        actor = self.team.actor("ada")
        outcome = perform(runs.draft_run, self.team.workspace.pk, goal=goal, inputs=files, start=start, actor=actor)
        self.turns()
        return Run.objects.get(pk=UUID(outcome.answer["id"]))

    def reply(self, run: Run, answer: str) -> Run:
        """A person answers the coordinator's question."""
        perform(goal_questions.answer_question, run.pk, answer=answer, actor=self.team.actor("bob"))
        self.turns()
        return Run.objects.get(pk=run.pk)


def as_text(said: Mapping[str, Any]) -> str:
    """An answer as a model writes it."""
    return json.dumps(said, ensure_ascii=False)


def keys(run: Run) -> list[str]:
    """The keys of a run's tasks in plan order."""
    return list(Task.objects.filter(run=run).order_by("position").values_list("key", flat=True))
