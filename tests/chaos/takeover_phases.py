"""The eight phases of T21: what is going on when a person takes over, and what is decided at that very moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

from django.utils import timezone

from clawgroups.core.failures import Failure
from clawgroups.models import Approval, Attempt, Task
from tests.chaos.takeover_room import GATEWAY, OTHERS, PATIENCE, PEOPLE, Json, Room
from tests.stories.waiting import until

WORK = "session/prompt"
RIVAL, TAKEOVER = "rival", "takeover"


@dataclass
class Round:
    """One takeover. `first` says whose change is committed first, `variant` which of a phase's rivals it meets."""

    room: Room
    phase: str
    number: int
    first: str
    dice: random.Random
    run: str = ""
    task: str = ""
    worker: str = "scribe"
    prompt: Json | None = None
    ended: bool = False
    taker: str = "bob"
    force: bool = False
    said: list[str] = field(default_factory=list)
    taken: Json = field(default_factory=dict)
    met: Json = field(default_factory=dict)

    @property
    def variant(self) -> int:
        return self.number // 2

    def __str__(self) -> str:
        return f"{self.phase}, {self.variant % 6}, {self.first} first, round {self.number}"

    @property
    def session(self) -> str:
        assert self.prompt is not None
        return str(self.prompt["params"]["sessionId"])

    def row(self) -> Task:
        return Task.objects.select_related("attempt__member", "holder").get(pk=self.task)

    def attempt(self) -> Attempt:
        return Attempt.objects.filter(task_id=self.task).latest("number")

    # What happens before

    def begin(self) -> None:
        """A run of one task, that nobody has yet."""
        for name in self.room.agents:
            self.room.agent("forget", name)
        plan = [{"key": "write", "title": "Write it up", "skills": ["writing"]}]
        given = {"goal": "Understand the sales", "plan": plan}
        self.run = self.room.do(PEOPLE, "draft_run", self.room.workspace, "ada", **given)["id"]
        self.room.do(PEOPLE, "start", self.run, "ada")
        self.task = str(Task.objects.values_list("pk", flat=True).get(run_id=self.run))

    def assign(self) -> None:
        seat = self.room.seats[self.worker].pk
        self.room.do(PEOPLE, "assign", self.task, "ada", member_id=str(seat))

    def work(self) -> None:
        """The agent is in the middle of a turn, and what it said first is stored."""
        self.assign()
        self.prompt = self.room.agent("heard", self.worker, method=WORK, number=1)
        self.say("The sales rose ")
        self.stored()

    def say(self, text: str) -> None:
        self.said.append(text)
        self.room.agent("chunk", self.worker, session=self.session, text=text)

    def stored(self) -> None:
        """What the agent has said so far is in its rows."""
        until(lambda: self.attempt().parts.filter(kind="text").exists(), seconds=PATIENCE, what="the first words")

    def end_turn(self, reason: str = "end_turn") -> None:
        assert self.prompt is not None
        self.ended = True
        self.room.agent("end_turn", self.worker, prompt=self.prompt["id"], reason=reason)

    def step(self, tag: str, **fields: Any) -> None:
        given = {"toolCallId": "call-1", **fields}
        self.room.agent("update", self.worker, session=self.session, tag=tag, fields=given)


@dataclass(frozen=True)
class Rival:
    """Whose change meets the takeover: in which process it is decided, by which verb, on which row, and how it comes
    about. `waits`: it is decided before the takeover in any case."""

    side: str
    verb: str
    row: str
    act: Callable[[], Future[Any] | None]
    waits: bool = False


def _spoken(act: Callable[[], object]) -> Callable[[], None]:
    """What an agent does has no answer."""

    def done() -> None:
        act()

    return done


def idle(at: Round) -> Rival:
    """The agent has the task and was not prompted yet; its prompt goes out at this moment."""
    # By the answer to the request that opens its session.
    rival = Rival(GATEWAY, "command.answered", at.task, lambda: None, waits=True)
    at.room.sides[GATEWAY].ask("keep", name=RIVAL + at.task, verb=rival.verb, row=rival.row)
    at.assign()
    return rival


def prompt(at: Round) -> Rival:
    """The agent is writing; more of it comes at this moment."""
    at.work()
    return Rival(GATEWAY, "record", at.task, _spoken(lambda: at.say("by a third, ")))


def tool(at: Round) -> Rival:
    """The agent is in a tool call: it ends, or a file of it is delivered."""
    at.work()
    at.step("tool_call", title="Count", kind="read", status="in_progress")
    until(at.attempt().steps.exists, seconds=PATIENCE, what="the tool call")
    if at.variant % 2:
        stored = {"name": "sales.csv", "size": 3, "sha256": f"{at.number:064x}", "content_type": "text/csv"}
        session = at.room.sides[OTHERS].ask("session_of", task=at.task)
        return Rival(
            OTHERS,
            "artifact.deliver",
            at.task,
            lambda: at.room.verb(OTHERS, "deliver", session, at.worker, stored=stored),
        )

    def ends() -> None:
        at.step("tool_call_update", status="completed")
        at.say("as counted.")

    return Rival(GATEWAY, "record", at.task, ends)


def approval(at: Round) -> Rival:
    """The agent has asked for permission: somebody answers, it asks for more, or takes it back."""
    at.work()
    asked = 1000 * at.number
    at.room.agent("ask", at.worker, session=at.session, request=asked)
    row = until(
        lambda: Approval.objects.filter(task_id=at.task, state="open").first(), seconds=PATIENCE, what="a question"
    )
    assert row is not None
    match at.variant % 3:
        case 0:
            answer = {"option_id": "yes"}
            act = lambda: at.room.verb(OTHERS, "decide", row.pk, "ada", **answer)  # noqa: E731
            return Rival(OTHERS, "approval.settle", str(row.pk), act)
        case 1:
            asks = lambda: at.room.agent("ask", at.worker, session=at.session, request=asked + 1)  # noqa: E731
            return Rival(GATEWAY, "approval.request", at.task, _spoken(asks))
        case _:
            takes_back = lambda: at.room.agent("withdraw", at.worker, request=asked)  # noqa: E731
            return Rival(GATEWAY, "approval.settle", str(row.pk), _spoken(takes_back))


def result(at: Round) -> Rival:
    """The agent has finished, and its result comes at this moment."""
    at.work()

    def hands_in() -> None:
        at.say("by a third.")
        at.end_turn()

    return Rival(GATEWAY, "command.answered", at.task, hands_in)


def offline(at: Round) -> Rival:
    """The agent's socket is gone: it is given up, or it comes back with more words, or with its result."""
    at.work()
    at.room.agent("hang_up", at.worker)
    if at.variant % 3 == 0:
        session = at.room.sides[OTHERS].ask("session_of", task=at.task)
        why = {"reason": "contact was lost", "failure": Failure.LOST_CONTACT.value}
        return Rival(OTHERS, "session.lost", at.task, lambda: at.room.verb(OTHERS, "lose", session, "system", **why))

    def comes_back() -> None:
        at.room.connect(at.worker)
        at.say("by a third.")
        if at.variant % 3 == 2:
            at.end_turn()

    return Rival(GATEWAY, "record", at.task, comes_back)


def second_person(at: Round) -> Rival:
    """Another person takes it over, too; or somebody holds it and saves while an admin takes it from them."""
    at.work()
    if at.variant % 2 == 0:
        return Rival(OTHERS, "task.take_over", at.task, lambda: at.room.verb(OTHERS, "take_over", at.task, "carol"))
    at.room.do(OTHERS, "take_over", at.task, "bob")
    at.taker, at.force = "carol", True
    verb, given = (("save", {"text": "Bob was here."}), ("submit", {"result": "Bob is done."}))[at.variant // 2 % 2]
    name = {"save": "draft.save", "submit": "task.submit"}[verb]
    return Rival(OTHERS, name, at.task, lambda: at.room.verb(OTHERS, verb, at.task, "bob", **given))


def coordinator(at: Round) -> Rival:
    """The coordinator gives the task to somebody, takes it from a silent agent, or takes a late result up."""
    match at.variant % 3:
        case 0:
            act = lambda: at.room.sides[OTHERS].begin(  # noqa: E731
                "turn", workspace=str(at.room.workspace), run=at.run
            )
            return Rival(OTHERS, "task.assign", at.task, act)
        case 1:
            at.work()
            release = lambda: at.room.verb(  # noqa: E731
                OTHERS, "release", at.task, "system", reason="silent", epoch=at.row().epoch, failure="stalled"
            )
            return Rival(OTHERS, "task.release", at.task, release)
        case _:
            at.work()
            late = at.attempt()
            given = {"reason": "silent", "epoch": at.row().epoch, "failure": "stalled"}
            at.room.do(OTHERS, "release", at.task, "system", **given)
            at.say("by a third.")
            at.end_turn()
            known = Attempt.objects.filter(pk=late.pk, late_at__isnull=False)
            until(known.exists, seconds=PATIENCE, what="a late result")
            adopt = lambda: at.room.verb(OTHERS, "adopt", f"{at.task} {late.pk}", "coordinator")  # noqa: E731
            return Rival(OTHERS, "task.adopt", at.task, adopt)


PHASES: dict[str, Callable[[Round], Rival]] = {
    "idle": idle,
    "prompt": prompt,
    "tool": tool,
    "approval open": approval,
    "result racing": result,
    "agent offline": offline,
    "second person": second_person,
    "coordinator": coordinator,
}


def race(at: Round) -> None:
    """Both sides decide, then the changes are committed one after the other."""
    rival = PHASES[at.phase](at)
    room, people = at.room, at.room.sides[PEOPLE]
    mine, other = TAKEOVER + at.task, RIVAL + at.task
    people.ask("keep", name=mine, verb="task.take_over", row=at.task)
    if not rival.waits:
        room.sides[rival.side].ask("keep", name=other, verb=rival.verb, row=rival.row)
    taking: list[Future[Any]] = []
    answered: list[Future[Any] | None] = []

    def take() -> None:
        taking.append(room.verb(PEOPLE, "take_over", at.task, at.taker, force=at.force))
        assert people.ask("decided", name=mine), f"{at.taker} never decides to take over"

    def meet() -> None:
        answered.append(rival.act())
        assert room.sides[rival.side].ask("decided", name=other), f"{rival.verb} is never decided"

    if rival.waits or at.dice.random() < 0.5:
        meet()
        take()
    else:
        people.ask("bring_in", task=at.task, actor=room.actor(at.taker))
        take()
        meet()
    order = [(room.sides[rival.side], other, RIVAL), (people, mine, TAKEOVER)]
    for side, name, whose in order if at.first == RIVAL else order[::-1]:
        at.met[whose] = side.ask("release", name=name)
    at.taken = taking[0].result(PATIENCE)
    if (answer := answered[0]) is not None:
        at.met["answer"] = answer.result(PATIENCE)
    at.met["at"] = timezone.now()
