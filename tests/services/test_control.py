"""Several people at one task: asking for it, being given it, passing it on, watching."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups import commit
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Attempt, ControlRequest, Draft, Entry, Message, Task, Watch
from clawgroups.services import control, drafts, finishing, handback, members, takeover, tasks, texts, watching
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team
from tests.services.races import between

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(team: Team) -> Task:
    """A task that ada holds, with a word in its draft."""
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(drafts.save_draft, task.pk, text="Ada's words", actor=team.actor("ada"))
    return now(task)


def now(task: Task) -> Task:
    return Task.objects.select_related("holder", "attempt", "workspace", "run").get(pk=task.pk)


def ask(team: Team, task: Task, who: str = "bob", note: str = "") -> UUID:
    return UUID(perform(control.ask_for, task.pk, note=note, actor=team.actor(who)).answer["id"])


def said(team: Team) -> list[str]:
    return list(Message.objects.filter(workspace=team.workspace).order_by("created_at").values_list("body", flat=True))


def test_who_asks_is_given_it_with_what_stands_in_the_editor(team: Team, held: Task) -> None:
    request = ask(team, held, note="I know the client")
    assert said(team)[-1] == "@ada: bob asks for “Write it up”: “I know the client”"
    given = perform(control.grant, request, text="Ada's words, and more", actor=team.actor("ada"))
    task = now(held)
    assert (task.state, task.holder, task.epoch) == ("held", team.seat("bob"), held.epoch + 1)
    before, after = Attempt.objects.filter(task=task, member__user__isnull=False).order_by("number")
    assert (before.state, str(after.pk)) == ("superseded", given.answer["attempt"])
    # Saved first, and what the other goes on with.
    assert Draft.objects.filter(attempt=before).order_by("version").values_list("text", flat=True)[2] == (
        "Ada's words, and more"
    )
    assert Draft.objects.get(attempt=after).text == "Ada's words, and more"
    entry = Entry.objects.get(type="task.taken_over", payload__how="passed")
    assert entry.payload["former_id"] == str(team.seat("ada").pk)
    assert said(team)[-1] == "@bob: ada gave you “Write it up”. It is in your hands now."
    perform(drafts.save_draft, task.pk, text="Bob's words", actor=team.actor("bob"))
    with pytest.raises(Conflict, match="bob holds it"):
        perform(drafts.save_draft, task.pk, text="too late", actor=team.actor("ada"))


def test_without_a_text_the_newest_version_goes_along(team: Team, held: Task) -> None:
    perform(control.grant, ask(team, held), actor=team.actor("ada"))
    assert texts.text_so_far(now(held).attempt) == "Ada's words"  # type: ignore[arg-type]


def test_several_may_ask_and_what_the_others_asked_is_void_then(team: Team, held: Task) -> None:
    bobs, carols = ask(team, held), ask(team, held, "carol")
    perform(control.grant, carols, actor=team.actor("ada"))
    assert ControlRequest.objects.get(pk=bobs).state == "void"
    with pytest.raises(Conflict, match="carol holds it now") as told:
        perform(control.grant, bobs, actor=team.actor("ada"))
    assert told.value.fields["holder"] == "carol"
    # Asking the next holder is another request.
    perform(control.grant, ask(team, held), actor=team.actor("carol"))
    assert now(held).holder == team.seat("bob")


def test_not_now_keeps_it_says_why_and_counts_as_an_act_of_the_holder(team: Team, held: Task) -> None:
    request = ask(team, held)
    long_ago = timezone.now() - timedelta(minutes=20)
    Attempt.objects.filter(task=held, state="working").update(progress_at=long_ago, quiet_since=long_ago)
    perform(control.refuse, request, word="Ten minutes more", actor=team.actor("ada"))
    row, attempt = ControlRequest.objects.get(pk=request), Attempt.objects.get(task=held, state="working")
    assert (row.state, row.answer, now(held).holder) == ("refused", "Ten minutes more", team.seat("ada"))
    assert attempt.quiet_since is None
    assert attempt.progress_at is not None
    assert attempt.progress_at > long_ago
    assert said(team)[-1] == "@bob: ada keeps “Write it up” for now: “Ten minutes more”"
    ask(team, held)  # and again


def test_a_request_may_be_taken_back_by_whoever_made_it_alone(team: Team, held: Task) -> None:
    request = ask(team, held)
    with pytest.raises(Conflict):
        perform(control.withdraw, request, actor=team.actor("carol"))
    perform(control.withdraw, request, actor=team.actor("bob"))
    with pytest.raises(Conflict, match="taken back"):
        perform(control.grant, request, actor=team.actor("ada"))


def test_asking_twice_says_since_when_there_is_no_answer(team: Team, held: Task) -> None:
    request = ask(team, held)
    ControlRequest.objects.filter(pk=request).update(asked_at=timezone.now() - timedelta(minutes=5))
    with pytest.raises(Conflict, match="You asked ada for it 5 min ago; there is no answer yet"):
        ask(team, held)


def test_only_what_a_person_holds_can_be_asked_for(team: Team) -> None:
    task = team.working()
    with pytest.raises(Conflict, match=r"Scribe works on it now\. You can take it over"):
        ask(team, task)


@pytest.mark.parametrize(("who", "fault"), [("gus", Forbidden), ("mallory", NotFound)])
def test_guests_and_strangers_ask_for_nothing(team: Team, held: Task, who: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        ask(team, held, who)
    with pytest.raises(fault):
        perform(control.grant, ask(team, held), actor=team.actor(who))


def test_nobody_answers_for_the_holder(team: Team, held: Task) -> None:
    request = ask(team, held)
    for who in ("bob", "carol"):
        with pytest.raises(Conflict, match="for ada to answer"):
            perform(control.grant, request, actor=team.actor(who))


@pytest.mark.parametrize("end", ["handed back", "finished", "cancelled", "forced"])
def test_a_request_is_void_when_the_task_moves_on(team: Team, held: Task, end: str) -> None:
    request, ada = ask(team, held), team.actor("ada")
    if end == "handed back":
        perform(handback.hand_back, held.pk, actor=ada)
    elif end == "finished":
        perform(finishing.submit_held, held.pk, result="Done", actor=ada)
    elif end == "cancelled":
        perform(tasks.cancel_task, held.pk, actor=ada)
        sweep(timezone.now(), quiet=False)
    else:
        perform(takeover.take_over, held.pk, force=True, actor=team.actor("carol"))
    assert ControlRequest.objects.get(pk=request).state == "void"
    answers = Entry.objects.filter(type="control.answered")
    assert [entry.payload["outcome"] for entry in answers] == ["void"]


def test_who_asks_while_a_hand_back_is_decided_is_told_that_the_task_moved_on(
    team: Team, held: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    between(monkeypatch, lambda: ask(team, held))
    perform(handback.hand_back, held.pk, actor=team.actor("ada"))
    assert ControlRequest.objects.get().state == "void"


def test_passed_on_to_who_watches_it_is_theirs_at_once(team: Team, held: Task) -> None:
    watch(team, held, "bob")
    bob = team.seat("bob").pk
    passed = perform(control.pass_on, held.pk, member_id=bob, text="As it stands", actor=team.actor("ada"))
    assert (passed.answer["state"], now(held).holder_id) == ("passed", bob)
    assert texts.text_so_far(now(held).attempt) == "As it stands"  # type: ignore[arg-type]


def test_passed_on_to_who_asked_it_is_theirs_at_once(team: Team, held: Task) -> None:
    request = ask(team, held)
    perform(control.pass_on, held.pk, member_id=team.seat("bob").pk, actor=team.actor("ada"))
    assert now(held).holder == team.seat("bob")
    assert ControlRequest.objects.get(pk=request).state == "granted"


def test_whoever_is_elsewhere_is_asked_first_and_takes_it_with_the_draft_of_then(team: Team, held: Task) -> None:
    bob, ada = team.seat("bob").pk, team.actor("ada")
    offer = perform(control.pass_on, held.pk, member_id=bob, note="You know them", text="So far", actor=ada)
    assert offer.answer["state"] == "offered"
    assert said(team)[-1] == "@bob: ada would pass “Write it up” on to you: “You know them”"
    assert now(held).holder == team.seat("ada")
    with pytest.raises(Conflict, match="bob was asked"):
        perform(control.pass_on, held.pk, member_id=bob, actor=ada)
    perform(drafts.save_draft, held.pk, text="Further by now", actor=ada)
    perform(control.grant, UUID(offer.answer["id"]), text="ignored", actor=team.actor("bob"))
    assert (now(held).holder_id, texts.text_so_far(now(held).attempt)) == (bob, "Further by now")  # type: ignore[arg-type]


def test_an_offer_may_be_left_and_taken_back(team: Team, held: Task) -> None:
    bob, ada = team.seat("bob").pk, team.actor("ada")
    offer = perform(control.pass_on, held.pk, member_id=bob, actor=ada)
    perform(control.refuse, UUID(offer.answer["id"]), word="No time", actor=team.actor("bob"))
    assert said(team)[-1] == "@ada: bob does not take “Write it up”: “No time”"
    again = perform(control.pass_on, held.pk, member_id=bob, actor=ada)
    perform(control.withdraw, UUID(again.answer["id"]), actor=ada)
    assert now(held).holder == team.seat("ada")


@pytest.mark.parametrize("who", ["gus", "scribe", "ada"])
def test_it_is_passed_on_to_people_of_the_team_alone(team: Team, held: Task, who: str) -> None:
    with pytest.raises(Invalid):
        perform(control.pass_on, held.pk, member_id=team.seat(who).pk, actor=team.actor("ada"))


def test_who_has_become_a_guest_meanwhile_is_not_given_it(team: Team, held: Task) -> None:
    request = ask(team, held)
    perform(members.set_role, team.seat("bob").pk, role="guest", actor=team.actor("ada"))
    with pytest.raises(Invalid, match="bob cannot hold a task here"):
        perform(control.grant, request, actor=team.actor("ada"))


def watch(team: Team, task: Task, who: str) -> None:
    future = watching.watch_task(task.pk, actor=team.actor(who))
    if future is not None:
        commit.wait(future)


def test_who_has_the_page_open_is_shown_and_gone_within_a_minute(team: Team, held: Task) -> None:
    for who in ("ada", "bob", "gus"):
        watch(team, held, who)
    at = timezone.now()
    assert [one.name for one in watching.watchers_of(held, at)] == ["bob", "gus"]
    gone = at + timedelta(seconds=60 - watching.RENEW)
    assert watching.watchers_of(held, gone) == []


def test_several_pages_of_one_person_write_once_and_never_to_the_journal(team: Team, held: Task) -> None:
    head = team.journal()
    watch(team, held, "bob")
    first = Watch.objects.get()
    assert watching.watch_task(held.pk, actor=team.actor("bob")) is None
    assert team.journal() == head
    Watch.objects.update(seen_at=first.seen_at - timedelta(seconds=watching.RENEW))
    watch(team, held, "bob")
    assert Watch.objects.get().seen_at >= first.seen_at


@pytest.mark.parametrize(("who", "fault"), [("mallory", NotFound)])
def test_a_stranger_watches_nothing(team: Team, held: Task, who: str, fault: type[Exception]) -> None:
    with pytest.raises(fault):
        watch(team, held, who)
