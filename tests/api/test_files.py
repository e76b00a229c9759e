"""Files by the API: by name with their versions, the final one, all in one archive."""

from __future__ import annotations

import io
import zipfile

import pytest

from tests.api.conftest import As, problem
from tests.conftest import Team
from tests.realtime.told_of_files import delivered

pytestmark = pytest.mark.django_db


def test_a_runs_files_come_by_name_and_the_final_one_stands_for_its_name(team: Team, as_: As) -> None:
    task, bob = team.one_task(), as_("bob")
    first, second = delivered(task, b"One"), delivered(task, b"Two", revision=2)
    delivered(task, b"x", name="draft.md", kind="draft")
    here = f"/runs/{task.run_id}/files"
    (found,) = bob.get(here).json()["items"]
    assert [one["id"] for one in found["versions"]] == [str(second), str(first)]
    assert (found["name"], found["standing"], found["final"]) == ("report.md", str(second), False)
    key = {"Idempotency_Key": "pin-1"}
    said = bob.post(f"/artifacts/{first}/pin", **key)
    assert said.json() == {"id": str(first), "name": "report.md", "revision": 1, "before": None}
    assert bob.post(f"/artifacts/{first}/pin", **key)["Idempotency-Replayed"] == "true"
    (found,) = bob.get(here).json()["items"]
    assert (found["standing"], found["final"]) == (str(first), True)
    assert bob.get(f"/artifacts/{first}").json()["pinned_at"].endswith("Z")
    bob.post(f"/artifacts/{first}/unpin")
    assert bob.get(here).json()["items"][0]["final"] is False
    assert bob.get(f"{here}?q=nothing").json() == {"items": [], "next": None}


def test_names_come_page_by_page(team: Team, as_: As) -> None:
    task = team.one_task()
    for n in range(5):
        delivered(task, b"x", name=f"{n}.txt")
    seen: list[str] = []
    at: int | None = 0
    while at is not None:
        said = as_("gus").get(f"/runs/{task.run_id}/files?limit=2&offset={at}").json()
        seen += [one["name"] for one in said["items"]]
        at = said["next"]
    assert sorted(seen) == [f"{n}.txt" for n in range(5)]


def test_the_archive_is_a_download_and_an_empty_one_is_a_problem(team: Team, as_: As) -> None:
    task, gus = team.one_task(), as_("gus")
    assert problem(gus.get(f"/runs/{task.run_id}/archive")) == (409, "no_files")
    delivered(task, b"One", kind="deliverable")
    answer = gus.get(f"/runs/{task.run_id}/archive")
    assert answer["Content-Disposition"].startswith("attachment")
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert sorted(archive.namelist()) == ["manifest.json", "report.md"]
    assert problem(gus.get(f"/runs/{task.run_id}/archive?which=some"))[0] == 422


def test_a_guest_reads_files_and_pins_none(team: Team, as_: As) -> None:
    pk = delivered(team.one_task(), b"One")
    assert problem(as_("gus").post(f"/artifacts/{pk}/pin")) == (403, "forbidden")
    assert problem(as_("mallory").post(f"/artifacts/{pk}/pin")) == (404, "not_found")
