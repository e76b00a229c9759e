"""The whole product, planned by this server: whatever a model says that means nothing, the run ends properly."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.model.serving.launch import ModelServer
from tests.stories import checker
from tests.stories.installation import Installation, installed
from tests.stories.sales import cited, differences, generate
from tests.stories.script import Follower, Json, Refused, Script, in_full

GOAL = "Which region sells best, and how did revenue develop?"
ASKED = "sglang:num_requests_total"
# Seconds: the coordinator waits ten minutes for a plan before it goes on by itself.
PATIENCE = 900.0


@pytest.fixture
def claw(server: ModelServer) -> Iterator[Installation]:
    """An installation that was told of the server as docs/model-server.md says."""
    told = {
        "CLAWGROUPS_COORDINATOR_URL": f"{server.url}/v1",
        "CLAWGROUPS_COORDINATOR_MODEL": server.name,
        "CLAWGROUPS_COORDINATOR_API_KEY": server.key,
        "CLAWGROUPS_COORDINATOR_PROVIDER": "sglang",
    }
    with installed(**told) as installation:
        yield installation


def seen_through(script: Script, journal: Follower, run: str) -> str:
    """Do what its owner would at the run's page, and give its end.

    A plan of the model's that is well starts by itself. What it asks is answered, and a plan that the built-in
    coordinator made instead of it is started.
    """
    wanted = ("run.asked", "run.proposed", "run.done", "run.failed", "run.cancelled")
    seen = 0
    while True:

        def fits(entry: Json, seen: int = seen) -> bool:
            return entry["seq"] > seen and entry["type"] in wanted and entry["payload"]["run_id"] == run

        entry = journal.entries.until(fits, seconds=PATIENCE, what="the next thing that its owner has to do")
        seen = entry["seq"]
        if entry["type"] == "run.asked":
            script.post(f"/api/v1/runs/{run}/answer", {"answer": "Take the orders as they are."})
        elif entry["type"] == "run.proposed":
            with suppress(Refused):  # It has started by itself.
                script.post(f"/api/v1/runs/{run}/start")
        else:
            return str(entry["type"]).removeprefix("run.")


def test_a_run_that_the_model_plans_ends_done_and_its_report_is_true(claw: Installation, server: ModelServer) -> None:
    script = Script(claw.url, claw.token())
    sales = generate(26, count=800)
    workspace = script.workspace("Planned by a model")
    before = server.metric(ASKED)
    with Follower(script, workspace) as journal:
        run = script.give(workspace, GOAL, sales.name, sales.content())
        assert seen_through(script, journal, run) == "done"
        journal.caught_up(script.journal(workspace)[-1]["seq"])

    assert server.metric(ASKED) > before, "the server was never asked"
    entries = script.journal(workspace)
    called = [entry for entry in entries if entry["type"] == "run.model_called"]
    assert called, "no call of the model is in the journal"
    assert not checker.faults(entries, in_full(script, run))

    reports = [text for name, text in script.files(run, "deliverable").items() if name.endswith(".html")]
    assert reports
    compared, wrong = differences(sales, [claim for text in reports for claim in cited(text.decode())])
    assert not wrong, wrong
    assert compared
    assert server.key not in json.dumps(entries)
    assert all(server.key not in claw.said(name) for name in ("web", "worker", "coordinator"))
    assert not claw.faults()
