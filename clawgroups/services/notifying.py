"""How a person wants to be told of what waits for them: by the browser, by letter, and not in quiet hours.

It is theirs alone and belongs to no workspace, so nothing is journaled.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Expect, Outcome, Put
from clawgroups.core.errors import Forbidden, Invalid
from clawgroups.core.hours import read_hours
from clawgroups.models import Notifying

MODEL = "clawgroups.Notifying"
SOONEST, LATEST = 60, 86_400  # seconds that something waits before a letter is written of it
# A person has one row, whoever makes it first.
_OF = UUID("c1a37000-0000-7000-8000-0000000a07ce")


def person_of(actor: Actor) -> int:
    """The user whom this is about. Raises `Forbidden` for an agent."""
    if actor.kind is not ActorKind.PERSON or actor.user_id is None:
        raise Forbidden("This is about a person; an agent is told by its own socket.")
    return actor.user_id


def notifying_of(user_id: int) -> Notifying:
    """What a person has said; the usual where they have said nothing."""
    return Notifying.objects.filter(user=user_id).first() or Notifying(user_id=user_id)


def is_quiet(how: Notifying, now: datetime) -> bool:
    """Whether this person is not to be told of anything at this moment."""
    hours = read_hours(how.quiet)
    return hours is not None and hours.hold(now)


def as_json(how: Notifying) -> dict[str, Any]:
    """The settings as scripts get and send them."""
    return {"browser": how.browser, "mail": how.mail, "mail_after": how.mail_after, "quiet": how.quiet}


def set_notices(*, said: Mapping[str, Any], actor: Actor, operation: str = "") -> Future[Outcome]:
    """Say how one wants to be told. What is not named stays as it is.

    `said`: `browser`, `mail`, `mail_after` in seconds, `quiet` as `core.hours` reads it, empty for no quiet hours.
    Raises `Invalid` naming the field.
    """
    user_id = person_of(actor)
    values = {**as_json(notifying_of(user_id)), **said}
    hours = read_hours(values["quiet"])
    values["quiet"] = hours.as_json() if hours is not None else {}
    if not SOONEST <= values["mail_after"] <= LATEST:
        raise Invalid("Have a letter written after 1 minute at the soonest, and after 1 day.", field="mail_after")
    expects = (Expect("auth.User", user_id, {"is_active": True}),)
    put = Put(MODEL, uuid5(_OF, str(user_id)), values, {"user_id": user_id})
    return commit.submit(Change(actor, None, expects, (put,), (), operation, verb="notices.set", answer=values))
