"""All files of a run in one ZIP: what is in it under which name, and that it is never held in memory."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile

import pytest
from django.db.models import Q
from django.utils import timezone

from clawgroups.core.errors import Conflict, TooLarge
from clawgroups.fragments.files import files_of, named, versions_of
from clawgroups.models import Artifact, Task
from clawgroups.services import archives, pinning
from clawgroups.services.files import path_of
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.realtime.told_of_files import delivered

pytestmark = pytest.mark.django_db
MB = 1024 * 1024


@pytest.fixture
def task(team: Team) -> Task:
    return team.one_task()


def unpacked(task: Task, which: str) -> tuple[dict[str, bytes], list[dict[str, object]]]:
    made = io.BytesIO(b"".join(archives.pieces(archives.archive_of(task.run, which))))
    with zipfile.ZipFile(made) as archive:
        assert archive.testzip() is None
        found = {name: archive.read(name) for name in archive.namelist()}
    return found, json.loads(found.pop("manifest.json"))["files"]


def test_deliverables_come_in_their_final_revision_with_hashes_and_authors(team: Team, task: Task) -> None:
    first = delivered(task, b"One", kind="deliverable")
    delivered(task, b"Two", kind="deliverable", revision=2)
    delivered(task, b"Other", name="data/other.csv", kind="deliverable")
    delivered(task, b"Not yet", name="raw.csv")
    assert unpacked(task, "deliverables")[0] == {"report.md": b"Two", "data/other.csv": b"Other"}
    perform(pinning.pin_artifact, first, actor=team.actor("bob"))
    found, manifest = unpacked(task, "deliverables")
    assert found["report.md"] == b"One"
    (report,) = [one for one in manifest if one["path"] == "report.md"]
    assert (report["author"], report["final"], report["id"]) == ("Scribe", True, str(first))
    assert report["sha256"] == Artifact.objects.get(pk=first).sha256


def test_everything_comes_under_names_that_every_system_takes_and_none_twice(task: Task) -> None:
    for name in ("a.txt", "A.txt", "con.txt", 'what: "this"?.md'):
        delivered(task, name.encode(), name=name)
    delivered(task, b"again", name="a.txt", revision=2)
    found, _ = unpacked(task, "all")
    assert found == {
        "results/A.txt": b"A.txt",
        "results/a (2).txt": b"again",
        "other versions/a (v1, result).txt": b"a.txt",
        "results/_con.txt": b"con.txt",
        "results/what_ _this__.md": b'what: "this"?.md',
    }


def test_no_version_of_a_name_that_many_tasks_deliver_under_is_left_out(team: Team, task: Task) -> None:
    first = delivered(task, b"The brief", name="brief.md", kind="input")
    pinned = delivered(task, b"The first", name="report.md")
    row = Artifact.objects.get(pk=pinned)
    rows = [Artifact(**_columns(row), revision=n) for n in range(2, 252)]
    Artifact.objects.bulk_create(rows)
    perform(pinning.pin_artifact, pinned, actor=team.actor("bob"))
    found, manifest = unpacked(task, "all")
    assert len(found) == len(manifest) == 252
    assert (found["inputs/brief.md"], found["results/report.md"]) == (b"The brief", b"The first")
    # Nor does such a name take the place of others in a list, or lose the one that stands for it.
    files = files_of(list(named(Q(run=task.run))), Q(run=task.run))
    assert {one.shown.pk for one in files} == {first, pinned}
    assert pinned in {one.pk for one in versions_of(rows[-1])}


def _columns(row: Artifact) -> dict[str, object]:
    names = [field.attname for field in row._meta.concrete_fields if field.name not in ("id", "revision", "created_at")]
    return {**{name: getattr(row, name) for name in names}, "created_at": timezone.now()}


def test_what_the_store_has_lost_is_said_and_the_rest_comes(task: Task) -> None:
    gone = Artifact.objects.get(pk=delivered(task, b"soon gone", name="gone.txt"))
    delivered(task, b"here", name="here.txt")
    path_of(gone.sha256).unlink()
    found, manifest = unpacked(task, "all")
    assert found == {"results/here.txt": b"here"}
    assert [one["name"] for one in manifest if one.get("missing")] == ["gone.txt"]


def test_three_hundred_megabytes_go_through_in_pieces(task: Task) -> None:
    row = Artifact.objects.get(pk=delivered(task, b"start", name="large.bin"))
    os.truncate(path_of(row.sha256), 300 * MB)  # a hole: no disk is taken
    Artifact.objects.filter(pk=row.pk).update(size=300 * MB)
    tracemalloc.start()
    try:
        sizes = [len(piece) for piece in archives.pieces(archives.archive_of(task.run, "all"))]
        assert tracemalloc.get_traced_memory()[1] < 4 * MB
    finally:
        tracemalloc.stop()
        path_of(row.sha256).unlink()
    assert sum(sizes) > 300 * MB
    assert max(sizes) < MB


def test_nothing_and_too_much_are_refused_in_words(task: Task) -> None:
    with pytest.raises(Conflict, match="no such files yet"):
        archives.archive_of(task.run, "deliverables")
    pk = delivered(task, b"x")
    Artifact.objects.filter(pk=pk).update(size=9 * 1024**3)
    with pytest.raises(TooLarge, match="one by one"):
        archives.archive_of(task.run, "all")
