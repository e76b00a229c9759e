"""kill -9 of all processes, or of any at some moment: whatever dies, every task is done once."""

from __future__ import annotations

import random

import pytest

from tests.stories import checker
from tests.stories.installation import Installation
from tests.stories.killed import GOAL, assert_whole, writing
from tests.stories.sales import Sales
from tests.stories.script import Follower, Script, in_full


@pytest.fixture(scope="module")
def script(own: Installation) -> Script:
    return Script(own.url, own.token())


def test_everything_is_killed_and_started_again_and_what_a_person_holds_they_still_hold(
    own: Installation, script: Script, sales: Sales
) -> None:
    with Follower(script, script.workspace("Held")) as other, Follower(script, script.workspace("All")) as journal:
        their_run = script.give(other.workspace, GOAL, sales.name, sales.content())
        theirs, _ = writing(script, other, their_run)
        script.post(f"/api/v1/tasks/{theirs}/takeover")
        total = f"{sum(sales.values('revenue')):,.2f}"
        words = f"In all {total} [{sales.name} · revenue · sum] were sold. " + "More to come. " * 40
        script.post(f"/api/v1/tasks/{theirs}/draft", {"text": words})
        run = script.give(journal.workspace, GOAL, sales.name, sales.content())
        task, attempt = writing(script, journal, run)
        before = journal.last
        own.kill_everything()
        own.start()  # on the same folder
        # The agents are new programs: what they were doing is given out again.
        journal.until("task.released", task_id=task, attempt_id=attempt, after=before)
        found = script.get(f"/api/v1/tasks/{theirs}")
        assert (found["state"], found["holder"]["name"], found["draft"]["text"]) == ("held", "owner", words)
        script.post(f"/api/v1/tasks/{theirs}/submit", {"result": found["draft"]["text"]})
        assert_whole(script, journal, run, sales)
        assert other.ended(their_run) == "done"
        assert not checker.faults(script.journal(other.workspace), in_full(script, their_run))


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
