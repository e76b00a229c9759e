"""Two come in by one code at the same moment, or what it is for changes meanwhile: one key, and everybody is told."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent
from agents.protocol import codes
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Conflict
from clawgroups.services import agents
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.races import at_once, between
from tests.services.test_enrolling import enrol, keys_of, offered, refusal

pytestmark = pytest.mark.django_db(transaction=True)


def test_of_two_machines_at_once_one_comes_in_and_the_other_is_told(team: Team) -> None:
    code = offered(team)
    results = at_once(lambda: enrol(code, codes.new_key()), lambda: enrol(code, codes.new_key()))
    (told,) = [one for one in results if isinstance(one, Conflict)]
    (done,) = [one for one in results if isinstance(one, Outcome)]
    assert (told.code, done.answer["handle"]) == ("code_used", "scribe")
    assert len(keys_of(team)) == 2


def test_one_machine_that_asks_twice_at_once_is_one_machine(team: Team) -> None:
    code, key = offered(team), codes.new_key()
    answers = {str(one.answer) for one in at_once(*[lambda: enrol(code, key)] * 3) if isinstance(one, Outcome)}
    assert len(answers) == 1
    assert len(keys_of(team)) == 2


@pytest.mark.parametrize("meanwhile", ["offered anew", "retired", "used by the same", "used by another"])
def test_what_happens_between_decision_and_commit_is_found(
    team: Team, monkeypatch: pytest.MonkeyPatch, meanwhile: str
) -> None:
    code, key = offered(team), codes.new_key()

    def retire() -> Any:
        return perform(agents.retire_agent, team.agents["scribe"].pk, actor=team.actor("ada"))

    acts: dict[str, Any] = {
        "offered anew": lambda: offered(team),
        "retired": retire,
        "used by the same": lambda: enrol(code, key),
        "used by another": lambda: enrol(code, codes.new_key()),
    }
    between(monkeypatch, acts[meanwhile])
    if meanwhile == "used by the same":
        assert enrol(code, key).answer["handle"] == "scribe"
    else:
        assert refusal(code, key)[0] == ("code_used" if meanwhile == "used by another" else "unknown_code")
    came_in = not Agent.objects.get(handle="scribe").retired_at and meanwhile.startswith("used")
    assert len(keys_of(team)) == (2 if came_in else 1)
