"""How a person is told of what waits for them, and what that is."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from ninja import Router, Schema

from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.core.errors import Invalid
from clawgroups.services import letters, notifying
from clawgroups.services.waits_for import as_json, waiting_for

router = Router(tags=["me"])


class NoticesPatch(Schema):
    """What is to be another.

    `mail_after`: seconds that something waits before a letter is written. `quiet`: {"zone", "days", "from", "to"},
    like {"zone": "Europe/Berlin", "days": ["mon"], "from": "22:00", "to": "07:00"}; empty for no quiet hours.
    """

    browser: bool | None = None
    mail: bool | None = None
    mail_after: int | None = None
    quiet: dict[str, Any] | None = None


@router.get("/me/notices")
def get_notices(request: HttpRequest) -> Answer:
    """How you are told, whether it is a quiet time, and what waits for you now, oldest first."""
    user_id = notifying.person_of(actor_of(request))
    how = notifying.notifying_of(user_id)
    return {
        **notifying.as_json(how),
        "address": User.objects.values_list("email", flat=True).get(pk=user_id),
        "letters": letters.is_set_up(),
        "quiet_now": notifying.is_quiet(how, timezone.now()),
        "waiting": [as_json(one) for one in waiting_for(user_id)],
    }


@router.patch("/me/notices")
def set_notices(request: HttpRequest, response: HttpResponse, body: NoticesPatch) -> Answer:
    """Change some of it."""
    given = {name: value for name, value in body.model_dump(exclude_unset=True).items() if value is not None}
    if not given:
        raise Invalid("Send browser, mail, mail_after or quiet.", field="body")
    return write(request, response, notifying.set_notices, given=given, said=given)


@router.post("/me/notices/test")
def send_test_letter(request: HttpRequest) -> Answer:
    """Have a letter sent to you, to see whether it comes. At most one a minute."""
    return {"address": letters.send_test(actor=actor_of(request), now=timezone.now())}
