"""Stories for `test_verify_action`: which revision of a file is the final one."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.utils import timezone

from clawgroups.models import Artifact, Task
from clawgroups.services import pinning
from clawgroups.services.files import store
from clawgroups.services.perform import perform
from tests.conftest import Team


def delivered(task: Task, content: bytes, *, name: str = "report.md", kind: str = "result", revision: int = 1) -> UUID:
    """A revision of a file of this task, as its row stands."""
    stored = store([content], name=name)
    row = Artifact.objects.create(
        workspace_id=task.workspace_id, run_id=task.run_id, task=task, kind=kind, name=name, revision=revision,
        size=stored.size, sha256=stored.sha256, content_type=stored.content_type,
        actor={"kind": "agent", "name": "Scribe"}, created_at=timezone.now(),
    )  # fmt: skip
    return row.pk


def pinned_otherwise_and_unpinned(team: Team) -> None:
    task = team.one_task()
    first, second = delivered(task, b"One"), delivered(task, b"Two", revision=2)
    for pk in (first, first, second):
        perform(pinning.pin_artifact, pk, actor=team.actor("bob"))
    assert list(Artifact.objects.filter(pinned_at__isnull=False).values_list("pk", flat=True)) == [second]
    perform(pinning.unpin_artifact, second, actor=team.actor("ada"))


TOLD: list[Callable[[Team], None]] = [pinned_otherwise_and_unpinned]
