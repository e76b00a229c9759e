"""One agent, a run's, a workspace's agents are stopped: at nobody's expense, and with a clear next step."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups.coordinator.evidence import look
from clawgroups.coordinator.loop import take_turn
from clawgroups.core.errors import Conflict, Forbidden, NotFound
from clawgroups.core.invariants import breaches
from clawgroups.fragments.agents import Work
from clawgroups.fragments.stop_progress import progress_of
from clawgroups.models import Attempt, Command, Member, Run, Session, Task
from clawgroups.reactions import react
from clawgroups.services import choices, pausing, regenerate, runs, sessions, stopping, takeover, tasks
from clawgroups.services.perform import perform
from clawgroups.services.stop_all import stop_the_rest
from clawgroups.services.sweep import sweep
from tests.conftest import Team, online_agent
from tests.services.conftest import fresh, latest

pytestmark = pytest.mark.django_db
THREE = [{"key": key, "title": key.title(), "skills": [skill]} for key, skill in
         (("write", "writing"), ("count", "data-analysis"), ("judge", "review"))]  # fmt: skip


def sound() -> None:
    assert [one.sentence for one in breaches(look(), timezone.now())] == []


def turn(team: Team, run_id: object) -> None:
    react(team.workspace.pk)
    take_turn(run_id)  # type: ignore[arg-type]


def test_a_stopped_task_waits_for_a_person_and_says_what_can_be_done(team: Team) -> None:
    task = team.working()
    outcome = perform(stopping.stop_task, task.pk, reason="The numbers are old.", actor=team.actor("bob"))
    after = fresh(task)
    assert outcome.answer == {
        "id": str(task.pk), "state": "stuck", "epoch": task.epoch + 1, "attempt": str(task.attempt_id),
    }  # fmt: skip
    assert (after.state, after.epoch, after.attempt, after.assignee) == ("stuck", task.epoch + 1, None, None)
    assert (after.blocked_on, after.next_actor) == ("person", "bob")
    assert after.reason == (
        "bob stopped it: The numbers are old. Let Scribe go on, give it to somebody else, write it anew, "
        "take it over, or cancel it."
    )
    assert latest(task).reason == "bob stopped it: The numbers are old"
    assert team.journal()[-2:] == ["task.stopped", "task.stuck"]
    sound()


def test_the_agent_is_asked_to_stop_and_its_answer_confirms_it_once(team: Team) -> None:
    task = team.working()
    perform(stopping.stop_task, task.pk, actor=team.actor("ada"))
    assert (latest(task).state, latest(task).stop) == ("cancelled", "asked")
    assert [c.method for c in team.send("scribe")] == ["session/cancel"]
    team.answer("scribe", {"stopReason": "cancelled"})
    assert latest(task).stop == "done"
    assert team.journal()[-1] == "attempt.stop_confirmed"


def test_a_program_that_is_gone_confirms_the_stop_too(team: Team) -> None:
    task = team.working()
    perform(stopping.stop_task, task.pk, actor=team.actor("ada"))
    perform(sessions.session_lost, Session.objects.get(task=task).pk, reason="gone")
    assert latest(task).stop == "done"
    assert team.journal().count("attempt.stop_confirmed") == 1


def test_a_stop_costs_no_try_no_retry_and_nothing_on_the_agents_record(team: Team) -> None:
    task = team.working()
    for _ in range(6):
        perform(stopping.stop_task, task.pk, actor=team.actor("ada"))
        assert fresh(task).tries == 0
        perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    agent = Agent.objects.get(pk=team.agents["scribe"].pk)
    assert (agent.breaker, agent.health) == ("closed", {})
    assert Run.objects.get(pk=task.run_id).retries == 0
    record = Work(agent, Member.objects.filter(user=team.users["ada"])).record
    assert (record.total.total, record.failures) == (0, ())


def test_the_coordinator_leaves_a_stopped_task_to_people_and_resuming_gives_it_to_the_same_agent(team: Team) -> None:
    team.agents["poet"] = online_agent(team, "poet", "writing")
    task = team.working("poet")
    perform(stopping.stop_task, task.pk, actor=team.actor("ada"))
    turn(team, task.run_id)
    assert fresh(task).state == "stuck"
    team.send("poet")
    team.answer("poet", {"stopReason": "cancelled"})
    perform(pausing.resume_task, task.pk, actor=team.actor("bob"))
    assert (fresh(task).state, fresh(task).failure, fresh(task).reason) == ("ready", "", "")
    turn(team, task.run_id)
    again = fresh(task)
    assert (again.state, again.assignee) == ("assigned", team.seat("poet"))
    # In the session that it had, which knows what it did.
    session = Session.objects.get(task=task)
    assert session.attempt_id == again.attempt_id
    prompt = Command.objects.filter(session=session, purpose="work").latest("created_at")
    text = prompt.params["prompt"][0]["text"]
    assert "ada stopped it; that was no judgement of the work. Go on from what is there" in text
    assert "interrupted" not in again.brief


def test_the_next_one_gets_what_the_stopped_one_had_done(team: Team) -> None:
    task = team.working()
    attempt = latest(task)
    attempt.parts.create(pk=attempt.pk, ordinal=1, kind="text", text="Half a report.", at=timezone.now())
    perform(stopping.stop_task, task.pk, actor=team.actor("ada"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("judge").pk, actor=team.actor("ada"))
    assert latest(task).brief["earlier"]["text"] == "Half a report."


@pytest.mark.parametrize("way", ["take over", "write anew", "choose", "cancel"])
def test_every_next_step_that_is_named_is_possible(team: Team, way: str) -> None:
    task, ada = team.working(), team.actor("ada")
    perform(stopping.stop_task, task.pk, actor=ada)
    match way:
        case "take over":
            perform(takeover.take_over, task.pk, actor=ada)
        case "write anew":
            perform(regenerate.regenerate_task, task.pk, instructions="Shorter.", actor=ada)
        case "choose":
            perform(choices.choose_member, task.pk, member_id=team.seat("judge").pk, actor=ada)
        case _:
            perform(tasks.cancel_task, task.pk, actor=ada)
    state = {"take over": "held", "write anew": "ready", "choose": "ready", "cancel": "cancelled"}[way]
    assert (fresh(task).state, fresh(task).failure) == (state, "halted" if way in ("take over", "cancel") else "")
    sound()


def test_where_no_agent_is_at_it_the_answer_says_who_has_it(team: Team) -> None:
    ada, task = team.actor("ada"), team.one_task()
    with pytest.raises(Conflict, match="No agent is at this task: it is ready and waits for coordinator") as refused:
        perform(stopping.stop_task, task.pk, actor=ada)
    assert refused.value.code == "nobody_at_it"
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    with pytest.raises(Conflict, match="bob works on this task by hand") as refused:
        perform(stopping.stop_task, task.pk, actor=ada)
    assert (refused.value.code, refused.value.fields["holder"]) == ("held", "bob")
    perform(tasks.cancel_task, task.pk, actor=ada)
    with pytest.raises(Conflict, match="cancelled; there is nothing to stop"):
        perform(stopping.stop_task, task.pk, actor=ada)
    other = team.working()
    team.finish("scribe", "The end.")
    with pytest.raises(Conflict, match="in review") as refused:
        perform(stopping.stop_task, other.pk, actor=ada)
    assert refused.value.code == "in_review"


def test_a_page_that_is_older_than_the_task_stops_nobody(team: Team) -> None:
    task = team.working()
    with pytest.raises(Conflict, match="moved on while you looked at it: Scribe works on it now") as refused:
        perform(stopping.stop_task, task.pk, epoch=task.epoch - 1, actor=team.actor("ada"))
    assert (refused.value.code, refused.value.fields["epoch"]) == ("moved_on", task.epoch)
    perform(stopping.stop_task, task.pk, epoch=task.epoch, actor=team.actor("ada"))


def test_only_the_team_stops_anybody(team: Team) -> None:
    task = team.working()
    for who, kind in (("gus", Forbidden), ("mallory", NotFound)):
        for verb, pk in (
            (stopping.stop_task, task.pk),
            (stopping.stop_run, task.run_id),
            (stopping.stop_workspace, team.workspace.pk),
            (pausing.pause_task, task.pk),
            (pausing.resume_task, task.pk),
        ):
            with pytest.raises(kind):
                perform(verb, pk, actor=team.actor(who))


# Everything


def three_at_work(team: Team) -> Run:
    run = team.run(THREE)
    for task, name in zip(Task.objects.filter(run=run), ("scribe", "counter", "judge"), strict=True):
        perform(tasks.assign_task, task.pk, member_id=team.seat(name).pk, actor=team.actor("ada"))
        team.send(name)
        team.answer(name, {"sessionId": f"acp-{task.pk}"})
        team.send(name)
    return run


def test_stopping_a_run_stops_every_turn_and_resuming_it_gives_each_back_to_whoever_had_it(team: Team) -> None:
    run, ada = three_at_work(team), team.actor("ada")
    outcome = perform(stopping.stop_run, run.pk, actor=ada)
    assert outcome.answer == {"id": str(run.pk), "paused": True, "asked": 3, "left": 0}
    run.refresh_from_db()
    assert (run.paused, run.reason) == (True, "ada stopped everything.")
    before = dict(Attempt.objects.filter(task__run=run).values_list("task_id", "member_id"))
    for task in Task.objects.filter(run=run):
        assert (task.state, task.tries, task.next_actor) == ("ready", 0, "ada, who may resume the run")
        assert task.resting_since is not None
        assert latest(task).reason == "ada stopped everything"
    sound()
    for name in ("scribe", "counter", "judge"):
        team.send(name)
        team.answer(name, {"stopReason": "cancelled"})
    assert progress_of(run.pk).as_json() == {"asked": 3, "stopped": 3, "stopping": 0, "unconfirmed": 0}
    turn(team, run.pk)
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"ready"}
    perform(runs.resume_run, run.pk, actor=ada)
    run.refresh_from_db()
    assert (run.paused, run.reason) == (False, "")
    turn(team, run.pk)
    assert dict(Task.objects.filter(run=run).values_list("pk", "assignee_id")) == before
    assert Session.objects.filter(task__run=run).count() == 3
    assert progress_of(run.pk).asked == 0


def test_what_people_hold_goes_on_when_everything_is_stopped(team: Team) -> None:
    run = three_at_work(team)
    held = Task.objects.get(run=run, key="write")
    perform(takeover.take_over, held.pk, actor=team.actor("bob"))
    assert perform(stopping.stop_run, run.pk, actor=team.actor("ada")).answer["asked"] == 2
    assert (fresh(held).state, fresh(held).holder) == ("held", team.seat("bob"))
    sound()


def test_it_goes_on_piece_by_piece_and_a_repeat_asks_nobody_twice(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "PIECE", 2)
    run, ada = three_at_work(team), team.actor("ada")
    first = perform(stopping.stop_run, run.pk, actor=ada)
    assert (first.answer["asked"], first.answer["left"]) == (2, 1)
    progress = stop_the_rest(run.pk, actor=ada)
    assert (progress.asked, progress.stopping) == (3, 3)
    assert Command.objects.filter(purpose="cancel").count() == 3
    assert team.journal().count("run.paused") == 1
    again = perform(stopping.stop_run, run.pk, actor=ada)
    assert (again.answer["asked"], again.answer["left"]) == (0, 0)
    assert team.journal().count("run.paused") == 1


def test_a_run_that_goes_on_again_meanwhile_is_stopped_no_further(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stopping, "PIECE", 2)
    run, ada = three_at_work(team), team.actor("ada")
    perform(stopping.stop_run, run.pk, actor=ada)
    perform(runs.resume_run, run.pk, actor=team.actor("bob"))
    stop_the_rest(run.pk, actor=ada)
    run.refresh_from_db()
    assert not run.paused
    assert Task.objects.filter(run=run, state="working").count() == 1


def test_a_run_that_was_paused_with_work_in_hand_can_still_be_stopped(team: Team) -> None:
    run, ada = three_at_work(team), team.actor("ada")
    perform(runs.pause_run, run.pk, actor=ada)
    assert perform(stopping.stop_run, run.pk, actor=ada).answer["asked"] == 3
    assert team.journal().count("run.paused") == 2


def test_a_run_that_is_not_under_way_is_not_stopped(team: Team) -> None:
    run = team.run(THREE, start=False)
    with pytest.raises(Conflict, match="this one is proposed"):
        perform(stopping.stop_run, run.pk, actor=team.actor("ada"))


def test_stopping_a_workspace_names_the_runs_under_way_and_a_repeat_names_the_same(team: Team) -> None:
    run, ada = three_at_work(team), team.actor("ada")
    team.run(THREE, start=False)
    first = perform(stopping.stop_workspace, team.workspace.pk, actor=ada, operation="one")
    assert first.answer["runs"] == [str(run.pk)]
    team.run(THREE)
    again = perform(stopping.stop_workspace, team.workspace.pk, actor=ada, operation="one")
    assert (again.repeated, again.answer["runs"]) == (True, [str(run.pk)])


def test_who_does_not_confirm_is_counted_so_and_gets_no_new_work_until_it_does(team: Team) -> None:
    run, ada = three_at_work(team), team.actor("ada")
    perform(stopping.stop_run, run.pk, actor=ada)
    for name in ("counter", "judge"):
        team.send(name)
        team.answer(name, {"stopReason": "cancelled"})
    sweep(timezone.now() + timedelta(seconds=14), quiet=True)
    assert progress_of(run.pk).stopping == 1
    sweep(timezone.now() + timedelta(seconds=16), quiet=True)
    assert progress_of(run.pk).as_json() == {"asked": 3, "stopped": 2, "stopping": 0, "unconfirmed": 1}
    perform(runs.resume_run, run.pk, actor=ada)
    write = Task.objects.get(run=run, key="write")
    with pytest.raises(Conflict, match="has not confirmed"):
        perform(tasks.assign_task, write.pk, member_id=team.seat("scribe").pk, actor=ada)
    turn(team, run.pk)
    assert fresh(write).state == "ready"
    assert "was asked to stop and has not confirmed it" in fresh(write).reason
    team.send("scribe")
    team.answer("scribe", {"stopReason": "end_turn"}, text="Done anyway.")
    perform(tasks.assign_task, write.pk, member_id=team.seat("scribe").pk, actor=ada)
