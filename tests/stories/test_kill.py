"""kill -9 in the middle of a run: whatever dies, every task is done once and nobody's late word counts."""

from __future__ import annotations

import random

import pytest

from tests.stories import checker
from tests.stories.installation import Installation
from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Follower, Script, in_full

GOAL = "Which region sells best, and how did revenue develop?"


@pytest.fixture(scope="module")
def script(own: Installation) -> Script:
    return Script(own.url, own.token())


def writing(script: Script, journal: Follower, run: str) -> tuple[str, str]:
    """Wait until the writer of a run has said something; its task and attempt."""
    journal.until("run.started", run_id=run)
    task = next(t["id"] for t in script.tasks(run) if t["key"] == "report")
    attempt = str(journal.until("task.begun", task_id=task)["payload"]["attempt_id"])
    script.first_text(attempt)
    return task, attempt


def assert_whole(script: Script, journal: Follower, run: str, sales: Sales) -> None:
    """The run is over, its history is sound, and what it hands over is right."""
    assert journal.ended(run, seconds=120) == "done"
    entries = script.journal(journal.workspace)
    assert not checker.faults(entries, in_full(script, run))
    journal.caught_up(entries[-1]["seq"])
    # What came after the reading, an agent that is back, say, is heard all the same.
    assert journal.entries.all()[: len(entries)] == entries
    compared, wrong = differences(sales, cited(script.files(run, "deliverable")["report.html"].decode()))
    assert not wrong
    assert compared >= 25


def test_the_worker_is_killed_in_the_middle_of_a_run(own: Installation, script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("Worker")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        _, attempt = writing(script, journal, run)
        killed = own.kill("worker")
        own.returned("worker", killed)
        assert_whole(script, journal, run, sales)
        # The agents and their sockets were not touched by it.
        assert [a["id"] for a in script.task(run, "report")["attempts"]] == [attempt]
        assert journal.connections == 1


def test_the_worker_is_killed_while_it_plans_and_while_it_hands_over(
    own: Installation, script: Script, sales: Sales
) -> None:
    with Follower(script, script.workspace("Worker again")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        for moment in ("run.drafted", "run.consolidating"):
            journal.until(moment, seconds=90)
            own.returned("worker", own.kill("worker"))
        assert_whole(script, journal, run, sales)


def test_the_web_process_is_killed_in_the_middle_of_a_turn(own: Installation, script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("Web")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        task, attempt = writing(script, journal, run)
        epoch = script.get(f"/api/v1/tasks/{task}")["epoch"]
        own.returned("web", own.kill("web"))
        assert_whole(script, journal, run, sales)
        assert journal.connections > 1
        # The agent never stopped: what it said meanwhile came out of the connector's outbox.
        report = script.task(run, "report")
        assert [(a["id"], a["epoch"]) for a in report["attempts"]] == [(attempt, epoch)]
        began = [e["payload"]["task_id"] for e in script.journal(journal.workspace) if e["type"] == "task.begun"]
        assert began.count(task) == 1
        prompts = [item for item in report["attempts"][0]["transcript"] if item["kind"] == "prompt"]
        assert len(prompts) <= 1
        steps = [item["title"] for item in report["attempts"][0]["transcript"] if item["kind"] == "step"]
        assert len(steps) == len(set(steps))
        said = "".join(i["text"] for i in report["attempts"][0]["transcript"] if i["kind"] == "text")
        assert said == report["attempts"][0]["result"]


def test_the_agents_process_is_killed_in_the_middle_of_a_turn(own: Installation, script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("Agents")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        task, attempt = writing(script, journal, run)
        own.returned("agents", own.kill("agents"))
        journal.until("task.released", task_id=task, attempt_id=attempt)
        assert_whole(script, journal, run, sales)
        first, second = script.task(run, "report")["attempts"]
        assert (first["id"], first["state"], second["state"]) == (attempt, "expired", "accepted")


def test_everything_is_killed_and_started_again_on_the_same_folder(
    own: Installation, script: Script, sales: Sales
) -> None:
    with Follower(script, script.workspace("All")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        task, attempt = writing(script, journal, run)
        before = journal.last
        own.kill_everything()
        own.start()
        # The agents are new programs: what they were doing is given out again.
        journal.until("task.released", task_id=task, attempt_id=attempt, after=before)
        assert_whole(script, journal, run, sales)


def test_a_task_that_a_person_holds_is_held_after_everything_was_killed(
    own: Installation, script: Script, sales: Sales
) -> None:
    with Follower(script, script.workspace("Held")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        task, _ = writing(script, journal, run)
        script.post(f"/api/v1/tasks/{task}/takeover")
        total = f"{sum(sales.values('revenue')):,.2f}"
        words = f"In all {total} [{sales.name} · revenue · sum] were sold. " + "More to come. " * 40
        script.post(f"/api/v1/tasks/{task}/draft", {"text": words})
        own.kill_everything()
        own.start()
        found = script.get(f"/api/v1/tasks/{task}")
        assert (found["state"], found["holder"]["name"], found["draft"]["text"]) == ("held", "owner", words)
        script.post(f"/api/v1/tasks/{task}/submit", {"result": found["draft"]["text"]})
        assert journal.ended(run) == "done"
        assert not checker.faults(script.journal(journal.workspace), in_full(script, run))


def test_something_is_killed_at_some_moment(own: Installation, script: Script, sales: Sales) -> None:
    dice = random.Random(sales.seed)
    blows = sorted((dice.randrange(3, 40), dice.choice(["web", "worker", "agents", "valkey"])) for _ in range(2))
    print("blows:", blows)
    with Follower(script, script.workspace("Something")) as journal:
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        began = journal.last
        for later, victim in blows:
            journal.caught_up(began + later, seconds=90)
            own.returned(victim, own.kill(victim))
        assert_whole(script, journal, run, sales)
