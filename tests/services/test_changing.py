"""A question is bound to exactly what it shows: nobody's answer counts for something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from agents.protocol.updates import ToolCall
from clawgroups.core.errors import Conflict
from clawgroups.models import Approval, Command, Entry, Session, Task, Vote
from clawgroups.services import approvals, putting
from clawgroups.services.perform import perform
from clawgroups.services.takeover import take_over
from tests.conftest import Team
from tests.services.ask_support import NO, OPTIONS, YES, asks, decides, now, scribe, tells, tells_at_once, told
from tests.services.conftest import Clock, fresh
from tests.services.rule_support import make

pytestmark = pytest.mark.django_db


def open_ones() -> list[Approval]:
    return list(Approval.objects.filter(state="open").order_by("asked_at"))


def test_an_answer_names_what_was_looked_at(team: Team) -> None:
    task = team.working()
    question = asks(team, task)
    with pytest.raises(Conflict) as refused:
        decides(team, "ada", question, digest="0" * 64)
    assert refused.value.code == "changed"
    assert (now(question).state, told(task)) == ("open", [])
    decides(team, "ada", question)
    assert told(task) == [(1, YES)]


def test_a_call_that_changes_its_arguments_is_refused_and_may_be_asked_about_again(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    tells(team, task, raw_input={"command": "rm -r x"})
    assert (now(question).state, now(question).why, told(task)) == ("void", "changed", [(1, NO)])
    assert fresh(task).blocked_on == "agent"
    voided = Entry.objects.get(type="approval.voided")
    assert (voided.payload["why"], voided.actor["kind"]) == ("changed", "agent")
    for digest in (question.digest, ""):
        with pytest.raises(Conflict) as refused:
            decides(team, "ada", question, digest=digest)
        assert (refused.value.code, refused.value.fields["why"]) == ("changed", "changed")
    again = asks(team, task, "rm -r x", request_id=2)
    assert (again.state, again.digest != question.digest) == ("open", True)
    decides(team, "ada", again)
    assert told(task) == [(1, NO), (2, YES)]


@pytest.mark.parametrize(
    "more",
    [
        {"raw_input": {"command": "ls"}, "title": "I am at it", "status": "in_progress"},
        {"status": "in_progress"},
        {"raw_output": {"seen": 3}},
        {"content": [{"type": "diff", "path": "/a", "oldText": "1", "newText": "2"}]},
    ],
)
def test_what_changes_nothing_of_its_arguments_leaves_the_question(team: Team, more: dict[str, Any]) -> None:
    question = asks(team, team.working(), "ls")
    tells(team, Approval.objects.get().task, **more)
    assert (now(question).state, Entry.objects.filter(type="approval.voided").exists()) == ("open", False)


def test_a_call_of_which_more_becomes_known_is_put_anew_as_it_is(clock: Clock, team: Team) -> None:
    task = team.working()
    bare = asks(team, task, raw_input={}, title="")
    clock.go(30)
    tells(team, task, raw_input={"command": "rm -r x"}, title="Clean up")
    assert (now(bare).state, now(bare).why) == ("void", "changed")
    (full,) = open_ones()
    assert (full.tool_call["raw_input"], full.tool_call["title"]) == ({"command": "rm -r x"}, "Clean up")
    assert (full.request_id, full.expires_at, full.asked_of) == (1, clock.at(630), team.seat("ada"))
    # The agent still waits: nothing was said to it, and its task rests as before.
    assert (told(task), fresh(task).blocked_on, fresh(task).deadline_at) == ([], "person", full.expires_at)
    assert fresh(task).resting_since == clock.begun
    with pytest.raises(Conflict, match="wants something else by now"):
        decides(team, "ada", bare)
    decides(team, "ada", full)
    assert told(task) == [(1, YES)]


def test_a_call_that_is_told_twice_in_one_breath_is_put_anew_once_as_it_is_at_last(team: Team) -> None:
    task = team.working()
    bare = asks(team, task, raw_input={}, title="")
    breath = ({"title": "Clean"}, {"raw_input": {"command": "rm"}}, {"raw_input": {"command": "rm", "cwd": "/x"}})
    tells_at_once(team, task, *(ToolCall("c1", given) for given in breath))
    assert (now(bare).state, now(bare).why) == ("void", "changed")
    (full,) = open_ones()
    assert (full.tool_call["raw_input"], full.tool_call["title"]) == ({"command": "rm", "cwd": "/x"}, "Clean")
    assert (told(task), fresh(task).blocked_on) == ([], "person")


def test_a_call_that_changes_its_arguments_twice_in_one_breath_is_refused_once(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    breath = ("rm -r x", "rm -r y")
    tells_at_once(team, task, *(ToolCall("c1", {"raw_input": {"command": command}}) for command in breath))
    assert (now(question).state, open_ones(), told(task)) == ("void", [], [(1, NO)])


def test_what_a_rule_answers_once_more_is_known_was_decided_by_the_rule_and_not_by_its_agent(team: Team) -> None:
    task = team.working()
    make(team, "deny", commands=["rm *"])
    bare = asks(team, task, raw_input={}, title="")
    tells(team, task, raw_input={"command": "rm -r x"})
    assert (now(bare).state, told(task), open_ones()) == ("void", [(1, NO)], [])
    voided, decided = (Entry.objects.get(type=one).actor["kind"] for one in ("approval.voided", "approval.decided"))
    assert (voided, decided) == ("agent", "system")


def test_a_call_told_in_other_words_is_put_anew_and_what_was_agreed_to_counts_no_more(team: Team) -> None:
    task = team.working()
    question = asks(team, task, raw_input={"filepath": "/a", "diff": "+b"})
    Approval.objects.filter(pk=question.pk).update(needed=2)
    decides(team, "ada", question)
    tells(team, task, raw_input={"filePath": "/a", "newString": "b"})
    (again,) = open_ones()
    assert not Vote.objects.filter(approval=again).exists()
    assert told(task) == []


def test_a_question_that_was_put_anew_is_withdrawn_and_void_like_the_first(team: Team) -> None:
    task = team.working()
    asks(team, task, raw_input={}, title="")
    tells(team, task, raw_input={"command": "ls"})
    session = Session.objects.get(task=task)
    perform(approvals.withdraw_approval, session.pk, request_id=1, actor=scribe(team))
    assert list(Approval.objects.order_by("asked_at", "state").values_list("state", "why")) == [
        ("void", "changed"),
        ("void", "withdrawn"),
    ]
    assert fresh(task).blocked_on == "agent"
    asks(team, task, "ls", request_id=5, call="c5")
    tells(team, task, "c5", raw_input={"command": "ls", "cwd": "/etc"})
    perform(take_over, task.pk, actor=team.actor("bob"))
    assert open_ones() == []
    assert [request for request, _ in told(task)] == [5]


def test_the_same_request_with_other_arguments_is_refused(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls", call="c1")
    again = asks(team, task, "rm -r x", call="c2")
    assert (again.pk, again.state, again.why) == (question.pk, "void", "changed")
    assert told(task) == [(1, NO)]
    assert fresh(task).blocked_on == "agent"


def streams(team: Team, task: Task, command: str) -> Approval:
    """As Kimi Code does: the input comes as text, piece by piece; what asks then is a title and a sentence."""
    given = {"command": command}
    for text, streamed in (("{", None), (json.dumps(given), given)):
        tells(team, task, title="Bash", kind="execute", status="pending", content=[said(text)], streamed=streamed)
    return puts(team, task, command)


def puts(team: Team, task: Task, command: str) -> Approval:
    session = Session.objects.get(task=task)
    asking: dict[str, Any] = {"title": "Bash", "content": [said(f"Requesting approval to Running: {command}")]}
    tells(team, task, **asking)
    call = {"toolCallId": "c1", **asking}
    asked: dict[str, Any] = {"request_id": 1, "tool_call": call, "options": OPTIONS, "actor": scribe(team)}
    return Approval.objects.get(pk=perform(putting.request_approval, session.pk, **asked).answer["id"])


def said(text: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": text}}


def test_an_input_that_was_streamed_as_text_is_what_is_asked_about(team: Team) -> None:
    task = team.working()
    question = streams(team, task, "make all")
    assert question.tool_call["raw_input"] == {"command": "make all"}
    assert question.sameness
    assert puts(team, task, "make all").pk == question.pk
    decides(team, "ada", question)
    tells(team, task, raw_input={"command": "make all"})
    assert (now(question).state, told(task)) == ("decided", [(1, YES)])


def test_a_rule_reads_the_input_that_was_streamed(team: Team) -> None:
    task = team.working()
    make(team, "deny", commands=["rm *"])
    assert (streams(team, task, "rm -r x").state, told(task)) == ("decided", [(1, NO)])


def test_the_same_request_again_is_the_same_question(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    assert asks(team, task, "ls").pk == question.pk
    decides(team, "ada", question)
    assert asks(team, task, "ls").state == "decided"
    assert told(task) == [(1, YES)]


def test_an_id_that_is_used_again_for_something_else_is_another_question(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    decides(team, "ada", question)
    other = asks(team, task, "rm -r x", call="c2")
    assert (other.pk != question.pk, other.state) == (True, "open")
    decides(team, "ada", other, "n")
    assert told(task) == [(1, YES), (1, NO)]


def test_the_other_calls_of_a_turn_are_asked_on(team: Team) -> None:
    task = team.working()
    one, two = asks(team, task, "ls"), asks(team, task, "make", request_id=2, call="c2")
    tells(team, task, "c1", raw_input={"command": "rm -r x"})
    assert (now(one).state, now(two).state) == ("void", "open")
    assert fresh(task).blocked_on == "person"
    decides(team, "ada", two)
    assert told(task) == [(1, NO), (2, YES)]


def test_where_it_offers_no_way_to_refuse_it_is_told_that_nobody_decides(team: Team) -> None:
    task = team.working()
    question = asks(team, task, "ls")
    Approval.objects.filter(pk=question.pk).update(options=[{"optionId": "y", "name": "Yes", "kind": "allow_once"}])
    tells(team, task, raw_input={"command": "rm -r x"})
    assert told(task) == [(1, {"outcome": {"outcome": "cancelled"}})]


def test_what_is_answered_late_says_what_became_of_it(clock: Clock, team: Team) -> None:
    task = team.working()
    decided = asks(team, task, "a")
    decides(team, "bob", decided)
    with pytest.raises(Conflict, match="bob answered this already: “Allow”"):
        decides(team, "ada", decided, "n")
    withdrawn = asks(team, task, "b", request_id=2, call="c2")
    perform(approvals.withdraw_approval, withdrawn.session_id, request_id=2, actor=scribe(team))
    with pytest.raises(Conflict, match="took its question back"):
        decides(team, "ada", withdrawn)
    late = asks(team, task, "c", request_id=3, call="c3")
    clock.sweep(601)
    with pytest.raises(Conflict, match="Nobody answered in time"):
        decides(team, "ada", late)
    assert Command.objects.filter(purpose="reply").count() == 2
