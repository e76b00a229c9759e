"""The story of a task: each kind of entry as a sentence, and the chapters by whose hands it was in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from clawgroups.core.events import EVENTS
from clawgroups.core.sentences import SENTENCES
from clawgroups.core.story import LEFT_OUT, OF_THE_RUN, Chapter, tell
from clawgroups.core.telling import Known, Told

T, R = "task-1", "run-1"
AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
KNOWN = Known(
    members={"ada": "Ada", "bob": "Bob", "cem": "Cem", "scribe": "Scribe"},
    users={7: "Ada"},
    workers={"a1": "Scribe", "a2": "Ada", "a3": "Bob"},
    said={
        ("task.handed_back", "3"): ("Keep the first line",),
        ("control.asked", "r1"): ("I know the client",),
        ("control.answered", "r1"): ("Ten minutes more",),
        ("approval.requested", "p1"): ("rm -r data",),
        ("approval.decided", "p1"): ("Yes, once",),
        ("verdicts", "a1"): ("not_empty – passed",),
        ("steer", "c1"): ("Only the second half",),
    },
)
ADA = {"kind": "person", "name": "Ada", "user": 7}
BOB = {"kind": "person", "name": "Bob", "user": 8}
COORDINATOR = {"kind": "coordinator", "name": "Coordinator", "on_behalf_of": 7}
SYSTEM = {"kind": "system", "name": "Claw Groups"}
ASSIGNED = ("task.assigned", COORDINATOR, {"attempt_id": "a1", "member_id": "scribe", "epoch": 1, "run_id": R})
TAKEN = ("task.taken_over", ADA, {"attempt_id": "a2", "member_id": "ada", "epoch": 2, "superseded_id": "a1"})
Entry = tuple[str, dict[str, Any], dict[str, Any]]


def story(*entries: Entry) -> tuple[Chapter, ...]:
    told = [
        Told(n, AT + timedelta(minutes=n), type_, {"task_id": T, **said}, actor)
        for n, (type_, actor, said) in enumerate(entries)
    ]
    return tell(T, R, told, KNOWN)


def test_every_event_about_a_task_has_a_sentence_or_is_left_out_on_purpose() -> None:
    about = {type_ for type_, event in EVENTS.items() if "task_id" in event.model_fields}
    assert about == (SENTENCES.keys() - OF_THE_RUN) | LEFT_OUT
    assert not SENTENCES.keys() & LEFT_OUT
    assert SENTENCES.keys() >= OF_THE_RUN
    assert SENTENCES.keys() <= EVENTS.keys()


@pytest.mark.parametrize("type_", sorted(SENTENCES))
def test_every_sentence_is_made_of_the_facts_that_its_event_has(type_: str) -> None:
    """Of each event with the least that it holds: a whole sentence, without a hole."""
    said: dict[str, Any] = {**dict.fromkeys(EVENTS[type_].model_fields, "x"), "task_id": T, "run_id": R}
    said |= {name: 2 for name in ("version", "epoch", "draft") if name in said}
    ((line,),) = [one.lines for one in story((type_, ADA, {**said, "parts": [], "reasons": []}))]
    assert line.sentence.endswith((".", "x"))
    assert "None" not in line.sentence
    assert "{" not in line.sentence


@pytest.mark.parametrize(
    ("type_", "actor", "said", "sentence", "details"),
    [
        (*ASSIGNED, "Coordinator gave it to Scribe.", ()),
        ("task.begun", SYSTEM, {"attempt_id": "a1"}, "Scribe began.", ()),
        (*TAKEN, "Ada took it over from Scribe.", ()),
        (
            "task.taken_over", BOB,
            {"attempt_id": "a3", "member_id": "bob", "epoch": 3, "superseded_id": "a2", "how": "forced",
             "former_id": "ada", "reason": "The client rang"},
            "Bob took it from Ada, as an admin may.", ("The client rang",),
        ),
        (
            "task.taken_over", BOB,
            {"attempt_id": "a3", "member_id": "bob", "epoch": 3, "superseded_id": "a2", "how": "offered",
             "former_id": "ada"},
            "Bob took it over: it had lain idle with Ada.", (),
        ),
        (
            "task.taken_over", ADA,
            {"attempt_id": "a3", "member_id": "bob", "epoch": 3, "superseded_id": "a2", "how": "passed",
             "former_id": "ada"},
            "It passed from Ada to Bob, with the draft.", (),
        ),
        (
            "task.taken_over", BOB, {"attempt_id": "a3", "member_id": "bob", "epoch": 3, "how": "accepted"},
            "Bob was asked to do it, and took it.", (),
        ),
        (
            "task.handed_back", ADA, {"member_id": "ada", "epoch": 3, "to_id": "scribe"},
            "Ada handed it back, for Scribe.", ("Keep the first line",),
        ),
        ("task.returned", ADA, {"attempt_id": "a1", "reasons": ["No total"]},
         "Ada sent the result of Scribe back.", ("No total", "not_empty – passed")),
        ("task.done", ADA, {"attempt_id": "a1"}, "Ada accepted the result of Scribe: it is done.",
         ("not_empty – passed",)),
        ("task.released", SYSTEM, {"attempt_id": "a1", "reason": "no progress.", "epoch": 2},
         "The try of Scribe ended: no progress.", ()),
        ("approval.requested", SYSTEM, {"approval_id": "p1", "attempt_id": "a1"},
         "Scribe asked a person.", ("rm -r data",)),
        ("approval.decided", BOB, {"approval_id": "p1", "kind": "allow_once"}, "Bob answered.", ("Yes, once",)),
        ("control.asked", BOB, {"request_id": "r1", "member_id": "bob", "holder_id": "ada"},
         "Bob asked Ada for it.", ("I know the client",)),
        ("control.asked", ADA, {"request_id": "r2", "member_id": "bob", "holder_id": "ada", "how": "offered"},
         "Ada offered it to Bob.", ()),
        ("control.answered", ADA, {"request_id": "r1", "member_id": "bob", "outcome": "refused"},
         "Ada said “not now”.", ("Ten minutes more",)),
        ("control.answered", BOB, {"request_id": "r2", "member_id": "bob", "outcome": "granted"},
         "Bob took it as it was offered.", ()),
        ("attempt.steered", ADA, {"attempt_id": "a2", "command_id": "c1", "when": "after_step"},
         "Ada asked the agent, for after the step under way.", ("Only the second half",)),
        ("attempt.steer_answered", SYSTEM, {"attempt_id": "a2", "command_id": "c1", "outcome": "cancelled"},
         "The agent was stopped before it had answered.", ()),
        ("attempt.steer_answered", SYSTEM, {"attempt_id": "a2", "command_id": "c2", "outcome": "end_turn", "draft": 4},
         "The agent answered; its words are offered as version 4 of the draft.", ()),
        ("task.parked", SYSTEM, {"reason": ""}, "It does not wait for that any more.", ()),
        ("task.stopped", ADA, {"attempt_id": "a1", "member_id": "scribe"}, "Ada had Scribe stopped.", ()),
    ],
)  # fmt: skip
def test_what_happened_in_words(
    type_: str, actor: dict[str, Any], said: dict[str, Any], sentence: str, details: tuple[str, ...]
) -> None:
    (chapter,) = story((type_, actor, said))
    (line,) = chapter.lines
    assert (line.sentence, line.details) == (sentence, details)


def test_chapters_are_by_hands_with_when_they_began_and_ended() -> None:
    chapters = story(
        ("task.ready", SYSTEM, {"run_id": R}),
        ASSIGNED,
        ("task.begun", SYSTEM, {"attempt_id": "a1"}),
        TAKEN,
        ("task.submitted", ADA, {"attempt_id": "a2"}),
        ("task.done", BOB, {"attempt_id": "a2"}),
    )
    assert [(one.kind, one.who, one.seconds) for one in chapters] == [
        ("idle", "nobody", 60.0), ("working", "Scribe", 120.0), ("held", "Ada", 60.0), ("in_review", "nobody", 60.0),
        ("over", "nobody", 0.0),
    ]  # fmt: skip


def test_a_line_says_what_it_changed_and_on_whose_behalf() -> None:
    _, (assigned,) = (one.lines for one in story(("task.ready", SYSTEM, {"run_id": R}), ASSIGNED))
    assert (assigned.who, assigned.on_behalf) == ("Coordinator", "Ada")
    assert assigned.before.as_json() == {"state": "ready", "hands": "nobody", "epoch": 0}
    assert assigned.after.as_json() == {"state": "assigned", "hands": "Scribe", "epoch": 1}
    assert assigned.moved


def test_a_draft_that_is_saved_again_and_again_is_one_line_with_its_first_and_last_version() -> None:
    saves = [("draft.saved", ADA, {"attempt_id": "a2", "version": n}) for n in (2, 3, 4)]
    other = ("draft.saved", BOB, {"attempt_id": "a2", "version": 5})
    *_, chapter = story(ASSIGNED, TAKEN, *saves, other)
    assert [line.draft for line in chapter.lines] == [None, ("a2", 1, 4), ("a2", 4, 5)]
    assert chapter.lines[1].sentence == "Ada changed the draft, version 1 to 4."


def test_entries_of_other_tasks_and_runs_say_nothing() -> None:
    other = ("task.begun", SYSTEM, {"task_id": "task-2", "attempt_id": "a1"})
    assert story(other, ("run.cancelled", ADA, {"run_id": "run-2"})) == ()
    ((chapter),) = story(("run.cancelled", ADA, {"run_id": R}))
    assert chapter.lines[0].sentence == "Ada cancelled the run, and with it this task."
    assert chapter.lines[0].after.state == "cancelled"
