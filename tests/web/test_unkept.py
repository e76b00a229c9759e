"""What htmx loads at the address of a page is kept by no cache: whoever goes back finds the page, not a piece of it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from tests.conftest import Team
from tests.web.conftest import SignIn


@pytest.mark.django_db
def test_no_cache_keeps_a_piece(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    assert task.attempt is not None
    room, bob, htmx = team.workspace.pk, sign_in("bob"), sign_in("bob", htmx=True)
    for name, ids in (
        ("run", [room, task.run_id]),
        ("run-view", [room, task.run_id, "list"]),
        ("files", [room]),
        ("seat", [room, task.attempt.member_id]),
        ("attempt", [room, task.pk, task.attempt.pk]),
        ("task-moves", [room, task.pk]),
    ):
        where = reverse(name, args=ids)
        piece, page = htmx.get(where), bob.get(where)
        assert piece["Cache-Control"] == page["Cache-Control"] == "private, no-store"
        assert piece.content != page.content
