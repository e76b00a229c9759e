"""Several people at one task, as the pages show it: who watches, who asks, who took it, and the story."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.fragments import pieces
from clawgroups.models import Approval, ControlRequest, Draft, Entry, Session, Task
from clawgroups.permissions import HIDDEN_FROM_GUESTS
from clawgroups.realtime.feed import fragments
from clawgroups.services import control, drafts, finishing, handback, members, putting, takeover, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(team: Team) -> Task:
    """A task that ada holds."""
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(drafts.save_draft, task.pk, text="Ada's words", actor=team.actor("ada"))
    return Task.objects.get(pk=task.pk)


def page(client: Client, task: Task, name: str = "task") -> str:
    return client.get(reverse(name, args=[task.workspace_id, task.pk])).content.decode()


def post(client: Client, name: str, task: Task, said: dict[str, Any] | None = None, pk: UUID | None = None) -> Any:
    return client.post(reverse(name, args=[task.workspace_id, pk or task.pk]), said or {})


def test_who_has_the_page_open_is_shown_to_the_others(team: Team, held: Task, sign_in: SignIn) -> None:
    ada, bob, gus = (sign_in(name, htmx=True) for name in ("ada", "bob", "gus"))
    for client in (bob, gus):
        post(client, "watch-task", held)
    said = post(ada, "watch-task", held).content.decode()
    assert "bob and gus watch" in said
    assert "gus watches" in page(bob, held)
    assert f'hx-post="{reverse("watch-task", args=[held.workspace_id, held.pk])}"' in page(bob, held)


def test_what_stands_in_the_editor_of_who_lost_the_task_is_kept_whatever_they_press(
    team: Team, held: Task, sign_in: SignIn
) -> None:
    perform(control.ask_for, held.pk, actor=team.actor("bob"))
    request = ControlRequest.objects.get()
    perform(takeover.take_over, held.pk, force=True, actor=team.actor("carol"))
    ada = sign_in("ada", htmx=True)
    whom, epoch = str(team.seat("bob").pk), held.epoch
    for n, (name, pk) in enumerate((("grant-control", request.pk), ("hand-back-task", None))):
        assert post(ada, name, held, {"text": f"Words {n}", "member": whom, "epoch": epoch}, pk).status_code == 409
    kept = Draft.objects.filter(attempt=held.attempt_id, kind="kept").values_list("text", flat=True)
    assert sorted(kept) == ["Words 0", "Words 1"]


def test_a_text_that_goes_along_is_one_version(team: Team, held: Task, sign_in: SignIn) -> None:
    post(sign_in("ada"), "hand-back-task", held, {"text": "Go on.", "member": str(team.seat("bob").pk), "base": 2})
    assert Draft.objects.filter(attempt=held.attempt_id, text="Go on.").count() == 1


def test_asked_on_the_page_granted_with_the_editors_text(team: Team, held: Task, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    assert "Ask ada for it" in page(bob, held)
    post(bob, "ask-for-task", held, {"note": "I know the client", "epoch": held.epoch})
    assert "You asked ada for it" in page(bob, held)
    assert "asked for</span>" in "".join(pieces("task_card", [held.pk]))
    assert "“I know the client”" in page(ada, held)
    request = ControlRequest.objects.get()
    post(ada, "grant-control", held, {"text": "Just\r\ntyped", "epoch": held.epoch}, request.pk)
    assert "It is in your hands" in page(bob, held)
    assert Draft.objects.latest("saved_at").text == "Just\ntyped"
    assert "It went from you to bob" in page(ada, held)
    assert "Your text is kept" in page(ada, held)


def test_refused_with_a_word_that_stands_on_the_page(team: Team, held: Task, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    post(bob, "ask-for-task", held)
    post(ada, "refuse-control", held, {"word": "Ten minutes more"}, ControlRequest.objects.get().pk)
    assert "ada said “Ten minutes more”" in page(bob, held)
    assert "Ask ada for it" in page(bob, held)


def test_offered_to_who_is_elsewhere(team: Team, held: Task, sign_in: SignIn) -> None:
    ada, bob = sign_in("ada"), sign_in("bob")
    assert "A person, who is asked first" in page(ada, held)
    post(ada, "hand-back-task", held, {"member": str(team.seat("bob").pk), "note": "You know them"})
    assert "You offered it to bob" in page(ada, held)
    assert "ada would pass it on to you.</b> “You know them”" in page(bob, held)
    post(bob, "grant-control", held, pk=ControlRequest.objects.get().pk)
    assert "It is in your hands" in page(bob, held)


def test_forced_by_an_admin_with_a_reason_the_former_holder_sees_it(team: Team, held: Task, sign_in: SignIn) -> None:
    ada, carol, bob = sign_in("ada"), sign_in("carol"), sign_in("bob")
    assert "Take it from ada without an answer" in page(carol, held)
    assert "without an answer" not in page(bob, held)
    said = {"force": "1", "reason": "The client rang", "epoch": held.epoch}
    post(carol, "take-over-task", held, said)
    shown = page(ada, held)
    assert "carol took it from you" in shown
    assert "The client rang" in shown
    assert "Ada&#x27;s words" in shown or "Ada’s words" in shown or "Ada's words" in shown


def test_a_guest_sees_who_holds_it_and_has_no_buttons(team: Team, held: Task, sign_in: SignIn) -> None:
    shown = page(sign_in("gus"), held)
    assert "ada works on it by hand" in shown
    assert "You look on as a Guest" in shown
    assert "Ask ada for it" not in shown


FORMS = [
    ("take-over-task", {}), ("hand-back-task", {"note": "n"}), ("cancel-task", {}), ("ask-for-task", {}),
    ("steer-task", {"text": "t"}),
    ("accept-task", {}), ("return-task", {"note": "n"}), ("assign-task", {}),
    ("regenerate-task", {"instructions": "i"}), ("choose-member", {}), ("decline-task", {}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "said"), FORMS)
def test_a_form_of_a_page_from_before_does_nothing_and_says_who_has_it_now(
    team: Team, held: Task, sign_in: SignIn, name: str, said: dict[str, str]
) -> None:
    # What was typed is saved all the same.
    moves = Entry.objects.exclude(type="draft.saved")
    head = moves.count()
    client = sign_in("ada")
    answer = post(client, name, held, {**said, "epoch": str(held.epoch - 1)})
    assert answer.status_code == 409
    assert "ada holds it now" in answer.content.decode()
    assert moves.count() == head


def test_a_form_of_a_page_from_before_saves_what_was_typed_and_does_nothing_more(
    team: Team, held: Task, sign_in: SignIn
) -> None:
    answer = post(sign_in("ada"), "submit-task", held, {"text": "typed", "epoch": str(held.epoch - 1)})
    assert answer.status_code == 409
    assert "ada holds it now" in answer.content.decode()
    assert Draft.objects.latest("saved_at").text == "typed"
    assert Task.objects.get(pk=held.pk).state == "held"


@pytest.mark.parametrize("who", ["ada", "bob"])
@pytest.mark.parametrize("state", ["working", "held", "stuck", "in_review"])
def test_every_form_of_the_page_that_writes_says_which_epoch_it_shows(
    team: Team, sign_in: SignIn, who: str, state: str
) -> None:
    task = team.one_task(acceptance=["It reads well"]) if state == "stuck" else team.working()
    if state == "held":
        perform(takeover.take_over, task.pk, actor=team.actor("ada"))
        perform(control.ask_for, task.pk, actor=team.actor("carol"))
    if state == "in_review":
        team.finish("scribe", "The end.")
        Task.objects.filter(pk=task.pk).update(blocked_on="person")
    if state == "stuck":
        coordinator = Actor(ActorKind.COORDINATOR, "Coordinator", on_behalf_of=team.users["ada"].pk)
        perform(tasks.stick_task, task.pk, reason="r", who="ada", actor=coordinator)
    epoch = Task.objects.get(pk=task.pk).epoch
    _, *forms = page(sign_in(who), task).partition("<main")[2].partition("</main>")[0].split("<form ")
    writing = [one.partition("</form>")[0] for one in forms]
    others = ("/messages/post/", "/approvals/")
    asked = [one for one in writing if not any(f"{part}" in one.partition(">")[0] for part in others)]
    assert asked
    assert [one for one in asked if f'name="epoch" value="{epoch}"' not in one] == []


def test_a_void_question_says_who_took_the_task_over(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    agent = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
    session = Session.objects.get(task=task)
    call = {"title": "rm -r data"}
    perform(putting.request_approval, session.pk, request_id=1, tool_call=call, options=options, actor=agent)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    shown = page(sign_in("ada"), task)
    assert "bob took the task over" in shown
    assert "rm -r data" in shown
    assert "rm -r data" not in page(sign_in("gus"), task)
    answer = post(sign_in("ada"), "decide-approval", task, {"option": "y"}, Approval.objects.get().pk)
    assert "bob took the task over" in answer.content.decode()


def test_the_cards_of_those_that_wait_are_drawn_anew_when_a_person_takes_it(team: Team) -> None:
    plan = [
        {"key": "count", "title": "Count", "skills": ["data-analysis"]},
        {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
    ]
    run = team.run(plan)
    count, write = (Task.objects.get(run=run, key=key) for key in ("count", "write"))
    perform(takeover.take_over, count.pk, actor=team.actor("bob"))
    entries = list(Entry.objects.filter(type="task.taken_over"))
    assert any("waits for “Count”, which bob works on" in piece for piece in fragments(entries, team.workspace.pk))
    perform(handback.hand_back, count.pk, actor=team.actor("bob"))
    assert "bob works on" not in "".join(pieces("task_card", [write.pk]))


# The story


def test_the_story_stands_on_the_page_and_in_full_with_what_changed_in_the_draft(
    team: Team, held: Task, sign_in: SignIn
) -> None:
    ada = sign_in("ada")
    request = perform(control.ask_for, held.pk, note="I know the client", actor=team.actor("bob")).answer["id"]
    perform(control.grant, UUID(request), actor=team.actor("ada"))
    assert "It passed from ada to bob, with the draft." in page(ada, held)
    full = page(ada, held, "task-story")
    for sentence in ("ada took it over from Scribe.", "bob asked ada for it.", "I know the client", "ada held it by"):
        assert sentence in full
    version = Draft.objects.get(text="Ada's words", version=2)
    address = f"{reverse('draft-diff', args=[version.attempt_id])}?from=1&to=2"
    assert address.replace("&", "&amp;") in full
    assert "+Ada&#x27;s words" in ada.get(address).content.decode()
    assert ada.get(address.replace("to=2", "to=99")).status_code == 404


def test_a_guest_reads_the_story_without_what_is_hidden_from_guests(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    agent = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
    call = {"title": "rm -r data"}
    session = Session.objects.get(task=task)
    perform(putting.request_approval, session.pk, request_id=1, tool_call=call, options=options, actor=agent)
    assert "Scribe asked a person." in page(sign_in("bob"), task, "task-story")
    shown = page(sign_in("gus"), task, "task-story")
    assert "asked a person" not in shown
    assert "rm -r data" not in shown
    told = Entry.objects.filter(type__in=HIDDEN_FROM_GUESTS)
    assert told.exists()


def test_what_came_since_is_told_by_the_next_look(team: Team, held: Task, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    assert "handed it back" not in page(ada, held, "task-story")
    perform(handback.hand_back, held.pk, note="Keep my line", actor=team.actor("ada"))
    shown = page(ada, held, "task-story")
    assert "ada handed it back." in shown
    assert "Keep my line" in shown


def test_who_lost_the_right_is_not_offered_as_somebody_to_pass_it_on_to(
    team: Team, held: Task, sign_in: SignIn
) -> None:
    perform(members.set_role, team.seat("bob").pk, role="guest", actor=team.actor("ada"))
    shown = page(sign_in("ada"), held)
    assert f'<option value="{team.seat("bob").pk}">' not in shown
    assert f'<option value="{team.seat("carol").pk}">' in shown


def test_the_story_of_a_task_that_is_over_tells_what_came_late_and_not_all_that_followed(
    team: Team, held: Task, sign_in: SignIn
) -> None:
    ada = sign_in("ada")
    perform(tasks.cancel_task, held.pk, actor=team.actor("ada"))
    team.finish("scribe", "Done after all")
    shown = page(ada, held, "task-story")
    assert "ada cancelled it." in shown
    assert "A result of Scribe came late" in shown


def test_whose_own_result_waits_for_a_verdict_is_told_who_gives_it(team: Team, sign_in: SignIn) -> None:
    task = team.one_task(acceptance=["not_empty", "Reads well"])
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("ada"))
    Task.objects.filter(pk=task.pk).update(blocked_on="person")
    assert "carol gives the verdict" in page(sign_in("ada"), task)
    assert "Your verdict is needed" not in page(sign_in("ada"), task)
    assert "Your verdict is needed" in page(sign_in("bob"), task)
