"""The state machine: anything that people, agents, time and the coordinator may do, in any order (T23)."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from random import Random
from typing import ClassVar
from uuid import UUID

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from clawgroups.core.invariants import Allowance
from tests.conftest import Team
from tests.machine.acts import AGENTS, BY_HAND, ENDS, PEOPLE, PLANS, Acts
from tests.machine.history import History

AT_ANY_TIME = Allowance(overdue=None)
AFTER_A_SWEEP = Allowance(overdue=timedelta(seconds=1))
SHORTENING = 240.0  # seconds
TICKS = (1, 30, 50, 70, 130, 310, 700, 1300, 4000, 8000)

# In which states a person's verb means something; elsewhere it is tried, too, where there is no such task.
FITTING: dict[str, set[str]] = {
    "assign": {"ready", "stuck"},
    "release": {"assigned", "working"},
    "stale_release": {"assigned", "working"},
    "take_over": {"ready", "assigned", "working", "in_review", "stuck"},
    "force": {"held"},
    "draft": {"held"},
    "submit": {"held"},
    "hand_back": {"held"},
    "reassign": {"held"},
    "accept": {"in_review"},
    "return": {"in_review"},
    "rephrase": {"ready", "stuck"},
    "split": {"ready", "stuck"},
}

HOLDERS = frozenset({"draft", "submit", "hand_back", "reassign"})
RARE = {"cancel": 1, "split": 1, "stale_release": 2}


class Engine(RuleBasedStateMachine):
    """One workspace with a run or two. Every step does one thing; then everything that must hold is checked."""

    team: ClassVar[Team]
    seen: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.acts = Acts(self.team)
        self.acts.begin()
        self.history = History(self.team.workspace.pk)
        self.told: list[str] = []
        self.tasks: list[UUID] = []
        self.approvals: list[UUID] = []
        self._swept = False

    def teardown(self) -> None:
        self.seen.update(self.history.types)
        self.acts.end()

    @initialize(plan=st.integers(0, len(PLANS) - 1))
    def first_run(self, plan: int) -> None:
        self.acts.new_run(plan, start=True)

    @invariant()
    def everything_holds(self) -> None:
        found = self.history.check(self.acts.now, AFTER_A_SWEEP if self._swept else AT_ANY_TIME)
        self._swept = False
        assert not found, "\n".join(found)
        self.tasks = [task.id for task in self.history.world.tasks]
        self.approvals = [approval.id for approval in self.history.world.approvals]

    @rule(seed=st.binary(min_size=8, max_size=8))
    def something_happens(self, seed: bytes) -> None:
        """One step. What it is comes from the step's own chance, so that all ways are taken as often as they weigh,
        and steps that do not matter can be left out of a history that failed."""
        chance = Random(seed)
        way = chance.choices(list(WAYS), list(WAYS.values()))[0] if self.tasks else Engine.another_goal_is_given
        self._tell(way.__name__)
        way(self, chance)

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
        self.acts.send(chance.choice(AGENTS))

    def another_goal_is_given(self, chance: Random) -> None:
        if len(self.tasks) < 4:
            self.acts.new_run(chance.randrange(len(PLANS)), start=chance.random() < 0.7)

    def a_person_steers_the_run(self, chance: Random) -> None:
        verb = chance.choices(["start", "pause", "resume", "cancel"], [4, 2, 3, 1])[0]
        self.acts.steer(chance.randrange(30), verb)

    def time_passes(self, chance: Random) -> None:
        quiet = chance.random() < 0.2
        seconds = chance.choice(TICKS)
        self._tell(f"    {seconds} s, quiet: {quiet}")
        self.acts.tick(seconds, quiet=quiet)
        self._swept = not quiet

    # Agents

    def an_agent_answers(self, chance: Random) -> None:
        name = chance.choice(AGENTS)
        waiting = [command for command in self.acts.requests(name) if command.state == "sent"]
        if waiting:
            end = chance.choice(sorted(ENDS))
            self._tell(f"    {name}: {waiting[0].purpose} {end}")
            self.acts.answer(name, waiting[0], end, chance.choice("xy "), later=self._later(chance))

    def an_agent_answers_late_or_again(self, chance: Random) -> None:
        name = chance.choice(AGENTS)
        known = self.acts.requests(name)
        if known:
            command = chance.choice(known)
            self._tell(f"    {name}: {command.purpose}, which is {command.state}")
            self.acts.answer(name, command, chance.choice(["end_turn", "end_turn", "error"]), "late", later=False)

    def somebody_listens(self, chance: Random) -> None:
        self.acts.listen(chance.choice(AGENTS))

    def an_agent_speaks(self, chance: Random) -> None:
        if self.acts.ears:
            self.acts.speak(chance.randrange(30), "word")

    def an_agent_asks(self, chance: Random) -> None:
        self.acts.ask(chance.choice(AGENTS), chance.randrange(3))

    def an_agent_takes_its_question_back(self, chance: Random) -> None:
        self.acts.withdraw(chance.choice(AGENTS), chance.randrange(3))

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
        verb = chance.choices(list(BY_HAND), [RARE.get(verb, 4) for verb in BY_HAND])[0]
        fit = [task.id for task in self.history.world.tasks if task.state in FITTING.get(verb, ())]
        task_id = chance.choice(fit or self.tasks)
        who = chance.choice(PEOPLE)
        if verb in HOLDERS and chance.random() < 0.8:
            who = self.acts.holder_of(task_id)
        self._tell(f"    {who}: {verb}")
        self.acts.by_hand(verb, task_id, who, chance.choice(AGENTS), later=self._later(chance))

    def a_person_answers(self, chance: Random) -> None:
        if self.approvals:
            approval, option, who = chance.choice(self.approvals), chance.choice("yn"), chance.choice(PEOPLE)
            self.acts.decide_approval(approval, option, who, later=self._later(chance))

    def a_late_result_is_taken_up(self, chance: Random) -> None:
        if known := self.acts.late_results():
            self.acts.adopt(chance.choice(known), chance.choice(PEOPLE), later=self._later(chance))

    def a_member_leaves(self, chance: Random) -> None:
        self.acts.leave(chance.choice(["bob", *AGENTS]), later=self._later(chance))

    def a_member_comes_back(self, chance: Random) -> None:
        self.acts.join(chance.choice(["bob", *AGENTS]))

    # Others were quicker

    def _later(self, chance: Random) -> bool:
        """Whether what is decided now is written only after other things have happened."""
        return chance.random() < 0.2

    def a_decision_of_before_is_committed(self, chance: Random) -> None:
        if self.acts.pending:
            self.acts.land(chance.randrange(30))


# What happens in a step, and how often.
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
    Engine.an_agent_asks: 4,
    Engine.an_agent_takes_its_question_back: 1,
    Engine.a_socket_closes: 2,
    Engine.an_agent_connects_again: 4,
    Engine.an_agent_breaks_the_protocol: 1,
    Engine.its_owner_vouches_for_an_agent: 1,
    Engine.a_person_acts: 20,
    Engine.a_person_answers: 3,
    Engine.a_late_result_is_taken_up: 4,
    Engine.a_member_leaves: 2,
    Engine.a_member_comes_back: 2,
    Engine.a_decision_of_before_is_committed: 8,
}


def run(*, examples: int, steps: int, seed: int) -> None:
    """So many examples, from this seed. A failure is shrunk and told with its steps; the seed repeats it."""
    stateful.run_state_machine_as_test(
        hypothesis.seed(seed)(Engine),
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


def walk(*, seed: int, steps: int) -> None:
    """One history of evenly chosen steps: Hypothesis varies what it has seen, this goes everywhere.

    A failure is made shorter by leaving steps out, and told with what is left and the seed.
    """
    chance = Random(seed)
    plan, history = chance.randrange(len(PLANS)), [chance.randbytes(8) for _ in range(steps)]
    fault, _ = _play(plan, history)
    if fault is None:
        return
    until = time.monotonic() + SHORTENING
    size = len(history) // 2
    while size and time.monotonic() < until:
        for at in range(0, len(history), size):
            shorter = history[:at] + history[at + size :]
            if _play(plan, shorter)[0] is not None:
                history = shorter
                break
        else:
            size //= 2
    fault, told = _play(plan, history)
    steps_told = "\n".join(told)
    raise AssertionError(f"seed {seed} of {steps} steps, plan {plan}:\n{steps_told}\n{fault}") from fault


def _play(plan: int, history: Sequence[bytes]) -> tuple[Exception | None, list[str]]:
    """Go through these steps; what went wrong, and what was done."""
    engine = Engine()
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
