"""What a work folder starts from, read whole and file by file."""

from __future__ import annotations

import pytest
from django.utils import timezone

from clawgroups.models import Artifact, Attempt, Session, Task
from clawgroups.services import tasks
from clawgroups.services.artifacts import work_file, work_files
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

PLAN = [
    {"key": "north", "title": "North", "skills": ["writing"]},
    {"key": "south", "title": "South", "skills": ["writing"]},
    {"key": "both", "title": "Both", "skills": ["writing"], "depends_on": ["north", "south"]},
]
LEFT = {"north": ["table.csv", "maps/town.png"], "south": ["table.csv", "south.md"]}


def done(team: Team, task: Task) -> None:
    """Its result is accepted, with some files."""
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    Attempt.objects.filter(task=task).update(state="accepted")
    Task.objects.filter(pk=task.pk).update(state="done")
    for number, name in enumerate(LEFT[task.key]):
        Artifact.objects.create(
            workspace=team.workspace, run_id=task.run_id, task=task, attempt=Attempt.objects.get(task=task),
            kind="result", name=name, revision=1, size=number, sha256=f"{task.key}{number}".ljust(64, "0"),
            content_type="text/csv", actor={}, created_at=timezone.now(),
        )  # fmt: skip


def test_a_file_by_its_name_is_the_one_that_the_folder_lists(team: Team) -> None:
    run = team.run(PLAN)
    north, south, both = (Task.objects.get(run=run, key=key) for key in ("north", "south", "both"))
    done(team, north)
    done(team, south)
    Task.objects.filter(pk=both.pk).update(state="ready")
    perform(tasks.assign_task, both.pk, member_id=team.seat("judge").pk, actor=team.actor("ada"))
    session = Session.objects.select_related("attempt__task", "attempt__member").get(task=both)
    files = {file.name: file for file in work_files(session)}
    assert set(files) == {"table.csv", "south/table.csv", "maps/town.png", "south.md"}
    assert {name: work_file(session, name) for name in files} == files
    assert work_file(session, "town.png") is None
    assert work_file(session, "north/table.csv") is None
