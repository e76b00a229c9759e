"""A hand-back with provenance: what changed in text and files, what is open, what the next one gets and has to say."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from agents.models import Connection
from clawgroups.coordinator import handing
from clawgroups.coordinator.review import result_of
from clawgroups.core.errors import Conflict, Invalid
from clawgroups.core.failures import Failure
from clawgroups.fragments.handovers import handed_of
from clawgroups.models import Artifact, Attempt, Session, Task
from clawgroups.services import artifacts, draft_files, drafts, finishing, handback, review, takeover, tasks, texts
from clawgroups.services.briefs import task_inputs
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent
from tests.services.test_draft_files import delivered, stored, taken

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_store(tmp_path: Any, settings: Any) -> None:
    settings.MEDIA_ROOT = tmp_path


def stopped(team: Team) -> None:
    """Scribe has heard of the stop, so that it is free again."""
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})


def edited(team: Team, **more: Any) -> Task:
    """Bob has changed the table, added a file and taken one out, and written a text."""
    task, attempt = taken(team, **more)
    bob = team.actor("bob")
    perform(drafts.save_draft, task.pk, text="Bob's words\nand a total", actor=bob)
    note = draft_files.newest(attempt, "note.md")
    assert note is not None
    perform(draft_files.remove_file, task.pk, note.pk, actor=bob)
    given = [stored("sales.csv", b"region,sales\r\nnorth,15\r\nsouth,2\r\n"), stored("map.png", b"\x89PNG\r\n")]
    perform(draft_files.add_files, task.pk, files=given, actor=bob)
    stopped(team)
    return Task.objects.get(pk=task.pk)


def back(team: Team, task: Task, note: str = "Keep my total", **more: Any) -> dict[str, Any]:
    perform(handing.hand_back, task.pk, note=note, actor=team.actor("bob"), **more)
    found: dict[str, Any] = Task.objects.get(pk=task.pk).brief["handback"]
    return found


def given_to(team: Team, task: Task, name: str = "scribe") -> Attempt:
    perform(tasks.assign_task, task.pk, member_id=team.seat(name).pk, actor=team.actor("ada"))
    team.send(name)
    return Attempt.objects.filter(task=task).latest("number")


def test_the_brief_says_what_changed_in_text_and_files_and_which_lines_are_still_open(team: Team) -> None:
    task = edited(team, acceptance=["contains: total", "contains: North Sea", "Reads well"])
    brief = back(team, task)
    assert brief["from_id"] == str(team.seat("bob").pk)
    assert "+Bob's words" in brief["diff"]
    changes = {one["name"]: one["change"] for one in brief["files"]}
    assert changes == {"sales.csv": "replaced", "map.png": "added", "note.md": "removed"}
    table = next(one["diff"] for one in brief["files"] if one["name"] == "sales.csv")
    assert '-north,"1,5"' in table
    assert "+north,15" in table
    assert [(one["line"], one["finding"]) for one in brief["open"]] == [
        ("contains: North Sea", "failed"),
        ("Reads well", "open"),
    ]
    attempt = given_to(team, task)
    asked = attempt.commands.get(purpose="acknowledge").params["prompt"][0]["text"]
    for said in ("Keep my total", "+north,15", "map.png: added", "note.md: removed", "contains: North Sea"):
        assert said in asked
    assert "Do no work yet" in asked


def test_the_work_folder_holds_the_persons_version_and_nothing_older(team: Team) -> None:
    task = edited(team)
    back(team, task)
    given_to(team, task)
    names = {one.name: one for one in task_inputs(Task.objects.get(pk=task.pk))}
    assert set(names) == {"sales.csv", "map.png"}
    assert names["sales.csv"].by == "bob"
    session = Session.objects.filter(task=task).latest("opened_at")
    files = {one.name: one for one in artifacts.work_files(session)}
    assert set(files) == {"sales.csv", "map.png", "draft.md"}
    assert all(artifacts.work_file(session, name) == file for name, file in files.items())
    assert files["draft.md"].text == b"Bob's words\nand a total"


def test_a_draft_longer_than_a_prompt_is_whole_in_the_work_folder(team: Team) -> None:
    task, _ = taken(team)
    long = "A long line of words.\n" * 20_000
    perform(drafts.save_draft, task.pk, text=long, actor=team.actor("bob"))
    stopped(team)
    brief = back(team, task)
    assert len(brief["draft"]) < len(long)
    given_to(team, task)
    files = {one.name: one for one in artifacts.work_files(Session.objects.filter(task=task).latest("opened_at"))}
    assert files["draft.md"].text == long.encode()


def test_files_that_the_agent_leaves_as_they_are_go_on_with_its_result(team: Team) -> None:
    task = edited(team)
    back(team, task)
    attempt = given_to(team, task)
    team.finish("scribe", "I keep the total.")
    team.send("scribe")
    delivered(team, task, "map.png", b"\x89PNG\r\nredrawn")
    team.finish("scribe", "Bob's words and a total")
    task.refresh_from_db()
    results = {row.name: row for row in Artifact.objects.filter(attempt=attempt, kind="result")}
    assert set(results) == {"sales.csv", "map.png"}
    assert results["sales.csv"].actor["name"] == "bob"
    assert results["map.png"].actor["name"] == "Scribe"
    assert {one.name for one in result_of(task).files} == {"sales.csv", "map.png"}


def test_the_acknowledgement_is_a_turn_of_its_own_and_shown_with_the_task(team: Team) -> None:
    task = edited(team)
    back(team, task)

    def stands() -> Any:
        task.refresh_from_db()
        return handed_of(task, list(task.attempts.select_related("member")), task.created_at)

    assert stands().state == "looking"
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert stands().state == "offered"
    team.send("scribe")
    reading = stands()
    assert (reading.state, reading.who, reading.giver) == ("reading", "Scribe", "bob")
    assert reading.until == Attempt.objects.filter(task=task).latest("number").start_by
    team.finish("scribe", "I keep the total.")
    assert (stands().state, stands().text) == ("understood", "I keep the total.")


@pytest.mark.parametrize(
    ("result", "text", "said"),
    [
        ({"stopReason": "end_turn"}, "  ", "without a word"),
        ({"stopReason": "refusal"}, "I would rather not", "refused it: I would rather not"),
        ({"stopReason": "max_tokens"}, "", "ran out of tokens"),
    ],
)
def test_an_answer_that_is_no_acknowledgement_goes_back_to_whoever_handed_it_over(
    team: Team, result: dict[str, Any], text: str, said: str
) -> None:
    task = edited(team)
    back(team, task)
    given_to(team, task)
    team.answer("scribe", result, text=text)
    task.refresh_from_db()
    assert (task.state, task.next_actor, task.failure) == ("stuck", "bob", Failure.NOT_ACKNOWLEDGED)
    assert said in task.reason
    ended = Attempt.objects.filter(task=task).latest("number")
    assert (ended.state, ended.stop) == ("refused", "none")
    stands = handed_of(task, list(task.attempts.select_related("member")), task.created_at)
    assert stands is not None
    assert stands.state == "back"
    # Nothing is lost: taken over once more, it is bob's own version, with his files.
    made = perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    again = Attempt.objects.get(pk=made.answer["attempt"])
    assert texts.text_so_far(again) == "Bob's words\nand a total"
    assert {row.name for row in draft_files.of(again)} == {"sales.csv", "map.png"}


def test_whoever_has_left_is_not_the_one_it_goes_back_to(team: Team) -> None:
    task = edited(team)
    back(team, task)
    given_to(team, task)
    bob = team.seat("bob")
    type(bob).objects.filter(pk=bob.pk).update(left_at=task.created_at)
    team.answer("scribe", {"stopReason": "refusal"})
    task.refresh_from_db()
    assert task.next_actor == "ada"


def test_each_try_keeps_what_it_was_told_through_a_second_hand_back(team: Team) -> None:
    task = edited(team)
    back(team, task, "First note")
    first = given_to(team, task)
    team.finish("scribe", "Understood.")
    team.send("scribe")
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="Other words", actor=team.actor("bob"))
    stopped(team)
    back(team, task, "Second note")
    second = given_to(team, task)
    first.refresh_from_db()
    assert first.brief["handback"]["note"] == "First note"
    assert second.brief["handback"]["note"] == "Second note"
    assert not second.brief.get("acknowledged")


def test_a_note_that_no_agent_was_told_goes_on_with_the_next_hand_back(team: Team) -> None:
    task = edited(team)
    perform(
        handback.reassign_task,
        task.pk,
        member_id=team.seat("carol").pk,
        note="The total is from the board",
        anyway=True,
        actor=team.actor("bob"),
    )
    made = perform(takeover.take_over, task.pk, actor=team.actor("carol"))
    attempt = Attempt.objects.get(pk=made.answer["attempt"])
    assert attempt.brief["handback"]["note"] == "The total is from the board"
    assert texts.text_so_far(attempt) == "Bob's words\nand a total"
    perform(drafts.save_draft, task.pk, text="Bob's words\nand a grand total", actor=team.actor("carol"))
    perform(handing.hand_back, task.pk, note="Finish it", actor=team.actor("carol"))
    brief = Task.objects.get(pk=task.pk).brief["handback"]
    assert (brief["from"], brief["note"]) == ("carol", "Finish it")
    assert brief["notes"] == [{"from": "bob", "note": "The total is from the board"}]
    # All that people did since the agent had it, not only what carol did.
    assert "+Bob's words" in brief["diff"]
    assert "+and a grand total" in brief["diff"]
    assert {one["name"] for one in brief["files"]} == {"sales.csv", "map.png", "note.md"}


# Nobody there


def test_a_hand_back_that_nobody_can_take_says_why_each_cannot_before_it_leaves_the_hands(team: Team) -> None:
    team.agents["poet"] = online_agent(team, "poet", "writing")
    task = edited(team)
    other = team.one_task(key="other")
    perform(tasks.assign_task, other.pk, member_id=team.seat("poet").pk, actor=team.actor("ada"))
    type(team.agents["scribe"]).objects.filter(pk=team.agents["scribe"].pk).update(breaker="quarantined")
    with pytest.raises(Conflict) as refused:
        back(team, task)
    fault = refused.value
    assert fault.code == "nobody_to_hand_to"
    assert "Poet is busy with 1 of 1" in fault.message
    assert "Scribe is in quarantine" in fault.message
    assert "hand it back anyway: then it waits for" in fault.message
    assert {one["name"] for one in fault.fields["members"]} >= {"Poet", "Scribe", "Counter"}
    assert Task.objects.get(pk=task.pk).holder == team.seat("bob")
    back(team, task, anyway=True)
    assert Task.objects.get(pk=task.pk).state == "ready"


def test_an_agent_chosen_by_name_that_cannot_take_it_is_named(team: Team) -> None:
    task = edited(team)
    team.users["ada"].refresh_from_db()
    team.agents["poet"] = online_agent(team, "poet", "writing")
    poet = team.seat("poet").pk
    Connection.objects.filter(agent=team.agents["poet"]).update(closed_at=task.created_at)
    with pytest.raises(Conflict, match=r"Poet is offline.*anyway: then it waits") as refused:
        perform(handing.reassign, task.pk, member_id=poet, actor=team.actor("bob"))
    assert refused.value.code == "cannot_take_it"
    with pytest.raises(Conflict, match=r"Counter lacks writing\. Keep it, finish it yourself, choose somebody else"):
        perform(handing.reassign, task.pk, member_id=team.seat("counter").pk, actor=team.actor("bob"))
    perform(handing.reassign, task.pk, member_id=poet, anyway=True, actor=team.actor("bob"))
    assert Task.objects.get(pk=task.pk).brief["only"] == str(poet)


def test_the_preview_says_what_will_be_told_and_to_whom_and_changes_nothing(team: Team) -> None:
    task = edited(team, acceptance=["contains: North Sea"])
    before = list(team.journal())
    found = handing.preview(task.pk, actor=team.actor("bob"), note="Keep my total")
    assert found.outlook.to is not None
    assert found.outlook.to.name == "Scribe"
    brief = back(team, task)
    assert found.brief == brief
    assert "Keep my total" in found.text
    assert "contains: North Sea" in found.text
    assert before == team.journal()[: len(before)]
    attempt = given_to(team, task)
    assert attempt.commands.get(purpose="acknowledge").params["prompt"][0]["text"] == found.text


# Bad input


def test_bad_hand_backs_are_answered_clearly_and_lose_nothing(team: Team) -> None:
    task = edited(team)
    with pytest.raises(Conflict, match="bob holds it now"):
        perform(handing.hand_back, task.pk, actor=team.actor("carol"))
    with pytest.raises(Invalid, match="6000 characters long; at most 5000"):
        back(team, task, "x" * 6000)
    with pytest.raises(Conflict) as stale:
        back(team, task, epoch=task.epoch - 1)
    assert (stale.value.code, stale.value.fields["holder"]) == ("moved_on", "bob")
    gus, dora = team.seat("gus"), team.seat("carol")
    with pytest.raises(Invalid, match="gus is a guest here and does no tasks"):
        perform(handing.reassign, task.pk, member_id=gus.pk, actor=team.actor("bob"))
    type(dora).objects.filter(pk=dora.pk).update(left_at=task.created_at)
    with pytest.raises(Invalid, match="carol is not here any more"):
        perform(handing.reassign, task.pk, member_id=dora.pk, actor=team.actor("bob"))
    with pytest.raises(Invalid, match="in your own hands"):
        perform(handing.reassign, task.pk, member_id=team.seat("bob").pk, actor=team.actor("bob"))
    with pytest.raises(Invalid, match="Choose a member"):
        perform(handing.reassign, task.pk, member_id=UUID(int=7), actor=team.actor("bob"))
    assert Task.objects.get(pk=task.pk).holder == team.seat("bob")
    first = perform(handing.hand_back, task.pk, actor=team.actor("bob"), operation="one")
    with pytest.raises(Conflict, match="You do not hold this task"):
        perform(handing.hand_back, task.pk, actor=team.actor("bob"))
    assert first.applied
    assert Task.objects.get(pk=task.pk).epoch == first.answer["epoch"]


# Judged by another


def test_nobody_accepts_their_own_words_where_a_line_needs_a_reader(team: Team) -> None:
    task = team.one_task(acceptance=["not_empty", "Reads well"])
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("ada"))
    with pytest.raises(Conflict, match=r"somebody else judges “Reads well”\. Ask carol") as refused:
        perform(review.accept_task, task.pk, actor=team.actor("ada"))
    assert refused.value.code == "own_result"
    perform(review.accept_task, task.pk, actor=team.actor("bob"))
    assert Task.objects.get(pk=task.pk).state == "done"


def test_who_is_alone_judges_their_own_words(team: Team) -> None:
    type(team.seat("bob")).objects.filter(name__in=["bob", "carol"]).update(left_at=team.workspace.created_at)
    task = team.one_task(acceptance=["Reads well"])
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    perform(finishing.submit_held, task.pk, result="Mine", actor=team.actor("ada"))
    perform(review.accept_task, task.pk, actor=team.actor("ada"))
    assert Task.objects.get(pk=task.pk).state == "done"
