"""Every try that ends without an accepted result: its kind, what follows, and what the next one is told."""

from __future__ import annotations

from typing import Any

import pytest
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent, Connection
from clawgroups.core.actors import coordinator_for
from clawgroups.core.failures import Failure
from clawgroups.core.retries import MAX_TRIES
from clawgroups.models import Artifact, Attempt, Command, Entry, Run, Session, Task
from clawgroups.services import handback, review, sessions, takeover, tasks
from clawgroups.services.artifacts import work_file, work_files
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

Json = dict[str, Any]


def assign(team: Team, task: Task, name: str = "scribe") -> None:
    perform(tasks.assign_task, task.pk, member_id=team.seat(name).pk, actor=team.actor("ada"))


def refuse(team: Team, error: Json, name: str = "scribe") -> None:
    """The agent answers its oldest open request with an error."""
    link = team.links[name]
    command = Command.objects.filter(agent=team.agents[name], state="sent").earliest("created_at")
    epoch = Connection.objects.get(pk=link).epoch
    perform(sessions.command_answered, command.pk, link=link, epoch=epoch, received=0, error=error)


@pytest.mark.parametrize(
    ("stop", "failure"),
    [
        ("max_tokens", Failure.OUT_OF_TOKENS),
        ("max_turn_requests", Failure.OUT_OF_TURNS),
        ("refusal", Failure.REFUSED),
        ("cancelled", Failure.STOPPED),
        ("done_and_dusted", Failure.MALFORMED),
        ("", Failure.MALFORMED),
    ],
)
def test_a_turn_that_ends_without_a_result_has_a_kind_on_task_attempt_and_journal(
    team: Team, stop: str, failure: Failure
) -> None:
    task = team.one_task()
    team.try_once(task, {"stopReason": stop} if stop else {})
    task.refresh_from_db()
    assert (task.state, task.failure, Attempt.objects.get(task=task).failure) == ("ready", failure, failure)
    said = Entry.objects.get(type="task.released").payload
    assert said["failure"] == failure
    assert said["reason"] == task.reason
    assert task.brief["dead_ends"][0]["failure"] == failure


@pytest.mark.parametrize(
    ("error", "failure", "tries"),
    [
        ({"code": -32000, "message": "sign in"}, Failure.LOGIN_NEEDED, 0),
        ({"code": 401, "message": "API key not valid"}, Failure.LOGIN_NEEDED, 0),
        ({"code": -32016, "message": "not allowed"}, Failure.SCOPE_DENIED, 1),
        ({"code": -32603, "message": "boom"}, Failure.ERROR, 1),
        ({}, Failure.ERROR, 1),
    ],
)
@pytest.mark.parametrize("opening", [True, False])
def test_an_error_has_a_kind_in_opening_and_in_working(
    team: Team, error: Json, failure: Failure, tries: int, opening: bool
) -> None:
    task = team.assigned() if opening else team.working()
    if opening:
        team.send("scribe")
    refuse(team, error)
    task.refresh_from_db()
    assert (task.state, task.failure, task.tries) == ("ready", failure, tries)
    assert Run.objects.get(pk=task.run_id).retries == tries


def test_a_session_without_an_id_is_malformed(team: Team) -> None:
    task = team.assigned()
    team.send("scribe")
    team.answer("scribe", {})
    assert Task.objects.get(pk=task.pk).failure == Failure.MALFORMED


def test_what_happens_next_is_said_with_the_reason(team: Team) -> None:
    task = team.one_task()
    team.try_once(task, {"stopReason": "max_tokens"})
    task.refresh_from_db()
    assert task.reason == (
        "the agent ran out of tokens; it is given to the next best member, with what was done so far"
    )


def test_who_refused_it_is_not_asked_again_and_who_ran_out_of_tokens_may_be(team: Team) -> None:
    task = team.one_task()
    team.try_once(task, {"stopReason": "max_tokens"})
    task.refresh_from_db()
    assert "refused" not in task.brief
    team.try_once(task, {"stopReason": "refusal"}, text="I may not.")
    task.refresh_from_db()
    assert task.brief["refused"] == [str(team.seat("scribe").pk)]


def test_a_person_who_takes_a_task_back_costs_it_no_try(team: Team) -> None:
    task = team.working()
    perform(tasks.release_task, task.pk, reason="wrong agent", epoch=task.epoch, actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.tries, task.failure, Run.objects.get(pk=task.run_id).retries) == (0, "released", 0)
    assert Attempt.objects.get(task=task).state == "refused"


def test_a_program_that_is_gone_is_a_crash(team: Team) -> None:
    task = team.working()
    perform(sessions.session_lost, Session.objects.get(task=task).pk, reason="the agent was started anew")
    task.refresh_from_db()
    assert (task.failure, Attempt.objects.get(task=task).failure) == ("crashed", "crashed")


def test_beyond_the_runs_retry_budget_a_failing_task_goes_to_a_person_at_once(team: Team) -> None:
    task = team.one_task()
    Run.objects.filter(pk=task.run_id).update(retries=6)
    team.try_once(task, {"stopReason": "max_tokens"})
    task.refresh_from_db()
    assert (task.state, task.blocked_on, task.next_actor, task.tries) == ("stuck", "person", "ada", 3)
    assert "The 6 further tries of this run are used up" in task.reason
    assert "the agent ran out of tokens" in task.reason
    assert Run.objects.get(pk=task.run_id).retries == 6


def test_every_retry_of_a_run_is_counted_returned_results_too(team: Team) -> None:
    task = team.one_task()
    team.try_once(task, {"stopReason": "max_tokens"})
    team.try_once(task, {"stopReason": "end_turn"}, text="Short.")
    perform(review.return_task, task.pk, reasons=["Too short."], actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.state, task.failure, Run.objects.get(pk=task.run_id).retries) == ("ready", "not_accepted", 2)
    assert Attempt.objects.get(task=task, number=2).failure == "not_accepted"


@pytest.mark.parametrize("judge", ["ada", "coordinator"])
def test_before_the_last_try_only_a_person_sends_a_result_back_to_its_maker(team: Team, judge: str) -> None:
    task = team.one_task()
    team.try_once(task, {"stopReason": "max_tokens"}, name="scribe")
    team.try_once(task, {"stopReason": "end_turn"}, text="Short.")
    actor = team.actor("ada") if judge == "ada" else coordinator_for(team.users["ada"].pk)
    perform(review.return_task, task.pk, reasons=["Too short."], actor=actor)
    task.refresh_from_db()
    assert task.tries == MAX_TRIES - 1
    assert task.brief["preferred"] == (str(team.seat("scribe").pk) if judge == "ada" else "")


def test_who_fails_at_mending_its_result_is_not_preferred_any_more(team: Team) -> None:
    task = team.one_task()
    team.try_once(task, {"stopReason": "end_turn"}, text="Short.")
    perform(review.return_task, task.pk, reasons=["Too short."], actor=team.actor("ada"))
    task.refresh_from_db()
    assert task.brief["preferred"] == str(team.seat("scribe").pk)
    assign(team, task)
    team.send("scribe")
    team.answer("scribe", {"stopReason": "max_tokens"})
    task.refresh_from_db()
    assert task.brief["preferred"] == ""


def test_after_the_last_try_and_the_rewriting_a_returned_result_names_who_must_act(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(tries=2, regenerated=1)
    team.try_once(task, {"stopReason": "end_turn"}, text="Short.")
    perform(review.return_task, task.pk, reasons=["Too short."], actor=team.actor("ada"))
    task.refresh_from_db()
    assert (task.state, task.next_actor) == ("stuck", "ada")
    assert "It was written anew before, and that did not help either. The last try: Too short." in task.reason
    assert team.journal()[-2:] == ["task.returned", "task.stuck"]


def test_the_owner_of_the_only_agent_that_fits_is_the_one_who_can_help(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(tries=2, regenerated=1)
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(owner=team.users["bob"])
    team.try_once(task, {"stopReason": "max_tokens"})
    assert Task.objects.get(pk=task.pk).next_actor == "bob, who owns Scribe"


def test_a_task_that_a_person_held_after_its_last_try_can_be_tried_once_more(team: Team) -> None:
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(tries=4, state="stuck")
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(handback.hand_back, task.pk, actor=team.actor("bob"))
    assert Task.objects.get(pk=task.pk).tries == 2


def left_by_a_try(team: Team, task: Task) -> None:
    """A try that wrote half a text, delivered a file, was in the middle of two calls, and ran out of tokens."""
    assign(team, task)
    team.send("scribe")
    team.answer("scribe", {"sessionId": "one"})
    team.send("scribe")
    attempt = Attempt.objects.get(task=task, state="working")
    now = timezone.now()
    attempt.parts.create(pk=new_id(), ordinal=1, kind="text", text="Half a\nreport", at=now)
    for number, status in enumerate(("completed", "in_progress", "pending"), 2):
        attempt.steps.create(
            pk=new_id(),
            ordinal=number,
            tool_call_id=f"c{number}",
            title=f"Call {number}",
            status=status,
            started_at=now,
        )
    Artifact.objects.create(
        workspace=team.workspace, run_id=task.run_id, task=task, attempt=attempt, kind="result", name="table.csv",
        revision=1, size=2, sha256="0" * 64, content_type="text/csv", actor={}, created_at=now,
    )  # fmt: skip
    team.answer("scribe", {"stopReason": "max_tokens"})


def test_the_next_try_is_told_what_the_last_one_had_done_quoted_and_as_data(team: Team) -> None:
    task = team.one_task()
    left_by_a_try(team, task)
    assign(team, task)
    team.send("scribe")
    team.answer("scribe", {"sessionId": "two"})
    (work,) = [c for c in team.send("scribe") if c.purpose == "work"]
    text = work.params["prompt"][0]["text"]
    assert "> Half a\n> report" in text
    assert "> - the agent ran out of tokens" in text
    assert "- before/table.csv (left by an earlier try)" in text
    assert "> - Call 3\n> - Call 4" in text
    assert "Call 2" not in text
    meta = work.params["_meta"]["clawgroups"]["task"]
    assert meta["dead_ends"] == [{"reason": "the agent ran out of tokens", "failure": "out_of_tokens"}]
    assert meta["earlier"] == {
        "from": "Scribe", "number": 1, "text": "Half a\nreport", "files": ["table.csv"], "calls": ["Call 3", "Call 4"],
    }  # fmt: skip
    assert {"name": "before/table.csv", "from": "write"} in meta["inputs"]
    session = Session.objects.get(task=task, acp_id="two")
    assert [f.name for f in work_files(session)] == ["before/table.csv"]
    assert work_file(session, "before/table.csv") == work_files(session)[0]
    assert work_file(session, "table.csv") is None


def test_what_an_earlier_try_wrote_is_bounded_to_its_end(team: Team) -> None:
    task = team.one_task()
    left_by_a_try(team, task)
    attempt = Attempt.objects.get(task=task)
    attempt.parts.update(text="x" * 30_000 + "the end")
    assign(team, task)
    told = Attempt.objects.get(task=task, number=2).brief["earlier"]["text"]
    assert len(told) == 20_000
    assert told.endswith("the end")


def test_a_returned_result_goes_along_where_its_session_is_gone_and_not_where_it_lives_on(team: Team) -> None:
    task = team.one_task()
    for number, closed in ((2, False), (3, True)):
        if number == 2:
            team.try_once(task, {"stopReason": "end_turn"}, text="First version.")
        else:
            team.send("scribe")
            team.finish("scribe", "First version.")
        perform(review.return_task, task.pk, reasons=["More."], actor=team.actor("ada"))
        if closed:
            Session.objects.update(state="closed")
        assign(team, task)
        brief = Attempt.objects.get(task=task, number=number).brief
        assert brief.get("earlier", {}).get("text") == ("First version." if closed else None)


def test_what_a_person_hands_back_is_not_overlaid_by_the_agents_earlier_words(team: Team) -> None:
    task = team.one_task()
    left_by_a_try(team, task)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(handback.hand_back, task.pk, actor=team.actor("bob"), text="Bob's words")
    assign(team, task)
    brief = Attempt.objects.filter(task=task).latest("number").brief
    assert "earlier" not in brief
    assert brief["handback"]["draft"] == "Bob's words"
