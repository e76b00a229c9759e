"""What is in a person's hands, on one page; giving away, being told and answering, as pages show and take it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from clawgroups.core.actors import Actor
from clawgroups.models import ControlRequest, Member, Task
from clawgroups.services import control, drafts, handback, takeover, tasks
from clawgroups.services.perform import perform
from tests.conftest import Team, quarantine
from tests.coordinator.test_people import may_be_asked
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def read(client: Client, path: str, status: int = 200) -> str:
    answer = client.get(path)
    assert answer.status_code == status, path
    return re.sub(r"\s+", " ", answer.content.decode())


def address(task: Task, end: str = "") -> str:
    return f"/w/{task.workspace_id}/tasks/{task.pk}/{end}"


def held(team: Team, who: str = "bob", **more: Any) -> Task:
    task = team.one_task(**more)
    perform(takeover.take_over, task.pk, actor=team.actor(who))
    perform(drafts.save_draft, task.pk, text="Half of it", actor=team.actor(who))
    return Task.objects.get(pk=task.pk)


def badge(client: Client) -> str:
    found = re.search(r"</span>(\d+)</b>", client.get(reverse("count-my-work")).content.decode())
    return found[1] if found else ""


def test_an_empty_page_says_what_will_stand_there(team: Team, sign_in: SignIn) -> None:
    assert "Nothing is in your hands" in read(sign_in("bob"), reverse("my-work"))
    assert "Nothing is in your hands" in read(sign_in("gus"), reverse("my-work"))
    assert badge(sign_in("bob")) == ""


def test_a_task_goes_from_hand_to_hand_in_place(team: Team, sign_in: SignIn) -> None:
    may_be_asked(team, "carol", "writing")
    may_be_asked(team, "ada", "writing")
    task, (ada, bob, carol) = held(team), (sign_in("ada"), sign_in("bob"), sign_in("carol"))
    assert "In your hands" in read(bob, reverse("my-work"))
    assert badge(bob) == "1"
    reassigned(task, team.seat("carol"), team.actor("bob"), note="The north is done", text="Two thirds")
    assert "carol is asked; the answer is due" in read(bob, reverse("my-work"))
    assert badge(bob) == ""
    asked = read(carol, reverse("my-work"))
    assert "bob asks you.</b> “The north is done”" in asked
    assert "or else it goes back to bob" in asked
    assert "bob asks carol to go on with it" in read(bob, address(task))
    body = {"member": str(team.seat("ada").pk), "note": "You know it"}
    assert carol.post(address(task, "delegate/"), body).status_code == 303
    asked = read(ada, reverse("my-work"))
    assert "carol asks you." in asked
    assert '<b>bob</b><span aria-hidden="true">→</span><b>carol</b>' in asked
    assert ada.post(address(task, "decline/"), {"reason": "No time"}).status_code == 303
    back = read(carol, reverse("my-work"))
    assert "Back with you" in back
    assert "ada said “not this one”.</b> “No time”" in back
    assert carol.post(address(task, "take-over/")).status_code == 303
    page = read(carol, address(task))
    assert "What bob handed on" in page
    assert "Two thirds" in page


def reassigned(task: Task, to: Member, actor: Actor, *, note: str, text: str) -> None:
    """As a script does it: it leaves the giver's hands at once, and comes back after a “no”."""
    perform(handback.reassign_task, task.pk, member_id=to.pk, actor=actor, note=note, text=text)


def test_what_is_handed_to_a_person_stays_until_they_take_it(team: Team, sign_in: SignIn) -> None:
    task, (bob, carol) = held(team), (sign_in("bob"), sign_in("carol"))
    page = read(bob, address(task))
    assert "A person, who is asked first" in page
    assert "it stays in your hands until they take it" in page
    body = {"member": str(team.seat("carol").pk), "note": "The north is done", "text": "Two thirds"}
    assert bob.post(address(task, "hand-back/"), body).status_code == 303
    mine = read(bob, reverse("my-work"))
    assert "In your hands" in mine
    assert "Offered to carol, who has not answered yet: “The north is done”" in mine
    asked = read(carol, reverse("my-work"))
    assert "bob would pass it on to you.</b> “The north is done”" in asked
    assert badge(carol) == "1"
    (offer,) = ControlRequest.objects.all()
    assert carol.post(reverse("grant-control", args=[task.workspace_id, offer.pk])).status_code == 303
    assert "Two thirds" in read(carol, address(task))
    assert (badge(carol), badge(bob)) == ("1", "")


def test_who_asks_for_a_task_stands_beside_it_and_has_it_at_once(team: Team, sign_in: SignIn) -> None:
    task, (bob, carol) = held(team), (sign_in("bob"), sign_in("carol"))
    perform(control.ask_for, task.pk, note="I know it", actor=team.actor("carol"))
    assert "carol asks for it: “I know it”" in read(bob, reverse("my-work"))
    page = read(bob, address(task))
    assert "A person who waits for it: has it at once" in page
    assert "carol (asks for it)" in page
    assert bob.post(address(task, "hand-back/"), {"member": str(team.seat("carol").pk)}).status_code == 303
    assert "It is in your hands" in read(carol, address(task))


def test_taking_more_than_one_said_is_warned_of(team: Team, sign_in: SignIn) -> None:
    may_be_asked(team, "carol", "writing")
    held(team, "carol", key="first")
    task = held(team)
    carol = team.seat("carol").pk
    perform(handback.reassign_task, task.pk, member_id=carol, anyway=True, actor=team.actor("bob"))
    for path in (reverse("my-work"), address(task)):
        assert "You have 1 of 1 in hand. If you take it, it is 2." in read(sign_in("carol"), path)


def test_a_hand_back_is_followed_until_it_is_understood(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="Bob's words", actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    bob = sign_in("bob")
    assert "Back to Scribe" in read(bob, address(task))
    told = read(bob, address(task, "hand-back/preview/"))
    assert "This is what Scribe will be told, before any work." in told
    assert "+Bob&#x27;s words" in told
    assert bob.post(address(task, "hand-back/"), {"note": "Keep it"}).status_code == 303
    assert "somebody is looked for who goes on from there" in read(bob, address(task))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    page = read(bob, address(task))
    assert "Scribe reads what bob changed." in page
    assert "Otherwise it comes back to bob." in page
    assert "Scribe reads what you changed" in read(bob, reverse("my-work"))
    team.finish("scribe", "I keep **your words**.")
    page = read(bob, address(task))
    assert "Scribe has understood:" in page
    assert "<strong>your words</strong>" in page
    assert "What bob handed on" in page
    assert "Nothing is in your hands" in read(bob, reverse("my-work"))


def test_one_that_is_not_acknowledged_stands_among_what_came_back(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(handback.hand_back, task.pk, actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    team.finish("scribe", "")
    bob = sign_in("bob")
    assert "Back with you" in read(bob, reverse("my-work"))
    assert "Scribe did not take it up, so it is back with bob." in read(bob, address(task))
    assert badge(bob) == "1"


def test_who_can_take_it_is_said_before_it_is_given_away(team: Team, sign_in: SignIn) -> None:
    task = held(team)
    quarantine(team.agents["scribe"])
    bob, live = sign_in("bob"), sign_in("bob", htmx=True)
    page = read(bob, address(task))
    assert "Nobody can take it now." in page
    assert "Scribe is in quarantine" in page
    assert "even if it has to wait" in page
    answer = live.post(address(task, "hand-back/"), {"note": "My note", "operation": "x"})
    assert answer.status_code == 409
    said = answer.content.decode()
    assert "Nobody can take it now" in said
    # The page is loaded anew beside, so that it offers the “anyway”.
    assert f'id="task-body-{task.pk}"' in said
    assert bob.post(address(task, "hand-back/"), {"anyway": "1"}).status_code == 303
    assert Task.objects.get(pk=task.pk).state == "ready"


def test_a_refused_note_is_not_lost(team: Team, sign_in: SignIn) -> None:
    task = held(team)
    answer = sign_in("bob").post(address(task, "hand-back/"), {"note": "long " * 2000})
    assert answer.status_code == 422
    assert "long long" in answer.content.decode()
    assert Task.objects.get(pk=task.pk).holder == team.seat("bob")


def test_a_page_that_has_moved_on_says_who_holds_it(team: Team, sign_in: SignIn) -> None:
    task = held(team)
    perform(takeover.take_over, task.pk, force=True, reason="Urgent", actor=team.actor("ada"))
    answer = sign_in("bob").post(address(task, "hand-back/"), {"epoch": str(task.epoch), "note": "n"})
    assert answer.status_code == 409
    assert "ada holds it now" in answer.content.decode()


def test_a_person_is_asked_from_the_list_of_a_task_that_waits(team: Team, sign_in: SignIn) -> None:
    task, ada = team.one_task(), sign_in("ada")
    assert "bob</option>" in read(ada, address(task))
    answer = ada.post(address(task, "assign/"), {"member": str(team.seat("bob").pk)})
    assert answer.status_code == 409
    assert "bob has not said that they may be asked for tasks" in answer.content.decode()
    assert ada.post(address(task, "assign/"), {"member": str(team.seat("bob").pk), "anyway": "1"}).status_code == 303
    assert "ada asks you." in read(sign_in("bob"), reverse("my-work"))
    assert Member.objects.get(name="bob").capacity == 0
