"""What a person is told of elsewhere than on our pages: of what stands among "Needs you", and in our own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone

from clawgroups.services.needs import needs_of

MOST = 100


@dataclass(frozen=True, slots=True)
class Waiting:
    """One thing that waits for a person, in our own words: nothing of what an agent wants to do exactly."""

    key: str
    """Says which it is, also the next time; the same thing that waits again later has it again."""
    since: datetime
    room: str
    what: str
    about: str
    path: str


def waiting_for(user_id: int) -> list[Waiting]:
    """What is put to this person, oldest first: what they are told of."""
    found = needs_of(user_id, timezone.now())[:MOST]
    return [Waiting(one.key, one.since, one.workspace, str(one.what), one.about, one.url) for one in found]


def as_json(one: Waiting) -> dict[str, Any]:
    """As scripts and pages get it."""
    said = {"key": one.key, "since": one.since.isoformat().replace("+00:00", "Z"), "workspace": one.room}
    return {**said, "what": one.what, "about": one.about, "path": one.path}
