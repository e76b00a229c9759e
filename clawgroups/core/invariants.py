"""What must hold of everything that is open, so that nothing waits silently (design.md 4). Pure.

Each rule looks at values read in one snapshot and gives the breaches that it finds: none is good. The
watchdog proves the rules all the time; the state machine of the tests proves them after every step.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from clawgroups.core.lifecycle import RUN_TERMINAL

BLOCKED_ON = frozenset({"agent", "person", "outside", "nobody"})
IN_HAND = frozenset({"assigned", "working"})
# The states of a task in which an attempt of it is open, and that attempt's state.
ATTEMPT_OF = {"assigned": {"offered"}, "working": {"working"}, "in_review": {"submitted"}, "held": {"working"}}
MOVING_RUN = frozenset({"running", "consolidating"})


class Kind(StrEnum):
    """What can be wrong; `counted` names it as `/readyz` does: "2 open tasks without a next step"."""

    NO_NEXT_STEP = "open task{s} without a next step"
    OVERDUE = "open task{s} past a deadline that had no effect"
    NO_ATTEMPT = "task{s} without the open attempt that the state asks for"
    STRAY_ATTEMPT = "open attempt{s} of a task that is elsewhere"
    NO_CLOCK = "open attempt{s} that nothing ends"
    MEMBER_GONE = "task{s} in the hands of somebody who has left"
    PAUSED_IN_HAND = "paused task{s} in somebody's hands"
    RUN_OVER = "open task{s} of a run that is over"
    WRONG_PARENTS = "task{s} with a wrong count of earlier tasks"
    WRONG_TASKS = "run{s} with a wrong count of open tasks"
    BAD_APPROVAL = "open question{s} that nobody can answer any more"
    NOT_PASSED_ON = "open question{s} that should have been put to others"
    STILL = "active run{s} that nothing will move"
    OLD_TURN = "wanted turn{s} that nobody takes"
    OWED_TO_NOBODY = "retired agent{s} still owed frames"

    def counted(self, number: int) -> str:
        """Number and noun."""
        return f"{number} {self.value.format(s='' if number == 1 else 's')}"

    @property
    def named(self) -> str:
        """The kind of one exception."""
        return self.value.format(s="")


@dataclass(frozen=True, slots=True)
class OpenTask:
    """A task that is not terminal. `parents_open` counts the tasks it depends on that are not done."""

    id: UUID
    run_id: UUID
    title: str
    run_state: str
    paused: bool
    state: str
    epoch: int
    waiting_on: int
    parents_open: int
    blocked_on: str
    next_actor: str
    deadline: datetime | None
    effect: str
    attempt_id: UUID | None
    has_assignee: bool
    member_left: bool
    # Who paused the task itself; empty: nobody.
    paused_by: str = ""


@dataclass(frozen=True, slots=True)
class OpenAttempt:
    """An attempt that is not over, with its task as it stands. `deadline` is the earliest of its own."""

    id: UUID
    task_id: UUID
    run_id: UUID
    title: str
    state: str
    epoch: int
    contact: str
    of_agent: bool
    task_state: str
    task_epoch: int
    is_current: bool
    deadline: datetime | None


@dataclass(frozen=True, slots=True)
class OpenApproval:
    """A question that is not answered yet."""

    id: UUID
    task_id: UUID
    run_id: UUID
    title: str
    expires_at: datetime | None
    attempt_state: str
    epoch: int
    task_epoch: int
    # Until when it is put to one person alone; and whether that person may not answer any more.
    escalates_at: datetime | None = None
    asked_of_unable: bool = False


@dataclass(frozen=True, slots=True)
class ActiveRun:
    """A run that is not over. `unreacted`: its journal has entries that nobody has reacted to yet."""

    id: UUID
    goal: str
    state: str
    paused: bool
    start_when_planned: bool
    has_author: bool
    open_tasks: int
    wanted: int
    turned: int
    held_until: datetime | None
    unreacted: bool
    # Since when this very turn has been wanted and nobody has held the run, as far as it is known.
    wanting_since: datetime | None = None
    # A person is asked something before it is planned; a question to the model is under way.
    asks: bool = False
    consults: bool = False

    def wants(self, now: datetime) -> bool:
        """Whether a turn is wanted that nobody takes at this moment."""
        return self.wanted > self.turned and not self.is_held(now)

    def is_held(self, now: datetime) -> bool:
        """Whether a turn is under way."""
        return self.held_until is not None and self.held_until > now


@dataclass(frozen=True, slots=True)
class Owed:
    """Frames that wait for an agent which was retired."""

    agent_id: UUID
    name: str
    frames: int


@dataclass(frozen=True, slots=True)
class World:
    """Everything that is open, read in one snapshot."""

    tasks: Sequence[OpenTask] = ()
    attempts: Sequence[OpenAttempt] = ()
    approvals: Sequence[OpenApproval] = ()
    runs: Sequence[ActiveRun] = ()
    owed: Sequence[Owed] = ()


@dataclass(frozen=True, slots=True)
class Breach:
    """One exception: what is wrong, with which row, said as a sentence. `key` is the same at each look."""

    kind: Kind
    sentence: str
    title: str
    run_id: UUID | None = None
    task_id: UUID | None = None
    row_id: UUID | None = None
    # What the row counts now, where a count is wrong.
    was: int = 0
    should: int = 0

    @property
    def key(self) -> str:
        return f"{self.kind.name} {self.row_id or self.task_id or self.run_id}"


@dataclass(frozen=True, slots=True)
class Allowance:
    """How late things may be: a few sweeps after a deadline, and a turn after it was wanted.

    None: what a sweep sees to is not looked at, since there was none (we were away).
    """

    overdue: timedelta | None = timedelta(seconds=15)
    turn: timedelta = timedelta(seconds=60)


Rule = Callable[[World, datetime, Allowance], Iterator[Breach]]


def breaches(world: World, now: datetime, allowance: Allowance = Allowance()) -> list[Breach]:
    """Everything that is wrong with the world at this moment."""
    return [breach for rule in RULES for breach in rule(world, now, allowance)]


def _of(task: OpenTask, kind: Kind, sentence: str, *, was: int = 0, should: int = 0) -> Breach:
    return Breach(kind, sentence, task.title, task.run_id, task.id, was=was, should=should)


def next_step(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """Every open task says whom it is blocked on, who acts next, by when, and what happens then."""
    for task in world.tasks:
        missing = [
            what
            for what, there in (
                ("whom it waits for", task.blocked_on in BLOCKED_ON),
                ("who acts next", bool(task.next_actor)),
                ("by when", task.deadline is not None),
                ("what happens then", bool(task.effect)),
            )
            if not there
        ]
        if missing:
            yield _of(task, Kind.NO_NEXT_STEP, f"It is {_shown(task.state)} and does not say {' and '.join(missing)}.")


def on_time(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """No deadline of work that must move passes without what was said to happen then."""
    if allowance.overdue is None:
        return
    for task in world.tasks:
        if task.deadline is None or task.run_state not in MOVING_RUN or task.deadline + allowance.overdue > now:
            continue
        late = (now - task.deadline).total_seconds()
        yield _of(task, Kind.OVERDUE, f"“{task.effect}” should have happened {late:.0f} s ago.")


def in_hands(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """A task in hand, in review or held has exactly one open attempt, which has its epoch."""
    found: dict[UUID, list[OpenAttempt]] = {}
    for attempt in world.attempts:
        found.setdefault(attempt.task_id, []).append(attempt)
    for task in world.tasks:
        wanted = ATTEMPT_OF.get(task.state)
        fit = [a for a in found.get(task.id, ()) if a.epoch == task.epoch and a.id == task.attempt_id]
        if wanted is not None and not (len(fit) == 1 and fit[0].state in wanted and task.has_assignee):
            yield _of(task, Kind.NO_ATTEMPT, f"It is {_shown(task.state)}, and no open attempt of its epoch says so.")
        elif wanted is None and task.attempt_id is not None:
            yield _of(task, Kind.NO_ATTEMPT, f"It is {_shown(task.state)} and still names an attempt.")


def attempts(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """An open attempt belongs to a task in its hands; an agent's has a deadline, live or with contact lost."""
    for attempt in world.attempts:
        fits = attempt.state in ATTEMPT_OF.get(attempt.task_state, ()) and attempt.is_current
        if not fits or attempt.epoch != attempt.task_epoch:
            sentence = f"It is {attempt.state} under epoch {attempt.epoch}; the task is {_shown(attempt.task_state)}."
            yield Breach(
                Kind.STRAY_ATTEMPT, sentence, attempt.title, attempt.run_id, attempt.task_id, row_id=attempt.id
            )
        elif attempt.of_agent and attempt.state != "submitted" and attempt.deadline is None:
            sentence = f"It is {attempt.state}, contact is {attempt.contact}, and nothing ends it."
            yield Breach(Kind.NO_CLOCK, sentence, attempt.title, attempt.run_id, attempt.task_id, row_id=attempt.id)


def members(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """Who holds a task, or has it in hand, is a member; the next sweep gives on what is left behind."""
    if allowance.overdue is None:
        return
    for task in world.tasks:
        if task.member_left and task.state in (*IN_HAND, "held"):
            yield _of(task, Kind.MEMBER_GONE, f"It is {_shown(task.state)}, and who has it is no member any more.")


def paused(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """What a person paused is in nobody's hands, and nothing of it goes on."""
    for task in world.tasks:
        if task.paused_by and task.state in (*IN_HAND, "held", "in_review"):
            yield _of(task, Kind.PAUSED_IN_HAND, f"It is {_shown(task.state)}, and {task.paused_by} paused it.")


def counts(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """The counters say what the rows say: what a task waits for, and what is open of a run."""
    open_of: dict[UUID, int] = {}
    for task in world.tasks:
        open_of[task.run_id] = open_of.get(task.run_id, 0) + 1
        if task.waiting_on != task.parents_open:
            sentence = f"It says that it waits for {task.waiting_on} earlier tasks; not done: {task.parents_open}."
            yield _of(task, Kind.WRONG_PARENTS, sentence, was=task.waiting_on, should=task.parents_open)
        elif task.state == "waiting" and task.waiting_on == 0 and task.run_state == "running":
            yield _of(task, Kind.WRONG_PARENTS, "It waits, and everything it depends on is done.")
        if task.run_state in RUN_TERMINAL:
            yield _of(task, Kind.RUN_OVER, f"It is {_shown(task.state)}, and its run is {task.run_state}.")
    for run in world.runs:
        there = open_of.get(run.id, 0)
        if run.open_tasks != there:
            sentence = f"It says that {run.open_tasks} tasks are open; open: {there}."
            yield Breach(Kind.WRONG_TASKS, sentence, run.goal, run.id, was=run.open_tasks, should=there)


def approvals(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """An open question has an end, an attempt that still waits for its answer, and somebody who is asked now."""
    for asked in world.approvals:
        kind = Kind.BAD_APPROVAL
        live = asked.attempt_state in ("offered", "working") and asked.epoch == asked.task_epoch
        if asked.expires_at is None:
            sentence = "It never expires."
        elif allowance.overdue is None:
            continue
        elif not live:
            sentence = f"Its attempt is {asked.attempt_state}."
        elif asked.expires_at + allowance.overdue <= now:
            sentence = f"It expired {(now - asked.expires_at).total_seconds():.0f} s ago and is still open."
        elif (not_passed_on := _not_passed_on(asked, now, allowance.overdue)) is not None:
            kind, sentence = Kind.NOT_PASSED_ON, not_passed_on
        else:
            continue
        yield Breach(kind, sentence, asked.title, asked.run_id, asked.task_id, row_id=asked.id)


def _not_passed_on(asked: OpenApproval, now: datetime, overdue: timedelta) -> str | None:
    if asked.asked_of_unable:
        return "It is put to one person, who may not answer any more."
    if asked.escalates_at is None or asked.escalates_at + overdue > now:
        return None
    late = (now - asked.escalates_at).total_seconds()
    return f"It should have been put to the next people {late:.0f} s ago."


def moving(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """Something will move every active run: a wanted turn, a task that is not only waiting, or a person by name."""
    movable = {task.run_id for task in world.tasks if task.state != "waiting"}
    for run in world.runs:
        woken = run.unreacted or run.wanted > run.turned or run.is_held(now)
        proposed = run.state in ("draft", "proposed") and not run.start_when_planned
        persons = run.has_author and (run.paused or proposed or (run.state == "planning" and run.asks))
        if woken or persons or run.consults or (run.state == "running" and run.id in movable):
            continue
        sentence = f"It is {_shown(run.state)}; no turn is wanted, and none of its tasks can be moved by anybody."
        yield Breach(Kind.STILL, sentence, run.goal, run.id)


def turns(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """A wanted turn is taken soon."""
    if allowance.overdue is None:
        return
    for run in world.runs:
        if run.wants(now) and run.wanting_since is not None and run.wanting_since + allowance.turn <= now:
            sentence = (
                f"A turn of the coordinator has been wanted for {(now - run.wanting_since).total_seconds():.0f} s."
            )
            yield Breach(Kind.OLD_TURN, sentence, run.goal, run.id)


def owed(world: World, now: datetime, allowance: Allowance) -> Iterator[Breach]:
    """Nothing waits to be sent to an agent that will never come."""
    for one in world.owed:
        sentence = f"{one.name} was retired and {one.frames} of its frames wait to be sent or answered."
        yield Breach(Kind.OWED_TO_NOBODY, sentence, one.name, row_id=one.agent_id)


def _shown(state: str) -> str:
    return state.replace("_", " ")


RULES: tuple[Rule, ...] = (
    next_step, on_time, in_hands, attempts, members, paused, counts, approvals, moving, turns, owed,
)  # fmt: skip
