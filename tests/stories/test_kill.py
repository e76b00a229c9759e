"""kill -9 in the middle of a run: whatever dies, every task is done once and nobody's late word counts."""

from __future__ import annotations

import pytest

from tests.stories.installation import Installation
from tests.stories.killed import GOAL, assert_whole, writing
from tests.stories.sales import Sales
from tests.stories.script import Follower, Script


@pytest.fixture(scope="module")
def script(own: Installation) -> Script:
    return Script(own.url, own.token())


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
