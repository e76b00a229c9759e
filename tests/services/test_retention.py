"""What is kept: nothing is deleted unless said, and then only what nobody goes on from. Archives of workspaces."""

from __future__ import annotations

import json
import zipfile
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.sessions.models import Session as BrowserSession
from django.core.management import call_command
from django.utils import timezone

from clawgroups import journal
from clawgroups.core import bundles
from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.models import AuditRow, Draft, Entry, Export, Lease, Letter, ModelCall, Operation, Run
from clawgroups.services import audit_trail, exporting, housekeeping, installation, people, retention, workspace_archive
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.realtime.told_of_files import delivered

pytestmark = pytest.mark.django_db
LONG_AGO = timedelta(days=100)


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> Path:
    settings.DATA_DIR = tmp_path
    return tmp_path


def keep(team: Team, **days: int | None) -> None:
    perform(installation.set_values, said=days, actor=team.actor("sue"))


def old_things(team: Team) -> Run:
    """Something of each kind that is over, in a run that is."""
    now = timezone.now()
    task = team.working()
    attempt, run = task.attempt, task.run
    assert attempt is not None
    for version in (1, 2):
        Draft.objects.create(attempt=attempt, version=version, text=f"v{version}", actor={}, saved_at=now - LONG_AGO)
    attempt.ended_at = now - LONG_AGO
    attempt.save()
    asked = {"kind": "plan", "created_at": now - LONG_AGO, "ended_at": now - LONG_AGO, "cost_micro": 7}
    ModelCall.objects.create(
        workspace=team.workspace, run=run, state="answered", request={"m": 1}, text="words", decision={"a": 1}, **asked
    )
    Operation.objects.create(key="old", verb="x", answer={}, at=now - LONG_AGO)
    Letter.objects.create(user=team.users["ada"], made_at=now - LONG_AGO, sent_at=now - LONG_AGO)
    BrowserSession.objects.create(session_key="k", session_data="", expire_date=now - LONG_AGO)
    Run.objects.filter(pk=run.pk).update(state="done")
    return run


EVERYTHING: dict[str, int | None] = {
    "keep_model_words": 30, "keep_drafts": 30, "keep_operations": 40, "keep_letters": 30, "keep_admissions": 30,
}  # fmt: skip


def test_nothing_is_deleted_where_nothing_is_set_and_a_look_deletes_nothing(team: Team) -> None:
    old_things(team)
    now = timezone.now()
    assert retention.prune(now) == {}
    assert {one.name: one.rows for one in retention.over(EVERYTHING, now)} == {
        "keep_model_words": 1, "keep_drafts": 1, "keep_operations": 1, "keep_letters": 1, "keep_admissions": 1,
    }  # fmt: skip
    assert Draft.objects.count() == 2
    assert ModelCall.objects.get().text == "words"


def test_what_is_over_goes_and_what_somebody_goes_on_from_stays(team: Team) -> None:
    run = old_things(team)
    entries, told = Entry.objects.count(), AuditRow.objects.filter(chain=team.workspace.pk).count()
    before = journal.snapshot(team.workspace.pk).as_json()["hash"]
    keep(team, **EVERYTHING)
    done = retention.prune(timezone.now(), actor=team.actor("sue"))
    assert done == dict.fromkeys(EVERYTHING, 1)
    call = ModelCall.objects.get()
    assert (call.request, call.text, call.decision, call.cost_micro) == ({}, "", {"a": 1}, 7)
    assert Draft.objects.get().text == "v2"
    assert not Letter.objects.exists()
    assert Entry.objects.count() == entries
    assert journal.snapshot(team.workspace.pk).as_json()["hash"] == before
    assert AuditRow.objects.filter(chain=team.workspace.pk).count() == told
    assert all(audit_trail.verify(chain) is None for chain in audit_trail.chains())
    row = AuditRow.objects.get(action="retention.pruned")
    assert audit_trail.said(row)["detail"]["rows"] == done
    assert retention.prune(timezone.now()) == {}
    assert run.pk == Run.objects.get().pk


def test_of_a_run_that_goes_on_nothing_is_deleted(team: Team) -> None:
    Run.objects.filter(pk=old_things(team).pk).update(state="running")
    keep(team, keep_model_words=1, keep_drafts=7)
    assert retention.prune(timezone.now()) == {}


def test_the_worker_deletes_once_an_hour_and_only_where_something_is_set(team: Team) -> None:
    old_things(team)
    now = timezone.now()
    assert not housekeeping.is_due(now)
    keep(team, keep_letters=30)
    assert housekeeping.is_due(now)
    housekeeping.tidy(now)
    assert not Letter.objects.exists()
    assert Lease.objects.get(pk=housekeeping.PRUNE).detail == {"rows": {"keep_letters": 1}}
    assert not housekeeping.is_due(now)
    assert housekeeping.is_due(now + timedelta(hours=2))


def test_only_staff_delete_or_ask_for_archives(team: Team) -> None:
    with pytest.raises(Forbidden):
        retention.prune(timezone.now(), actor=team.actor("ada"))
    with pytest.raises(Forbidden):
        perform(exporting.export_workspace, team.workspace.pk, actor=team.actor("ada"))


def asked(team: Team) -> Export:
    perform(exporting.export_workspace, team.workspace.pk, actor=team.actor("sue"))
    return Export.objects.latest("asked_at")


def test_an_archive_holds_the_workspace_and_verifies_without_us(team: Team) -> None:
    task = team.working()
    delivered(task, b"region,sum\nnorth,10\n", name="sums.csv")
    _, token = people.create_token(team.users["ada"], name="laptop")
    row = asked(team)
    with pytest.raises(Conflict):
        exporting.taken(row.pk, actor=team.actor("sue"))
    assert exporting.make_due(timezone.now()) == 1
    row, path = exporting.taken(row.pk, actor=team.actor("sue"))
    assert (row.state, row.size) == ("ready", path.stat().st_size)
    assert bundles.verify(path).faults == ()
    said = StringIO()
    call_command("bundle", "verify", str(path), stdout=said)
    assert "This installation made it" in said.getvalue()
    found = read(path)
    head = json.loads(found["manifest.json"])["head"]
    assert [json.loads(line)["seq"] for line in found["journal.jsonl"].splitlines()] == list(range(1, head + 1))
    assert json.loads(found["snapshot.json"])["seq"] == head
    assert {"rows/task.jsonl", "rows/attempt.jsonl", "rows/step.jsonl", "rows/member.jsonl"} <= found.keys()
    assert any(name.startswith("files/") and said == b"region,sum\nnorth,10\n" for name, said in found.items())
    whole = b"".join(found.values()).decode()
    secrets = [token, *digests(team)]
    assert not any(secret in whole for secret in secrets)
    assert "password" not in whole
    assert [one.action for one in AuditRow.objects.filter(action__startswith="export.").order_by("number")] == [
        "export.asked", "export.downloaded",
    ]  # fmt: skip


def digests(team: Team) -> list[str]:
    keys = [key.digest for agent in team.agents.values() for key in agent.keys.all()]
    return [*keys, team.users["ada"].password]


def read(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_an_archive_whose_making_fails_says_why_and_is_made_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    row = asked(team)
    with pytest.raises(Conflict):
        asked(team)
    good = workspace_archive.write

    def full(*_given: Any, **_more: Any) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(workspace_archive, "write", full)
    assert exporting.make_due(timezone.now()) == 0
    row.refresh_from_db()
    assert (row.state, row.said) == ("failed", "OSError: no space left")
    monkeypatch.setattr(workspace_archive, "write", good)
    perform(exporting.make_again, row.pk, actor=team.actor("sue"))
    assert exporting.make_due(timezone.now()) == 1


def test_one_whose_process_died_is_taken_over_and_given_up_in_the_end(team: Team) -> None:
    now = timezone.now()
    row = asked(team)
    Export.objects.update(state="making", tries=1, until=now + timedelta(seconds=5))
    assert exporting.make_due(now) == 0
    assert exporting.make_due(now + timedelta(seconds=6)) == 1
    Export.objects.update(state="making", tries=3, until=now)
    exporting.make_due(now + timedelta(seconds=6))
    row.refresh_from_db()
    assert row.state == "failed"


def test_an_old_archive_is_deleted_and_its_row_says_so(team: Team) -> None:
    row = asked(team)
    exporting.make_due(timezone.now())
    keep(team, keep_exports=1)
    assert retention.prune(timezone.now() + timedelta(days=2)) == {"keep_exports": 1}
    row.refresh_from_db()
    assert row.state == "gone"
    assert not exporting.path_of(row.pk).exists()
