"""A run as one bundle: complete, verifiable without us, and every change of it is found."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from clawgroups.core import bundles
from clawgroups.models import Artifact, Run, Task
from clawgroups.services import archives, review, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.realtime.told_of_files import delivered

pytestmark = pytest.mark.django_db
Content = dict[str, bytes]


@pytest.fixture
def task(team: Team) -> Task:
    """A task whose result, with a file, was accepted."""
    made = team.working()
    delivered(made, b"region,sum\nnorth,10\n", name="sums.csv")
    Artifact.objects.update(attempt=made.attempt_id)
    team.finish("scribe", "Ten in the north.")
    perform(review.accept_task, made.pk, actor=team.actor("ada"))
    return made


def packed(run: Run) -> bytes:
    return b"".join(archives.pieces(archives.archive_of(run, "bundle")))


def kept(folder: Path, content: bytes) -> Path:
    path = folder / "bundle.zip"
    path.write_bytes(content)
    return path


def changed(content: bytes, change: Callable[[Content], object]) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        found = {name: archive.read(name) for name in archive.namelist()}
    change(found)
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, said in found.items():
            archive.writestr(name, said)
    return made.getvalue()


def test_a_bundle_has_files_plan_verdicts_costs_and_a_receipt_of_each_task(task: Task, tmp_path: Path) -> None:
    path = kept(tmp_path, packed(task.run))
    assert bundles.verify(path).faults == ()
    with zipfile.ZipFile(path) as archive:
        names = set(archive.namelist())
        told = {name: json.loads(archive.read(name)) for name in names if name.endswith(".json")}
    assert {"files/results/sums.csv", "run.json", "plan.json", "verdicts.json", "costs.json"} < names
    receipt = told[f"receipts/{task.key}.json"]
    (listed,) = [one for one in told["manifest.json"]["files"] if one["name"] == "sums.csv"]
    assert receipt["files"][0]["sha256"] == listed["sha256"]
    assert told["plan.json"]["tasks"][0]["acceptance"] == task.acceptance
    (tried,) = told["verdicts.json"]["tries"]
    assert (tried["task"], tried["by"], tried["state"], bool(tried["judged_at"])) == (
        task.key,
        "Scribe",
        "accepted",
        True,
    )
    assert told["costs.json"]["used"]["tokens"]["used"] == 0


def test_a_run_without_files_has_a_bundle_too(team: Team, tmp_path: Path) -> None:
    assert bundles.verify(kept(tmp_path, packed(team.one_task().run))).holds


def _in_manifest(found: Content, name: str, value: object) -> None:
    manifest = json.loads(found["manifest.json"])
    manifest[name] = value
    found["manifest.json"] = json.dumps(manifest).encode()


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (lambda f: f.update({"files/results/sums.csv": b"region,sum\nnorth,99\n"}), "its bytes are not those"),
        (lambda f: f.update({"files/results/sums.csv": b"longer by far than before, and another"}), "another size"),
        (lambda f: f.pop("files/results/sums.csv"), "files/results/sums.csv: is missing"),
        (lambda f: f.pop("costs.json"), "costs.json: is missing"),
        (lambda f: f.update({"files/extra.sh": b"rm"}), "files/extra.sh: is not in the manifest"),
        (lambda f: _in_manifest(f, "format", "other/1"), "not of the format"),
        (lambda f: _in_manifest(f, "files", []), "names sums.csv, which is not in the bundle"),
        (lambda f: _in_manifest(f, "files", 7), "this is no bundle"),
        (lambda f: f.pop("manifest.json"), "this is no bundle"),
    ],
)
def test_every_change_of_a_bundle_is_found(
    task: Task, tmp_path: Path, change: Callable[[Content], object], fault: str
) -> None:
    found = bundles.verify(kept(tmp_path, changed(packed(task.run), change)))
    assert any(fault in one for one in found.faults)


def test_what_is_no_archive_at_all_is_said_so(tmp_path: Path) -> None:
    assert "this is no bundle" in bundles.verify(kept(tmp_path, b"PK?")).faults[0]
    assert "this is no bundle" in bundles.verify(tmp_path / "nowhere").faults[0]


def test_the_command_says_whether_it_holds_and_whether_it_is_ours(task: Task, tmp_path: Path) -> None:
    said = StringIO()
    whole = packed(task.run)
    call_command("bundle", "verify", str(kept(tmp_path, whole)), stdout=said)
    assert "This installation made it" in said.getvalue()
    call_command(
        "bundle", "verify", str(kept(tmp_path, changed(whole, lambda f: _in_manifest(f, "goal", "Other")))), stdout=said
    )
    assert "no seal of this installation" in said.getvalue()
    broken = str(kept(tmp_path, changed(whole, lambda f: f.pop("plan.json"))))
    with pytest.raises(CommandError, match="does not hold: 1 fault"):
        call_command("bundle", "verify", broken, stdout=said)


def test_two_tasks_of_one_key_in_other_runs_do_not_meet(team: Team, task: Task, tmp_path: Path) -> None:
    other = team.one_task()
    perform(tasks.assign_task, other.pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    with zipfile.ZipFile(kept(tmp_path, packed(other.run))) as archive:
        assert not [name for name in archive.namelist() if name.startswith(("receipts/", "files/"))]
