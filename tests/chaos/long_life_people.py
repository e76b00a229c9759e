"""The people of T04: they answer questions or do not, take tasks over, and help where something is stuck."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Protocol
from uuid import UUID

from agents.models import Agent
from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError
from clawgroups.models import Member, Task
from clawgroups.services import approvals, breakers, drafts, finishing, handback, members, review, takeover
from clawgroups.services.perform import perform

LOOK = 600.0  # seconds between two looks at what is stuck
MINUTE = 60.0
# What becomes of a question, in turn: never: it expires.
ANSWERS = ("yes", "no", "never", "yes", "withdrawn", "yes", "never", "no")
# What becomes of a task that was taken over, in turn.
ENDS = ("finish", "hand back", "reassign", "forget", "hand back")
FORGOTTEN = 70 * MINUTE  # longer than a holder may be idle before others are offered the task


class Around(Protocol):
    """What people need of the world."""

    dice: random.Random
    workspace: UUID

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        """Have this happen after so many seconds."""


class People:
    """ada, who wants the run, and two more."""

    def __init__(self, world: Around, run: UUID, actors: Mapping[str, Actor]) -> None:
        self._world, self._run, self._actors = world, run, actors
        self._ada = actors["ada"]
        self._answers, self._ends = itertools.cycle(ANSWERS), itertools.cycle(ENDS)
        self._wanted: set[str] = set()
        world.later(LOOK, self._look)

    # Questions

    def are_asked(self, approval_id: UUID, withdraw: Callable[[], None]) -> None:
        """An agent asks for permission."""
        answer = next(self._answers)
        if answer == "withdrawn":
            self._world.later(2 * MINUTE, withdraw)
        elif answer != "never":
            waits = self._world.dice.uniform(1, 8) * MINUTE
            self._world.later(waits, partial(self._decides, approval_id, "y" if answer == "yes" else "n"))

    def _decides(self, approval_id: UUID, option: str) -> None:
        with suppress(ClawError):  # its attempt is over
            perform(approvals.decide_approval, approval_id, option_id=option, actor=self._somebody())

    def _somebody(self) -> Actor:
        return self._world.dice.choice(list(self._actors.values()))

    # Takeovers

    def will_take_over(self, titles: Sequence[str]) -> None:
        """These will be taken over in the middle of an agent's turn."""
        self._wanted.update(titles)

    def see_begun(self, task_id: UUID, title: str) -> None:
        if title in self._wanted:
            self._world.later(40, partial(self._takes_over, task_id, title))

    def _takes_over(self, task_id: UUID, title: str) -> None:
        who = self._somebody()
        try:
            perform(takeover.take_over, task_id, actor=who)
        except ClawError:
            return  # the agent was quicker; it is still wanted, should the task begin once more
        self._wanted.discard(title)
        end = next(self._ends)
        if end == "forget":
            self._world.later(FORGOTTEN, partial(self._rescues, task_id, who))
        else:
            self._world.later(5 * MINUTE, partial(self._goes_on, task_id, who, end))

    def _goes_on(self, task_id: UUID, who: Actor, end: str) -> None:
        with suppress(ClawError):
            perform(drafts.save_draft, task_id, text="The first half, by hand.", actor=who)
            if end == "finish":
                perform(finishing.submit_held, task_id, result="Done by hand.", actor=who)
            elif end == "hand back":
                perform(handback.hand_back, task_id, note="The first half is done.", actor=who)
            else:
                perform(handback.reassign_task, task_id, member_id=self._fit(task_id), note="For you.", actor=who)

    def _fit(self, task_id: UUID) -> UUID:
        """The seat of an agent that has the task's skill."""
        skills = Task.objects.values_list("skills", flat=True).get(pk=task_id)
        fit = Member.objects.filter(
            workspace=self._world.workspace, left_at=None, agent__retired_at=None, agent__skills__name__in=skills
        )
        return self._world.dice.choice(list(fit.values_list("pk", flat=True)))

    def _rescues(self, task_id: UUID, holder: Actor) -> None:
        """Somebody else takes up what was forgotten, and finishes it."""
        other = next(actor for actor in self._actors.values() if actor != holder)
        with suppress(ClawError):
            perform(takeover.take_over, task_id, actor=other)
            perform(finishing.submit_held, task_id, result="Done by somebody else.", actor=other)

    # Helping

    def _look(self) -> None:
        """What waits for a person is done by ada; agents that are barred are given another chance."""
        for task_id in Task.objects.filter(run=self._run, state="stuck").values_list("pk", flat=True):
            with suppress(ClawError):
                perform(takeover.take_over, task_id, actor=self._ada)
                perform(finishing.submit_held, task_id, result="Done by ada.", actor=self._ada)
        waiting = Task.objects.filter(run=self._run, state="in_review", blocked_on="person")
        for task_id in waiting.values_list("pk", flat=True):
            with suppress(ClawError):
                perform(review.accept_task, task_id, actor=self._ada)
        for agent_id in Agent.objects.filter(breaker="quarantined", retired_at=None).values_list("pk", flat=True):
            perform(breakers.clear_breaker, agent_id, actor=self._ada)
        self._world.later(LOOK, self._look)

    def remove(self, agent_id: UUID) -> None:
        """Take an agent's seat away. Raises `Conflict` while it has work in hand."""
        seat = Member.objects.values_list("pk", flat=True).get(workspace=self._world.workspace, agent=agent_id)
        perform(members.remove_member, seat, actor=self._ada)

    def bring_back(self, agent_id: UUID) -> None:
        with suppress(ClawError):  # retired meanwhile
            perform(members.add_agent, self._world.workspace, agent_id=agent_id, actor=self._ada)

    def stands_still(self) -> str:
        """Where the run stands, for a failure."""
        rows = Task.objects.filter(run=self._run).values_list("state", "blocked_on", "reason")
        return f"the run does not end: {Counter(rows).most_common(8)}"
