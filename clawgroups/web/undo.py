"""Taking back what one has just done: a signed offer of the verb that sets a row to what it was.

A view that can be undone is marked `@offered("its-name")`, and `inverses.INVERSES` holds one line for it. The offer is
for the person who did it, for ten minutes, and only while what was changed is still as they left it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

from django.contrib import messages
from django.core import signing
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from clawgroups import commit
from clawgroups.core.changes import Change
from clawgroups.core.errors import Conflict, Forbidden, Invalid
from clawgroups.services.perform import perform
from clawgroups.web.http import actor_of, is_htmx, sent_to
from clawgroups.web.inverses import INVERSES, Row
from clawgroups.wording import say

SECONDS = 600
SALT = "clawgroups.undo"
MARK = "undo:"

View = Callable[..., HttpResponse]


def offered(name: str) -> Callable[[View], View]:
    """Have a view say that it is done, and offer to take it back. The view itself says nothing of it."""

    def mark(view: View) -> View:
        @wraps(view)
        def seen(request: HttpRequest, **given: Any) -> HttpResponse:
            inverse = INVERSES[name]
            pk = inverse.pk(request, given)
            was = inverse.read(pk)
            with commit.watched() as done:
                response = view(request, **given)
            return response if response.status_code >= 400 else _told(request, response, name, (pk, was, done))

        return seen

    return mark


def _told(
    request: HttpRequest, response: HttpResponse, name: str, deed: tuple[UUID | None, Row | None, list[Change]]
) -> HttpResponse:
    inverse, (pk, was, done) = INVERSES[name], deed
    # As it was left, not as it is: somebody may have been quicker, and that is not ours to take back.
    now = inverse.after(pk, done)
    can = pk is not None and was != now and inverse.back(pk, was, now) is not None
    offer = ""
    if can:
        said = {"verb": name, "pk": str(pk), "was": was, "now": now, "by": request.user.pk}
        offer = signing.dumps(said, salt=SALT, compress=True)
    if not is_htmx(request) or response.has_header("HX-Redirect"):
        messages.success(request, inverse.said, extra_tags=MARK + offer if offer else "")
    elif offer:
        response.content += _toast(request, inverse.said, offer)
    return response


def _toast(request: HttpRequest, said: Any, offer: str = "") -> bytes:
    context = {"message": said, "id": uuid4().hex, "undo": offer}
    return render_to_string("_toast.html", context, request).encode()


@require_POST
def undo(request: HttpRequest) -> HttpResponse:
    """Take back what the offer names: as the same person, and only while it is as they left it."""
    actor = actor_of(request)
    given = request.POST.get("offer", "")
    name, pk, was, now = _read(given, request.user.pk)
    inverse = INVERSES[name]
    verb = inverse.back(pk, was, now)
    assert verb is not None
    if inverse.left(inverse.read(pk)) != inverse.left(now):
        raise Conflict(_("This changed meanwhile; nothing was undone."), code="moved_on")
    # Somebody may be quicker than we are: the writer looks again.
    with commit.provided(*inverse.expects(pk, now)):
        try:
            perform(verb, actor=actor, operation=f"undo:{sha256(given.encode()).hexdigest()[:40]}")
        except Conflict as fault:
            raise Conflict(_("Nothing was undone. %s") % say(fault.message), code=fault.code, **fault.fields) from None
    if is_htmx(request) and request.POST.get("here"):
        return HttpResponse(_toast(request, _("Undone.")))
    messages.success(request, _("Undone."))
    return sent_to(request, inverse.leads(pk, was or now or {}))


def _read(offer: str, user: Any) -> tuple[str, UUID, Row | None, Row | None]:
    """What an offer says. Raises `Invalid` for one that is none or too old, `Forbidden` for somebody else's."""
    try:
        said = signing.loads(offer, salt=SALT, max_age=SECONDS)
    except signing.SignatureExpired:
        raise Invalid(_("It is too late to undo this: that can be done for ten minutes.")) from None
    except signing.BadSignature:
        raise Invalid(_("This is no offer of ours to undo something; nothing was done.")) from None
    if said["by"] != user:
        raise Forbidden(_("Only whoever did this can undo it here."))
    if said["verb"] not in INVERSES:
        raise Invalid(_("This can no longer be undone."))
    return said["verb"], UUID(said["pk"]), said["was"], said["now"]
