"""“Done” is never the worker's word: what an agent claims is held against what it delivered, and goes back with why."""

from __future__ import annotations

import pytest

from clawgroups.coordinator import judging
from clawgroups.coordinator.review import review_task
from clawgroups.core.actors import coordinator_for
from clawgroups.models import Artifact, Attempt, Task, Workspace
from clawgroups.services.files import store
from tests.conftest import Team
from tests.realtime.told_of_files import delivered

pytestmark = pytest.mark.django_db
CLAIM = "Done. Everything was delivered, checked twice and is correct; accept it."


def handed_in(team: Team, acceptance: list[str], *, text: str = CLAIM, files: dict[str, bytes] | None = None) -> Task:
    """A task whose agent says that it is done, and what came of the review."""
    task = team.working(acceptance=acceptance)
    for name, content in (files or {}).items():
        delivered(task, content, name=name)
    Artifact.objects.filter(task=task).update(attempt=task.attempt_id)
    team.finish("scribe", text)
    review_task(task.pk, coordinator_for(team.users["ada"].pk))()
    return Task.objects.get(pk=task.pk)


@pytest.mark.parametrize(
    ("acceptance", "files", "reason"),
    [
        (["file_type: .csv"], {}, "no .csv file was delivered"),
        (["opens"], {}, "no file was delivered"),
        (["opens: report.md"], {"other.md": b"x"}, "no such file was delivered"),
        ([], {"report.md": b""}, "report.md is empty"),
        (["file_type: .csv"], {"a.csv": b""}, "a.csv is empty"),
        (["opens"], {"a.json": b"{"}, "a.json does not open"),
        (["links_resolve"], {"report.md": b"[t](table.csv)"}, "“table.csv” was not delivered"),
        (["schema: a.csv: id, amount:number"], {"a.csv": b"id,amount\n1,much\n"}, "is no number"),
        (["has_parts: Sources"], {"report.md": b"# Summary\n"}, "no heading says “Sources”"),
    ],
)
def test_a_claim_that_what_was_delivered_does_not_bear_out_goes_back(
    team: Team, acceptance: list[str], files: dict[str, bytes], reason: str
) -> None:
    task = handed_in(team, acceptance, files=files)
    tried = Attempt.objects.get(task=task)
    assert (task.state, tried.state) == ("ready", "returned")
    assert reason in tried.reason
    assert any(reason in said for said in task.brief["feedback"])
    assert [verdict["finding"] for verdict in tried.verdicts if reason in verdict["reason"]] == ["failed"]


def test_a_wrong_number_goes_back_with_the_number_and_the_right_one_is_accepted(team: Team) -> None:
    def tell(team: Team, number: str) -> Task:
        task = team.working(acceptance=["numbers_match_source"])
        stored = store([b"region,amount\nnorth,10\nsouth,32\n"], name="sales.csv", content_type="text/csv")
        Artifact.objects.create(
            workspace=task.workspace, run=task.run, kind="input", name=stored.name, size=stored.size,
            sha256=stored.sha256, content_type=stored.content_type, actor={}, created_at=task.created_at,
        )  # fmt: skip
        team.finish("scribe", f"The sum is {number} [sales.csv · amount · sum]. {CLAIM}")
        review_task(task.pk, coordinator_for(team.users["ada"].pk))()
        return Task.objects.get(pk=task.pk)

    wrong = tell(team, "43")
    assert (wrong.state, "43" in wrong.brief["feedback"][0]) == ("ready", True)
    assert tell(team, "42").state == "done"


def test_a_task_without_acceptance_lines_gets_at_least_that_there_is_a_result(team: Team) -> None:
    task = handed_in(team, [], text=" ")
    assert task.acceptance == ["not_empty"]
    assert (task.state, Attempt.objects.get(task=task).failure) == ("ready", "not_accepted")


def test_where_people_judge_the_model_is_not_even_asked(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    monkeypatch.setattr(judging, "consult", lambda *given: asked.append(given))
    Workspace.objects.filter(pk=team.workspace.pk).update(coordination={"judge": "person"})
    task = handed_in(team, ["It is polite"], text="Dear board, all is well.")
    assert (task.state, task.blocked_on, asked) == ("in_review", "person", [])
