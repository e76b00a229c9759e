"""A person takes the writer's task over in the middle of its turn, by an outside script only."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.stories import checker
from tests.stories.sales import Sales, cited, differences
from tests.stories.script import Follower, Json, Refused, Script, in_full
from tests.stories.waiting import until

GOAL = "Which region sells best, and how did revenue develop?"
SENTENCE = "The branch managers have confirmed these figures in writing."


@dataclass
class Midway:
    """A run whose report is being written, and has just been taken over."""

    run: str
    task: str
    attempt: str
    seen: str
    """What the writer had said when it was seen last."""
    held: Json


def taken_over(script: Script, journal: Follower, sales: Sales) -> Midway:
    """Give a goal, wait for the first live text of the report, and take the task over."""
    run = script.give(journal.workspace, GOAL, sales.name, sales.content())
    journal.until("run.started", run_id=run)
    task = next(t["id"] for t in script.tasks(run) if t["key"] == "report")
    attempt = str(journal.until("task.begun", task_id=task)["payload"]["attempt_id"])
    seen = script.first_text(attempt)
    held = script.post(f"/api/v1/tasks/{task}/takeover")
    return Midway(run, task, attempt, seen, held)


def test_what_was_written_is_kept_and_what_comes_later_is_not(script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("Takeover")) as journal:
        midway = taken_over(script, journal, sales)
        task = script.get(f"/api/v1/tasks/{midway.task}")
        assert (task["state"], task["holder"]["name"]) == ("held", "owner")
        assert midway.seen.strip()
        assert task["draft"]["text"].startswith(midway.seen.strip()[:200])
        writers = until(lambda: stopped(script, midway), seconds=20, what="the writer's stop")
        assert writers["state"] == "superseded"
        assert writers["result"] == ""
        kept = [item for item in writers["transcript"] if item["kind"] == "text" and not item["after_stop"]]
        assert "".join(item["text"] for item in kept).startswith(midway.seen)
        # Nobody but the holder moves it: not the coordinator, not the agent.
        after = journal.until("task.taken_over", task_id=midway.task)["seq"]
        assert script.get(f"/api/v1/tasks/{midway.task}")["epoch"] == midway.held["epoch"]
        moved = [e["type"] for e in journal.entries if e["seq"] > after and e["payload"].get("task_id") == midway.task]
        # That it stopped is told, and moves nothing.
        assert set(moved) <= {"attempt.stop_confirmed"}
        script.post(f"/api/v1/runs/{midway.run}/cancel")
        journal.ended(midway.run)


def stopped(script: Script, midway: Midway) -> Json:
    """The writer's attempt, once its turn has ended; nothing before."""
    attempts = script.get(f"/api/v1/tasks/{midway.task}")["attempts"]
    found: Json = next(one for one in attempts if one["id"] == midway.attempt)
    return found if found["stop"] == "done" else {}


def test_handed_back_the_same_agent_says_what_changed_and_keeps_the_words_of_the_person(
    script: Script, sales: Sales
) -> None:
    with Follower(script, script.workspace("Hand back")) as journal:
        midway = taken_over(script, journal, sales)
        path = f"/api/v1/tasks/{midway.task}"
        draft = script.get(path)["draft"]["text"]
        head, mark, rest = draft.partition("\n## ")
        saved = script.post(f"{path}/draft", {"text": f"{head}\n\n{SENTENCE}\n{mark}{rest}"})
        assert saved["version"] == 2
        script.post(f"{path}/handback", {"note": "I added who confirmed the figures. Finish the report."})
        back = journal.until("task.handed_back", task_id=midway.task)["seq"]
        assigned = journal.until("task.assigned", task_id=midway.task, after=back)["payload"]
        heard = journal.until("attempt.acknowledged", task_id=midway.task)
        assert heard["payload"]["attempt_id"] == assigned["attempt_id"]
        assert journal.ended(midway.run) == "done"

        report = script.files(midway.run, "deliverable")["report.html"].decode()
        assert SENTENCE in report
        compared, wrong = differences(sales, cited(report))
        assert not wrong, wrong
        assert compared >= 25
        first, second, third = script.get(path)["attempts"]
        assert (first["state"], second["state"], third["state"]) == ("superseded", "superseded", "accepted")
        assert first["member"] == third["member"] != second["member"]
        assert third["acknowledgement"].strip()
        assert not checker.faults(script.journal(journal.workspace), in_full(script, midway.run))


def test_a_person_finishes_by_hand_and_the_run_goes_on_with_their_words(script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("By hand")) as journal:
        midway = taken_over(script, journal, sales)
        path = f"/api/v1/tasks/{midway.task}"
        total = f"{sum(sales.values('revenue')):,.2f}"
        words = (
            f"# Revenue\n\nIn all {total} [{sales.name} · revenue · sum] were sold. {SENTENCE} " + "More to come. " * 30
        )
        script.post(f"{path}/submit", {"result": words})
        assert journal.ended(midway.run) == "done"

        report = script.files(midway.run, "deliverable")["report.html"].decode()
        assert SENTENCE in report
        assert differences(sales, cited(report)) == (1, [])
        winner = script.get(path)["attempts"][-1]
        assert (winner["member"]["name"], winner["state"]) == ("owner", "accepted")
        assert not checker.faults(script.journal(journal.workspace), in_full(script, midway.run))


def test_a_wrong_figure_of_a_person_comes_back_to_the_same_person(script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("Returned")) as journal:
        midway = taken_over(script, journal, sales)
        path = f"/api/v1/tasks/{midway.task}"
        filler = "More to come. " * 40
        script.post(f"{path}/submit", {"result": f"Sold: 1,234.56 [{sales.name} · revenue · sum]. {filler}"})
        journal.until("task.returned", task_id=midway.task)
        task = script.get(path)
        assert (task["state"], task["holder"]["name"]) == ("held", "owner")
        assert "1,234.56" in task["reason"]
        total = f"{sum(sales.values('revenue')):,.2f}"
        script.post(f"{path}/submit", {"result": f"Sold: {total} [{sales.name} · revenue · sum]. {filler}"})
        assert journal.ended(midway.run) == "done"
        assert not checker.faults(script.journal(journal.workspace), in_full(script, midway.run))


def test_a_second_takeover_and_a_stranger_are_refused_in_words(script: Script, sales: Sales) -> None:
    with Follower(script, script.workspace("Twice")) as journal:
        midway = taken_over(script, journal, sales)
        with pytest.raises(Refused) as refused:
            script.post(f"/api/v1/tasks/{midway.task}/takeover")
        problem = refused.value.answer
        assert (problem.status, problem.json["code"]) == (409, "already_holder")
        other = Script(script.url, "ct_nobody")
        assert other.send("POST", f"/api/v1/tasks/{midway.task}/draft", {"text": "mine"}).status == 401
        script.post(f"/api/v1/runs/{midway.run}/cancel")
        assert journal.ended(midway.run) == "cancelled"
