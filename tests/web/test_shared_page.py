"""What a read-only link of a run shows to whoever has it, and what it does not."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import tokens
from clawgroups.models import Artifact, Run, Share, Task
from clawgroups.services import files, messages, shares
from clawgroups.services.perform import perform
from clawgroups.services.tasks import assign_task
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
PLAN = [
    {"key": key, "title": f"Title of {key}", "instructions": "Ask Zoe in secret.", "skills": ["writing"]}
    for key in ("one", "two")
]


@pytest.fixture
def run(team: Team) -> Run:
    """A run with a task of the scribe's, a file that was given, and one that came of it."""
    made = team.run(PLAN)
    task = Task.objects.get(run=made, key="one")
    perform(assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    for kind, name in (("input", "given.csv"), ("deliverable", "report.html"), ("result", "part.md")):
        stored = files.store([name.encode()], name=name, content_type="text/plain")
        Artifact.objects.create(
            workspace=team.workspace, run=made, kind=kind, name=name, size=stored.size, sha256=stored.sha256,
            content_type="text/html", actor={}, created_at=timezone.now(),
        )  # fmt: skip
    return made


@pytest.fixture
def code(team: Team, run: Run) -> str:
    minted = tokens.mint_code()
    perform(shares.share_run, run.pk, code=minted, actor=team.actor("ada"))
    return minted.secret


def bytes_of(response: Any) -> bytes:
    return b"".join(response.streaming_content)


def test_it_shows_the_run_and_nothing_else(team: Team, run: Run, code: str) -> None:
    perform(messages.post_message, team.workspace.pk, body="Do not tell anybody", actor=team.actor("bob"))
    answer = Client().get(reverse("shared-run", args=[code]))
    page = answer.content.decode()
    assert answer.status_code == 200
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert "no-store" in answer["Cache-Control"]
    for shown in (run.goal, "Title of one", "Title of two", "Scribe", "report.html", 'hx-trigger="every 15s"'):
        assert shown in page
    workspace = team.workspace
    hidden = [str(run.pk), str(workspace.pk), workspace.name, workspace.goal, "Do not tell", "Zoe", "ada", "bob"]
    for one in (*hidden, "given.csv", "part.md", "hx-post", "data-workspaces"):
        assert one not in re.sub(r"<(script|link|meta)[^>]*>|<form.*?</form>", "", page), one


def test_the_name_of_a_person_at_work_is_not_shown(team: Team, run: Run, code: str) -> None:
    Task.objects.filter(run=run, key="one").update(assignee=team.seat("bob"))
    page = Client().get(reverse("shared-run", args=[code])).content.decode()
    assert "a person" in page
    assert "bob" not in page


def test_only_deliverables_are_downloaded_and_never_run_here(run: Run, code: str) -> None:
    files_ = {row.name: row for row in Artifact.objects.filter(run=run)}
    client = Client()
    answer = client.get(reverse("shared-file", args=[code, files_["report.html"].pk]))
    assert bytes_of(answer) == b"report.html"
    assert answer["Content-Disposition"].startswith("attachment")
    assert answer["Content-Security-Policy"].startswith("default-src 'none'")
    assert answer["X-Content-Type-Options"] == "nosniff"
    for name in ("given.csv", "part.md"):
        assert client.get(reverse("shared-file", args=[code, files_[name].pk])).status_code == 404
    other = reverse("shared-file", args=[tokens.mint_code().secret, files_["report.html"].pk])
    assert client.get(other).status_code == 404


def test_a_link_that_was_taken_back_shows_nothing_and_a_page_that_is_open_stops_asking(
    team: Team, sign_in: SignIn, code: str
) -> None:
    there, row = reverse("shared-run", args=[code]), Share.objects.get()
    htmx = Client(headers={"HX-Request": "true"})
    assert 'id="shared"' in htmx.get(there).content.decode()
    answer = sign_in("ada").post(reverse("unshare-run", args=[team.workspace.pk, row.pk]), follow=True)
    assert "The link shows nothing any more." in answer.content.decode()
    assert (gone := Client().get(there)).status_code == 404
    assert "Title of one" not in gone.content.decode()
    stopped = htmx.get(there)
    assert stopped.status_code == 286
    assert "Nothing is shown here" in stopped.content.decode()
    file = Artifact.objects.get(kind="deliverable")
    assert Client().get(reverse("shared-file", args=[code, file.pk])).status_code == 404


def test_the_link_gives_no_right_to_anything_else(team: Team, run: Run, code: str) -> None:
    client = Client()
    client.get(reverse("shared-run", args=[code]))
    assert client.post(reverse("shared-run", args=[code])).status_code == 405
    for there in (reverse("run", args=[team.workspace.pk, run.pk]), reverse("workspace", args=[team.workspace.pk])):
        assert client.get(there)["Location"].startswith(reverse("account_login"))
    assert client.get(f"/api/v1/runs/{run.pk}").status_code == 401


def test_an_admin_makes_a_link_that_is_shown_this_once(team: Team, sign_in: SignIn, run: Run) -> None:
    carol = sign_in("carol")
    page = carol.post(
        reverse("share-run", args=[team.workspace.pk, run.pk]), {"seconds": "3600", "operation": "one"}
    ).content.decode()
    (link,) = re.findall(r"http://[^<\s]+(/shared/[^<\s]+/)", page)
    assert 'class="qr"' in page
    assert Client().get(link).status_code == 200
    there = reverse("shares", args=[team.workspace.pk, run.pk])
    assert link not in carol.get(there).content.decode()
    assert there in carol.get(reverse("run", args=[team.workspace.pk, run.pk])).content.decode()
    assert there not in sign_in("bob").get(reverse("run", args=[team.workspace.pk, run.pk])).content.decode()
