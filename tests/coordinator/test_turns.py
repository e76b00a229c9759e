"""Turns on real rows: from a goal with a file to the deliverables, and what a repeated turn does."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups import bus, commit
from clawgroups.coordinator import loop
from clawgroups.coordinator.act import Done, act
from clawgroups.coordinator.decide import Step
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.situation import Situation
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.events import WAKING
from clawgroups.models import Artifact, Attempt, Entry, Run, Session, Task, Workspace
from clawgroups.reactions import REACTIONS, react
from clawgroups.services import approvals, members, putting, runs, turns
from clawgroups.services.briefs import work_prompt
from clawgroups.services.files import StoredFile, open_file, store
from clawgroups.services.perform import perform
from tests.conftest import SKILLS, Team

pytestmark = pytest.mark.django_db

TABLE = b"region,amount\nNorth,10\nSouth,32\n"


def turn(team: Team) -> None:
    """What the worker does after a hint: react, then a turn for each woken run."""
    for _ in range(10):
        woken = react(team.workspace.pk)
        for run_id in woken:
            take_turn(run_id)
        if not woken:
            return


def drafted(team: Team, *files: StoredFile, start: bool = True) -> Run:
    outcome = perform(
        runs.draft_run,
        team.workspace.pk,
        goal="Which region sells best?",
        inputs=files,
        start=start,
        actor=team.actor("ada"),
    )
    return Run.objects.get(pk=outcome.answer["id"])


def finish(team: Team, name: str, text: str) -> None:
    """The agent opens its session and finishes the task it was given."""
    team.send(name)
    team.answer(name, {"sessionId": f"s-{name}"})
    team.send(name)
    team.finish(name, text)


def work(team: Team, name: str, text: str) -> None:
    """The agent finishes its task, and the worker sees to it."""
    finish(team, name, text)
    turn(team)


def test_every_reaction_wakes_and_every_waking_type_has_a_reaction() -> None:
    assert set(REACTIONS) == set(WAKING)


def test_a_goal_with_a_table_becomes_an_assigned_graph_and_a_report(
    team: Team, settings: object, tmp_path: object
) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    run = drafted(team, store([TABLE], name="sales.csv"))
    turn(team)
    profile = Task.objects.get(run=run, kind="profile")
    assert (profile.state, profile.assignee) == ("assigned", team.seat("counter"))
    assert profile.match["chosen"]["name"] == "Counter"
    Task.objects.filter(pk=profile.pk).update(acceptance=["not_empty"])
    work(team, "counter", "Two rows.")
    text = "South leads with 32 [sales.csv · amount · max]. " + "It is well ahead of the North. " * 20
    work(team, "scribe", text)
    work(team, "judge", "All numbers agree.")
    run.refresh_from_db()
    assert run.state == "done"
    report = Artifact.objects.get(run=run, kind="deliverable", name="report.html")
    with open_file(report.sha256) as content:
        html = content.read().decode()
    assert "South leads with 32" in html
    assert "all 1 sourced numbers agree with the data" in html
    assert "All numbers agree." in html


def test_what_a_verdict_makes_possible_is_given_out_in_the_same_turn(
    team: Team, settings: object, tmp_path: object
) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    run = drafted(team, store([TABLE], name="sales.csv"))
    turn(team)
    Task.objects.filter(run=run, kind="profile").update(acceptance=["not_empty"])
    finish(team, "counter", "Two rows.")
    react(team.workspace.pk)
    take_turn(run.pk)
    states = dict(Task.objects.filter(run=run).values_list("kind", "state"))
    assert (states["profile"], states["report"]) == ("done", "assigned")


def test_a_wrong_number_sends_the_report_back_with_the_reason(team: Team, settings: object, tmp_path: object) -> None:
    settings.MEDIA_ROOT = tmp_path  # type: ignore[attr-defined]
    run = drafted(team, store([TABLE], name="sales.csv"))
    turn(team)
    Task.objects.filter(run=run, kind="profile").update(acceptance=["not_empty"])
    work(team, "counter", "Two rows.")
    work(team, "scribe", "South leads with 33 [sales.csv · amount · max]. " + "Far ahead of the North. " * 30)
    first = Attempt.objects.get(task__run=run, task__kind="report", number=1)
    assert first.state == "returned"
    assert "33 [sales.csv · amount · max] does not agree" in first.reason
    again = Task.objects.get(run=run, kind="report")
    assert again.brief["feedback"]
    assert again.state == "assigned"


def test_a_text_line_is_never_passed_unread(team: Team) -> None:
    task = team.one_task(acceptance=["not_empty", "It is friendly"])
    turn(team)
    work(team, "scribe", "Hello!")
    task.refresh_from_db()
    assert (task.state, task.blocked_on) == ("in_review", "person")


def test_a_turn_without_a_wish_or_while_another_holds_it_does_nothing(team: Team) -> None:
    run = drafted(team)
    react(team.workspace.pk)
    assert take_turn(run.pk)
    assert not take_turn(run.pk)


def test_what_is_wanted_while_a_turn_ends_is_seen_to_at_once(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = drafted(team)
    react(team.workspace.pk)
    jobs: list[tuple[str, ...]] = []
    monkeypatch.setattr(bus, "enqueue", lambda *job: jobs.append(job))

    def decide(_situation: Situation) -> list[Step]:
        # Here the run is held: whoever is sent for this goes away again.
        commit.wait(turns.want_turn([run.pk]))
        assert not take_turn(run.pk)
        return []

    monkeypatch.setattr(loop, "decide", decide)
    assert take_turn(run.pk)
    assert jobs == [("clawgroups.coordinate", str(run.pk))]


def test_the_cursor_advances_with_what_it_starts(team: Team) -> None:
    run = drafted(team)
    assert react(team.workspace.pk) == [run.pk]
    workspace = Workspace.objects.get(pk=team.workspace.pk)
    assert workspace.reacted == workspace.head
    assert react(team.workspace.pk) == []


def test_the_coordinator_loses_its_rights_with_the_person_who_asked(team: Team) -> None:
    outcome = perform(
        runs.draft_run,
        team.workspace.pk,
        goal="Write",
        plan=[{"key": "w", "title": "W", "skills": ["writing"]}],
        start=True,
        actor=team.actor("bob"),
    )
    perform(members.remove_member, team.seat("bob").pk, actor=team.actor("ada"))
    turn(team)
    run = Run.objects.get(pk=UUID(outcome.answer["id"]))
    assert run.state in ("proposed", "failed")
    assert not Attempt.objects.filter(task__run=run).exists()


def test_a_turn_whose_process_died_holds_the_run_for_seconds_only(team: Team) -> None:
    run = drafted(team)
    react(team.workspace.pk)
    claim = turns.claim_turn(run.pk, owner="killed")
    assert claim is not None
    claim.result()
    assert not take_turn(run.pk)
    until = Run.objects.get(pk=run.pk).turn_until
    assert until is not None
    assert until - timezone.now() < timedelta(seconds=20)


@pytest.mark.django_db(transaction=True)
def test_a_long_turn_keeps_its_run(team: Team, settings: object, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CLOCK_SCALE = 0.02  # type: ignore[attr-defined]
    run = drafted(team)
    react(team.workspace.pk)
    held: list[object] = []

    def long_step(*_given: object) -> None:
        first = Run.objects.get(pk=run.pk).turn_until
        patience = threading.Event()
        for _ in range(500):
            if (until := Run.objects.get(pk=run.pk).turn_until) != first:
                held.append(until)
                return
            patience.wait(0.01)

    monkeypatch.setattr(loop, "act", long_step)
    monkeypatch.setattr(loop, "MAX_ROUNDS", 1)
    assert take_turn(run.pk)
    assert held
    run.refresh_from_db()
    assert (run.turn_owner, run.turn_until) == ("", None)


def test_the_steps_of_a_round_are_all_handed_over_before_one_is_waited_for(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = team.run([{"key": skill, "title": skill, "skills": [skill]} for skill in SKILLS.values()])
    react(team.workspace.pk)
    told: list[str] = []

    def noted(step: Step, situation: Situation) -> Done | None:
        told.append("handed over")
        done = act(step, situation)

        def waited() -> bool:
            told.append("waited for")
            return done is not None and done()

        return waited

    monkeypatch.setattr(loop, "act", noted)
    assert take_turn(run.pk)
    assert told[:6] == ["handed over"] * 3 + ["waited for"] * 3
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"assigned"}


def test_a_try_that_failed_after_a_no_is_told_what_was_refused(team: Team) -> None:
    task = team.one_task()
    turn(team)
    team.send("scribe")
    team.answer("scribe", {"sessionId": "s"})
    team.send("scribe")
    session = Session.objects.get(task=task)
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    options = [{"optionId": "n", "kind": "reject_once"}]
    call = {"title": "rm -r data"}
    asked = perform(putting.request_approval, session.pk, request_id=0, tool_call=call, options=options, actor=me)
    perform(approvals.decide_approval, UUID(asked.answer["id"]), option_id="n", actor=team.actor("bob"))
    team.send("scribe")
    team.finish("scribe", "")
    turn(team)
    task.refresh_from_db()
    said = "“rm -r data” was refused by a person; find a way without it"
    assert said in str(work_prompt(task, task.brief)["prompt"])
    # Reasons stand in the journal and on the page, where guests read them.
    (returned,) = Entry.objects.filter(type="task.returned")
    reasons = [task.reason, *task.brief["feedback"], *(one.reason for one in task.attempts.all())]
    assert said not in f"{returned.payload} {reasons}"


def test_a_turn_that_lost_its_run_in_the_middle_has_not_seen_to_what_was_wanted(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lease is told to be gone after the plan, before the start that was asked for."""
    run = drafted(team)
    (run_id,) = react(team.workspace.pk)
    real = loop._round

    def once(mine: loop._Turn) -> bool:
        more = real(mine)
        mine.lost = True
        return more

    with monkeypatch.context() as patch:
        patch.setattr(loop, "_round", once)
        take_turn(run_id)
    run.refresh_from_db()
    assert (run.state, run.turn_owner) == ("proposed", "")
    assert run.wanted > run.turned
    turn(team)
    take_turn(run_id)
    run.refresh_from_db()
    assert run.state == "running"
