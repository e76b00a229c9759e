"""The box under the editor: whom one asks, what waits and runs, the answers, and what one does with them."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from clawgroups.models import Command, Draft, Session, Task
from clawgroups.services import drafts, sessions, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import disconnect
from tests.services.steer_support import ask, asked, held_by_bob
from tests.web.conftest import SignIn
from tests.web.test_pages import page

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(team: Team) -> Task:
    task = held_by_bob(team)
    perform(drafts.save_draft, task.pk, text="Dear all,\nit rains.", actor=team.actor("bob"))
    return task


def box(team: Team, sign_in: SignIn, task: Task, name: str = "bob") -> str:
    """What stands between the editor and giving it away."""
    text = page(sign_in(name), "task", team.workspace.pk, task.pk)
    return text[text.index(f'id="steer-{task.pk}"') : text.index("Hand it on")]


def post(sign_in: SignIn, team: Team, name: str, task: Task, *more: Any, htmx: bool = False, **said: Any) -> Any:
    address = reverse(name, args=[team.workspace.pk, task.pk, *more])
    return sign_in("bob", htmx=htmx).post(address, {"operation": name + "".join(map(str, more)), **said})


def own(task: Task) -> list[str]:
    rows = Draft.objects.filter(attempt__task=task, attempt__member__user__isnull=False, kind="own")
    return list(rows.order_by("version").values_list("text", flat=True))


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize("when", ["now", "after_step"])
def test_it_is_asked_by_either_button_with_and_without_script(
    team: Team, sign_in: SignIn, held: Task, when: str, htmx: bool
) -> None:
    shown = box(team, sign_in, held)
    assert "Ask Scribe" in shown
    assert 'name="when" value="now"' in shown
    assert 'name="when" value="after_step"' not in shown, "there is no step to wait for"
    answer = post(sign_in, team, "steer-task", held, text="Make it <short>.", when=when, htmx=htmx)
    assert answer.status_code == (200 if htmx else 303)
    command = Command.objects.get(purpose="steer")
    assert command.after_step == (when == "after_step")
    shown = box(team, sign_in, held)
    assert "goes next" in shown
    assert "Make it &lt;short&gt;." in shown


def test_what_waits_is_taken_back_and_what_runs_is_stopped(team: Team, sign_in: SignIn, held: Task) -> None:
    runs, waits = asked(team, held, "One"), ask(team, held, "Two", "after_step")
    shown = box(team, sign_in, held)
    assert "It is at it" in shown
    assert "goes next, after the step" in shown
    assert post(sign_in, team, "withdraw-steer", held, waits.pk).status_code == 303
    assert post(sign_in, team, "stop-steer", held, runs.pk).status_code == 303
    shown = box(team, sign_in, held)
    assert "Two" not in shown
    assert "It was asked to stop" in shown
    assert reverse("stop-steer", args=[team.workspace.pk, held.pk, runs.pk]) not in shown


def test_an_answer_stands_beside_the_editor_and_never_in_it(team: Team, sign_in: SignIn, held: Task) -> None:
    asked(team, held, "Shorten it.")
    team.finish("scribe", "Dear all,\nit pours.")
    text = page(sign_in("bob"), "task", team.workspace.pk, held.pk)
    editor = text[text.index('<textarea class="draft"') : text.index("</textarea>")]
    assert "it rains." in editor
    assert "it pours." not in editor
    shown = box(team, sign_in, held)
    assert "Scribe offers" in shown
    assert "<del>it rains.</del><ins>it pours.</ins>" in shown
    assert "in the draft" not in shown


@pytest.mark.parametrize(
    ("how", "typed", "found"),
    [
        ("replace", None, ["Dear all,\nit rains.", "It pours."]),
        ("below", None, ["Dear all,\nit rains.", "Dear all,\nit rains.\n\nIt pours."]),
        ("replace", "Typed.", ["Dear all,\nit rains.", "Typed.", "It pours."]),
        ("below", "Typed.", ["Dear all,\nit rains.", "Typed.", "Typed.\n\nIt pours."]),
    ],
)
def test_an_answer_is_used_as_a_new_version_and_nothing_typed_is_lost(
    team: Team, sign_in: SignIn, held: Task, how: str, typed: str | None, found: list[str]
) -> None:
    asked(team, held)
    team.finish("scribe", "It pours.")
    offer = Draft.objects.get(kind="offered")
    more: dict[str, Any] = {} if typed is None else {"text": typed}
    answer = post(sign_in, team, "take-answer", held, version=str(offer.version), how=how, **more)
    assert answer.status_code == 303
    assert own(held)[1:] == found
    assert "in the draft" in box(team, sign_in, held)
    for version in ("", "x", "99"):
        with_none = post(sign_in, team, "take-answer", held, version=version, how="replace")
        assert with_none.status_code in (404, 422, 303)
    assert own(held)[1:] == found


def test_whatever_became_of_a_turn_is_said(team: Team, sign_in: SignIn, held: Task) -> None:
    asked(team, held, "One")
    team.answer("scribe", {"stopReason": "refusal"}, text="Not that.")
    shown = box(team, sign_in, held)
    assert "It refused:" in shown
    assert "Not that." in shown
    asked(team, held, "Two")
    team.answer("scribe", {}, error={"code": -32603, "message": "it broke"})
    shown = box(team, sign_in, held)
    assert "It could not:" in shown
    assert "it broke" in shown
    asked(team, held, "Three")
    perform(sessions.session_lost, Session.objects.get().pk, reason="the agent's program ended")
    shown = box(team, sign_in, held)
    assert "Cut off" in shown
    assert "The program of Scribe ended" in shown
    assert 'name="when"' not in shown


def test_an_agent_that_is_away_is_named_with_what_one_can_do(team: Team, sign_in: SignIn, held: Task) -> None:
    asked(team, held, "One")
    disconnect(team)
    shown = box(team, sign_in, held)
    assert "Scribe is offline, last seen" in shown
    assert "contact was lost" in shown
    assert 'name="when"' not in shown


def test_where_no_agent_worked_on_a_task_there_is_nobody_to_ask(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    shown = page(sign_in("bob"), "task", team.workspace.pk, task.pk)
    assert "No agent has worked on it." in shown
    assert f'id="steer-{task.pk}"' not in shown


def test_others_see_no_box_and_what_was_asked_in_the_transcript(team: Team, sign_in: SignIn, held: Task) -> None:
    asked(team, held, "Shorten it.")
    text = page(sign_in("ada"), "task", team.workspace.pk, held.pk)
    assert f'id="steer-{held.pk}"' not in text
    assert "bob asked" in text
    assert "Shorten it." in text
