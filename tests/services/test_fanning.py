"""One answer to several questions that ask for the same: each decided by itself, failures told one by one."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone

from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.models import Approval, Command, Rule
from clawgroups.services import fanning
from clawgroups.services.approvals import decide_approval
from clawgroups.services.fanning import Answer, answer_alike, keep_answer
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.waiting_support import asks, several

pytestmark = pytest.mark.django_db
ALLOW = Answer(kind="allow_once")


def picked(*asked: Approval) -> dict[UUID, str]:
    return {ask.pk: ask.digest for ask in asked}


def states(*asked: Approval) -> list[tuple[str, str]]:
    return [Approval.objects.values_list("state", "option_id").get(pk=ask.pk) for ask in asked]


def test_each_is_decided_and_its_agent_told_by_its_own_option(team: Team) -> None:
    asked = several(team, 3)
    Approval.objects.filter(pk=asked[1].pk).update(
        options=[{"optionId": "other", "name": "Fine", "kind": "allow_once"}, asked[1].options[1]]
    )
    told = answer_alike(picked(*asked), ALLOW, actor=team.actor("bob"))
    assert [one.problem for one in told] == ["", "", ""]
    assert states(*asked) == [("decided", "y"), ("decided", "other"), ("decided", "y")]
    replies = Command.objects.filter(purpose="reply")
    assert sorted(
        one.answer["outcome"]["optionId"] if one.answer else one.params["result"]["outcome"]["optionId"]
        for one in replies
    ) == ["other", "y", "y"]


def test_one_that_somebody_answered_keeps_none_of_the_others_from_it(team: Team) -> None:
    asked = several(team, 3)
    perform(decide_approval, asked[1].pk, option_id="n", actor=team.actor("carol"))
    told = answer_alike(picked(*asked), ALLOW, actor=team.actor("bob"))
    assert [bool(one.problem) for one in told] == [False, True, False]
    assert fanning.problems(told)[0].problem == "carol answered this already: “No”."
    assert states(*asked) == [("decided", "y"), ("decided", "n"), ("decided", "y")]


def test_one_whose_arguments_have_changed_is_not_answered(team: Team) -> None:
    asked = several(team, 2)
    Approval.objects.filter(pk=asked[0].pk).update(digest="d" * 64)
    told = answer_alike(picked(*asked), ALLOW, actor=team.actor("bob"))
    assert [one.problem for one in told] == [
        "The agent wants something else by now. Look at its question as it is now; nothing was answered.",
        "",
    ]
    assert states(*asked) == [("open", ""), ("decided", "y")]


def test_what_was_not_offered_is_not_chosen(team: Team) -> None:
    asked = several(team, 2)
    told = answer_alike(picked(*asked), Answer(kind="allow_always"), actor=team.actor("bob"))
    assert all(one.problem for one in told)
    assert states(*asked) == [("open", "")] * 2


def test_nothing_ticked_is_refused_and_a_stranger_answers_none(team: Team) -> None:
    asked = several(team, 2)
    with pytest.raises(Invalid):
        answer_alike({}, ALLOW, actor=team.actor("bob"))
    for name in ("gus", "mallory"):
        assert all(one.problem for one in answer_alike(picked(*asked), ALLOW, actor=team.actor(name)))
    assert states(*asked) == [("open", "")] * 2


def test_the_same_form_twice_answers_once(team: Team) -> None:
    asked = several(team, 2)
    for _ in range(2):
        told = answer_alike(picked(*asked), ALLOW, actor=team.actor("bob"), operation="op")
        assert states(*asked) == [("decided", "y")] * 2
    assert Command.objects.filter(purpose="reply").count() == 2
    assert told


@pytest.mark.parametrize(("kind", "answer"), [("allow_once", "allow"), ("reject_once", "deny")])
def test_an_answer_that_shall_hold_becomes_a_rule_for_exactly_this(team: Team, kind: str, answer: str) -> None:
    first, _ = several(team, 2)
    perform(keep_answer, first.pk, kind=kind, actor=team.actor("bob"))
    rule = Rule.objects.exclude(exactly="").get()
    assert (rule.answer, rule.exactly, rule.made_from) == (answer, "s" * 64, first.pk)
    assert (rule.made_by, rule.agent) == (team.seat("bob"), None)
    assert rule.expires_at is not None
    left = rule.expires_at - timezone.now()
    assert timedelta(hours=7.9) < left < timedelta(hours=8.1)
    assert "rule.made" in team.journal()


def test_a_critical_answer_is_never_kept(team: Team) -> None:
    first, second = several(team, 2)
    critical = Rule.objects.create(workspace=team.workspace, answer="critical", made_at=timezone.now())
    Approval.objects.filter(pk=first.pk).update(rule=critical)
    Approval.objects.filter(pk=second.pk).update(tool_call={"raw_input": {"command": "rm -rf /srv"}, "kind": "execute"})
    for ask in (first, second):
        with pytest.raises(Conflict):
            perform(keep_answer, ask.pk, kind="allow_once", actor=team.actor("ada"))
    assert not Rule.objects.exclude(exactly="").exists()


def test_only_the_team_keeps_an_answer_and_only_one_that_is_known(team: Team) -> None:
    ask = asks(team, team.working())
    Approval.objects.filter(pk=ask.pk).update(sameness="")
    with pytest.raises(Conflict):
        perform(keep_answer, ask.pk, kind="allow_once", actor=team.actor("bob"))
    with pytest.raises(Forbidden):
        perform(keep_answer, ask.pk, kind="allow_once", actor=team.actor("gus"))
    with pytest.raises(NotFound):
        perform(keep_answer, ask.pk, kind="allow_once", actor=team.actor("mallory"))
