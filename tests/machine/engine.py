"""The state machine: anything that people, agents, time and the coordinator may do, in any order (T23)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

import hypothesis
from hypothesis import stateful
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from clawgroups.core.invariants import Allowance
from clawgroups.models import Run
from clawgroups.services import runs
from tests.conftest import Team
from tests.machine.acts import AGENTS, BY_HAND, ENDS, PEOPLE, PLANS, Acts
from tests.machine.history import History

AT_ANY_TIME = Allowance(overdue=None)
AFTER_A_SWEEP = Allowance(overdue=timedelta(seconds=1))
TICKS = (1, 30, 50, 70, 130, 310, 700, 1300, 4000, 8000)

agents = st.sampled_from(AGENTS)
people = st.sampled_from(PEOPLE)
picks = st.integers(0, 30)


class Engine(RuleBasedStateMachine):
    """One workspace with a run or two. Every rule does one thing; then everything that must hold is checked."""

    team: ClassVar[Team]
    seen: ClassVar[set[str]] = set()

    def __init__(self) -> None:
        super().__init__()
        self.acts = Acts(self.team)
        self.acts.begin()
        self.history = History(self.team.workspace.pk)
        self.tasks: list[UUID] = []
        self.approvals: list[UUID] = []
        self._swept = False

    def teardown(self) -> None:
        self.seen.update(self.history.types)
        self.acts.end()

    @initialize(plan=st.integers(0, len(PLANS) - 1), start=st.booleans())
    def first_run(self, plan: int, start: bool) -> None:
        self.acts.new_run(plan, start=start)

    @invariant()
    def everything_holds(self) -> None:
        found = self.history.check(self.acts.now, AFTER_A_SWEEP if self._swept else AT_ANY_TIME)
        self._swept = False
        assert not found, "\n".join(found)
        self.tasks = [task.id for task in self.history.world.tasks]
        self.approvals = [approval.id for approval in self.history.world.approvals]

    # The coordinator and time

    @rule()
    def the_coordinator_works(self) -> None:
        self.acts.turn()

    @rule(seconds=st.sampled_from(TICKS))
    def time_passes(self, seconds: int) -> None:
        self.acts.tick(seconds, quiet=False)
        self._swept = True

    @rule(seconds=st.sampled_from(TICKS))
    def time_passes_while_we_were_away(self, seconds: int) -> None:
        self.acts.tick(seconds, quiet=True)

    @precondition(lambda self: len(self.tasks) < 4)
    @rule(plan=st.integers(0, len(PLANS) - 1), start=st.booleans())
    def another_goal_is_given(self, plan: int, start: bool) -> None:
        self.acts.new_run(plan, start=start)

    @rule(rounds=st.integers(1, 6))
    def everybody_does_what_is_next(self, rounds: int) -> None:
        for _ in range(rounds):
            self.acts.turn()
            for name in AGENTS:
                self.acts.send(name)
                waiting = [command for command in self.acts.requests(name) if command.state == "sent"]
                for command in waiting[:1]:
                    self.acts.answer(name, command, "end_turn", "well done", later=False)

    # Agents

    @rule(name=agents)
    def what_is_owed_is_sent(self, name: str) -> None:
        self.acts.send(name)

    @rule(name=agents, end=st.sampled_from([*ENDS, "end_turn", "end_turn", "end_turn"]), text=st.sampled_from("xy "))
    def the_oldest_request_is_answered(self, name: str, end: str, text: str) -> None:
        waiting = [command for command in self.acts.requests(name) if command.state == "sent"]
        if waiting:
            self.acts.answer(name, waiting[0], end, text, later=False)

    @rule(name=agents, pick=picks, end=st.sampled_from(sorted(ENDS)), later=st.booleans())
    def any_request_is_answered_again_or_late(self, name: str, pick: int, end: str, later: bool) -> None:
        known = self.acts.requests(name)
        if known:
            self.acts.answer(name, known[pick % len(known)], end, "late", later=later)

    @rule(name=agents)
    def the_agents_words_will_be_placed_by_this(self, name: str) -> None:
        self.acts.listen(name)

    @precondition(lambda self: self.acts.ears)
    @rule(pick=picks)
    def an_agent_speaks(self, pick: int) -> None:
        self.acts.speak(pick, "word")

    @rule(name=agents, number=st.integers(0, 2))
    def an_agent_asks(self, name: str, number: int) -> None:
        self.acts.ask(name, number)

    @rule(name=agents, number=st.integers(0, 2))
    def an_agent_takes_its_question_back(self, name: str, number: int) -> None:
        self.acts.withdraw(name, number)

    @rule(name=agents)
    def a_socket_closes(self, name: str) -> None:
        self.acts.drop(name)

    @rule(name=agents, same=st.booleans())
    def an_agent_connects_again(self, name: str, same: bool) -> None:
        self.acts.back(name, same=same)

    # People

    @precondition(lambda self: self.tasks)
    @rule(verb=st.sampled_from(list(BY_HAND)), pick=picks, who=people, other=agents, later=st.booleans())
    def a_person_acts(self, verb: str, pick: int, who: str, other: str, later: bool) -> None:
        self.acts.by_hand(verb, self.tasks[pick % len(self.tasks)], who, other, later=later)

    @precondition(lambda self: self.approvals)
    @rule(pick=picks, option=st.sampled_from("yn"), who=people, later=st.booleans())
    def a_person_answers(self, pick: int, option: str, who: str, later: bool) -> None:
        self.acts.decide_approval(self.approvals[pick % len(self.approvals)], option, who, later=later)

    @rule(
        pick=picks, verb=st.sampled_from(["start", "start", "pause", "resume", "resume", "cancel"]), later=st.booleans()
    )
    def a_person_steers_a_run(self, pick: int, verb: str, later: bool) -> None:
        how: Callable[..., Any] = self.acts.decide if later else self.acts.do
        verbs = {
            "start": runs.start_run, "pause": runs.pause_run, "resume": runs.resume_run, "cancel": runs.cancel_run,
        }  # fmt: skip
        known = list(Run.objects.order_by("created_at", "pk").values_list("pk", flat=True))
        how(verbs[verb], known[pick % len(known)], actor=self.acts.person("ada"))

    @rule(pick=picks, who=people, later=st.booleans())
    def a_late_result_is_taken_up(self, pick: int, who: str, later: bool) -> None:
        self.acts.adopt(pick, who, later=later)

    @rule(name=agents, times=st.integers(1, 3))
    def an_agent_breaks_the_protocol(self, name: str, times: int) -> None:
        for _ in range(times):
            self.acts.misbehave(name)

    @rule(name=agents)
    def its_owner_vouches_for_an_agent(self, name: str) -> None:
        self.acts.clear(name)

    @rule(name=st.sampled_from(["bob", *AGENTS]), later=st.booleans())
    def a_member_leaves(self, name: str, later: bool) -> None:
        self.acts.leave(name, later=later)

    @rule(name=st.sampled_from(["bob", *AGENTS]))
    def a_member_comes_back(self, name: str) -> None:
        self.acts.join(name)

    # Others were quicker

    @precondition(lambda self: self.acts.pending)
    @rule(pick=picks)
    def a_decision_of_before_is_committed(self, pick: int) -> None:
        self.acts.land(pick)


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
