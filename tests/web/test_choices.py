"""Why somebody has a task, giving it to another, being asked, and what was learned: as pages show and take it."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from agents.models import Agent
from clawgroups.coordinator.loop import take_turn
from clawgroups.models import Member, Override, Task
from clawgroups.reactions import react
from clawgroups.services import choices
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent
from tests.coordinator.test_people import done, may_be_asked
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def turn(team: Team, task: Task) -> Task:
    react(team.workspace.pk)
    take_turn(task.run_id)
    return Task.objects.get(pk=task.pk)


def read(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return re.sub(r"\s+", " ", answer.content.decode())


@pytest.fixture
def two(team: Team) -> Team:
    team.agents["poet"] = online_agent(team, "poet", "writing")
    return team


def address(task: Task, end: str = "") -> str:
    return f"/w/{task.workspace_id}/tasks/{task.pk}/{end}"


def test_the_page_says_why_with_the_parts_and_gives_the_task_to_another(two: Team, sign_in: SignIn) -> None:
    task = turn(two, two.one_task())
    assert task.assignee == two.seat("poet")
    bob = sign_in("bob")
    shown = read(bob, address(task))
    assert "Why Poet?" in shown
    assert "writing at level 4 of 5" in shown
    assert "no record here yet" in shown
    assert "Give it to Scribe" in shown
    assert "Give it to Poet" not in shown
    assert bob.post(address(task, "choose/"), {"member": str(two.seat("scribe").pk)}).status_code == 303
    assert turn(two, task).assignee == two.seat("scribe")
    learned = read(bob, f"/w/{two.workspace.pk}/choices/")
    assert "bob chose <b>Scribe</b> over <b>Poet</b>" in learned
    pk = Override.objects.get().pk
    assert bob.post(f"/w/{two.workspace.pk}/choices/{pk}/forget/").status_code == 303
    assert "Nothing is learned yet" in read(bob, f"/w/{two.workspace.pk}/choices/")


def test_who_is_at_work_is_stopped_after_a_question_only(two: Team, sign_in: SignIn) -> None:
    task = two.working("poet")
    Task.objects.filter(pk=task.pk).update(
        match={"runners_up": [{"name": "Scribe", "member": str(two.seat("scribe").pk)}]}
    )
    bob = sign_in("bob")
    assert "Stop Poet and give it away?" in read(bob, address(task))
    body = {"member": str(two.seat("scribe").pk)}
    answer = bob.post(address(task, "choose/"), body)
    assert answer.status_code == 409
    assert "is at work on it" in answer.content.decode()
    assert bob.post(address(task, "choose/"), {**body, "stop": "1"}).status_code == 303
    task.refresh_from_db()
    assert (task.state, task.proposed) == ("ready", two.seat("scribe"))


def test_everybody_stands_on_the_page_of_the_ranking_also_who_is_out(two: Team, sign_in: SignIn) -> None:
    may_be_asked(two, "carol", "writing", 5)
    Agent.objects.filter(handle="poet").update(breaker="quarantined")
    task = two.one_task()
    shown = read(sign_in("bob"), address(task, "match/"))
    assert shown.index("Scribe") < shown.index("carol") < shown.index("Poet")
    assert "person</span>" in shown
    assert "is in quarantine" in shown
    assert "lacks writing" in shown
    assert "Ask carol" in shown
    guest = read(sign_in("gus"), address(task, "match/"))
    assert "Give it to" not in guest
    task = turn(two, task)
    perform(choices.choose_member, task.pk, member_id=two.seat("counter").pk, actor=two.actor("ada"))
    task = turn(two, task)
    assert "lacks writing" in read(sign_in("bob"), address(task))
    Task.objects.filter(pk=task.pk).update(state="cancelled")
    assert "This task is closed." in read(sign_in("bob"), address(task, "match/"))


def test_a_task_of_another_workspace_is_not_found_here(two: Team, sign_in: SignIn) -> None:
    task = two.one_task()
    assert sign_in("mallory").get(address(task, "match/")).status_code == 404
    wrong = f"/w/{task.pk}/tasks/{task.pk}/match/"
    assert sign_in("bob").get(wrong).status_code == 404


def test_who_is_asked_sees_it_among_what_needs_them_and_answers(team: Team, sign_in: SignIn) -> None:
    may_be_asked(team, "bob")
    task = turn(team, team.one_task(skills=["law"]))
    bob, carol = sign_in("bob"), sign_in("carol")
    assert "Write it up" in read(bob, "/needs-you/")
    assert "Write it up" not in read(carol, "/needs-you/")
    assert "Would you do this?" in read(bob, address(task))
    assert "Would you do this?" not in read(carol, address(task))
    assert carol.post(address(task, "decline/")).status_code == 409
    assert bob.post(address(task, "decline/")).status_code == 303
    task.refresh_from_db()
    assert (task.blocked_on, task.reason) == ("nobody", "bob said “not this one”.")
    assert "Write it up" not in read(bob, "/needs-you/")
    again = turn(team, team.one_task(skills=["law"], key="again"))
    assert bob.post(address(again, "take-over/")).status_code == 303
    again.refresh_from_db()
    assert again.holder == team.seat("bob")


# One's own profile


def test_a_person_fills_in_what_they_may_be_asked_for(team: Team, sign_in: SignIn) -> None:
    path = f"/w/{team.workspace.pk}/members/me/"
    bob = sign_in("bob")
    assert "What I can be asked for" in read(bob, path)
    said = {
        "capacity": "2", "skill": ["law", "", "Tax Advice"], "skill_level": ["5", "3", "2"],
        "days": ["mon", "tue"], "begin": "8:30", "end": "12:00", "zone": "Europe/Berlin",
    }  # fmt: skip
    assert bob.post(f"{path}set/", said).status_code == 303
    seat = team.seat("bob")
    assert (seat.skills, seat.capacity) == ({"law": 5, "tax-advice": 2}, 2)
    assert seat.hours == {"zone": "Europe/Berlin", "days": ["mon", "tue"], "from": "08:30", "to": "12:00"}
    shown = read(bob, path)
    assert 'value="tax-advice"' in shown
    assert 'value="08:30"' in shown
    assert "law 5" in read(bob, f"/w/{team.workspace.pk}/members/")
    assert bob.post(f"{path}set/", {**said, "any_time": "on", "zone": ""}).status_code == 303
    assert team.seat("bob").hours == {}


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"zone": "Nowhere"}, "There is no time zone"),
        ({"begin": "late"}, "Write a time of day like 09:00."),
        ({"days": []}, "Name at least one day"),
        ({"capacity": "99"}, "less than or equal to 20"),
        ({"capacity": ""}, "This field is required"),
        ({"skill": ["???"]}, "needs a name of letters or digits"),
    ],
)
def test_what_cannot_be_saved_stays_in_the_form_with_the_reason(
    team: Team, sign_in: SignIn, wrong: dict[str, object], said: str
) -> None:
    typed = {"capacity": "1", "skill": ["cooking"], "skill_level": ["4"], "days": ["mon"], "zone": "Asia/Tokyo"}
    answer = sign_in("bob").post(f"/w/{team.workspace.pk}/members/me/set/", {**typed, **wrong})
    shown = answer.content.decode()
    assert (answer.status_code, said in shown) == (422, True)
    assert "skill" in wrong or "cooking" in shown
    assert not Member.objects.filter(capacity__gt=0).exists()


# The record on the agent's page


def test_an_owner_resets_the_record_of_a_skill_and_what_was_done_stays_to_be_seen(team: Team, sign_in: SignIn) -> None:
    done(team, "accepted", 9)
    agent = team.agents["scribe"]
    ada = sign_in("ada")
    shown = read(ada, f"/agents/{agent.pk}/")
    assert "In the matching: 1.6 of 10 points" in shown
    assert ada.post(f"/agents/{agent.pk}/record/reset/", {"skill": "writing"}).status_code == 303
    shown = read(ada, f"/agents/{agent.pk}/")
    assert "In the matching: nothing yet" in shown
    assert "9 accepted" in shown
    assert ada.post(f"/agents/{agent.pk}/record/reset/", {"skill": ""}).status_code == 422
    agent.refresh_from_db()
    assert list(agent.record_since) == ["writing"]
    assert agent.record_since["writing"] <= timezone.now().isoformat()
