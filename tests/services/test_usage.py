"""What is used is counted once, for whoever used it, in the change that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from django.utils import timezone

from agents.models import Connection
from agents.protocol import updates
from agents.protocol.updates import ToolCall
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.session_state import fold, fold_tokens, used_since
from clawgroups.core.transcript import Said, TurnEnded
from clawgroups.models import Run, Session, Task, Usage
from clawgroups.services import transcript, usage
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def say(team: Team, task: Task, *said: Said) -> None:
    """The agent's socket records this, from where the session stands now."""
    session = Session.objects.get(attempt=task.attempt)
    link = team.links["scribe"]
    row = Connection.objects.get(pk=link)
    batch = transcript.Batch(transcript.load([session.pk])[session.pk], said)
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    perform(
        transcript.record,
        link,
        epoch=row.epoch,
        since=row.received,
        received=row.received + 1,
        batches=[batch],
        actor=me,
    )


def cost(amount: float, currency: str = "USD") -> updates.Usage:
    return updates.Usage(10, 100, amount, currency)


def call(number: int, **given: Any) -> ToolCall:
    return ToolCall(f"call-{number}", {"title": f"Look {number}", **given})


def counted(team: Team) -> Usage:
    return Usage.objects.get(agent=team.agents["scribe"])


def test_steps_are_counted_once_each_in_the_change_that_records_them(team: Team) -> None:
    task = team.working()
    say(team, task, call(1), call(2))
    say(team, task, call(2, status="completed"), call(3))
    say(team, task, call(1, status="completed"))
    assert counted(team).steps == 3
    assert Run.objects.get(pk=task.run_id).spent_steps == 3


def test_an_agents_money_is_what_its_session_says_more_than_before(team: Team) -> None:
    task = team.working()
    say(team, task, cost(0.10))
    say(team, task, cost(0.25), cost(0.30))
    say(team, task, cost(0.30))
    assert counted(team).cost_micro == 300_000
    assert Run.objects.get(pk=task.run_id).spent_micro == 300_000


def test_an_agents_tokens_are_what_its_prompts_answers_say_more_than_before(team: Team) -> None:
    task = team.working()
    first = {"totalTokens": 150, "inputTokens": 80, "outputTokens": 40, "cachedReadTokens": 20, "thoughtTokens": 10}
    say(team, task, TurnEnded("end_turn", first))
    say(team, task, TurnEnded("end_turn", {**first, "outputTokens": 60}))
    say(team, task, TurnEnded("end_turn", None), TurnEnded("end_turn", {"inputTokens": "many"}))
    row = counted(team)
    assert (row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.reasoning_tokens) == (100, 20, 70, 10)
    assert Run.objects.get(pk=task.run_id).spent_tokens == 170


@pytest.mark.parametrize("amount", [-5.0, 1e300])
def test_nonsense_that_an_agent_says_of_its_cost_stops_nothing(team: Team, amount: float) -> None:
    task = team.working()
    say(team, task, cost(amount), call(1))
    assert 0 <= counted(team).cost_micro <= 10**12


def test_other_money_than_dollars_is_shown_and_not_counted(team: Team) -> None:
    task = team.working()
    say(team, task, cost(4.0, "EUR"), call(1))
    assert counted(team).cost_micro == 0


def test_a_count_that_begins_anew_is_counted_from_there() -> None:
    def told(*amounts: float) -> Sequence[dict[str, Any]]:
        return [fold({}, cost(amount)) for amount in amounts]

    before, after = told(2.0, 0.5)
    assert used_since(before, after).cost_micro == 500_000
    tokens = fold_tokens({}, {"inputTokens": 100}), fold_tokens({}, {"inputTokens": 30})
    assert used_since(*tokens).prompt == 30
    assert fold_tokens({"a": 1}, {}) == {"a": 1}


def test_a_day_of_an_agent_in_a_run_is_one_row(team: Team) -> None:
    task = team.working()
    now = timezone.now()
    pk = usage.usage_id(team.workspace.pk, task.run_id, None, now.date())
    assert pk == usage.usage_id(team.workspace.pk, task.run_id, None, now.date())
    assert pk != usage.usage_id(team.workspace.pk, task.run_id, team.agents["scribe"].pk, now.date())
    assert usage.used(team.workspace.pk, run_id=task.run_id, at=now) == []
