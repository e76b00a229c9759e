"""The page “Notices”: how one is told of what waits, and what browsers ask to tell it by themselves."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib.auth.models import User
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import Invalid
from clawgroups.core.hours import DAYS
from clawgroups.models import Notifying
from clawgroups.services import letters, notifying
from clawgroups.services.perform import perform
from clawgroups.services.waits_for import Waiting, waiting_for
from clawgroups.web.forms import blame
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.profiles import CLOCK, DAY_WORDS

LETTERS = 5
USUAL = {"from": "22:00", "to": "07:00"}


class NoticesForm(forms.Form):
    """How one wants to be told."""

    browser = forms.BooleanField(required=False, label=gettext_lazy("Show notices while I look away"))
    mail = forms.BooleanField(required=False, label=gettext_lazy("Write me letters"))
    after = forms.IntegerField(
        required=False,
        min_value=1,
        max_value=1440,
        label=gettext_lazy("Minutes that something waits first"),
        help_text=gettext_lazy("Whoever answers sooner gets no letter. At most one letter in a quarter of an hour."),
        widget=forms.NumberInput({"size": "6"}),
    )
    quiet_on = forms.BooleanField(required=False, label=gettext_lazy("I have quiet hours"))
    days = forms.MultipleChoiceField(
        required=False,
        choices=list(DAY_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("Beginning on these days"),
    )
    begin = forms.CharField(required=False, max_length=5, label=gettext_lazy("From"), widget=forms.TextInput({**CLOCK}))
    end = forms.CharField(required=False, max_length=5, label=gettext_lazy("To"), widget=forms.TextInput({**CLOCK}))
    zone = forms.CharField(
        required=False,
        max_length=60,
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Like Europe/Berlin. Empty: UTC."),
        widget=forms.TextInput({"placeholder": "UTC", "autocomplete": "off", "data-zone": ""}),
    )

    @property
    def said(self) -> dict[str, Any]:
        """What the verb takes."""
        data = self.cleaned_data
        quiet: dict[str, Any] = {}
        if data["quiet_on"]:
            times = {"from": data["begin"] or USUAL["from"], "to": data["end"] or USUAL["to"]}
            quiet = {"zone": data["zone"] or "UTC", "days": data["days"], **times}
        wants = {"browser": data["browser"], "mail": data["mail"], "quiet": quiet}
        return {**wants, "mail_after": 60 * data["after"]} if data["after"] else wants

    def refuse(self, fault: Invalid) -> None:
        """Put what the verb refuses beside the field."""
        names = {"from": "begin", "to": "end", "mail_after": "after"}
        fault.fields["field"] = names.get(str(fault.fields.get("field")), fault.fields.get("field"))
        blame(self, fault)


def _initial(how: Notifying) -> dict[str, Any]:
    quiet = how.quiet or {**USUAL, "days": list(DAYS), "zone": ""}
    wants = {"browser": how.browser, "mail": how.mail, "after": how.mail_after // 60, "quiet_on": bool(how.quiet)}
    return {**wants, "days": quiet["days"], "begin": quiet["from"], "end": quiet["to"], "zone": quiet["zone"]}


def _how(request: HttpRequest) -> Notifying:
    return notifying.notifying_of(notifying.person_of(actor_of(request)))


@require_safe
def notices(request: HttpRequest) -> HttpResponse:
    """The page."""
    return _show(request, NoticesForm(initial=_initial(_how(request))))


def _show(request: HttpRequest, form: NoticesForm, status: int = 200) -> HttpResponse:
    user, how = request.user, _how(request)
    assert isinstance(user, User)
    context = {
        "form": form,
        "nav": "notices",
        "address": user.email,
        "set_up": letters.is_set_up(),
        "letters": letters.letters_of(user.pk)[:LETTERS],
        "is_quiet": notifying.is_quiet(how, timezone.now()),
    }
    return page(request, "people/notices.html", context, status)


@require_POST
def set_notices(request: HttpRequest) -> HttpResponse:
    """Save it."""
    form, actor = NoticesForm(request.POST), actor_of(request)
    if not form.is_valid():
        return _show(request, form, 422)
    try:
        perform(notifying.set_notices, said=form.said, actor=actor, operation=operation_of(request))
    except Invalid as fault:
        form.refuse(fault)
        return _show(request, form, 422)
    return done(request, reverse("notices"), (), _("Saved."))


@require_POST
def send_test_letter(request: HttpRequest) -> HttpResponse:
    """Send the viewer a letter, to see whether it comes."""
    address = letters.send_test(actor=actor_of(request), now=timezone.now())
    return done(request, reverse("notices"), (), _("A test letter is on its way to %(to)s.") % {"to": address})


@require_safe
def waiting(request: HttpRequest) -> HttpResponse:
    """What a browser may tell of: all that waits for the viewer now, and whether it is the time for it."""
    how, now = _how(request), timezone.now()
    items = [_notice(one) for one in waiting_for(how.user_id)]
    response = JsonResponse({"wanted": how.browser, "quiet": notifying.is_quiet(how, now), "items": items})
    response["Cache-Control"] = "private, no-store"
    return response


def _notice(one: Waiting) -> dict[str, str]:
    return {"key": one.key, "title": one.what, "body": f"{one.about}\n{one.room}", "path": one.path}
