"""A person's language and time zone: what they are shown and written in.

It is theirs alone and belongs to no workspace, so nothing is journaled.
"""

from __future__ import annotations

from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from django.conf import settings
from django.utils import translation

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Expect, Outcome, Put
from clawgroups.core.errors import Invalid
from clawgroups.models import Preferences
from clawgroups.services.notifying import person_of

MODEL = "clawgroups.Preferences"
LANGUAGES = tuple(code for code, _name in settings.LANGUAGES)
# A person has one row, whoever makes it first.
_OF = UUID("c1a37000-0000-7000-8000-00001a6004e5")


def preferences_of(user_id: int) -> Preferences:
    """What a person has chosen; empty fields where they have chosen nothing."""
    return Preferences.objects.filter(user=user_id).first() or Preferences(user_id=user_id)


def in_language_of(user_id: int) -> AbstractContextManager[Any]:
    """What is written meanwhile to this person is in their language; in the installation's where they chose none."""
    return translation.override(preferences_of(user_id).language or settings.LANGUAGE_CODE)


def set_preferences(*, language: str | None = None, zone: str | None = None, actor: Actor) -> Future[Outcome]:
    """Choose a language and a time zone; empty for what the browser says, None leaves it as it is.

    Raises `Invalid` naming the field.
    """
    user_id = person_of(actor)
    before = preferences_of(user_id)
    values = {
        "language": before.language if language is None else language,
        "zone": before.zone if zone is None else zone.strip(),
    }
    if values["language"] not in ("", *LANGUAGES):
        raise Invalid("Choose one of the languages that are shown.", field="language")
    if values["zone"] and not is_zone(values["zone"]):
        raise Invalid(
            f"There is no time zone “{values['zone'][:60]}”. Write it like Europe/Berlin, or UTC.", field="zone"
        )
    expects = (Expect("auth.User", user_id, {"is_active": True}),)
    put = Put(MODEL, uuid5(_OF, str(user_id)), values, {"user_id": user_id})
    return commit.submit(Change(actor, None, expects, (put,), (), verb="preferences.set", answer=values))


def is_zone(name: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(name)
    except (KeyError, OSError, ValueError):
        return False
    return True
