"""How far the agents of a run have come with stopping, once everything in it was stopped."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from django.db.models import Count, Exists, OuterRef

from clawgroups.models import Attempt

# How the reason of an attempt ends that was stopped with everything else.
EVERYTHING = "stopped everything"


@dataclass(frozen=True, slots=True)
class Progress:
    """How many agents were asked to stop, and what came of it."""

    stopped: int = 0
    stopping: int = 0
    unconfirmed: int = 0

    @property
    def asked(self) -> int:
        return self.stopped + self.stopping + self.unconfirmed

    def __add__(self, other: Progress) -> Progress:
        return Progress(
            self.stopped + other.stopped, self.stopping + other.stopping, self.unconfirmed + other.unconfirmed
        )

    def as_json(self) -> dict[str, int]:
        return {
            "asked": self.asked,
            "stopped": self.stopped,
            "stopping": self.stopping,
            "unconfirmed": self.unconfirmed,
        }


def progress_of(run_id: UUID) -> Progress:
    """Of the last try of each task that ended because somebody stopped everything: was that confirmed?"""
    again = Attempt.objects.filter(task=OuterRef("task"), number__gt=OuterRef("number"))
    ended = Attempt.objects.filter(~Exists(again), task__run=run_id, state="cancelled", reason__endswith=EVERYTHING)
    found = dict(ended.order_by().values_list("stop").annotate(number=Count("pk")))
    return Progress(
        # Where nothing was sent yet there was nothing to confirm.
        stopped=found.get("done", 0) + found.get("none", 0),
        stopping=found.get("asked", 0),
        unconfirmed=found.get("unconfirmed", 0),
    )
