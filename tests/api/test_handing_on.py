"""Giving a task away, being asked and answering, as a script sees it."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.models import Task
from clawgroups.services import drafts, takeover, tasks
from clawgroups.services.perform import perform
from tests.api.conftest import As, problem
from tests.conftest import Team, quarantine
from tests.coordinator.test_people import may_be_asked

pytestmark = pytest.mark.django_db


def held(team: Team, **more: Any) -> Task:
    task = team.working(**more)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="Bob's words", actor=team.actor("bob"))
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    return Task.objects.get(pk=task.pk)


def test_a_script_previews_hands_back_once_and_reads_the_acknowledgement(team: Team, as_: As) -> None:
    task, bob = held(team), as_("bob")
    seen = bob.get(f"/tasks/{task.pk}/handback/preview?note=Keep+it").json()
    assert (seen["to"]["name"], seen["waits_for"]) == ("Scribe", "")
    assert "> Keep it" in seen["text"]
    first = bob.post(f"/tasks/{task.pk}/handback", {"note": "Keep it", "epoch": task.epoch}, Idempotency_Key="k")
    again = bob.post(f"/tasks/{task.pk}/handback", {"note": "Keep it", "epoch": task.epoch}, Idempotency_Key="k")
    assert (again.json(), again["Idempotency-Replayed"]) == (first.json(), "true")
    assert bob.get(f"/tasks/{task.pk}").json()["handed"]["state"] == "looking"
    assert [one["id"] for one in bob.get("/work").json()["given"]] == [str(task.pk)]
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    told = bob.get(f"/tasks/{task.pk}").json()
    assert told["handed"]["state"] == "reading"
    assert told["attempts"][-1]["brief"]["handback"]["note"] == "Keep it"
    team.finish("scribe", "Kept.")
    handed = bob.get(f"/tasks/{task.pk}").json()["handed"]
    assert (handed["state"], handed["who"], handed["text"]) == ("understood", "Scribe", "Kept.")


def test_nobody_to_hand_to_is_a_conflict_with_a_reason_for_each(team: Team, as_: As) -> None:
    task, bob = held(team), as_("bob")
    quarantine(team.agents["scribe"])
    answer = bob.post(f"/tasks/{task.pk}/handback", {"note": "n"})
    assert problem(answer)[:2] == (409, "nobody_to_hand_to")
    reasons = {one["name"]: one["why"] for one in answer.json()["members"]}
    assert reasons["Counter"] == "lacks writing"
    assert reasons["Scribe"].startswith("is in quarantine")
    assert bob.post(f"/tasks/{task.pk}/handback", {"note": "n", "anyway": True}).status_code == 200


def test_a_script_gives_delegates_and_declines(team: Team, as_: As) -> None:
    for name in ("ada", "carol"):
        may_be_asked(team, name, "writing")
    task, ada, bob, carol = held(team), as_("ada"), as_("bob"), as_("carol")
    to = {name: {"member": str(team.seat(name).pk), "note": f"for {name}"} for name in ("ada", "bob", "carol")}
    assert bob.post(f"/tasks/{task.pk}/reassign", to["carol"]).json()["to"] == to["carol"]["member"]
    (asked,) = carol.get("/work").json()["asked"]
    assert (asked["by"], asked["note"], asked["goes_back_to"]) == ("bob", "for carol", "bob")
    assert carol.post(f"/tasks/{task.pk}/delegate", to["ada"]).json()["hops"] == 1
    assert problem(ada.post(f"/tasks/{task.pk}/delegate", to["bob"]))[:2] == (409, "had_it_before")
    assert problem(carol.post(f"/tasks/{task.pk}/decline"))[:2] == (409, "not_asked")
    assert ada.post(f"/tasks/{task.pk}/decline", {"reason": "No time"}).status_code == 200
    (back,) = carol.get("/work").json()["returned"]
    assert back["returned"]["reason"] == "No time"
    assert carol.post(f"/tasks/{task.pk}/takeover").status_code == 200
    assert [one["id"] for one in carol.get("/work").json()["held"]] == [str(task.pk)]
