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
