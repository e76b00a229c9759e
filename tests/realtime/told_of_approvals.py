"""Stories for `test_verify_action`: what agents ask, put to one after the other, agreed to, changed, and answered."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone

from clawgroups.models import Approval, Task
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services.ask_support import asks, decides, now, tells


def _critical(team: Team) -> Approval:
    question = asks(team, team.working(), "rm -r x")
    Approval.objects.filter(pk=question.pk).update(needed=2)
    return now(question)


def put_to_the_next_ones(team: Team) -> None:
    asks(team, team.working())
    sweep(timezone.now() + timedelta(seconds=121), quiet=True)
    assert Approval.objects.get().asked_of is None


def agreed_by_two(team: Team) -> None:
    question = _critical(team)
    for name in ("ada", "bob"):
        decides(team, name, question)
    assert now(question).state == "decided"


def agreed_and_refused(team: Team) -> None:
    question = _critical(team)
    decides(team, "ada", question)
    decides(team, "bob", question, "n")


def changed_and_asked_again(team: Team) -> None:
    task = team.working()
    asks(team, task)
    tells(team, task, raw_input={"command": "rm -r x"})
    asks(team, task, "rm -r x", request_id=2)
    assert sorted(Approval.objects.values_list("state", flat=True)) == ["open", "void"]


def put_anew_as_it_is(team: Team) -> None:
    task = team.working()
    asks(team, task, raw_input={})
    tells(team, task, raw_input={"command": "ls"})
    assert Approval.objects.get(state="open").tool_call["raw_input"] == {"command": "ls"}
    assert Task.objects.get(pk=task.pk).blocked_on == "person"


TOLD: list[Callable[[Team], None]] = [
    put_to_the_next_ones,
    agreed_by_two,
    agreed_and_refused,
    changed_and_asked_again,
    put_anew_as_it_is,
]
