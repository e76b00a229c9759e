"""The clock of progress in the rows: what an agent says and does moves it only while it is something new."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import pytest

from agents.models import Connection
from agents.protocol.updates import MessageChunk, PlanEntry, PlanReplaced, ThoughtChunk, ToolCall, Usage
from clawgroups import commit
from clawgroups.core.failures import Failure
from clawgroups.core.transcript import Said
from clawgroups.models import Attempt, Session, Task
from clawgroups.services import transcript
from tests.conftest import Team
from tests.services.conftest import Clock, beat, latest

pytestmark = pytest.mark.django_db


class Voice:
    """An agent that speaks in its session; what it says is recorded once a second."""

    def __init__(self, clock: Clock, team: Team, task: Task) -> None:
        self.clock, self.team, self.task = clock, team, task
        self.session = Session.objects.get(attempt=task.attempt)
        self.restart()

    def restart(self) -> None:
        """The process that holds the socket was replaced: what it knew is read from the rows."""
        self.standing = transcript.load([self.session.pk])[self.session.pk]

    def say(self, *said: Said, after: float = 1) -> Attempt:
        """Record this, a second later or so many; the attempt after it."""
        self.clock.go(after)
        link = Connection.objects.get(pk=self.team.links["scribe"])
        batch = transcript.Batch(self.standing, said)
        future = transcript.record(
            link.pk,
            epoch=link.epoch,
            since=link.received,
            received=link.received + 1,
            batches=[batch],
            actor=self.team.actor("ada"),
        )
        assert commit.wait(future).applied
        assert batch.after is not None
        self.standing = batch.after
        return latest(self.task)

    def moved(self, *said: Said) -> bool:
        """Whether this counts as progress."""
        at = self.say(*said).progress_at
        return at == self.clock.now


@pytest.fixture
def voice(clock: Clock, team: Team) -> Voice:
    return Voice(clock, team, team.working())


def call(name: str, **given: Any) -> ToolCall:
    return ToolCall(name, given)


def numbered(number: int) -> str:
    return f"Row {number} says that region {number * 7 % 13} sold {number * 31 % 101} pieces in week {number % 52}. "


def test_streaming_text_moves_it_and_the_same_text_does_not(voice: Voice) -> None:
    assert all(voice.moved(MessageChunk(numbered(n))) for n in range(10))
    looping = [voice.moved(MessageChunk("I shall check the sum of the table again. ")) for _ in range(40)]
    assert looping[0]
    assert not any(looping[3:])
    assert latest(voice.task).repeats >= 3
    assert voice.moved(MessageChunk(numbered(99)))
    assert latest(voice.task).repeats == 0


def test_what_is_new_within_half_a_second_is_noted_once_but_a_repetition_and_its_end_at_once(voice: Voice) -> None:
    noted = voice.say(MessageChunk(numbered(1))).progress_at
    assert voice.say(MessageChunk(numbered(2)), after=0.2).progress_at == noted
    later = voice.say(MessageChunk(numbered(3)), after=0.3)
    assert later.progress_at == voice.clock.now
    for number in (1, 2):
        voice.say(call(f"same{number}", title="Read", kind="read", status="pending"), after=0.1)
    assert latest(voice.task).repeats == 1
    fresh = voice.say(MessageChunk(numbered(4)), after=0.1)
    assert (fresh.repeats, fresh.progress_at) == (0, voice.clock.now)
    # After a restart nothing is known of what was noted, and neither is it when the clock was set back.
    voice.restart()
    assert voice.say(MessageChunk(numbered(5)), after=0.1).progress_at == voice.clock.now
    assert voice.say(MessageChunk(numbered(6)), after=-60).progress_at == voice.clock.now


def test_thoughts_count_as_words_do(voice: Voice) -> None:
    assert voice.moved(ThoughtChunk(numbered(1), message_id="a"))
    assert not voice.moved(ThoughtChunk(numbered(1), message_id="b"))


@pytest.mark.parametrize("nothing", [MessageChunk(""), MessageChunk("  \n"), Usage(5, 10), ThoughtChunk("")], ids=repr)
def test_what_says_nothing_does_not_move_it(voice: Voice, nothing: Said) -> None:
    before = latest(voice.task).progress_at
    for _ in range(5):
        voice.say(nothing)
    assert (latest(voice.task).progress_at, latest(voice.task).repeats) == (before, 0)


def test_an_identical_call_counts_as_repetition_and_another_one_as_progress(voice: Voice) -> None:
    def read(number: int, path: str) -> list[bool]:
        begun = call(f"c{number}", title="Read", kind="read", status="pending", raw_input={"path": path})
        return [voice.moved(begun), voice.moved(call(f"c{number}", status="completed", raw_output="12 rows"))]

    assert read(0, "a.csv") == [True, True]
    for number in (1, 2, 3):
        assert read(number, "a.csv") == [False, False]
        assert latest(voice.task).repeats == number
    assert read(4, "b.csv") == [True, True]
    assert latest(voice.task).repeats == 0


def test_polling_with_changing_output_is_progress(voice: Voice) -> None:
    for number in range(6):
        voice.say(call(f"c{number}", title="Poll", kind="execute", status="in_progress", raw_input="status"))
        assert voice.moved(call(f"c{number}", status="completed", raw_output=f"{number * 10} %"))
    assert latest(voice.task).repeats == 0


def test_a_plan_counts_once_and_when_it_is_ticked(voice: Voice) -> None:
    def plan(status: str) -> PlanReplaced:
        return PlanReplaced((PlanEntry("Count the rows", "high", status),))

    assert [voice.moved(plan(s)) for s in ("pending", "pending", "completed", "completed")] == [
        True,
        False,
        True,
        False,
    ]


def test_after_a_restart_a_repetition_is_still_known_as_one(voice: Voice) -> None:
    step: Sequence[Said] = (call("one", title="Read", kind="read", status="completed", raw_input="a.csv"),)
    voice.say(MessageChunk(numbered(1)), *step)
    voice.say(call("two", title="Read", kind="read", status="completed", raw_input="a.csv"))
    voice.restart()
    assert not voice.moved(MessageChunk(numbered(1)))
    assert not voice.moved(call("three", title="Read", kind="read", status="completed", raw_input="a.csv"))
    assert latest(voice.task).repeats == 3


def test_an_agent_that_goes_round_in_circles_is_stopped_for_looping_and_not_asked_again(
    clock: Clock, voice: Voice, team: Team
) -> None:
    begun = clock.now
    for _round in range(10):
        for _ in range(20):
            voice.say(call(f"c{clock.now}", title="Read", kind="read", status="completed", raw_input="a.csv"))
        clock.go(15)
        beat(team)
        clock.sweep()
        if latest(voice.task).state != "working":
            break
    attempt = latest(voice.task)
    assert (attempt.state, attempt.failure) == ("expired", Failure.LOOPING)
    assert attempt.ended_at is not None
    assert 300 <= (attempt.ended_at - begun).total_seconds() < 400
    task = Task.objects.get(pk=voice.task.pk)
    assert (task.state, task.failure) == ("ready", Failure.LOOPING)
    assert task.brief["refused"] == [str(team.seat("scribe").pk)]


def test_an_agent_that_writes_for_long_is_left_alone(clock: Clock, voice: Voice, team: Team) -> None:
    begun: datetime = clock.now
    number = 0
    while (clock.now - begun).total_seconds() < 900:
        number += 1
        voice.say(MessageChunk(numbered(number)[:20]))
        voice.say(MessageChunk(numbered(number)[20:]))
        if number % 10 == 0:
            beat(team)
            clock.sweep()
    assert latest(voice.task).state == "working"
    assert latest(voice.task).quiet_since is None
