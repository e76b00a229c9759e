"""Where an agent's machine comes in for the first time. What it knows is a code; what it brings is its key."""

from __future__ import annotations

from django.http import HttpRequest
from ninja import Router

from clawgroups.api import schemas
from clawgroups.api.writing import Answer
from clawgroups.services import enrolling
from clawgroups.services.guessing import asker, guesses
from clawgroups.services.perform import perform

router = Router(tags=["enrolment"])


@router.post("/enrol", auth=None)
def enrol(request: HttpRequest, body: schemas.EnrolIn) -> Answer:
    """Let an agent's machine in by the code of a copied line. It sends the key that it has made and kept.

    The same key with the same code again gets the same answer, so whoever has lost it asks again.
    """
    with guesses.counted(asker(request.META)):
        return dict(perform(enrolling.enrol, body.code, secret=body.key).answer)
