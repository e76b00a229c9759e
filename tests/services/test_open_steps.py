"""Steps that go on are remembered between two records, so that what is told of them next is decided without a row."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from agents.protocol.updates import ToolCall
from clawgroups.core.transcript import MOST_OPEN, DecidedThere, TurnEnded
from clawgroups.models import Step
from tests.conftest import Team
from tests.services.conftest import Clock
from tests.services.test_progress import Voice

pytestmark = pytest.mark.django_db


@pytest.fixture
def voice(clock: Clock, team: Team) -> Voice:
    return Voice(clock, team, team.working())


def call(name: str, status: str) -> ToolCall:
    return ToolCall(name, {"title": f"Call {name}", "kind": "execute", "status": status})


def statuses() -> dict[str, str]:
    return dict(Step.objects.values_list("tool_call_id", "status"))


def test_a_call_is_followed_to_its_end_by_a_link_that_was_there_all_the_time_and_by_one_that_was_not(
    voice: Voice,
) -> None:
    voice.say(call("a", "in_progress"), call("b", "in_progress"))
    voice.say(call("a", "completed"))
    assert statuses() == {"a": "completed", "b": "in_progress"}
    voice.restart()
    voice.say(call("b", "failed"))
    assert statuses() == {"a": "completed", "b": "failed"}


def test_what_goes_on_is_followed_without_reading_its_rows(voice: Voice, monkeypatch: pytest.MonkeyPatch) -> None:
    reads = Mock(side_effect=Step.objects.filter)
    monkeypatch.setattr(Step.objects, "filter", reads)
    voice.say(call("a", "pending"), call("b", "in_progress"))
    voice.say(call("a", "in_progress"))
    voice.say(call("a", "completed"))
    voice.say(TurnEnded("end_turn"))
    assert reads.call_count == 0
    voice.restart()
    voice.say(call("b", "completed"))
    assert reads.call_count > 0
    monkeypatch.undo()
    assert statuses() == {"a": "completed", "b": "completed"}


def test_what_ended_may_be_told_to_have_ended_otherwise(voice: Voice) -> None:
    voice.say(call("a", "in_progress"))
    voice.say(call("a", "completed"))
    voice.say(call("a", "failed"))
    assert statuses() == {"a": "failed"}
    voice.say(call("a", "in_progress"))
    assert statuses() == {"a": "failed"}


@pytest.mark.parametrize("anew", [False, True])
@pytest.mark.parametrize("count", [3, MOST_OPEN + 5])
def test_the_end_of_a_turn_ends_all_that_goes_on(voice: Voice, count: int, anew: bool) -> None:
    for first in range(0, count, 20):
        voice.say(*(call(str(number), "in_progress") for number in range(first, min(count, first + 20))))
    if anew:
        voice.restart()
    voice.say(TurnEnded("end_turn"))
    assert set(statuses().values()) == {"unknown"}
    voice.say(call("next", "in_progress"))
    voice.say(TurnEnded("cancelled"))
    assert statuses()["next"] == "cancelled"


def test_what_its_owner_said_is_kept_with_a_call_that_was_told_of_before(voice: Voice) -> None:
    voice.say(call("a", "pending"))
    voice.say(DecidedThere("By its owner\n", "a", "allowed"))
    assert Step.objects.get().detail["answered_there"] == "allowed"
