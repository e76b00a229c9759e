"""What agents ask, by script: shown with what an answer is bound to, and answered so."""

from __future__ import annotations

import pytest

from clawgroups.models import Approval
from tests.api.conftest import As, problem
from tests.conftest import Team
from tests.services.ask_support import asks, now, tells, told

pytestmark = pytest.mark.django_db


def test_a_question_says_whom_it_is_put_to_and_what_an_answer_is_bound_to(team: Team, as_: As) -> None:
    row = asks(team, team.working(), "rm -r x")
    shown = as_("bob").get(f"/approvals/{row.pk}").json()
    ada = team.seat("ada")
    assert shown["asked_of"] == {"id": str(ada.pk), "name": "ada"}
    assert shown["escalates_at"] is not None
    assert (shown["digest"], shown["sameness"]) == (row.digest, row.sameness)
    assert (shown["needed"], shown["votes"], shown["why"], shown["sent_option"]) == (1, [], "", "")
    # Deletion is critical in a workspace that says nothing else.
    assert shown["rule"] == str(row.rule_id) != "None"
    assert as_("bob").get("/approvals?state=open").json()["items"] == [shown]


def test_questions_are_listed_newest_first_whatever_their_ids_are_page_by_page(team: Team, as_: As) -> None:
    task, bob = team.working(), as_("bob")
    rows = [asks(team, task, f"ls {number}", request_id=number) for number in range(8)]
    # Two of one moment, as of a server that asks for several at once.
    Approval.objects.filter(pk=rows[3].pk).update(asked_at=rows[4].asked_at)
    answers = [bob.get("/approvals?limit=3").json()]
    while answers[-1]["next"] is not None:
        answers.append(bob.get(f"/approvals?limit=3&cursor={answers[-1]['next']}").json())
    listed = [item["id"] for answer in answers for item in answer["items"]]
    twins = sorted(str(row.pk) for row in rows[3:5])[::-1]
    assert listed == [*[str(row.pk) for row in rows[:4:-1]], *twins, *[str(row.pk) for row in rows[2::-1]]]
    assert len(answers) == 3
    for nonsense in ("nonsense", str(rows[0].pk), "1_2", f"{10**30}_{rows[0].pk}", f"-{10**30}_{rows[0].pk}"):
        assert problem(bob.get(f"/approvals?cursor={nonsense}")) == (422, "invalid")


def test_an_answer_to_something_else_than_what_was_looked_at_is_refused(team: Team, as_: As) -> None:
    task = team.working()
    row = asks(team, task, "ls")
    path, bob = f"/approvals/{row.pk}", as_("bob")
    assert problem(bob.post(path, {"option": "y", "digest": "0" * 64})) == (409, "changed")
    assert now(row).state == "open"
    tells(team, task, raw_input={"command": "rm -r x"})
    for said in ({"option": "y", "digest": row.digest}, {"option": "y"}):
        refused = bob.post(path, said)
        assert problem(refused) == (409, "changed")
        assert (refused.json()["state"], refused.json()["why"]) == ("void", "changed")
    assert bob.get(path).json()["why"] == "changed"
    again = asks(team, task, "rm -r x", request_id=2)
    assert bob.post(f"/approvals/{again.pk}", {"option": "n", "digest": again.digest}).json()["state"] == "decided"


def test_several_agree_and_each_sees_who_has(team: Team, as_: As) -> None:
    task = team.working()
    row = asks(team, task, "rm -r x")
    Approval.objects.filter(pk=row.pk).update(needed=2, asked_of=None)
    path, said = f"/approvals/{row.pk}", {"option": "y", "digest": row.digest}
    first = as_("ada").post(path, said, Idempotency_Key="k")
    assert first.json() == {"id": str(row.pk), "state": "open", "have": 1, "needed": 2}
    assert as_("ada").post(path, said, Idempotency_Key="k").json() == first.json()
    assert as_("ada").post(path, said).json() == first.json()
    shown = as_("carol").get(path).json()
    assert (shown["needed"], [vote["member"]["name"] for vote in shown["votes"]]) == (2, ["ada"])
    assert as_("carol").post(path, said).json()["state"] == "decided"
    assert len(told(task)) == 1
    late = as_("bob").post(path, said)
    assert problem(late) == (409, "not_open")
    assert "carol answered this already: “Allow”" in late.json()["detail"]
