"""Stories for `test_verify_action`: several people at one task."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from clawgroups.models import ControlRequest, Task
from clawgroups.services import control, handback, takeover, watching
from clawgroups.services.perform import perform
from tests.conftest import Team


def _held(team: Team) -> Task:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    return task


def _asked(team: Team, who: str = "bob") -> UUID:
    task = _held(team)
    return UUID(perform(control.ask_for, task.pk, note="I know the client", actor=team.actor(who)).answer["id"])


def asked_and_granted(team: Team) -> None:
    perform(control.grant, _asked(team), text="As far as I got", actor=team.actor("ada"))
    assert Task.objects.get().holder == team.seat("bob")


def asked_and_refused(team: Team) -> None:
    perform(control.refuse, _asked(team), word="Nearly done", actor=team.actor("ada"))


def asked_and_withdrawn(team: Team) -> None:
    perform(control.withdraw, _asked(team), actor=team.actor("bob"))


def asked_in_vain(team: Team) -> None:
    """The task moves on: what was asked is void."""
    _asked(team)
    perform(handback.hand_back, Task.objects.get().pk, note="Go on", actor=team.actor("ada"))
    assert ControlRequest.objects.get().state == "void"


def passed_on_to_who_watches(team: Team) -> None:
    task = _held(team)
    watching.watch_task(task.pk, actor=team.actor("bob"))
    perform(control.pass_on, task.pk, member_id=team.seat("bob").pk, actor=team.actor("ada"))
    assert Task.objects.get().holder == team.seat("bob")


def offered_and_taken(team: Team) -> None:
    task = _held(team)
    offer = perform(control.pass_on, task.pk, member_id=team.seat("bob").pk, actor=team.actor("ada"))
    assert Task.objects.get().holder == team.seat("ada")
    perform(control.grant, UUID(offer.answer["id"]), actor=team.actor("bob"))
    assert Task.objects.get().holder == team.seat("bob")


def forced_by_an_admin(team: Team) -> None:
    task = _held(team)
    perform(takeover.take_over, task.pk, force=True, reason="The client is on the line", actor=team.actor("carol"))


TOLD: list[Callable[[Team], None]] = [
    asked_and_granted,
    asked_and_refused,
    asked_and_withdrawn,
    asked_in_vain,
    passed_on_to_who_watches,
    offered_and_taken,
    forced_by_an_admin,
]
