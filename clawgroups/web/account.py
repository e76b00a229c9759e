"""The account pages of django-allauth that have no hook by which what they change could be told."""

from __future__ import annotations

from typing import Any

from allauth.account.views import EmailView
from django.http import HttpRequest, HttpResponse

from clawgroups.services import accounts
from clawgroups.web.adapter import HERE
from clawgroups.web.http import actor_of


class Addresses(EmailView):  # type: ignore[misc]
    """One's e-mail addresses. Told after it: letters are sent on the way, and no lock waits for a mail server."""

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Add one, take one out, or choose the one that letters go to."""
        before = accounts.seen(request.user.pk)
        answer: HttpResponse = super().post(request, *args, **kwargs)
        accounts.tell(before, accounts.seen(request.user.pk), by=actor_of(request), where=HERE)
        return answer


addresses = Addresses.as_view()
