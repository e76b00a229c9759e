"""Several people at one task, by script: asking, answering, passing on, watching; and its story."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.models import Task
from clawgroups.services import drafts, takeover
from clawgroups.services.perform import perform
from tests.api.conftest import As
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.fixture
def held(team: Team) -> Task:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    return Task.objects.get(pk=task.pk)


def test_asked_refused_asked_again_and_granted(held: Task, as_: As) -> None:
    ada, bob = as_("ada"), as_("bob")
    first = bob.post(f"/tasks/{held.pk}/ask", {"note": "I know the client"}).json()
    assert first["holder"] == "ada"
    again = bob.post(f"/tasks/{held.pk}/ask")
    assert (again.status_code, again.json()["code"]) == (409, "already_asked")
    (row,) = ada.get(f"/tasks/{held.pk}/requests").json()["items"]
    assert (row["state"], row["note"], row["member"]["name"]) == ("open", "I know the client", "bob")
    assert ada.post(f"/requests/{first['id']}/refuse", {"word": "Soon"}).status_code == 200
    second = bob.post(f"/tasks/{held.pk}/ask", Idempotency_Key="again").json()
    assert bob.post(f"/tasks/{held.pk}/ask", Idempotency_Key="again").json() == second
    given = ada.post(f"/requests/{second['id']}/grant", {"text": "As far as I got"}).json()
    assert (given["holder"], given["epoch"]) == ("bob", held.epoch + 1)
    late = ada.post(f"/requests/{second['id']}/grant")
    assert (late.status_code, late.json()["code"], late.json()["holder"]) == (409, "not_open", "bob")
    assert bob.get(f"/tasks/{held.pk}").json()["draft"]["text"] == "As far as I got"


def test_passed_on_at_once_to_who_watches_and_offered_to_who_does_not(team: Team, held: Task, as_: As) -> None:
    ada, bob = as_("ada"), as_("bob")
    watched = bob.post(f"/tasks/{held.pk}/watch").json()
    assert (watched["holder"]["name"], [one["name"] for one in watched["watchers"]]) == ("ada", ["bob"])
    to_carol = ada.post(f"/tasks/{held.pk}/pass", {"member": str(team.seat("carol").pk)}).json()
    assert to_carol["state"] == "offered"
    assert ada.post(f"/requests/{to_carol['id']}/withdraw").status_code == 200
    passed = ada.post(f"/tasks/{held.pk}/pass", {"member": str(team.seat("bob").pk), "text": "So far"}).json()
    assert (passed["state"], passed["holder"]) == ("passed", "bob")


@pytest.mark.parametrize(
    ("verb", "body"),
    [
        ("takeover", {"force": True, "reason": "r"}), ("submit", {"result": "r"}), ("handback", {"note": "n"}),
        ("reassign", {"note": "n"}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("key", ["", "k1"])
def test_what_was_decided_on_another_epoch_is_refused_with_who_holds_it_now(
    team: Team, held: Task, as_: As, verb: str, body: dict[str, Any], key: str
) -> None:
    said = {**body, "epoch": held.epoch - 1}
    if verb == "reassign":
        said["member"] = str(team.seat("scribe").pk)
    who = as_("carol" if verb == "takeover" else "ada")
    refused = who.post(f"/tasks/{held.pk}/{verb}", said, **({"Idempotency_Key": key} if key else {}))
    assert (refused.status_code, refused.json()["code"], refused.json()["holder"]) == (409, "moved_on", "ada")
    done = who.post(f"/tasks/{held.pk}/{verb}", {**said, "epoch": held.epoch}, Idempotency_Key="k2")
    assert done.status_code == 200
    # The epoch is another one by now, and it is the same request.
    repeated = who.post(f"/tasks/{held.pk}/{verb}", {**said, "epoch": held.epoch}, Idempotency_Key="k2")
    assert (repeated.json(), repeated.headers["Idempotency-Replayed"]) == (done.json(), "true")


def test_a_takeover_that_cannot_be_says_who_since_when_and_what_next(held: Task, as_: As) -> None:
    refused = as_("bob").post(f"/tasks/{held.pk}/takeover")
    said = refused.json()
    assert (refused.status_code, said["code"], said["holder"], said["next"]) == (409, "held", "ada", ["ask", "force"])
    assert "Ask them for it" in said["detail"]
    guest = as_("gus").post(f"/tasks/{held.pk}/takeover")
    assert (guest.status_code, guest.json()["role"]) == (403, "guest")
    assert "Ask ada or carol" in guest.json()["detail"]
    assert as_("mallory").post(f"/tasks/{held.pk}/takeover").status_code == 404


def test_the_story_by_chapters_with_what_each_line_changed(team: Team, held: Task, as_: As) -> None:
    perform(drafts.save_draft, held.pk, text="Ada's words", actor=team.actor("ada"))
    chapters = as_("bob").get(f"/tasks/{held.pk}/story").json()["chapters"]
    assert [(one["kind"], one["who"]) for one in chapters] == [
        ("idle", "nobody"),
        ("working", "Scribe"),
        ("held", "ada"),
    ]
    taken, saved = chapters[-1]["lines"]
    assert (taken["sentence"], taken["actor"]) == ("ada took it over from Scribe.", "ada")
    assert taken["before"] == {"state": "working", "hands": "Scribe", "epoch": 1}
    assert taken["after"] == {"state": "held", "hands": "ada", "epoch": 2}
    assert (saved["draft"]["from"], saved["draft"]["to"]) == (1, 2)
    assert as_("mallory").get(f"/tasks/{held.pk}/story").status_code == 404
