"""The page of a team, after somebody's seat was taken away on it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from clawgroups.models import Member
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize(
    ("who", "by", "leads", "said"),
    [("scribe", "ada", "members", "Removed."), ("bob", "bob", "workspaces", "You left the workspace.")],
)
def test_whoever_takes_a_seat_away_sees_the_page_without_it(
    team: Team, sign_in: SignIn, who: str, by: str, leads: str, said: str, htmx: bool
) -> None:
    seat, client = team.seat(who), sign_in(by, htmx=htmx)
    answer = client.post(reverse("remove-member", args=[team.workspace.pk, seat.pk]), {"operation": "one"})
    there = reverse(leads, args=[team.workspace.pk] if leads == "members" else [])
    assert answer.headers["HX-Redirect" if htmx else "Location"] == there
    text = client.get(there).content.decode()
    assert said in text
    assert f"member-{seat.pk}" not in text
    assert Member.objects.get(pk=seat.pk).left_at is not None


def test_an_admin_mutes_somebody_whose_page_has_no_field_to_write_in(team: Team, sign_in: SignIn) -> None:
    carol, bob = sign_in("carol"), sign_in("bob")
    room, task = reverse("workspace", args=[team.workspace.pk]), team.one_task()
    thread = reverse("task", args=[team.workspace.pk, task.pk])
    assert all('name="body"' in bob.get(there).content.decode() for there in (room, thread))
    answer = carol.post(reverse("mute-member", args=[team.workspace.pk, team.seat("bob").pk]), follow=True)
    assert "The member is muted" in answer.content.decode()
    for there in (room, thread):
        page = bob.get(there).content.decode()
        assert "You are muted here" in page
        assert 'name="body"' not in page
    assert 'id="mode-goal"' in bob.get(room).content.decode()
    said = bob.post(reverse("post-message", args=[team.workspace.pk]), {"body": "Hello"})
    assert said.status_code == 403
    assert "You are muted here" in said.content.decode()
    carol.post(reverse("unmute-member", args=[team.workspace.pk, team.seat("bob").pk]))
    assert 'name="body"' in bob.get(room).content.decode()


def test_the_owner_gives_the_workspace_away_with_its_name_typed(team: Team, sign_in: SignIn) -> None:
    ada, there = sign_in("ada"), reverse("transfer-workspace", args=[team.workspace.pk])
    members_page = reverse("members", args=[team.workspace.pk])
    assert there in ada.get(members_page).content.decode()
    assert there not in sign_in("carol").get(members_page).content.decode()
    wrong = ada.post(there, {"member": str(team.seat("bob").pk), "confirm": "sales"})
    assert (wrong.status_code, ada.post(there, {"member": "nobody", "confirm": "Sales"}).status_code) == (422, 422)
    assert "Type the name of the workspace" in wrong.content.decode()
    answer = ada.post(there, {"member": str(team.seat("bob").pk), "confirm": "Sales"}, follow=True)
    assert "You are an admin of it now." in answer.content.decode()
    assert there not in answer.content.decode()
    assert team.seat("bob").role == "owner"
