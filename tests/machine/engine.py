"""The state machine: anything that people, agents, time and the coordinator may do, in any order (T23)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Any, ClassVar
from unittest import mock
from uuid import UUID

import hypothesis
from django.db import connection
from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from clawgroups.commit.forms import PostgresForm
from clawgroups.core.invariants import Allowance
from tests.conftest import Team
from tests.machine import by_asking
from tests.machine.acts import AGENTS, ENDS, PEOPLE, PLANS, Acts
from tests.machine.answers import Answers
from tests.machine.by_asking import OF_ASKING
from tests.machine.by_hand import BY_HAND, HANDS
from tests.machine.cases import Case, about
from tests.machine.history import History
from tests.machine.questions import Questions
from tests.machine.together import together
from tests.machine.words import Words

AT_ANY_TIME = Allowance(overdue=None)
AFTER_A_SWEEP = Allowance(overdue=timedelta(seconds=1))
SHORTENING = 240.0  # seconds
# Everything else may have written, also within what is rolled back.
READS = ("SELECT", "SAVEPOINT", "RELEASE SAVEPOINT", "ROLLBACK TO SAVEPOINT", "WITH RECURSIVE")
TICKS = (1, 30, 50, 70, 130, 310, 700, 1300, 4000, 8000)


class Engine(RuleBasedStateMachine):
    """One workspace with a run or two. Every step does one thing; then everything that must hold is checked."""

    team: ClassVar[Team]
    seen: ClassVar[Counter[str]] = Counter()
    plans: ClassVar[int] = len(PLANS)
    crossing: ClassVar[float] = 0.2
    """How often what is decided is written only after other things have happened."""
    fitting: ClassVar[float] = 0.0
    """How often people do only what means something for one of the tasks."""

    def __init__(self) -> None:
        super().__init__()
        self.acts = Acts(self.team)
        self.acts.begin()
        self.history = History(self.team.workspace.pk)
        self.words = Words(self.team.workspace.pk)
        self.asks = Questions(self.acts)
        self.answers = Answers(self.team.workspace.pk, self.asks)
        self.told: list[str] = []
        self.tasks: list[UUID] = []
        self.approvals: list[UUID] = []
        self._swept = False
        self.wrote = True
        """Whether a row may be another than at the last look."""

    def teardown(self) -> None:
        self.seen.update(self.history.types)
        self.acts.end()

    @initialize(plan=st.integers(0, len(PLANS) - 1))
    def first_run(self, plan: int) -> None:
        self.acts.new_run(plan % self.plans, start=True)

    @invariant()
    def everything_holds(self) -> None:
        swept, before = self._swept, len(self.history.entries)
        if not (swept or self.wrote or self.asks.faults):
            return  # No row is another than at the last look: what was refused wrote nothing.
        found = self.history.check(self.acts.now, AFTER_A_SWEEP if swept else AT_ANY_TIME)
        found += self.words.check(self.acts.taken)
        found += together(self.team.workspace.pk, swept=swept)
        found += self.answers.check(self.history.entries[before:], swept=swept)
        self._swept = self.wrote = False
        assert not found, "\n".join(found)
        self.tasks = [task.id for task in self.history.world.tasks]
        self.approvals = [approval.id for approval in self.history.world.approvals]

    @rule(seed=st.binary(min_size=8, max_size=8))
    def something_happens(self, seed: bytes) -> None:
        """One step. What it is comes from the step's own chance, so that all ways are taken as often as they weigh,
        and steps that do not matter can be left out of a history that failed."""
        chance, ways = Random(seed), self.ways()
        way = chance.choices(list(ways), list(ways.values()))[0] if self.tasks else Engine.another_goal_is_given
        self._tell(way.__name__)
        with self.watching():
            way(self, chance)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Notes whether rows are written within: by Django's cursors, and by the writer's own on PostgreSQL."""

        def look(execute: Callable[..., Any], sql: str, *given: Any) -> Any:
            self.wrote |= not sql.lstrip("( ").startswith(READS)
            return execute(sql, *given)

        def write(form: PostgresForm, *given: Any) -> Any:
            self.wrote = True
            return wholly(form, *given)

        wholly = PostgresForm.write
        with connection.execute_wrapper(look), mock.patch.object(PostgresForm, "write", write):
            yield

    def ways(self) -> dict[Callable[[Engine, Random], None], int]:
        """What happens in a step, and how often."""
        return WAYS

    def weight(self, verb: str) -> int:
        """How often people do this to a task."""
        return BY_HAND[verb].weight

    def _tell(self, what: str) -> None:
        self.told.append(what)
        if hypothesis.currently_in_test_context():
            hypothesis.note(f"    {what}")

    # The run

    def everybody_does_what_is_next(self, chance: Random) -> None:
        self.acts.turn()
        for name in AGENTS:
            self.acts.send(name)
            waiting = [command for command in self.acts.requests(name) if command.state == "sent"]
            for command in waiting[:1]:
                self.acts.answer(name, command, "end_turn", "well done", later=False)

    def the_coordinator_works(self, chance: Random) -> None:
        self.acts.turn()

    def what_is_owed_is_sent(self, chance: Random) -> None:
        self.acts.send(chance.choice(self.acts.at_work()))

    def another_goal_is_given(self, chance: Random) -> None:
        if len(self.tasks) < 4:
            self.acts.new_run(chance.randrange(self.plans), start=chance.random() < 0.7)

    def a_person_steers_the_run(self, chance: Random) -> None:
        verb = chance.choices(["start", "pause", "resume", "cancel", "stop", "stop_more"], [4, 2, 5, 1, 2, 1])[0]
        self.acts.steer(chance.randrange(30), verb)

    def time_passes(self, chance: Random) -> None:
        quiet = chance.random() < 0.2
        seconds = chance.choice(TICKS)
        self._tell(f"    {seconds} s, quiet: {quiet}")
        self.acts.tick(seconds, quiet=quiet)
        self._swept = not quiet

    # Agents

    def an_agent_answers(self, chance: Random) -> None:
        name = chance.choice(self.acts.at_work())
        waiting = [command for command in self.acts.requests(name) if command.state == "sent"]
        if waiting:
            end = chance.choice(sorted(ENDS))
            self._tell(f"    {name}: {waiting[0].purpose} {end}")
            self.acts.answer(name, waiting[0], end, chance.choice("xy "), later=self.later(chance))

    def an_agent_answers_late_or_again(self, chance: Random) -> None:
        name = chance.choice(AGENTS)
        known = self.acts.requests(name)
        if known:
            command = chance.choice(known)
            self._tell(f"    {name}: {command.purpose}, which is {command.state}")
            self.acts.answer(name, command, chance.choice(["end_turn", "end_turn", "error"]), "late", later=False)

    def somebody_listens(self, chance: Random) -> None:
        self.acts.listen(chance.choice(self.acts.at_work()))

    def an_agent_speaks(self, chance: Random) -> None:
        if self.acts.ears:
            self.acts.speak(chance.randrange(30), "word")

    def an_agent_delivers_a_file(self, chance: Random) -> None:
        self.acts.deliver(chance.choice(self.acts.at_work()), chance.randrange(100))

    def a_step_is_over(self, chance: Random) -> None:
        self.acts.step_is_over(chance.choice(AGENTS))

    def a_socket_closes(self, chance: Random) -> None:
        self.acts.drop(chance.choice(AGENTS))

    def an_agent_connects_again(self, chance: Random) -> None:
        self.acts.back(chance.choice(AGENTS), same=chance.random() < 0.7)

    def an_agent_breaks_the_protocol(self, chance: Random) -> None:
        self.acts.misbehave(chance.choice(AGENTS))

    def its_owner_vouches_for_an_agent(self, chance: Random) -> None:
        self.acts.clear(chance.choice(AGENTS))

    # People

    def a_person_acts(self, chance: Random) -> None:
        """A verb on a task for which it means something; elsewhere it is tried too, where there is none."""
        if not self.tasks:
            return
        tasks, there = self.history.world.tasks, about(self.team.workspace.pk)
        verbs = list(BY_HAND)
        if chance.random() < self.fitting:
            verbs = [verb for verb in BY_HAND if any(BY_HAND[verb].fits(task, there) for task in tasks)] or verbs
        verb = chance.choices(verbs, list(map(self.weight, verbs)))[0]
        fit = [task.id for task in tasks if BY_HAND[verb].fits(task, there)]
        task_id, who, other = chance.choice(fit or self.tasks), chance.choice(PEOPLE), chance.choice(PEOPLE)
        case = Case(self.acts, task_id, who, chance.choice(AGENTS), other, chance.randrange(10_000))
        if chance.random() < 0.8:
            case = replace(case, who=BY_HAND[verb].by(case))
        self._tell(f"    {case.who}: {verb}")
        self.acts.by_hand(verb, case, later=self.later(chance))

    def a_late_result_is_taken_up(self, chance: Random) -> None:
        if known := self.acts.late_results():
            self.acts.adopt(chance.choice(known), chance.choice(PEOPLE), later=self.later(chance))

    def a_member_leaves(self, chance: Random) -> None:
        self.acts.leave(chance.choice(["bob", *AGENTS]), later=self.later(chance))

    def a_member_comes_back(self, chance: Random) -> None:
        self.acts.join(chance.choice(["bob", *AGENTS]))

    # Others were quicker

    def later(self, chance: Random) -> bool:
        """Whether what is decided now is written only after other things have happened."""
        return chance.random() < self.crossing

    def a_decision_of_before_is_committed(self, chance: Random) -> None:
        if self.acts.pending:
            self.acts.land(chance.randrange(30))


WAYS: dict[Callable[[Engine, Random], None], int] = {
    Engine.everybody_does_what_is_next: 10,
    Engine.the_coordinator_works: 6,
    Engine.what_is_owed_is_sent: 6,
    Engine.another_goal_is_given: 4,
    Engine.a_person_steers_the_run: 4,
    Engine.time_passes: 10,
    Engine.an_agent_answers: 12,
    Engine.an_agent_answers_late_or_again: 6,
    Engine.somebody_listens: 4,
    Engine.an_agent_speaks: 4,
    Engine.an_agent_delivers_a_file: 3,
    Engine.a_step_is_over: 1,
    Engine.a_socket_closes: 2,
    Engine.an_agent_connects_again: 4,
    Engine.an_agent_breaks_the_protocol: 1,
    Engine.its_owner_vouches_for_an_agent: 1,
    Engine.a_person_acts: 20,
    **OF_ASKING,
    Engine.a_late_result_is_taken_up: 4,
    Engine.a_member_leaves: 2,
    Engine.a_member_comes_back: 2,
    Engine.a_decision_of_before_is_committed: 8,
}


class Hands(Engine):
    """A few tasks, whom people and agents have in their hands by turns; much of it is decided at the same moment."""

    plans = 2
    crossing = 0.35
    fitting = 0.9

    @initialize(plan=st.integers(0, len(PLANS) - 1))
    def first_run(self, plan: int) -> None:
        """An agent is at work when it begins."""
        super().first_run(plan)
        self.acts.turn()
        for _ in range(2):
            for name in AGENTS:
                self.acts.send(name)
                for command in self.acts.requests(name):
                    if command.purpose == "open" and command.state == "sent":
                        self.acts.answer(name, command, "end_turn", "", later=False)

    def ways(self) -> dict[Callable[[Engine, Random], None], int]:
        """Without what would come to nothing now."""
        idle: dict[Callable[[Engine, Random], None], bool] = {
            Engine.a_decision_of_before_is_committed: not self.acts.pending,
            Engine.an_agent_speaks: not self.acts.ears,
            by_asking.a_person_answers: not self.approvals,
        }
        return {way: 0 if idle.get(way) else weight for way, weight in WAYS_OF_HANDS.items()}

    def weight(self, verb: str) -> int:
        return super().weight(verb) * (4 if verb in HANDS else 1)


WAYS_OF_HANDS = {
    **WAYS,
    Engine.another_goal_is_given: 1,
    Engine.an_agent_answers_late_or_again: 10,
    Engine.somebody_listens: 8,
    Engine.an_agent_speaks: 12,
    by_asking.an_agent_asks: 6,
    Engine.an_agent_delivers_a_file: 6,
    Engine.a_step_is_over: 3,
    Engine.a_person_acts: 80,
    Engine.what_is_owed_is_sent: 10,
    Engine.a_socket_closes: 1,
    by_asking.a_person_answers: 5,
    Engine.a_decision_of_before_is_committed: 20,
    Engine.an_agent_breaks_the_protocol: 0,
    Engine.a_person_steers_the_run: 2,
    Engine.a_late_result_is_taken_up: 2,
    Engine.a_member_leaves: 1,
}


class Asking(Hands):
    """Agents that ask, and all that can become of a question; much of it is decided at the same moment."""

    def ways(self) -> dict[Callable[[Engine, Random], None], int]:
        return {way: by_asking.MOSTLY.get(way, min(weight, 4)) for way, weight in super().ways().items()}


def run(*, examples: int, steps: int, seed: int, machine: type[Engine] = Engine) -> None:
    """So many examples, from this seed. A failure is shrunk and told with its steps; the seed repeats it."""
    stateful.run_state_machine_as_test(
        hypothesis.seed(seed)(machine),
        settings=hypothesis.settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            print_blob=True,
            report_multiple_bugs=False,
            suppress_health_check=list(hypothesis.HealthCheck),
        ),
    )


def walk(*, seed: int, steps: int, machine: type[Engine] = Engine) -> None:
    """One history of evenly chosen steps: Hypothesis varies what it has seen, this goes everywhere.

    A failure is made shorter by leaving steps out, and told with what is left and the seed.
    """
    chance = Random(seed)
    plan, history = chance.randrange(len(PLANS)), [chance.randbytes(8) for _ in range(steps)]
    fault, _ = _play(machine, plan, history)
    if fault is None:
        return
    until = time.monotonic() + SHORTENING
    size = len(history) // 2
    while size and time.monotonic() < until:
        for at in range(0, len(history), size):
            shorter = history[:at] + history[at + size :]
            if _play(machine, plan, shorter)[0] is not None:
                history = shorter
                break
        else:
            size //= 2
    fault, told = _play(machine, plan, history)
    steps_told = "\n".join(told)
    raise AssertionError(f"seed {seed} of {steps} steps, plan {plan}:\n{steps_told}\n{fault}") from fault


def _play(machine: type[Engine], plan: int, history: Sequence[bytes]) -> tuple[Exception | None, list[str]]:
    """Go through these steps; what went wrong, and what was done."""
    engine = machine()
    try:
        engine.first_run(plan=plan)
        engine.everything_holds()
        for one in history:
            engine.something_happens(seed=one)
            engine.everything_holds()
    except Exception as fault:  # noqa: BLE001  whatever it was, it is the finding
        return fault, engine.told
    finally:
        engine.teardown()
    return None, engine.told
