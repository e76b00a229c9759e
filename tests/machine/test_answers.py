"""What the state machine says of questions and answers that somebody tampered with."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone

from agents.ids import new_id
from clawgroups.models import Approval, Command, Step
from clawgroups.services import approvals
from tests.conftest import Team
from tests.machine.answers import Answers
from tests.machine.engine import Asking, Engine
from tests.machine.questions import CALLS, ONCE

pytestmark = pytest.mark.django_db
Tamper = Callable[[Asking], Any]


def row(**values: Any) -> Tamper:
    return lambda engine: Approval.objects.update(**values)


def decided_by(name: str) -> Tamper:
    return lambda engine: Approval.objects.update(decided_by=engine.acts.seat(name))


def reply(**values: Any) -> Tamper:
    return lambda engine: Command.objects.filter(purpose="reply").update(**values)


def told_twice(engine: Asking) -> None:
    again = Command.objects.get(purpose="reply")
    again.pk = new_id()
    again.save(force_insert=True)


def sent_twice(engine: Asking) -> None:
    engine.acts.sent[new_id()] = [("reply", None, new_id())] * 2


def wants_something_else(engine: Asking) -> None:
    Step.objects.update(detail={"raw_input": {"command": "rm -r x"}})


NO = {"outcome": {"outcome": "selected", "optionId": "n"}}
TAMPERED: tuple[tuple[Tamper, str], ...] = (
    (row(decided_by=None), "by rule None"),
    (decided_by("scribe"), "who may not"),
    (decided_by("gus"), "who may not"),
    (row(needed=2), "needs 2, and 0 agreed"),
    (row(option_id="always"), "which was not offered"),
    (row(state="expired"), "the journal says approval.decided"),
    (reply(params={"id": 1, "result": NO}), "not as it says"),
    (reply(created_at=timezone.now()), "no question ended at"),
    (told_twice, "not once"),
    (sent_twice, "was sent 2 times"),
    (wants_something_else, "was allowed, and the agent says"),
)


def test_a_question_that_was_tampered_with_is_noticed(team: Team) -> None:
    Engine.team = team
    engine = Asking()
    try:
        engine.first_run(plan=0)
        name, call = engine.asks.at_work(Random(1)), {"toolCallId": "c1", **CALLS[2]}
        session = engine.asks.session(name)
        assert session is not None
        engine.asks.tells(name, session, call)
        engine.asks.puts(name, session, 1, (call, ONCE), Random(1))
        engine.acts.do(
            approvals.decide_approval, Approval.objects.get().pk, option_id="y", actor=engine.acts.person("ada")
        )
        engine.everything_holds()
        for tamper, words in TAMPERED:
            engine.acts.sent.clear()
            with transaction.atomic():
                tamper(engine)
                found = Answers(team.workspace.pk, engine.asks).check(engine.history.entries, swept=False)
                transaction.set_rollback(True)
            assert any(words in one for one in found), (words, found)
        Approval.objects.update(state="open")
        assert any("is open again" in one for one in engine.answers.check([], swept=False))
    finally:
        engine.teardown()
