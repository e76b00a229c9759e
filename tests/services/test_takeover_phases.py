"""A takeover in every phase of a task: what happens, what others are told, and what is said where it cannot be."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Connection
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict, Forbidden, NotFound
from clawgroups.fragments.tasks import cards_of
from clawgroups.models import Approval, Attempt, Command, Draft, Entry, Message, Session, Step, Task
from clawgroups.services import (
    approvals,
    asking,
    control,
    drafts,
    finishing,
    handback,
    members,
    putting,
    review,
    runs,
    takeover,
    tasks,
)
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.conftest import Clock

pytestmark = pytest.mark.django_db

TWO = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
    {"key": "other", "title": "Other", "skills": ["writing"]},
]


def now(task: Task) -> Task:
    return Task.objects.select_related("holder", "attempt").get(pk=task.pk)


def take(team: Team, task: Task, who: str = "bob", **more: object) -> Task:
    perform(takeover.take_over, task.pk, actor=team.actor(who), **more)  # type: ignore[arg-type]
    return now(task)


def how() -> list[str]:
    return [entry.payload["how"] for entry in Entry.objects.filter(type="task.taken_over").order_by("seq")]


def test_idle_one_that_nobody_has_begun(team: Team) -> None:
    task = take(team, team.one_task())
    assert (task.state, task.holder, task.next_actor) == ("held", team.seat("bob"), "bob")


def test_idle_one_that_is_stuck(team: Team) -> None:
    task = team.one_task()
    perform(tasks.stick_task, task.pk, reason="Nobody can", who="ada", match={}, actor=coordinator(team))
    held = take(team, task)
    assert (held.state, held.reason) == ("held", "")


def test_offered_but_not_begun_the_agent_never_gets_the_prompt(team: Team) -> None:
    task = team.assigned()
    take(team, task)
    assert not Command.objects.filter(purpose__in=["open", "work"], state="open").exists()


def test_prompting_the_turn_is_cancelled_and_its_words_are_the_draft(team: Team) -> None:
    task = team.working()
    attempt = Attempt.objects.get(task=task)
    attempt.parts.create(pk=attempt.pk, ordinal=1, kind="text", text="Half a rep", at=task.created_at)
    held = take(team, task)
    assert Command.objects.filter(purpose="cancel").count() == 1
    assert Draft.objects.get(attempt=held.attempt).text == "Half a rep"


def test_in_a_tool_call_it_is_listed_as_it_was_and_not_changed_any_more(team: Team) -> None:
    task = team.working()
    attempt = Attempt.objects.get(task=task)
    Step.objects.create(
        pk=attempt.pk, attempt=attempt, ordinal=1, tool_call_id="t", title="Send it", status="in_progress",
        started_at=task.created_at,
    )  # fmt: skip
    take(team, task)
    assert Step.objects.get().status == "in_progress"


def test_with_a_question_open_it_is_void_and_whoever_answers_it_late_is_told_who_has_it(team: Team) -> None:
    task = team.working()
    session = Session.objects.get(task=task)
    agent = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}]
    perform(putting.request_approval, session.pk, request_id=1, tool_call={}, options=options, actor=agent)
    take(team, task)
    approval = Approval.objects.get()
    reply = Command.objects.get(purpose="reply")
    assert (approval.state, reply.params["result"]) == ("void", {"outcome": {"outcome": "cancelled"}})
    with pytest.raises(Conflict, match="bob took the task over"):
        perform(approvals.decide_approval, approval.pk, option_id="y", actor=team.actor("ada"))


def test_a_result_in_review_goes_into_the_draft_and_is_not_accepted_any_more(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "The whole report")
    held = take(team, task)
    assert Draft.objects.get(attempt=held.attempt).text == "The whole report"
    with pytest.raises(Conflict):
        perform(review.accept_task, task.pk, actor=coordinator(team))


def test_with_the_agent_offline_nothing_is_waited_for(team: Team) -> None:
    task = team.working()
    Connection.objects.update(closed_at=timezone.now())
    assert take(team, task).state == "held"


def test_the_coordinator_gives_away_nothing_that_a_person_holds(team: Team) -> None:
    held = take(team, team.one_task())
    with pytest.raises(Conflict):
        perform(tasks.assign_task, held.pk, member_id=team.seat("scribe").pk, actor=coordinator(team))
    assert now(held).holder == team.seat("bob")


def test_who_is_asked_for_a_task_takes_it_as_asked(team: Team) -> None:
    perform(members.set_profile, team.workspace.pk, skills=[], capacity=1, actor=team.actor("bob"))
    task = team.one_task()
    perform(asking.ask_member, task.pk, member_id=team.seat("bob").pk, match={}, actor=coordinator(team))
    take(team, task)
    assert how() == ["accepted"]


def test_other_tasks_are_left_alone_and_a_dependant_says_who_it_waits_for(team: Team) -> None:
    run = team.run(TWO)
    count, write, other = (Task.objects.get(run=run, key=key) for key in ("count", "write", "other"))
    take(team, count)
    (card,) = cards_of([write.pk])
    assert card.held == (("Count", "bob"),)
    assert (now(other).state, now(other).epoch, now(write).state) == ("ready", other.epoch, "waiting")


def test_one_that_waits_says_for_what_and_who_works_on_that(team: Team) -> None:
    run = team.run(TWO)
    take(team, Task.objects.get(run=run, key="count"), "ada")
    with pytest.raises(Conflict, match="waits for “Count”, which ada works on") as told:
        take(team, Task.objects.get(run=run, key="write"))
    assert told.value.code == "waiting"


def test_one_of_a_plan_says_that_the_run_is_to_be_started(team: Team) -> None:
    run = team.run(TWO, start=False)
    with pytest.raises(Conflict, match="Start the run"):
        take(team, Task.objects.get(run=run, key="count"))


def test_one_that_is_over_says_how_it_ended_and_what_is_possible(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "Done")
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    with pytest.raises(Conflict, match=r"“Write it up” is done .* ago; nobody can take it over.*new goal") as told:
        take(team, task)
    assert (told.value.code, told.value.fields["state"]) == ("closed", "done")
    gone = team.one_task()
    perform(runs.cancel_run, gone.run_id, actor=team.actor("ada"))
    with pytest.raises(Conflict, match="was cancelled"):
        take(team, gone)


def test_a_guest_is_told_the_role_and_whom_to_ask_and_a_stranger_nothing(team: Team) -> None:
    task = team.working()
    with pytest.raises(Forbidden, match=r"Your role here is guest.*Ask ada or carol"):
        take(team, task, "gus")
    with pytest.raises(NotFound):
        take(team, task, "mallory")


def test_one_that_another_holds_names_them_since_when_and_the_next_step(clock: Clock, team: Team) -> None:
    task = take(team, team.working(), "ada")
    clock.go(300)
    perform(drafts.save_draft, task.pk, text="On it", actor=team.actor("ada"))
    clock.go(120)
    with pytest.raises(
        Conflict, match=r"ada holds this task since 7 min \(did something 2 min ago\). Ask them"
    ) as told:
        take(team, task)
    assert (told.value.code, told.value.fields["idle_seconds"], told.value.fields["holder"]) == ("held", 120, "ada")
    with pytest.raises(Conflict, match="holds this task"):
        take(team, task, "bob", force=True)  # a member forces nothing


def test_an_admin_forces_it_with_a_reason_that_is_journaled_and_told(team: Team) -> None:
    task = take(team, team.working(), "bob")
    perform(drafts.save_draft, task.pk, text="Bob's words", actor=team.actor("bob"))
    held = take(team, task, "carol", force=True, reason="The client is on the line")
    entry = Entry.objects.filter(type="task.taken_over").latest("seq")
    assert entry.payload["how"] == "forced"
    assert (entry.payload["former_id"], entry.payload["reason"]) == (str(task.holder_id), "The client is on the line")
    told = Message.objects.latest("created_at").body
    assert told == (
        "@bob: carol took “Write it up” from you: The client is on the line. Your text is kept on its page."
    )
    assert Draft.objects.get(attempt=held.attempt).text == "Bob's words"
    with pytest.raises(Conflict, match=r"carol holds it now\. Ask them for it"):
        perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("bob"))


def test_what_was_seen_before_it_moved_on_is_not_acted_on(team: Team) -> None:
    task = team.working()
    take(team, task, "ada")
    with pytest.raises(Conflict, match="moved on while you looked at it: ada holds it now") as told:
        take(team, task, "bob", epoch=task.epoch)
    assert (told.value.code, told.value.fields["holder"]) == ("moved_on", "ada")


def coordinator(team: Team) -> Actor:
    return Actor(ActorKind.COORDINATOR, "Coordinator", on_behalf_of=team.users["ada"].pk)


# A holder who does nothing


def test_idle_first_reminded_then_offered_and_never_handed_back_by_itself(clock: Clock, team: Team) -> None:
    task = take(team, team.working(), "ada")
    clock.until(14 * 60, team)
    assert not Message.objects.filter(body__startswith="@ada").exists()
    clock.until(16 * 60, team)
    assert Message.objects.latest("created_at").body.startswith("@ada: “Write it up” is in your hands and has not")
    quiet = Attempt.objects.get(task=task, state="working")
    assert quiet.quiet_since == quiet.progress_at
    assert now(task).deadline_effect.startswith("it is offered to others")
    with pytest.raises(Conflict, match="idle for"):
        take(team, task)
    clock.until(61 * 60, team)
    assert "may take it over" in Message.objects.latest("created_at").body
    clock.until(600 * 60, team)
    assert now(task).holder == team.seat("ada")
    assert take(team, task).holder == team.seat("bob")
    assert how() == ["taken", "offered"]


@pytest.mark.parametrize("act", ["draft", "refuse"])
def test_any_act_of_the_holder_begins_the_time_anew(clock: Clock, team: Team, act: str) -> None:
    task = take(team, team.working(), "ada")
    clock.until(20 * 60, team)
    at = clock.now
    if act == "draft":
        perform(drafts.save_draft, task.pk, text="On it", actor=team.actor("ada"))
    else:
        request = perform(control.ask_for, task.pk, actor=team.actor("bob")).answer["id"]
        perform(control.refuse, request, actor=team.actor("ada"))
    attempt = Attempt.objects.get(task=task, state="working")
    assert (attempt.progress_at, attempt.quiet_since) == (at, None)
    assert now(task).deadline_at == at + timedelta(minutes=15)
    clock.until(34 * 60, team)
    assert Attempt.objects.get(task=task, state="working").quiet_since is None


def test_what_is_idle_is_so_across_a_restart(clock: Clock, team: Team) -> None:
    """Nothing of it is in a process: the sweep of another one finds the same rows, and no deadline twice."""
    task = take(team, team.working(), "ada")
    clock.until(16 * 60, team)
    said = Message.objects.count()
    clock.sweep()  # as after a start, which expires nothing of the agents
    clock.sweep(quiet=True)
    assert Message.objects.count() == said
    clock.go(50 * 60)  # down for all that time
    clock.sweep(quiet=True)
    assert "may take it over" in Message.objects.latest("created_at").body
    assert take(team, task).holder == team.seat("bob")


def test_handed_back_and_taken_again_the_former_page_is_stale(team: Team) -> None:
    task = take(team, team.working(), "ada")
    perform(handback.hand_back, task.pk, actor=team.actor("ada"))
    take(team, task, "ada")
    with pytest.raises(Conflict, match="moved on"):
        perform(takeover.take_over, task.pk, epoch=task.epoch, actor=team.actor("bob"))
