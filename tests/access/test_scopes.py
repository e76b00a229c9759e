"""A personal access token does what its scopes say, at every door that takes one, and never more than its person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from django.utils import timezone

from clawgroups import permissions
from clawgroups.access_table import ROUTES
from clawgroups.api.access import AS_SENT, scope_at
from clawgroups.core.errors import Forbidden, Invalid
from clawgroups.core.scopes import MANAGING, READING, Scope
from clawgroups.models import AccessToken
from clawgroups.services import people
from tests.access.expect import Door, door_of
from tests.access.requests import ask
from tests.access.test_routes import METHODS, NAMES, close
from tests.access.world import World

pytestmark = pytest.mark.django_db
OPEN = {"public", "agent_key", "session_key"}


def client_by(world: World, who: str, *scopes: str) -> Client:
    user = world.user(who)
    assert user is not None
    secret = people.create_token(user, name="narrow", scopes=scopes)[1]
    return Client(headers={"Authorization": f"Bearer {secret}"}, raise_request_exception=False)


def test_the_groups_name_actions_that_there_are() -> None:
    assert permissions.ACTIONS.keys() >= MANAGING | READING


@pytest.mark.parametrize("scopes", [(Scope.READ,), (Scope.READ, Scope.WORK)])
def test_every_address_of_the_api_asks_for_the_scope_of_its_row(world: World, scopes: tuple[Scope, ...]) -> None:
    client = client_by(world, "owner", *scopes)
    wrong = []
    for name in NAMES:
        if door_of(name) is not Door.API or ROUTES[name] in OPEN:
            continue
        with transaction.atomic():
            answer = ask(client, METHODS[name], name, world.ours)
            transaction.set_rollback(True)
        # The body names the goal of a workspace.
        needed = Scope.WORK if name in AS_SENT else scope_at(name, METHODS[name])
        said = json.loads(answer.content) if answer.status_code == 403 else {}
        close(answer)
        lacks = said.get("scope") if said.get("code") == "scope_missing" else None
        if (lacks is None) != (needed in scopes) or (lacks and lacks != needed):
            wrong.append(f"{name}: {needed} needed, {answer.status_code} {said}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize(
    ("scope", "may", "may_not", "lacks"),
    [("work", {"goal": "Win"}, {"rules": "None"}, "manage"), ("manage", {"rules": "None"}, {"goal": "Win"}, "work")],
)
def test_where_what_is_sent_decides_each_part_asks_for_its_own_scope(
    world: World, scope: str, may: dict[str, str], may_not: dict[str, str], lacks: str
) -> None:
    room = f"/api/v1/workspaces/{world.ours.ids['workspace_id']}"
    client = client_by(world, "owner", scope)
    assert client.patch(room, may, content_type="application/json").status_code == 200
    for sent in (may_not, may | may_not):
        answer = client.patch(room, sent, content_type="application/json")
        said = answer.json()
        assert (answer.status_code, said["code"], said["scope"]) == (403, "scope_missing", lacks)
        assert said["held"] == ["read", scope]
        assert "lacks the scope" in said["detail"]


def test_a_token_never_does_more_than_its_person(world: World) -> None:
    room = f"/api/v1/workspaces/{world.ours.ids['workspace_id']}"
    answer = client_by(world, "guest", *Scope).patch(room, {"goal": "Win"}, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


def test_a_socket_that_a_token_opened_says_nothing_that_its_scopes_do_not(world: World) -> None:
    actor = replace(world.ours.team.actor("ada"), scopes=frozenset({"read"}))
    permissions.require(actor, "journal.view", world.ours.ids["workspace_id"])
    with pytest.raises(Forbidden, match="lacks the scope “work”"):
        permissions.require(actor, "message.post", world.ours.ids["workspace_id"])


def test_tokens_of_before_do_all_and_the_last_use_says_from_where(world: World) -> None:
    user = world.user("owner")
    assert user is not None
    row, secret = people.create_token(user, name="of before")
    assert row.scopes == []
    client = Client(headers={"Authorization": f"Bearer {secret}"}, REMOTE_ADDR="192.0.2.7")
    assert client.post("/api/v1/workspaces", {"name": "New"}, content_type="application/json").status_code == 201
    row.refresh_from_db()
    assert row.last_used_at is not None
    assert timezone.now() - row.last_used_at < timedelta(minutes=1)
    assert row.last_used_from == "192.0.2.7"
    with pytest.raises(Invalid, match="read, work, manage"):
        people.create_token(user, name="wrong", scopes=["everything"])


def test_the_page_gives_ninety_days_and_reading_and_work_unless_told_otherwise(world: World) -> None:
    user = world.user("owner")
    assert user is not None
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    shown = client.get("/me/").context["form"]
    assert (shown["days"].initial, shown["scopes"].initial) == (90, ["read", "work"])
    sent: dict[str, Any] = {"name": "Mine", "days": "90", "scopes": ["work"]}
    assert client.post("/me/tokens/", sent).status_code == 200
    made = AccessToken.objects.get(user=user, name="Mine")
    assert made.expires_at is not None
    assert (made.scopes, round((made.expires_at - timezone.now()) / timedelta(days=1))) == (["read", "work"], 90)
    assert client.post("/me/tokens/", {**sent, "scopes": []}).status_code == 422
