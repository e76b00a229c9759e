"""The files of a held task's draft: what the agent brought, changed, taken out, handed in; with all revisions."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from clawgroups.coordinator.review import result_of
from clawgroups.core.acceptance import Finding
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Conflict, Invalid, NotFound
from clawgroups.models import Artifact, Attempt, Draft, Entry, Session, Task
from clawgroups.services import (
    artifacts,
    checking,
    draft_files,
    file_edit,
    finishing,
    handback,
    review,
    takeover,
    tasks,
)
from clawgroups.services.files import StoredFile, open_file, store
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db
TABLE = b'region,sales\r\nnorth,"1,5"\r\nsouth,2\r\n'


@pytest.fixture(autouse=True)
def own_store(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def stored(name: str, content: bytes) -> StoredFile:
    return store([content], name=name)


def delivered(team: Team, task: Task, name: str, content: bytes) -> None:
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    session = Session.objects.get(attempt=Task.objects.get(pk=task.pk).attempt)
    perform(artifacts.deliver_file, session.pk, stored=stored(name, content), actor=me)


def taken(team: Team, who: str = "bob", **more: Any) -> tuple[Task, Attempt]:
    """A task in bob's hands, whose agent had made a table and a note."""
    task = team.working(**more)
    delivered(team, task, "sales.csv", TABLE)
    delivered(team, task, "note.md", b"first")
    delivered(team, task, "note.md", b"second")
    made = perform(takeover.take_over, task.pk, actor=team.actor(who))
    return task, Attempt.objects.get(pk=made.answer["attempt"])


def names(attempt: Attempt) -> list[tuple[str, int, str]]:
    return [(row.name, row.revision, row.actor["name"]) for row in draft_files.of(attempt)]


def saved(team: Team, task: Task, file: StoredFile, base: UUID | None, who: str = "bob") -> dict[str, Any]:
    return dict(perform(draft_files.save_file, task.pk, stored=file, base=base, actor=team.actor(who)).answer)


def content(row: Artifact) -> bytes:
    with open_file(row.sha256) as opened:
        return opened.read()


def test_what_the_agent_made_is_in_the_draft_under_its_name(team: Team) -> None:
    _, attempt = taken(team)
    assert names(attempt) == [("note.md", 2, "Scribe"), ("sales.csv", 1, "Scribe")]


def test_files_are_added_replaced_and_taken_out_and_every_revision_is_kept(team: Team) -> None:
    task, attempt = taken(team)
    bob = team.actor("bob")
    perform(draft_files.add_files, task.pk, files=[stored("note.md", b"third"), stored("new.txt", b"x")], actor=bob)
    perform(draft_files.add_files, task.pk, files=[stored("other.csv", b"a,b\n")], name="sales.csv", actor=bob)
    assert names(attempt) == [("new.txt", 1, "bob"), ("note.md", 3, "bob"), ("sales.csv", 2, "bob")]
    note = draft_files.newest(attempt, "note.md")
    assert note is not None
    assert [(row.revision, row.actor["name"]) for row in draft_files.revisions(note)] == [
        (3, "bob"), (2, "Scribe"), (1, "Scribe"),
    ]  # fmt: skip
    again = perform(draft_files.add_files, task.pk, files=[stored("note.md", b"third")], actor=bob)
    assert again.answer["files"] == [{"id": str(note.pk), "name": "note.md", "revision": 3}]
    perform(draft_files.remove_file, task.pk, note.pk, actor=bob)
    assert names(attempt) == [("new.txt", 1, "bob"), ("sales.csv", 2, "bob")]
    fact = Entry.objects.get(workspace=team.workspace, type="draft.file_removed")
    assert fact.payload["name"] == "note.md"
    with pytest.raises(NotFound):
        perform(draft_files.remove_file, task.pk, note.pk, actor=bob)
    with pytest.raises(Invalid, match="Choose a file"):
        perform(draft_files.add_files, task.pk, files=[], actor=bob)


def test_the_draft_is_the_result_and_who_made_what_stays(team: Team) -> None:
    task, attempt = taken(team, acceptance=["file_type: csv"])
    bob = team.actor("bob")
    note = draft_files.newest(attempt, "note.md")
    assert note is not None
    perform(draft_files.remove_file, task.pk, note.pk, actor=bob)
    perform(finishing.submit_held, task.pk, result="", files=[stored("more.txt", b"x")], actor=bob)
    results = Artifact.objects.filter(attempt=attempt, kind="result").order_by("name")
    assert [(row.name, row.actor["name"]) for row in results] == [("more.txt", "bob"), ("sales.csv", "Scribe")]
    # What was taken out is not judged, though an earlier try had delivered it.
    judged = result_of(Task.objects.select_related("attempt__member").get(pk=task.pk))
    assert sorted(file.name for file in judged.files) == ["more.txt", "sales.csv"]
    perform(review.return_task, task.pk, reasons=["no numbers"], actor=team.actor("ada"))
    again = Task.objects.get(pk=task.pk).attempt
    assert again is not None
    assert [name for name, *_ in names(again)] == ["more.txt", "sales.csv"]


def test_a_result_without_a_word_and_a_file_is_refused(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    with pytest.raises(Invalid, match="The result is empty"):
        perform(finishing.submit_held, task.pk, result=" \n", actor=team.actor("bob"))


def test_a_takeover_from_somebody_takes_their_files_along(team: Team) -> None:
    task, _ = taken(team)
    perform(draft_files.add_files, task.pk, files=[stored("mine.txt", b"x")], actor=team.actor("bob"))
    made = perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    there = names(Attempt.objects.get(pk=made.answer["attempt"]))
    assert there == [("mine.txt", 1, "bob"), ("note.md", 2, "Scribe"), ("sales.csv", 1, "Scribe")]


def test_what_an_agent_adds_after_a_hand_back_joins_what_the_person_left(team: Team) -> None:
    task, attempt = taken(team)
    bob = team.actor("bob")
    note = draft_files.newest(attempt, "note.md")
    assert note is not None
    perform(draft_files.remove_file, task.pk, note.pk, actor=bob)
    perform(handback.hand_back, task.pk, note="", actor=bob)
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=bob)
    made = perform(takeover.take_over, task.pk, actor=bob)
    assert names(Attempt.objects.get(pk=made.answer["attempt"])) == [("sales.csv", 1, "Scribe")]


def test_a_table_is_edited_cell_by_cell_and_the_rest_stays_as_it_was(team: Team) -> None:
    task, attempt = taken(team)
    row = draft_files.newest(attempt, "sales.csv")
    assert row is not None
    file = file_edit.edited_table(row, {(1, 1): "1,5", (2, 1): "=HYPERLINK(1)"}, "add-row:3")
    assert saved(team, task, file, row.pk)["revision"] == 2
    edited = draft_files.newest(attempt, "sales.csv")
    assert edited is not None
    assert content(edited) == b'region,sales\r\nnorth,"1,5"\r\nsouth,=HYPERLINK(1)\r\n,\r\n'
    with pytest.raises(Invalid, match="add-row:3"):
        file_edit.edited_table(edited, {}, "drop-table:1")


@pytest.mark.parametrize(
    ("before", "typed", "after"),
    [
        (b"a\r\nb", "a\r\nc\nd", b"a\r\nc\r\nd"),
        ("\ufeffä".encode(), "äö", "\ufeffäö".encode()),
        ("ä".encode("cp1252"), "ö", "ö".encode("cp1252")),
        (b"a\r\nb\nc", "a\nb\nc", b"a\r\nb\nc"),
    ],
)
def test_a_text_keeps_how_it_is_written(team: Team, before: bytes, typed: str, after: bytes) -> None:
    task, attempt = taken(team)
    perform(draft_files.add_files, task.pk, files=[stored("t.txt", before)], actor=team.actor("bob"))
    row = draft_files.newest(attempt, "t.txt")
    assert row is not None
    with open_file(file_edit.edited_text(row, typed).sha256) as opened:
        assert opened.read() == after


def test_what_is_no_text_or_too_large_or_not_to_be_written_says_what_to_do(team: Team) -> None:
    task, attempt = taken(team)
    files = [stored("p.png", b"\x89PNG\x00\xff"), stored("l.txt", b"x" * 1_100_000), stored("w.txt", b"\xe4")]
    perform(draft_files.add_files, task.pk, files=files, actor=team.actor("bob"))
    for name, said in (("p.png", "no text"), ("l.txt", "too large")):
        row = draft_files.newest(attempt, name)
        assert row is not None
        assert said in file_edit.opened(row).why_not
        with pytest.raises(Invalid, match=said):
            file_edit.edited_text(row, "x")
    row = draft_files.newest(attempt, "w.txt")
    assert row is not None
    with pytest.raises(Invalid, match="cp1252"):
        file_edit.edited_text(row, "\u2603")


def test_a_file_that_moved_on_is_kept_beside_and_chosen(team: Team) -> None:
    task, attempt = taken(team)
    bob = team.actor("bob")
    row = draft_files.newest(attempt, "note.md")
    assert row is not None
    saved(team, task, stored("note.md", b"one tab"), row.pk)
    with pytest.raises(Conflict, match="Revision 3 of “note") as why:
        saved(team, task, stored("note.md", b"other tab"), row.pk)
    assert why.value.code == "file_moved"
    (beside,) = draft_files.kept_of(attempt)
    assert why.value.fields["kept_as"] == str(beside.pk)
    with pytest.raises(Conflict):
        saved(team, task, stored("note.md", b"other tab"), row.pk)
    assert len(draft_files.kept_of(attempt)) == 1
    perform(draft_files.choose_file, task.pk, beside.pk, choice="mine", actor=bob)
    newest = draft_files.newest(attempt, "note.md")
    assert newest is not None
    assert content(newest) == b"other tab"
    assert draft_files.kept_of(attempt) == []
    with pytest.raises(Conflict, match="chosen already"):
        perform(draft_files.choose_file, task.pk, beside.pk, choice="newer", actor=bob)


def test_a_file_that_comes_after_the_hold_is_kept_with_its_writer(team: Team) -> None:
    task, attempt = taken(team)
    row = draft_files.newest(attempt, "note.md")
    assert row is not None
    made = perform(takeover.take_over, task.pk, force=True, actor=team.actor("carol"))
    with pytest.raises(Conflict, match="carol holds it now"):
        saved(team, task, stored("note.md", b"typed on"), row.pk)
    assert [content(one) for one in draft_files.kept_of(attempt)] == [b"typed on"]
    assert [name for name, *_ in names(Attempt.objects.get(pk=made.answer["attempt"]))] == ["note.md", "sales.csv"]


def test_a_look_at_the_lines_before_finishing_judges_the_draft_and_writes_nothing(team: Team) -> None:
    lines = ["not_empty", "min_words: 3", "file_type: xlsx", "contains: sun", "Friendly"]
    task, attempt = taken(team, acceptance=lines)
    before = (Draft.objects.count(), Artifact.objects.count(), len(team.journal()))
    found = checking.check_draft(task.pk, text="the sun\r\nshines", actor=team.actor("bob"))
    assert [one.finding for one in found.verdicts] == [
        Finding.PASSED, Finding.PASSED, Finding.FAILED, Finding.PASSED, Finding.OPEN,
    ]  # fmt: skip
    assert found.failed == 1
    assert found.verdicts[2].reason == "no .xlsx file was delivered"
    assert found.verdicts[4].reason == "ada reads it and decides"
    assert (Draft.objects.count(), Artifact.objects.count(), len(team.journal())) == before
    assert Attempt.objects.get(pk=attempt.pk).verdicts == []
    with pytest.raises(Conflict, match="bob holds it now"):
        checking.check_draft(task.pk, actor=team.actor("ada"))
