"""The page "Needs you": one list, filtered, with everything solvable where it stands, and one answer for many."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from clawgroups.models import Approval, Rule, Run, Task, Vote
from clawgroups.services import control, takeover
from clawgroups.services.approvals import decide_approval
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.waiting_support import YES_NO, alike, asks, several
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def read(client: Client, query: str = "") -> str:
    answer = client.get(reverse("needs-you") + query)
    assert answer.status_code == 200
    return answer.content.decode()


def words(html: str) -> str:
    """What a person reads of a page."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).replace("&#x27;", "'").replace("&quot;", '"').split())


def shown(html: str) -> list[str]:
    """The items of the list, in order."""
    return re.findall(r'<li id="(need-[a-z]+-[0-9a-f-]+)"', html)


def decide(client: Client, asked: list[Approval], team: Team, **said: Any) -> Any:
    picks = [f"{ask.pk}:{ask.digest}" for ask in asked]
    return client.post(reverse("answer-alike", args=[team.workspace.pk]), {"pick": picks, "kind": "allow_once", **said})


def test_a_card_is_made_from_the_arguments_and_quotes_the_agent_below(team: Team, sign_in: SignIn) -> None:
    call = {"command": "rm -rf build", "cwd": "/srv/site", "timeout": 30, "description": "Only <b>cleans</b> up"}
    asks(team, team.working(), title="A harmless thing", raw_input=call)
    html = read(sign_in("bob"))
    said = words(html)
    assert "Scribe wants to run a command" in said
    assert "rm -rf build in /srv/site timeout 30" in said
    assert said.index("rm -rf build") < said.index("Scribe says A harmless thing Only &lt;b&gt;cleans&lt;/b&gt; up")
    assert "<b>cleans" not in html


@pytest.mark.parametrize(
    ("call", "heading", "also"),
    [
        (
            {"kind": "edit", "content": [{"type": "diff", "path": "a.py", "oldText": "x = 1\n", "newText": "x = 2\n"}]},
            "Scribe wants to change a file",
            ["a.py", "+1 −1", "x = 2"],
        ),
        (
            {"kind": "edit", "raw_input": {"path": "n.md", "content": "# N"}},
            "Scribe wants to write a file",
            ["n.md", "# N"],
        ),
        ({"kind": "delete", "raw_input": {"paths": ["a", "b"]}}, "Scribe wants to delete", ["a", "b"]),
        (
            {"kind": "fetch", "raw_input": {"url": "https://e.org/x"}},
            "Scribe wants to fetch an address",
            ["https://e.org/x"],
        ),
        ({"kind": "other", "raw_input": {"city": "Ostend"}}, "Scribe wants to use a tool", ["city Ostend"]),
        ({}, "Scribe asks for permission", ["It sent no arguments"]),
        (
            {"raw_input": {"command": "ls \u202e"}},
            "Scribe wants to run a command",
            ["⟦U+202E⟧", "characters in it that hide"],
        ),
    ],
)
def test_each_kind_of_call_has_a_card_on_the_list_and_on_the_page_of_its_task(
    team: Team, sign_in: SignIn, call: dict[str, Any], heading: str, also: list[str]
) -> None:
    ask = asks(team, team.working(), **{"kind": "other", **call})
    for address in (reverse("needs-you"), reverse("task", args=[team.workspace.pk, ask.task_id])):
        said = words(sign_in("bob").get(address).content.decode())
        assert heading in said
        assert all(one in said for one in also)


def test_a_long_change_is_shown_in_part_and_all_of_it_when_asked_for(team: Team, sign_in: SignIn) -> None:
    old = "".join(f"line {n}\n" for n in range(400))
    new = old.replace("line", "row")
    ask = asks(
        team, team.working(), kind="edit", content=[{"type": "diff", "path": "a", "oldText": old, "newText": new}]
    )
    said = words(read(sign_in("bob")))
    assert "row 3" in said
    assert "row 300" not in said
    assert "more lines differ" in said
    details = reverse("approval-details", args=[team.workspace.pk, ask.pk])
    for htmx in (True, False):
        assert "row 300" in words(sign_in("bob", htmx=htmx).get(details).content.decode())
    assert sign_in("gus").get(details).status_code == 403
    assert sign_in("mallory").get(details).status_code == 404


def test_every_kind_of_need_stands_there_with_its_buttons(team: Team, sign_in: SignIn) -> None:
    task = team.working(key="held")
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(control.ask_for, task.pk, note="I know it", actor=team.actor("carol"))
    plan, goal, stop, change = (team.run([{"key": "a", "title": "A"}], start=False) for _ in range(4))
    Run.objects.filter(pk=goal.pk).update(state="planning", question="Who is it for?")
    Run.objects.filter(pk=stop.pk).update(state="running", budget_stop="All tokens are used.")
    replan = {"id": "r1", "at": timezone.now().isoformat(), "rationale": "Shorter"}
    Run.objects.filter(pk=change.pk).update(state="running", replan=replan)
    Task.objects.filter(run__in=[stop, change]).update(state="waiting")
    waits = {"blocked_on": "person", "resting_since": timezone.now()}
    review, stuck = team.one_task(key="r"), team.one_task(key="s")
    Task.objects.filter(pk=review.pk).update(state="in_review", **waits)
    Task.objects.filter(pk=stuck.pk).update(state="stuck", reason="No source was found.", **waits)
    html = read(sign_in("bob"))
    said = words(html)
    for text in (
        "carol asks you for this",
        "I know it",
        "A plan of 1 task waits for a start",
        "Who is it for?",
        "All tokens are used.",
        "A change of the plan is proposed",
        "waits for your verdict",
        "No source was found.",
    ):
        assert text in said
    for name, args in (
        ("start-run", [plan.pk]),
        ("answer-question", [goal.pk]),
        ("reject-replan", [change.pk]),
        ("accept-task", [review.pk]),
        ("return-task", [review.pk]),
        ("take-over-task", [stuck.pk]),
    ):
        assert f'action="{reverse(name, args=[team.workspace.pk, *args])}"' in html
    assert len(shown(html)) == 7
    assert f">{len(shown(html))}</b>" in sign_in("bob").get(reverse("count-needs")).content.decode()
    assert shown(read(sign_in("gus"))) == []


def test_the_badge_and_the_list_say_the_same_number(team: Team, sign_in: SignIn) -> None:
    several(team, 3)
    asks(team, team.working(key="x"))
    bob = sign_in("bob", htmx=True)
    html = read(bob)
    assert len(shown(html)) == 2
    assert 'id="needs"' in html
    assert html.count(">2</b>") >= 1
    counted = bob.get(reverse("count-needs"))
    assert ">2</b>" in counted.content.decode()
    assert counted["HX-Trigger"] == "reload-needs"


def test_the_list_is_narrowed_by_kind_and_workspace_and_shows_a_part_of_many(team: Team, sign_in: SignIn) -> None:
    ask = asks(team, team.working(key="one"))
    stuck = team.one_task(key="two")
    Task.objects.filter(pk=stuck.pk).update(state="stuck", blocked_on="person", resting_since=timezone.now())
    bob = sign_in("bob")
    assert shown(read(bob, "?show=permissions")) == [f"need-permission-{ask.pk}"]
    assert shown(read(bob, "?show=stuck")) == [f"need-stuck-{stuck.pk}"]
    assert "Nothing of this kind waits" in read(bob, "?show=plans")
    assert len(shown(read(bob, f"?workspace={team.workspace.pk}"))) == 2
    assert shown(read(bob, f"?workspace={ask.pk}")) == []
    for nonsense in ("?show=%00", "?workspace=x", "?most=-4", "?most=99999999", "?show=<b>"):
        assert len(shown(read(bob, nonsense))) == 2


def test_many_are_shown_in_steps(team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clawgroups.web.needs.STEP", 2)
    asked = several(team, 5)
    for number, ask in enumerate(asked):
        Approval.objects.filter(pk=ask.pk).update(sameness=f"{number:064}")
    bob = sign_in("bob")
    first = read(bob, "?most=2")
    assert len(shown(first)) == 2
    assert "2 of 5" in words(first)
    assert 'href="?most=4"' in first
    assert "Show 1 more" in words(read(bob, "?most=4"))
    assert 'id="needs-more"' not in read(bob, "?most=6")


def test_nothing_waits_is_said(team: Team, sign_in: SignIn) -> None:
    assert "Nothing waits for you" in words(read(sign_in("bob")))


def test_one_card_for_the_same_question_shows_each_and_answers_the_ticked(team: Team, sign_in: SignIn) -> None:
    asked = several(team, 4)
    bob = sign_in("bob")
    html = read(bob)
    assert shown(html) == [f"need-permission-{asked[0].pk}"]
    said = words(html)
    assert "4 ask the same" in said
    for number, ask in enumerate(asked):
        assert f'value="{ask.pk}:{ask.digest}" checked' in html
        assert f"Hand{number} Part {number}" in said
    answer = decide(bob, asked[:3], team)
    assert answer.status_code == 303
    assert "3 were answered." in words(bob.get(answer["Location"]).content.decode())
    assert [*Approval.objects.order_by("asked_at").values_list("state", flat=True)] == ["decided"] * 3 + ["open"]
    assert not Rule.objects.exclude(exactly="").exists()


def test_the_answer_holds_for_the_next_hours_where_that_is_ticked(team: Team, sign_in: SignIn) -> None:
    asked = several(team, 2)
    answer = decide(sign_in("bob", htmx=True), asked, team, keep="1")
    assert answer.status_code == 200
    assert "2 were answered. The same is answered so by itself for the next 8 hours." in words(answer.content.decode())
    assert Rule.objects.exclude(exactly="").get().exactly == "s" * 64


def test_what_failed_of_many_is_told_beside_what_did_not(team: Team, sign_in: SignIn) -> None:
    asked = several(team, 3)
    perform(decide_approval, asked[0].pk, option_id="n", actor=team.actor("carol"))
    answer = decide(sign_in("bob", htmx=True), asked, team)
    assert "2 were answered. 1 was not: carol answered this already: “No”." in words(answer.content.decode())
    again = decide(sign_in("bob", htmx=True), asked, team)
    assert again.status_code == 409
    assert "3 were not: carol answered this already: “No”." in words(again.content.decode())


def test_only_the_questions_of_this_workspace_are_answered_and_only_by_whoever_may(team: Team, sign_in: SignIn) -> None:
    asked = several(team, 2)
    assert decide(sign_in("bob"), [], team).status_code == 422
    assert decide(sign_in("gus"), asked, team).status_code == 403
    assert decide(sign_in("mallory"), asked, team).status_code == 404
    elsewhere = reverse("answer-alike", args=[asked[0].pk])
    assert sign_in("bob").post(elsewhere, {"pick": [f"{asked[0].pk}:"], "kind": "allow_once"}).status_code == 404
    assert set(Approval.objects.values_list("state", flat=True)) == {"open"}


def test_a_question_to_people_that_several_ask_is_answered_in_words_or_by_a_choice(team: Team, sign_in: SignIn) -> None:
    asked = several(team, 3)
    choices = [
        {"optionId": f"o{n}", "name": name, "kind": "allow_once"} for n, name in enumerate(("Formal", "Friendly"))
    ]
    Approval.objects.update(kind="question", options=choices, tool_call={"title": "Which tone?"})
    html = read(sign_in("bob"))
    assert shown(html) == [f"need-question-{asked[0].pk}"]
    assert decide(sign_in("bob"), asked[:2], team, kind="", name="Friendly").status_code == 303
    assert decide(sign_in("bob"), asked[2:], team, kind="", text="Neither").status_code == 303
    answers = Approval.objects.order_by("asked_at").values_list("answer", flat=True)
    assert [*answers] == ["Friendly", "Friendly", "Neither"]


def test_a_form_that_several_send_is_filled_in_once(team: Team, sign_in: SignIn) -> None:
    asked = several(team, 2)
    form = {"type": "object", "properties": {"where": {"type": "string", "title": "Where"}}, "required": ["where"]}
    options = [
        {"optionId": "accept", "name": "Answer", "kind": "allow_once"},
        {"optionId": "decline", "name": "Decline", "kind": "reject_once"},
    ]
    Approval.objects.update(kind="form", form=form, options=options, tool_call={"title": "How shall it stand?"})
    html = read(sign_in("bob"))
    assert shown(html) == [f"need-form-{asked[0].pk}"]
    assert 'name="answer-where"' in html
    said = {"kind": "", "name": "Answer", "answer-where": "top"}
    assert decide(sign_in("bob"), asked, team, **said).status_code == 303
    assert [*Approval.objects.values_list("filled", flat=True)] == [{"where": "top"}] * 2


def test_a_critical_question_says_so_who_agreed_and_what_calls_it_critical(team: Team, sign_in: SignIn) -> None:
    ask = asks(team, team.working(), raw_input={"command": "kubectl delete"})
    rule = Rule.objects.create(workspace=team.workspace, answer="critical", note="Production", made_at=timezone.now())
    Approval.objects.filter(pk=ask.pk).update(rule=rule, needed=2, sameness="s" * 64)
    Vote.objects.create(approval=ask, member=team.seat("carol"), option_id="y", at=timezone.now())
    said = words(read(sign_in("bob")))
    assert "Critical : Production. It is asked each time." in said
    assert "1 of 2 agreed: carol." in said
    assert "for the next 8 hours" not in said


def test_whom_it_is_put_to_and_until_when_is_said(team: Team, sign_in: SignIn) -> None:
    ask = asks(team, team.working())
    Approval.objects.filter(pk=ask.pk).update(asked_of=team.seat("bob"), escalates_at=timezone.now())
    assert "Put to you; the next are asked" in words(read(sign_in("bob")))
    task = reverse("task", args=[team.workspace.pk, ask.task_id])
    assert "Put to bob; the next are asked" in words(sign_in("carol").get(task).content.decode())


def test_how_a_question_ended_is_told_to_whoever_still_looks_at_it(team: Team, sign_in: SignIn) -> None:
    one, two = several(team, 2)
    Approval.objects.filter(pk=two.pk).update(sameness="t" * 64)
    perform(decide_approval, one.pk, option_id="y", actor=team.actor("bob"))
    told = f'<li data-of="need-permission-{one.pk}" data-how="decided">'
    assert f"{told}You: “Allow”" in read(sign_in("bob", htmx=True))
    assert f"{told}bob: “Allow”" in read(sign_in("carol", htmx=True))
    assert told not in read(sign_in("mallory"))
    assert told not in read(sign_in("gus"))


def test_a_hostile_question_stays_text(team: Team, sign_in: SignIn) -> None:
    evil = "<img src=x onerror=alert(1)>"
    call = {"command": evil, "cwd": evil, evil: evil, "env": {"A": evil}, "description": evil}
    ask = asks(team, team.working(), title=evil, raw_input=call, locations=[{"path": evil}])
    for name in ("once", evil):
        Approval.objects.filter(pk=ask.pk).update(options=[{"optionId": evil, "name": name, "kind": "allow_once"}])
        html = (
            read(sign_in("bob"))
            + sign_in("bob").get(reverse("approval-details", args=[team.workspace.pk, ask.pk])).content.decode()
        )
        assert "<img src=x" not in html


def test_questions_that_offer_the_same_in_other_words_are_one_card_of_permissions(team: Team, sign_in: SignIn) -> None:
    one, two = several(team, 2)
    Approval.objects.filter(pk=two.pk).update(options=[{**YES_NO[0], "name": "Yes, run it"}, YES_NO[1]])
    alike(one, two)
    assert len(shown(read(sign_in("bob")))) == 1
