"""Every address x everybody: what the table says is what the server answers."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret
from allauth.mfa.webauthn.internal.auth import WebAuthn
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from django.views.decorators.http import require_safe

from agents.models import Agent
from clawgroups import permissions
from clawgroups.access_table import ROUTES
from clawgroups.api.router import api
from clawgroups.models import Task
from clawgroups.routing import urlpatterns as sockets
from clawgroups.services import people
from tests.access import passkey
from tests.access.expect import Answer, Door, door_of, expected, given, row_of
from tests.access.requests import ask, body_of, client_of, learn, path_of
from tests.access.world import CAST, Room, World, routes

pytestmark = pytest.mark.django_db

# What Django's admin adds after everything else: addresses without a name that only lead on.
UNNAMED = frozenset({"admin:"})
NAMES = [name for name, _ in routes() if name not in UNNAMED]
CHANGING = re.compile(r'name="csrfmiddlewaretoken" value="[^"]*"|X-CSRFToken": "[^"]*"|toast-[0-9a-f]+')
METHODS = {
    f"api:{operation['operationId'].replace('_', '-')}": method.upper()
    for methods in api.get_openapi_schema()["paths"].values()
    for method, operation in methods.items()
}
# What refuses a method before it looks at anything else; its closure holds the methods that it lets in.
REFUSING = require_safe(lambda _request: HttpResponse()).__code__
BOTH = ("GET", "POST")
SHARES = 2  # of the cast, each within a test's time
TAKEN: dict[str, set[str]] = {}


def let_in(view: Any) -> Iterable[str]:
    """The methods of a view that refuses all others to everybody alike, whoever asks."""
    if getattr(view, "__code__", None) is not REFUSING:
        return BOTH
    cells = dict(zip(REFUSING.co_freevars, view.__closure__, strict=True))
    methods: Iterable[str] = cells["request_method_list"].cell_contents
    return methods


for _name, _pattern in routes():
    learn(_name, list(_pattern.pattern.converters) or list(_pattern.pattern.regex.groupindex))
    TAKEN.setdefault(_name, set()).update(let_in(_pattern.callback))


def methods_of(name: str, *, refused: bool = False) -> tuple[str, ...]:
    """What an address is asked; with `refused`, what it refuses to everybody, too."""
    if name in METHODS:
        return (METHODS[name],)
    return BOTH if refused else tuple(method for method in BOTH if method in TAKEN[name])


def wrong(world: World, who: str, door: Door, *, foreign: bool) -> Iterator[str]:
    """The cells in which the answer is not what the table says."""
    client = client_of(world, who, door)
    user = world.user(who)
    own = own_rows(user) if user is not None else {}
    ours, theirs = (replace(room, ids=room.ids | own) for room in (world.ours, world.foreign))
    for name in NAMES:
        # What asks for the same in both workspaces is asked in ours.
        if door_of(name) is door and (not foreign or asked(name, theirs) != asked(name, ours)):
            yield from _wrong_at(client, name, who, theirs if foreign else ours, foreign)


def asked(name: str, room: Room) -> list[Any]:
    """All that an address is asked in a workspace."""
    return [path_of(name, room), *(body_of(method, name, room) for method in methods_of(name))]


def own_rows(user: User) -> dict[str, Any]:
    """What is everybody's own: a token, an agent to bring along, a second factor, and another browser."""
    token, _ = people.create_token(user, name="mine")
    agent = Agent.objects.create(owner=user, name="Mine", handle=f"of-{user.username}", created_at=timezone.now())
    # A second factor as they lie in rows; whoever has one is asked for it before anything of it changes.
    TOTP.activate(user, generate_totp_secret())
    RecoveryCodes.activate(user)
    key = WebAuthn.add(user, **passkey.made())
    other = UserSession.objects.create(user=user, session_key=f"of {user.pk}", ip="127.0.0.1")
    return {"token_id": token.pk, "own_agent": agent.pk, "pk": key.instance.pk, "session_pk": other.pk}


def _wrong_at(client: Client, name: str, who: str, room: Room, foreign: bool) -> Iterator[str]:
    cookies = copy.deepcopy(client.cookies)
    want = expected(name, who, foreign=foreign)
    # That it refuses a method, the first of them all finds out.
    methods = methods_of(name, refused=who == next(iter(CAST)))
    refused = 0
    for method in methods:
        with transaction.atomic():
            response = ask(client, method, name, room)
            transaction.set_rollback(True)
        close(response)
        client.cookies = copy.deepcopy(cookies)
        if response.status_code == 405:
            refused += 1
            continue
        got = given(response)
        if got is None or (want is not Answer.ANY and got is not want):
            yield f"{method} {name} ({row_of(name)}) as {who}: {want} expected, {response.status_code} given"
    if refused == len(methods):
        yield f"{name} takes neither {' nor '.join(methods)}"


# One world for all who come: nothing of what they ask stays in it.
@pytest.mark.parametrize("share", range(SHARES))
@pytest.mark.parametrize("door", Door)
def test_everybody_gets_at_every_address_what_the_table_says(world: World, door: Door, share: int) -> None:
    cells = [cell for who in list(CAST)[share::SHARES] for cell in wrong(world, who, door, foreign=False)]
    assert not cells, "\n".join(cells)


@pytest.mark.parametrize("door", [Door.API, Door.PAGES])
def test_rows_of_another_workspace_are_as_if_they_were_not_there(world: World, door: Door) -> None:
    cells = [cell for who in CAST if who != "stranger" for cell in wrong(world, who, door, foreign=True)]
    assert not cells, "\n".join(cells)


def test_every_address_has_a_row_and_every_row_an_address() -> None:
    assert [name for name in NAMES if row_of(name) is None] == []
    named = {*NAMES, *(pattern.name for pattern in sockets), "admin:*"}
    assert [name for name in ROUTES if name not in named] == []


def test_every_row_names_an_action_or_a_gate() -> None:
    assert [action for action in ROUTES.values() if action not in permissions.ACTIONS.keys() | permissions.GATES] == []


def close(response: Any) -> None:
    """Close an answer's file; its own `close` would end the test's database connection with it."""
    for closer in response._resource_closers:
        closer()


def test_a_foreign_row_and_a_missing_one_are_answered_alike(world: World) -> None:
    foreign = world.foreign
    nowhere = replace(
        foreign, ids=dict.fromkeys(foreign.ids, UUID(int=7)), tasks=dict.fromkeys(foreign.tasks, Task(pk=UUID(int=7)))
    )
    for door in (Door.API, Door.PAGES):
        client = client_of(world, "member", door)
        for name in NAMES:
            if door_of(name) is door and row_of(name) in permissions.ACTIONS:
                for method in methods_of(name):
                    seen = [plain(ask(client, method, name, room), room) for room in (foreign, nowhere)]
                    assert seen[0] == seen[1], (method, name)


def plain(response: Any, room: Room) -> tuple[int, str]:
    """An answer without the ids that were asked for and what differs from one answer to the next."""
    said = response.content.decode()
    for value in (*room.ids.values(), *(task.pk for task in room.tasks.values())):
        said = said.replace(str(value), "ID")
    return response.status_code, CHANGING.sub("", said)
