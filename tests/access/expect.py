"""From the table to the answer: what each of the cast must get at an address, by its row in `access_table`."""

from __future__ import annotations

from enum import StrEnum

from django.http import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import reverse

from clawgroups import permissions
from clawgroups.access_table import ROUTES
from tests.access.world import CAST, UNKNOWN

# Not 503, which says that the server is not ready.
ERRORS = frozenset({500, 501, 502, 504})


class Door(StrEnum):
    API = "api"
    PAGES = "pages"
    ADMIN = "admin"


class Answer(StrEnum):
    ALLOWED = "allowed"  # the right was granted; the state or the input may still be wrong
    SIGN_IN = "sign in"
    FORBIDDEN = "forbidden"
    MISSING = "missing"
    ANY = "any"  # open to everybody, so whatever it says


def door_of(name: str) -> Door:
    if name.startswith("api:"):
        return Door.API
    return Door.ADMIN if name.startswith("admin:") else Door.PAGES


def row_of(name: str) -> str | None:
    """The row of an address. All of the administration is one gate."""
    return ROUTES.get(name) or (ROUTES.get("admin:*") if name.startswith("admin:") else None)


def expected(name: str, who: str, *, foreign: bool = False) -> Answer:
    """What `who` must get at this address; with `foreign`, for ids of a workspace where nobody of the cast sits."""
    action = row_of(name)
    assert action is not None
    if action == permissions.PUBLIC:
        return Answer.ANY
    # A page knows no keys: whoever brings one is nobody there.
    if who in UNKNOWN or (who == "agent key" and door_of(name) is not Door.API):
        return Answer.SIGN_IN
    if action in permissions.GATES:
        return _gate(name, action, who, foreign=foreign)
    role = CAST[who]
    if role is None or foreign:
        return Answer.MISSING
    return Answer.ALLOWED if role in permissions.ACTIONS[action].roles else Answer.FORBIDDEN


def _gate(name: str, action: str, who: str, *, foreign: bool) -> Answer:
    match action:
        case permissions.SIGNED_IN:
            # An agent reads its lists; workspaces and agents are made by people.
            makes = who == "agent key" and not name.startswith("api:list-")
            return Answer.FORBIDDEN if makes else Answer.ALLOWED
        case permissions.STAFF:
            # What staff may do to which row there, tests/access/test_admin.py looks at.
            return Answer.ANY if who == "staff" else Answer.FORBIDDEN
        case permissions.AGENT_OWNER:
            mine = who == "staff" or (who == "owner" and not foreign)
            return Answer.ALLOWED if mine else Answer.MISSING
        case _:  # keys of agents and sessions: no person's token opens these
            return Answer.SIGN_IN


def given(response: HttpResponseBase) -> Answer | None:
    """What an answer amounts to; None for an error of ours."""
    status = response.status_code
    if status == 401 or (status in (302, 303) and _leads_to_sign_in(response)):
        return Answer.SIGN_IN
    return {403: Answer.FORBIDDEN, 404: Answer.MISSING}.get(status, None if status in ERRORS else Answer.ALLOWED)


def _leads_to_sign_in(response: HttpResponseBase) -> bool:
    where = response["Location"].partition("?")[0]
    return where in (resolve_url("account_login"), reverse("admin:login"))
