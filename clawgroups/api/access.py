"""Who calls the API: a bearer, or the session of a page."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseForbidden
from django.middleware.csrf import CsrfViewMiddleware
from ninja.security import HttpBearer

from clawgroups.access_table import ROUTES
from clawgroups.auth import Credential, actor_of_user, credential_of_bearer
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Forbidden, NotFound, Unauthenticated
from clawgroups.core.scopes import Scope, scope_of
from clawgroups.models import Member
from clawgroups.permissions import ACTIONS, STAFF, require_scope
from clawgroups.services.guessing import asker

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
# Where what is sent decides which verbs are meant, these alone ask for their scopes.
AS_SENT = frozenset({"api:change-workspace"})


class _Csrf(CsrfViewMiddleware):
    """Django's own check, without its page."""

    def _reject(self, request: HttpRequest, reason: str) -> HttpResponseForbidden:
        return HttpResponseForbidden()


def _passed(request: HttpRequest) -> HttpResponse:
    return HttpResponse()


def has_csrf_token(request: HttpRequest) -> bool:
    """Whether a cookie request comes from a page of ours."""
    request.csrf_processing_done = False  # type: ignore[attr-defined]
    check = _Csrf(_passed)
    check.process_request(request)
    return check.process_view(request, _passed, (), {}) is None


class Caller(HttpBearer):
    """A person's access token, an agent's key, or a signed-in page (which writes with its CSRF token).

    `scope` is what a token must have at this address; what a verb asks for besides, the verb requires.
    """

    def __init__(self, scope: Scope | None = None) -> None:
        super().__init__()
        self.scope = scope

    def __call__(self, request: HttpRequest) -> Actor:
        header = request.headers.get("Authorization")
        if header is not None:
            credential = credential_of_bearer(header, peer=asker(request.META))
            if credential.kind == "session":
                raise Unauthenticated("A session's key opens its files only.")
            if self.scope is not None:
                require_scope(credential.actor, self.scope)
            return credential.actor
        actor = actor_of_user(request.user)
        if request.method not in SAFE and not has_csrf_token(request):
            raise Forbidden("This page is too old, or not ours. Load it again.", code="csrf")
        return actor

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        raise NotImplementedError


def scope_at(name: str, method: str) -> Scope:
    """The scope that a token needs at an address of the API, by its row in the access table."""
    if name in AS_SENT:
        return Scope.READ
    row = ROUTES.get(name, "")
    if row in ACTIONS:
        return scope_of(row)
    # What is written beside workspaces is of agents, settings and the installation; so is what only staff see.
    return Scope.READ if method in SAFE and row != STAFF else Scope.MANAGE


class SessionKey(HttpBearer):
    """The key of one agent session."""

    def __call__(self, request: HttpRequest) -> Credential:
        credential = credential_of_bearer(request.headers.get("Authorization"))
        if credential.kind != "session":
            raise Unauthenticated("Send the key of this session.")
        return credential

    def authenticate(self, request: HttpRequest, token: str) -> Any:
        raise NotImplementedError


def actor_of(request: HttpRequest) -> Actor:
    """The actor that `Caller` found."""
    actor = request.auth  # type: ignore[attr-defined]
    assert isinstance(actor, Actor)
    return actor


def seats_of(actor: Actor) -> QuerySet[Member]:
    """The present seats of the actor."""
    seats = Member.objects.filter(left_at=None)
    if actor.agent_id is not None:
        return seats.filter(agent_id=actor.agent_id)
    return seats.none() if actor.user_id is None else seats.filter(user_id=actor.user_id)


def agent_of(request: HttpRequest, session_id: UUID) -> Actor:
    """The agent whose session key was sent, for that session. Raises `NotFound` for another session."""
    credential = request.auth  # type: ignore[attr-defined]
    assert isinstance(credential, Credential)
    if credential.session_id != session_id:
        raise NotFound("There is no such session, or it is not yours.")
    return credential.actor
