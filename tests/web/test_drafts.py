"""The workbench as its pages answer: kept texts, the choice, versions, files, a check, too much at once."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.ids import new_id
from clawgroups.models import Artifact, Attempt, Draft, Part, Step, Task
from clawgroups.services import draft_files, drafts, files, takeover, texts
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


@pytest.fixture
def task(team: Team) -> Task:
    """A task in bob's hands, with a text of his as version 2."""
    made = team.working(acceptance=["min_words: 3", "Friendly"])
    perform(takeover.take_over, made.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, made.pk, text="one", actor=team.actor("bob"))
    return made


def at(name: str, task: Task, *more: Any) -> str:
    return reverse(name, args=[task.workspace_id, task.pk, *more])


def page(client: Client, task: Task) -> str:
    return client.get(at("task", task)).content.decode()


def told(answer: Any) -> Any:
    return json.loads(answer["HX-Trigger"])


def test_a_save_says_its_version_and_one_from_an_older_version_shows_the_choice(task: Task, sign_in: SignIn) -> None:
    client = sign_in("bob", htmx=True)
    saved = client.post(at("save-draft", task), {"text": "two", "base": "2"})
    assert told(saved) == {"draft:saved": {"version": 3}}
    assert "Draft saved, version 3" in saved.content.decode()
    moved = client.post(at("save-draft", task), {"text": "other", "base": "2"})
    assert moved.status_code == 409
    assert told(moved) == {"draft:refused": {"code": "draft_moved", "kept": 4}}
    assert f'id="task-body-{task.pk}"' in moved.content.decode()
    shown = page(client, task)
    assert "Two texts: which one counts?" in shown
    # In two words: what the editor holds is the newest version, with its number.
    assert 'data-base="3"' in shown
    chosen = client.post(at("choose-draft", task), {"kept": "4", "newest": "3", "choice": "mine", "text": "typed on"})
    assert chosen["HX-Trigger"] == "draft:chosen"
    assert "typed on</textarea>" in chosen.content.decode()
    assert "Two texts" not in page(client, task)
    held = Task.objects.get(pk=task.pk).attempt
    newest = texts.newest(held) if held is not None else None
    assert newest is not None
    assert newest.text == "typed on"


def test_without_script_a_save_from_an_older_version_leads_to_the_choice(task: Task, sign_in: SignIn) -> None:
    client = sign_in("bob")
    client.post(at("save-draft", task), {"text": "two", "base": "2"})
    moved = client.post(at("save-draft", task), {"text": "other", "base": "2"}, follow=True)
    assert moved.status_code == 200
    assert "Two texts: which one counts?" in moved.content.decode()


def test_what_was_typed_after_the_hold_is_shown_to_its_writer_alone(team: Team, task: Task, sign_in: SignIn) -> None:
    perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    client = sign_in("bob", htmx=True)
    refused = client.post(at("save-draft", task), {"text": "precious words", "base": "2"})
    assert refused.status_code == 409
    assert told(refused)["draft:refused"]["code"] == "not_holder"
    assert "precious words" in page(client, task)
    assert "precious words" not in page(sign_in("carol"), task)
    row = Draft.objects.get(kind="kept")
    client.post(at("settle-kept", task), {"attempt": str(row.attempt_id), "kept": str(row.version)})
    assert "precious words" not in page(client, task)
    loud = sign_in("bob").post(at("submit-task", task), {"text": "more words", "base": "2"})
    assert loud.status_code == 409
    assert "carol holds it now" in loud.content.decode()
    assert "more words" in page(client, task)


def test_versions_are_shown_with_who_and_what_changed_and_gone_back_to(team: Team, task: Task, sign_in: SignIn) -> None:
    client = sign_in("bob")
    Draft.objects.update(saved_at=timezone.now() - timedelta(hours=1))
    client.post(at("save-draft", task), {"text": "one <b>more</b>", "base": "2"})
    shown = client.get(at("draft-versions", task)).content.decode()
    assert "What changed since version 2" in shown
    assert "one &lt;b&gt;more&lt;/b&gt;" in shown
    older = client.get(at("draft-version", task, 2)).content.decode()
    assert "Go back to this one" in older
    assert "Go back to this one" not in sign_in("gus").get(at("draft-version", task, 2)).content.decode()
    assert client.get(at("draft-version", task, 77)).status_code == 404
    client.post(at("restore-draft", task, 2))
    assert 'data-base="4"' in page(client, task)
    Draft.objects.filter(version=4).update(kind="kept")
    assert client.get(at("draft-version", task, 4)).status_code == 404


def test_a_look_at_the_lines_and_a_warning_before_it_is_finished(task: Task, sign_in: SignIn) -> None:
    client = sign_in("bob", htmx=True)
    looked = client.post(at("check-draft", task), {"text": "too short"}).content.decode()
    assert "1 of 2 lines fails" in looked
    assert "ada reads it and decides" in looked
    assert "Finish anyway" not in looked
    warned = client.post(at("submit-task", task), {"text": "too short", "base": "2"})
    assert "Finish anyway" in warned.content.decode()
    # What is warned of is saved: the editor goes on from it.
    assert told(warned) == {"draft:saved": {"version": 3}}
    assert Task.objects.get(pk=task.pk).state == "held"
    client.post(at("submit-task", task), {"text": "too short", "base": "3", "anyway": "1"})
    assert Task.objects.get(pk=task.pk).state == "in_review"


def test_without_script_the_check_is_a_page_with_the_text_as_it_was_typed(task: Task, sign_in: SignIn) -> None:
    client = sign_in("bob")
    looked = client.post(at("check-draft", task), {"text": "typed & unsaved", "base": "2"}).content.decode()
    assert "typed &amp; unsaved" in looked
    assert "Save the draft and go on" in looked


@pytest.mark.parametrize("htmx", [True, False])
def test_twenty_megabytes_are_refused_in_words(task: Task, sign_in: SignIn, *, htmx: bool) -> None:
    client = sign_in("bob", htmx=htmx)
    for name in ("save-draft", "submit-task", "check-draft", "hand-back-task"):
        refused = client.post(at(name, task), {"text": "x" * 20_000_000})
        assert refused.status_code == 413, name
        assert "1,000,000 characters" in refused.content.decode()
        assert len(refused.content) < 50_000
    nearly = client.post(at("save-draft", task), {"text": "x" * 1_000_001})
    assert nearly.status_code == 413
    assert Draft.objects.count() == 2
    assert Task.objects.get(pk=task.pk).state == "held"


def table(team: Team, task: Task, content: bytes = b"a,b\r\n1,=1+1\r\n", name: str = "t.csv") -> Artifact:
    stored = files.store([content], name=name)
    perform(draft_files.add_files, task.pk, files=[stored], actor=team.actor("bob"))
    return Artifact.objects.filter(task=task, name=name, kind="draft").latest("created_at")


def test_a_table_is_edited_in_plain_inputs(team: Team, task: Task, sign_in: SignIn) -> None:
    row, client = table(team, task), sign_in("bob")
    shown = client.get(at("draft-file", task, row.pk)).content.decode()
    assert 'name="c-1-1" value="=1+1"' in shown
    added = client.post(at("save-draft-file", task, row.pk), {"c-1-0": "x", "do": "add-row:2"})
    assert added["Location"].endswith("#cell-2-0")
    made = Artifact.objects.filter(task=task, kind="draft").latest("created_at")
    with files.open_file(made.sha256) as opened:
        assert opened.read() == b"a,b\r\nx,=1+1\r\n,\r\n"
    stale = client.post(at("save-draft-file", task, row.pk), {"c-0-0": "stale"})
    assert stale.status_code == 409
    assert "Two revisions: which one counts?" in stale.content.decode()
    kept = Artifact.objects.get(kind="kept")
    client.post(at("choose-draft-file", task, kept.pk), {"choice": "newer"})
    assert "Two revisions" not in client.get(at("draft-file", task, made.pk)).content.decode()
    others = sign_in("ada").get(at("draft-file", task, made.pk)).content.decode()
    assert "only they can change it" in others
    assert "<input class=" not in others


def test_a_full_table_is_one_form_and_a_larger_one_is_text(team: Team, task: Task, sign_in: SignIn) -> None:
    client = sign_in("bob")
    full = table(team, task, (",".join("x" * 30) + "\n").encode() * 200, "full.csv")
    cells = {f"c-{r}-{c}": "y" for r in range(200) for c in range(30)}
    assert client.post(at("save-draft-file", task, full.pk), cells).status_code == 303
    large = table(team, task, b"a,b\n" * 201, "large.csv")
    shown = client.get(at("draft-file", task, large.pk)).content.decode()
    assert "more than 200 rows" in shown
    assert 'name="text"' in shown
    wrong = client.post(at("save-draft-file", task, large.pk), {"c-0-0": "x"})
    assert wrong.status_code == 422


def test_a_text_that_cannot_be_written_is_said_and_stays_in_the_form(team: Team, task: Task, sign_in: SignIn) -> None:
    row = table(team, task, "Grüße".encode("cp1252"), "letter.txt")
    answer = sign_in("bob").post(at("save-draft-file", task, row.pk), {"text": "Grüße ☃"})
    assert answer.status_code == 422
    assert "Grüße ☃" in answer.content.decode()


def test_files_are_added_replaced_and_taken_out_on_the_page(team: Team, task: Task, sign_in: SignIn) -> None:
    row, client = table(team, task), sign_in("bob")
    new = SimpleUploadedFile("other name.csv", b"c,d\n")
    client.post(at("add-draft-files", task), {"files": [new], "name": "t.csv"})
    held = Task.objects.select_related("attempt").get(pk=task.pk).attempt
    assert held is not None
    assert [(one.name, one.revision) for one in draft_files.of(held)] == [("t.csv", 2)]
    assert "Revisions" in client.get(at("draft-file", task, row.pk)).content.decode()
    client.post(at("remove-draft-file", task, draft_files.of(held)[0].pk))
    assert draft_files.of(held) == []
    assert client.get(at("draft-file", task, UUID(int=1))).status_code == 404


def test_what_the_agent_had_is_laid_out(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    attempt = task.attempt
    assert attempt is not None
    now = timezone.now()
    plan = [{"content": "Mail the branch", "status": "in_progress"}]
    Attempt.objects.filter(pk=attempt.pk).update(plan=plan)
    Step.objects.create(
        pk=new_id(), attempt=attempt, ordinal=1, tool_call_id="t", title="Send the mail", status="in_progress",
        started_at=now,
    )  # fmt: skip
    Part.objects.create(pk=new_id(), attempt=attempt, ordinal=2, kind="thought", text="I wonder", at=now)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    Part.objects.create(pk=new_id(), attempt=attempt, ordinal=3, kind="text", text="Sent.", at=now, after_stop=True)
    client = sign_in("bob", htmx=True)
    shown = client.get(at("task-brought", task)).content.decode()
    for said in ("What Scribe had", "Mail the branch", "may have happened", "Send the mail", "I wonder", "Sent."):
        assert said in shown
    # It is asked to stop: what it still says comes by itself.
    assert "every 3s" in shown
    Attempt.objects.filter(pk=attempt.pk).update(stop="done")
    assert "every 3s" not in client.get(at("task-brought", task)).content.decode()
    assert "may have happened" in page(client, task)
    assert "may have happened" not in page(sign_in("ada"), task)
    assert sign_in("gus", htmx=True).get(at("task-brought", task)).content.strip() == b""
