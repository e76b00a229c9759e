"""The installation's switches and limits: what staff said of them, kept in rows, in force without a restart.

Every read goes through `value`. A process looks at the rows at most every two seconds; where nobody has said
anything, or the database is away before the first look, the environment decides. What the environment forbids nobody
can allow here.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import DatabaseError
from django.db.models import QuerySet, Sum
from django.utils.translation import gettext as _

from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.amounts import say_dollars
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change, Delete, Expect, Outcome, Put, Write
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.core.installation import SETTINGS, Value, clean
from clawgroups.models import Setting, Usage
from clawgroups.services.deadlines import database_now

MODEL = "clawgroups.Setting"
AGE = 2.0  # seconds for which a process goes by what it has read
MB = 1024 * 1024
MICRO = 1_000_000


class Kept:
    """What this process has read, and when."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._said: dict[str, Value] = {}
        self._fresh_until = 0.0

    def read(self) -> Mapping[str, Value]:
        """What was said of the settings."""
        if time.monotonic() >= self._fresh_until:
            with self._lock:
                # Without a database what was read last stands.
                with contextlib.suppress(DatabaseError):
                    self._said = dict(Setting.objects.values_list("name", "value"))
                self._fresh_until = time.monotonic() + AGE
        return self._said

    def forget(self) -> None:
        """Look at the rows at the next read."""
        self._fresh_until = 0.0

    def hold(self, said: Mapping[str, Value]) -> None:
        """Go by this until `forget`; for tests, which count what is read."""
        self._said, self._fresh_until = dict(said), float("inf")


kept = Kept()
"""This process's."""


def usual(name: str) -> Value:
    """What a setting is where nobody has said anything."""
    if name == "signup":
        return bool(settings.SIGNUP_OPEN)
    if name == "upload_mb":
        return int(settings.MAX_UPLOAD_BYTES) // MB
    return True if SETTINGS[name].is_switch else None


def most(name: str) -> Value:
    """What the environment allows at most; None: it says nothing of it."""
    if name == "mail":
        return bool(settings.SENDS_LETTERS)
    return int(settings.MAX_UPLOAD_BYTES) // MB if name == "upload_mb" else None


def value(name: str) -> Value:
    """What holds now."""
    said = kept.read()
    found = said[name] if name in said else usual(name)
    if most(name) is False:
        return False
    if name == "upload_mb":
        highest = int(settings.MAX_UPLOAD_BYTES) // MB
        return highest if found is None else min(int(found), highest)
    return found


def is_on(name: str) -> bool:
    """Whether a switch is on."""
    return bool(value(name))


def limit(name: str) -> int | None:
    """A limit, or how many days something is kept; None: without end."""
    found = value(name)
    return None if found is None else int(found)


def upload_bytes() -> int:
    """The largest file that is taken."""
    held = settings.MAX_UPLOAD_BYTES
    return int(held) if "upload_mb" not in kept.read() else min(int(held), (limit("upload_mb") or 0) * MB)


def require_on(name: str, said: str) -> None:
    """Raises `Conflict` with these words where the switch is off."""
    if not is_on(name):
        raise Conflict(said, code="switched_off")


def require_room(name: str, rows: QuerySet[Any], what: str) -> None:
    """Raises `Conflict` where there are so many rows already that one more is over the limit."""
    highest = limit(name)
    if highest is not None and rows.count() >= highest:
        raise Conflict(
            f"This installation allows {highest} {what}. End or remove one, or ask an administrator for more.",
            code="limit_reached",
        )


def model_stop(now: datetime) -> str:
    """Why no model is asked on this installation, in plain words; empty where one may be."""
    if not is_on("model"):
        return _("An administrator has switched models off on this installation.")
    dollars = limit("month_usd")
    if dollars is None:
        return ""
    spent = Usage.objects.filter(day__gte=now.date().replace(day=1)).aggregate(all=Sum("cost_micro"))["all"] or 0
    if spent < dollars * MICRO:
        return ""
    told = {"spent": say_dollars(spent), "limit": say_dollars(dollars * MICRO)}
    return _("This installation has used %(spent)s of %(limit)s for models this month.") % told


def require_operator(actor: Actor) -> tuple[Expect, ...]:
    """What a change must expect, so that the person is still staff when it is committed. Raises `Forbidden`."""
    if actor.kind is not ActorKind.PERSON or not actor.is_staff:
        raise Forbidden("Only an administrator of this installation can do this.")
    return (Expect("auth.User", actor.user_id, {"is_staff": True, "is_active": True}),)


def set_values(*, said: Mapping[str, Any], actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have these settings be so, from now on, everywhere. Answer: {"changed"}.

    Raises `Invalid` naming the one at fault.
    """
    expects = require_operator(actor)
    wanted = {name: clean(name, one, most(name)) for name, one in said.items()}
    changed = {name: one for name, one in wanted.items() if one != value(name)}
    now = database_now()
    writes: list[Write] = [
        Put(MODEL, name, {"value": one, "set_by_id": actor.user_id, "set_at": now}) for name, one in changed.items()
    ]
    audits = [Audit("setting.set", {"setting": name, "was": value(name), "is": one}) for name, one in changed.items()]
    return _submit(actor, expects, writes, audits, "setting.set", operation, changed)


def unset(*, names: Iterable[str], actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have these settings be as the environment says again."""
    expects = require_operator(actor)
    known = [name for name in names if name in SETTINGS]
    rows = Setting.objects.filter(pk__in=known).values_list("pk", flat=True)
    if not rows:
        raise Invalid("These settings are as the environment says already.", field="name")
    audits = [Audit("setting.unset", {"setting": name, "was": value(name), "is": usual(name)}) for name in rows]
    return _submit(actor, expects, [Delete(MODEL, name) for name in rows], audits, "setting.unset", operation, {})


def _submit(
    actor: Actor,
    expects: tuple[Expect, ...],
    writes: Iterable[Write],
    audits: Iterable[Audit],
    verb: str,
    operation: str,
    changed: Mapping[str, Value],
) -> Future[Outcome]:
    answer = {"changed": dict(changed)}
    change = Change(
        actor, expects=expects, writes=tuple(writes), operation=operation, verb=verb, answer=answer,
        audits=tuple(audits),
    )  # fmt: skip
    future = commit.submit(change)
    future.add_done_callback(lambda _done: kept.forget())
    return future
