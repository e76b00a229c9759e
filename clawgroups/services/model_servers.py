"""Verbs on model servers: staff's, for the whole installation; one of them may come from the environment.

They belong to no workspace, so nothing is journaled; a repeated operation gives its first answer all the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db.models import Max

from agents.ids import new_id
from agents.llm.providers import PRESETS
from clawgroups import commit, sealing
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change, Delete, Expect, Insert, Outcome, Put, Update, Write
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.model_servers import clean_key, clean_server, is_exposed
from clawgroups.models import ModelCall, ModelServer
from clawgroups.services.deadlines import database_now
from clawgroups.services.endpoints import purpose

MAX_SERVERS = 100
# There is one, however many processes look at the environment at once.
FROM_ENVIRONMENT = UUID("c1a37000-0000-7000-8000-00000000c0de")
WELL: dict[str, Any] = {"breaker": "closed", "breaker_until": None, "health": {}}
UNTESTED: dict[str, Any] = {**WELL, "checked": {}, "checked_at": None}
MODEL = "clawgroups.ModelServer"


def require_staff(actor: Actor) -> tuple[Expect, ...]:
    """What a change must expect, so that the person is still staff when it is committed. Raises `Forbidden`."""
    if actor.kind is not ActorKind.PERSON or not actor.is_staff:
        raise Forbidden("Only an administrator of this installation can look after model servers.")
    return (Expect("auth.User", actor.user_id, {"is_staff": True, "is_active": True}),)


def get_server(actor: Actor, server_id: UUID) -> ModelServer:
    """A model server, for staff."""
    require_staff(actor)
    found = ModelServer.objects.filter(pk=server_id).first()
    if found is None:
        raise NotFound("There is no such model server.")
    return found


def create_server(*, said: Mapping[str, Any], key: str = "", actor: Actor, operation: str = "") -> Future[Outcome]:
    """Add a model server behind the others. One without a model is off until one is chosen.

    `said`: the columns, see `clean_server`, and `enabled`. Raises `Invalid` naming the field.
    """
    expects = require_staff(actor)
    values = clean_server(said)
    if ModelServer.objects.count() >= MAX_SERVERS:
        raise Invalid(f"At most {MAX_SERVERS} model servers.", field="name")
    pk = new_id()
    last = ModelServer.objects.aggregate(last=Max("position"))["last"]
    values |= {
        "secret": sealing.seal(clean_key(key), purpose=purpose(pk)),
        "enabled": bool(values["model"]) and said.get("enabled", True) is not False,
        "position": 1 if last is None else last + 1,
        "created_at": database_now(),
    }
    return _submit(actor, expects, [Insert(MODEL, pk, values)], "model_server.create", operation, pk, values)


def set_server(
    server_id: UUID, *, said: Mapping[str, Any], key: str | None = None, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Replace what is said about a server. A `key` of None keeps the one there is, "" drops it.

    Raises `Invalid` naming the field, and for another machine whose key is not given anew: a key never goes to
    anybody but whom it was given for.
    """
    server = _editable(actor, server_id)
    values = clean_server(said)
    if key is None and server.secret and _machine(values["url"]) != _machine(server.url):
        raise Invalid("This is another machine: enter its key again, or say that it needs none.", field="key")
    if key is not None:
        values["secret"] = sealing.seal(clean_key(key), purpose=purpose(server.pk))
    if not values["model"]:
        values["enabled"] = False
    elif not server.model:
        values["enabled"] = True
    asked_before = (server.provider, server.url, server.model, server.secret)
    if asked_before != (values["provider"], values["url"], values["model"], values.get("secret", server.secret)):
        # What was found out is of another.
        keeps = {"checked", "checked_at"} if values["url"] == server.url else set()
        values |= {name: value for name, value in UNTESTED.items() if name not in keeps}
    return _update(actor, server, values, "model_server.set", operation)


def _machine(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}".lower()


def choose_model(server_id: UUID, *, model: str, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask for this model there from now on, one of those that the last test found; the server is on with it."""
    server = _editable(actor, server_id)
    if model not in server.checked.get("models", ()):
        raise Invalid("The last test did not find this model there. Test the server again.", field="model")
    return _update(actor, server, {"model": model, "enabled": True, **WELL}, "model_server.choose_model", operation)


def enable_server(server_id: UUID, *, enabled: bool, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Whether it is asked at all. Raises `Conflict` for one without a model."""
    server = _editable(actor, server_id)
    if enabled and not server.model:
        raise Conflict("It has no model yet. Test it and choose one of the models that are found.")
    return _update(actor, server, {"enabled": enabled, **(WELL if enabled else {})}, "model_server.enable", operation)


def clear_server(server_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask a resting server again from now on."""
    server = get_server(actor, server_id)
    return _update(actor, server, WELL, "model_server.clear", operation)


def move_server(server_id: UUID, *, up: bool, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Ask it before the one before it, or after the one after it; at an end, nothing changes."""
    server = _editable(actor, server_id)
    rows = list(ModelServer.objects.filter(from_environment=False))
    at = next(place for place, row in enumerate(rows) if row.pk == server.pk)
    other = at - 1 if up else at + 1
    if 0 <= other < len(rows):
        rows[at], rows[other] = rows[other], rows[at]
    writes: list[Write] = [
        Update(MODEL, row.pk, {"position": place}, {"position": row.position})
        for place, row in enumerate(rows, 1)
        if row.position != place
    ]
    return _submit(actor, require_staff(actor), writes, "model_server.move", operation, server.pk)


def remove_server(server_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Forget a server and its key; what it was asked stays. Raises `Conflict` while it is answering."""
    server = _editable(actor, server_id)
    if calls := ModelCall.objects.filter(server=server, state="calling").count():
        said = "a call is" if calls == 1 else f"{calls} calls are"
        raise Conflict(f"{said} under way there. Switch it off, and remove it when they have ended.".capitalize())
    answer = {"name": server.name}
    return _submit(
        actor, require_staff(actor), [Delete(MODEL, server.pk)], "model_server.remove", operation, server.pk, answer
    )


def note_check(server_id: UUID, *, checked: Mapping[str, Any], actor: Actor, operation: str = "") -> Future[Outcome]:
    """Keep what a test found (`model_tests.test_server`). A server that passed is asked again at once.

    Raises `Conflict` where the server has become another one meanwhile.
    """
    server = get_server(actor, server_id)
    if (checked.get("url"), checked.get("asked")) != (server.url, server.model):
        raise Conflict("The server was changed while it was tested. Test it again.")
    found = {name: value for name, value in checked.items() if name not in ("url", "asked")}
    values = {"checked": found, "checked_at": database_now(), **(WELL if found.get("ok") else {})}
    return _update(actor, server, values, "model_server.test", operation, found)


def adopt_environment() -> Outcome | None:
    """Make the first server what CLAWGROUPS_COORDINATOR_* say; None where it is so already.

    Any number of processes may do so at once: they write the same row. It is off when the variables are gone.
    """
    wanted = settings.COORDINATOR
    known = ModelServer.objects.filter(pk=FROM_ENVIRONMENT).first()
    if wanted is None:
        if known is None or not known.enabled:
            return None
        return commit.wait(_as_system(Update(MODEL, known.pk, {"enabled": False})))
    values = {
        "name": PRESETS[wanted.provider].label[:80],
        "provider": wanted.provider,
        "url": wanted.url,
        "model": wanted.model,
        "mode": wanted.mode,
        "enabled": True,
        "position": 0,
    }
    is_same = known is not None and all(getattr(known, name) == value for name, value in values.items())
    if is_same and known is not None and _opens_to(known, wanted.key):
        return None
    values |= UNTESTED | {"secret": sealing.seal(wanted.key, purpose=purpose(FROM_ENVIRONMENT))}
    initial = {"from_environment": True, "created_at": database_now()}
    initial |= {"concurrency": 4, "prices": _usual_prices(wanted.provider), "timeouts": {}, "extra": {}}
    return commit.wait(_as_system(Put(MODEL, FROM_ENVIRONMENT, values, initial)))


def _opens_to(server: ModelServer, key: str) -> bool:
    try:
        return sealing.unseal(server.secret, purpose=purpose(server.pk)) == key
    except sealing.Unreadable:
        return False


def _usual_prices(provider: str) -> dict[str, float]:
    usual = PRESETS[provider].prices
    return {"miss": usual.miss, "hit": usual.hit, "out": usual.out}


def _as_system(write: Write) -> Future[Outcome]:
    return commit.submit(Change(SYSTEM, writes=(write,), verb="model_server.adopt"))


def _editable(actor: Actor, server_id: UUID) -> ModelServer:
    server = get_server(actor, server_id)
    if server.from_environment:
        raise Conflict(
            "This one is set by CLAWGROUPS_COORDINATOR_URL and its like. Change them where the product is started."
        )
    return server


def _update(
    actor: Actor,
    server: ModelServer,
    values: Mapping[str, Any],
    verb: str,
    operation: str,
    answer: Mapping[str, Any] | None = None,
) -> Future[Outcome]:
    expect = {"url": server.url, "model": server.model, "secret": server.secret}
    write = Update(MODEL, server.pk, values, expect)
    return _submit(actor, require_staff(actor), [write], verb, operation, server.pk, answer or values)


def _submit(
    actor: Actor,
    expects: tuple[Expect, ...],
    writes: Sequence[Write],
    verb: str,
    operation: str,
    pk: UUID,
    said: Mapping[str, Any] | None = None,
) -> Future[Outcome]:
    """The answer never holds the key, not even sealed."""
    shown = {name: value for name, value in (said or {}).items() if name not in _UNSAID}
    if is_exposed(str(shown.get("url", ""))):
        shown["warning"] = EXPOSED
    change = Change(
        actor,
        expects=expects,
        writes=tuple(writes),
        operation=operation,
        verb=verb,
        answer={"id": str(pk), **shown},
        audits=(Audit(verb, {"model_server_id": str(pk), **{key: shown[key] for key in _TOLD if key in shown}}),),
    )
    return commit.submit(change)


EXPOSED = "This address is public and without TLS: prompts and the key can be read on the way. Use https://."
_TOLD = ("name", "provider", "url", "model", "standby", "enabled")
_UNSAID = frozenset({"secret", "created_at", "checked_at", "breaker_until", "health", "checked", "breaker"})
