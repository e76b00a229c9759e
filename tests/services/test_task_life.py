"""A task's life through the services: every verb, its journal, its fence."""

from __future__ import annotations

import threading
from contextlib import suppress

import pytest
from django.db import connection

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Approval, Attempt, Command, Draft, Run, Task
from clawgroups.services import (
    approvals,
    drafts,
    finishing,
    handback,
    messages,
    putting,
    review,
    runs,
    sessions,
    takeover,
    tasks,
)
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

TWO = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"]},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"]},
]


def test_a_started_run_makes_only_tasks_without_dependencies_ready(team: Team) -> None:
    run = team.run(TWO)
    assert dict(Task.objects.filter(run=run).values_list("key", "state")) == {"count": "ready", "write": "waiting"}


def test_a_result_goes_from_the_agents_answer_through_review_to_done(team: Team) -> None:
    task = team.working()
    assert task.state == "working"
    assert task.blocked_on == "agent"
    team.finish("scribe", "Sales rose by 4.")
    task.refresh_from_db()
    assert (task.state, task.attempt.result) == ("in_review", "Sales rose by 4.")  # type: ignore[union-attr]
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    task.refresh_from_db()
    assert task.state == "done"
    assert Run.objects.get(pk=task.run_id).state == "consolidating"
    assert team.journal()[-5:] == [
        "task.assigned",
        "task.begun",
        "task.submitted",
        "task.done",
        "run.consolidating",
    ]


def test_the_last_parent_makes_its_child_ready(team: Team) -> None:
    run = team.run(TWO)
    count = Task.objects.get(run=run, key="count")
    perform(tasks.assign_task, count.pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    team.send("counter")
    team.answer("counter", {"sessionId": "s"})
    team.send("counter")
    team.finish("counter", "12")
    perform(review.accept_task, count.pk, actor=team.actor("ada"))
    assert Task.objects.get(run=run, key="write").state == "ready"


def test_a_takeover_keeps_the_partial_text_stops_the_agent_and_refuses_its_result(team: Team) -> None:
    task = team.working()
    agents_attempt = task.attempt
    assert agents_attempt is not None
    agents_attempt.parts.create(pk=agents_attempt.pk, ordinal=1, kind="text", text="Half a rep", at=task.created_at)
    outcome = perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    task.refresh_from_db()
    agents_attempt.refresh_from_db()
    assert (task.state, task.epoch, agents_attempt.state) == ("held", outcome.answer["epoch"], "superseded")
    assert agents_attempt.stop == "asked"
    assert Draft.objects.get(attempt_id=outcome.answer["attempt"]).text == "Half a rep"
    assert Command.objects.filter(purpose="cancel", method="session/cancel").count() == 1
    team.send("scribe")
    team.finish("scribe", "The whole report")
    task.refresh_from_db()
    agents_attempt.refresh_from_db()
    assert task.state == "held"
    assert (agents_attempt.late_result, agents_attempt.stop) == ("The whole report", "done")


def test_a_second_person_is_told_who_holds_the_task(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    with pytest.raises(Conflict, match="bob holds this task"):
        perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(takeover.take_over, task.pk, actor=team.actor("ada"), force=True)
    assert Task.objects.get(pk=task.pk).holder == team.seat("ada")


def test_a_held_task_is_finished_by_hand_through_the_same_review(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    saved = perform(drafts.save_draft, task.pk, text="By hand", actor=team.actor("bob"))
    assert saved.answer == {"version": 2, "saved": True}
    perform(finishing.submit_held, task.pk, result="By hand", actor=team.actor("bob"))
    assert Task.objects.get(pk=task.pk).state == "in_review"
    perform(review.return_task, task.pk, reasons=["no numbers"], actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.state, task.holder) == ("held", team.seat("bob"))


def test_a_hand_back_is_acknowledged_in_the_living_session_before_work_goes_on(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(drafts.save_draft, task.pk, text="Bob's words", actor=team.actor("bob"))
    perform(handback.hand_back, task.pk, note="Keep my first line", actor=team.actor("bob"))
    task.refresh_from_db()
    assert task.state == "ready"
    assert task.brief["preferred"] == str(team.seat("scribe").pk)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    (asked,) = team.send("scribe")
    assert asked.purpose == "acknowledge"
    assert "Keep my first line" in asked.params["prompt"][0]["text"]
    team.answer("scribe", {"stopReason": "end_turn"}, text="You kept the first line.")
    (work,) = team.send("scribe")
    assert work.purpose == "work"
    assert "Bob's words" in work.params["prompt"][0]["text"]
    attempt = Attempt.objects.get(task=task, state="working")
    assert attempt.acknowledgement == "You kept the first line."
    team.finish("scribe", "Bob's words, no total")
    perform(review.return_task, task.pk, reasons=["Add the total."], actor=team.actor("ada"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    (again,) = team.send("scribe")
    assert (again.purpose, again.session_id) == ("work", work.session_id)
    assert "Add the total." in again.params["prompt"][0]["text"]


def test_a_failing_agent_is_tried_three_times_then_the_task_is_written_anew_then_a_person_must_act(team: Team) -> None:
    task = team.one_task()
    for regenerated, after in ((0, ("ready", "nobody")), (1, ("stuck", "person"))):
        Task.objects.filter(pk=task.pk).update(tries=0, regenerated=regenerated)
        for _ in range(3):
            team.try_once(task, {"stopReason": "max_tokens"})
        team.vouch("scribe")
        task.refresh_from_db()
        assert (task.state, task.blocked_on, task.tries) == (*after, 3)
    assert len(task.brief["dead_ends"]) == 6
    assert task.next_actor == "ada"


def test_the_same_answer_twice_changes_nothing_the_second_time(team: Team) -> None:
    task = team.working()
    team.finish("scribe", "once")
    before = team.journal()
    command = Command.objects.get(purpose="work")
    with pytest.raises(Conflict):
        perform(
            sessions.command_answered,
            command.pk,
            link=team.links["scribe"],
            epoch=1,
            received=9,
            result={"stopReason": "end_turn"},
            text="twice",
        )
    task.refresh_from_db()
    assert task.attempt.result == "once"  # type: ignore[union-attr]
    assert team.journal() == before


def test_an_approval_is_answered_once_with_an_offered_option(team: Team) -> None:
    task = team.working()
    session = task.attempt.sessions.get()  # type: ignore[union-attr]
    agent = team.agents["scribe"]
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=agent.pk)
    options = [{"optionId": "y", "name": "Yes", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]
    asked = perform(
        putting.request_approval, session.pk, request_id=0, tool_call={"title": "rm"}, options=options, actor=me
    )
    again = perform(
        putting.request_approval, session.pk, request_id=0, tool_call={"title": "rm"}, options=options, actor=me
    )
    assert asked.answer == again.answer
    assert Task.objects.get(pk=task.pk).blocked_on == "person"
    approval = Approval.objects.get()
    with pytest.raises(Invalid):
        perform(approvals.decide_approval, approval.pk, option_id="maybe", actor=team.actor("bob"))
    perform(approvals.decide_approval, approval.pk, option_id="y", actor=team.actor("bob"))
    with pytest.raises(Conflict):
        perform(approvals.decide_approval, approval.pk, option_id="n", actor=team.actor("ada"))
    reply = Command.objects.get(purpose="reply")
    assert reply.params == {"id": 0, "result": {"outcome": {"outcome": "selected", "optionId": "y"}}}
    assert Task.objects.get(pk=task.pk).blocked_on == "agent"


def test_cancelling_a_run_cancels_its_tasks_and_asks_the_agents_to_stop(team: Team) -> None:
    task = team.working()
    perform(runs.cancel_run, task.run_id, actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.state, task.run.state) == ("cancelled", "cancelled")
    assert Command.objects.filter(purpose="cancel", state="open").exists()


def test_cancelling_a_task_cancels_what_needs_it_and_ends_the_run(team: Team) -> None:
    run = team.run(TWO)
    perform(tasks.cancel_task, Task.objects.get(run=run, key="count").pk, actor=team.actor("ada"))
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"cancelled"}
    assert Run.objects.get(pk=run.pk).state == "consolidating"


@pytest.mark.parametrize(("who", "fault"), [("gus", Forbidden), ("mallory", NotFound)])
def test_who_may_not_take_over_changes_nothing(team: Team, who: str, fault: type[Exception]) -> None:
    task = team.working()
    before = team.journal()
    with pytest.raises(fault):
        perform(takeover.take_over, task.pk, actor=team.actor(who))
    assert team.journal() == before


def test_an_empty_goal_and_a_plan_with_a_cycle_say_what_to_do(team: Team) -> None:
    with pytest.raises(Invalid, match="Goal is empty"):
        perform(runs.draft_run, team.workspace.pk, goal="  ", actor=team.actor("ada"))
    cycle = [{"key": "a", "title": "A", "depends_on": ["b"]}, {"key": "b", "title": "B", "depends_on": ["a"]}]
    with pytest.raises(Invalid, match="in a circle: a → b → a"):
        perform(runs.draft_run, team.workspace.pk, goal="x", plan=cycle, actor=team.actor("ada"))
    assert not Run.objects.exists()


def test_a_repeated_operation_gives_the_first_answer_and_writes_once(team: Team) -> None:
    first = perform(messages.post_message, team.workspace.pk, body="hi", actor=team.actor("ada"), operation="k1")
    again = perform(messages.post_message, team.workspace.pk, body="hi", actor=team.actor("ada"), operation="k1")
    assert again.repeated
    assert again.answer == first.answer
    assert team.workspace.messages.count() == 1


def test_only_the_newest_draft_version_counts_and_only_its_holder_writes_it(team: Team) -> None:
    task = team.working()
    with pytest.raises(Conflict, match="nobody holds it"):
        perform(drafts.save_draft, task.pk, text="x", actor=team.actor("bob"))


def test_what_stands_in_the_editor_goes_along_with_the_hand_back(team: Team) -> None:
    task = team.working()
    held = perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="saved a while ago", actor=team.actor("bob"))
    perform(handback.hand_back, task.pk, note="", text="typed just now", actor=team.actor("bob"))
    task.refresh_from_db()
    assert task.brief["handback"]["draft"] == "typed just now"
    newest = Draft.objects.filter(attempt=held.answer["attempt"]).order_by("version").last()
    assert newest is not None
    assert newest.text == "typed just now"


@pytest.mark.django_db(transaction=True)
def test_a_save_under_way_does_not_replace_what_is_handed_back(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    bob = team.actor("bob")

    def saving() -> None:
        for _ in range(5):
            with suppress(Conflict):
                perform(drafts.save_draft, task.pk, text="an older text", actor=bob)
        connection.close()

    saver = threading.Thread(target=saving)
    saver.start()
    for _ in range(10):  # whoever loses three times is told so and may ask again
        with suppress(Conflict):
            perform(handback.hand_back, task.pk, text="the last word", actor=bob)
            break
    saver.join()
    task.refresh_from_db()
    assert task.brief["handback"]["draft"] == "the last word"
