"""What a person can be asked for in a workspace: skills, hours, and how many tasks at once."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.http import HttpRequest, HttpResponse, QueryDict
from django.urls import reverse
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from agents.models import Skill
from clawgroups.core.errors import ClawError, NotFound
from clawgroups.core.hours import DAYS
from clawgroups.models import Member, Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import members
from clawgroups.services.perform import perform
from clawgroups.web.forms import LEVELS, blame
from clawgroups.web.http import Viewer, actor_of, done, operation_of, page
from clawgroups.web.undo import offered
from clawgroups.wording import say

DAY_WORDS = dict(
    zip(
        DAYS,
        (
            gettext_lazy("Monday"),
            gettext_lazy("Tuesday"),
            gettext_lazy("Wednesday"),
            gettext_lazy("Thursday"),
            gettext_lazy("Friday"),
            gettext_lazy("Saturday"),
            gettext_lazy("Sunday"),
        ),
        strict=True,
    )
)
EMPTY_ROWS = 3
MOST_ROWS = 41
CLOCK = {"inputmode": "numeric", "autocomplete": "off", "size": "6"}


class PersonProfileForm(forms.Form):
    """One's own profile. `skill_rows` are (name, level) as typed."""

    capacity = forms.IntegerField(
        min_value=0,
        max_value=members.MAX_CAPACITY,
        label=gettext_lazy("Tasks at once"),
        help_text=gettext_lazy("0: I am not asked."),
    )
    any_time = forms.BooleanField(required=False, label=gettext_lazy("At any time"))
    days = forms.MultipleChoiceField(
        required=False,
        choices=list(DAY_WORDS.items()),
        widget=forms.CheckboxSelectMultiple,
        label=gettext_lazy("On these days"),
    )
    begin = forms.CharField(
        required=False,
        max_length=5,
        label=gettext_lazy("From"),
        widget=forms.TextInput({**CLOCK, "placeholder": "09:00"}),
    )
    end = forms.CharField(
        required=False,
        max_length=5,
        label=gettext_lazy("To"),
        widget=forms.TextInput({**CLOCK, "placeholder": "17:00"}),
    )
    zone = forms.CharField(
        required=False,
        max_length=60,
        label=gettext_lazy("Time zone"),
        help_text=gettext_lazy("Like Europe/Berlin. Empty: UTC."),
        widget=forms.TextInput({"placeholder": "UTC", "autocomplete": "off"}),
    )

    def __init__(self, data: QueryDict | None = None, *, seat: Member) -> None:
        super().__init__(data, initial=_initial(seat))
        self.levels = LEVELS
        self.skills_error = ""
        typed = list(seat.skills.items()) if data is None else _typed(data)
        self.skill_rows = [*typed, *[("", 3)] * EMPTY_ROWS]

    def said(self) -> dict[str, Any]:
        """What the verb takes."""
        data = self.cleaned_data
        hours: dict[str, Any] = {}
        if not data["any_time"]:
            hours = {"zone": data["zone"] or "UTC", "days": data["days"], "from": data["begin"], "to": data["end"]}
        skills = [{"name": name, "level": level} for name, level in self.skill_rows if name]
        return {"skills": skills, "hours": hours, "capacity": data["capacity"]}

    def refuse(self, fault: ClawError) -> None:
        """Put what the verb refuses beside the field."""
        if fault.fields.get("field") == "skills":
            self.skills_error = say(fault.message)
            return
        names = {"from": "begin", "to": "end"}
        fault.fields["field"] = names.get(str(fault.fields.get("field")), fault.fields.get("field"))
        blame(self, fault)


def _initial(seat: Member) -> dict[str, Any]:
    hours = seat.hours
    return {
        "capacity": seat.capacity,
        "any_time": not hours,
        "days": hours.get("days", list(DAYS[:5])),
        "begin": hours.get("from", ""),
        "end": hours.get("to", ""),
        "zone": hours.get("zone", ""),
    }


def _typed(data: QueryDict) -> list[tuple[str, int]]:
    levels = data.getlist("skill_level")
    rows = [
        (name.strip()[:60], int(level) if (level := levels[i] if i < len(levels) else "") in "12345" and level else 3)
        for i, name in enumerate(data.getlist("skill")[:MOST_ROWS])
    ]
    return [row for row in rows if row[0]]


@require_safe
def own_profile(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The form."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "member.set_profile")
    return _show(request, found, PersonProfileForm(seat=_seat(request, found)))


def _seat(request: HttpRequest, found: Workspace) -> Member:
    seat = Viewer(actor_of(request), found.pk).seat
    if seat is None or seat.user_id is None:
        raise NotFound("You have no seat here.")
    return seat


def _show(request: HttpRequest, found: Workspace, form: PersonProfileForm, status: int = 200) -> HttpResponse:
    known = Skill.objects.filter(agent__seats__workspace=found, agent__seats__left_at=None)
    names = known.order_by("name").values_list("name", flat=True).distinct()[:200]
    context = {"workspace": found, "form": form, "known_skills": list(names)}
    return page(request, "members/profile.html", context, status)


@require_POST
@offered("set-own-profile")
def set_own_profile(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Save it."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "member.set_profile")
    form = PersonProfileForm(request.POST, seat=_seat(request, found))
    if not form.is_valid():
        return _show(request, found, form, 422)
    try:
        perform(members.set_profile, workspace_id, **form.said(), actor=actor, operation=operation_of(request))
    except ClawError as fault:
        if fault.status in (403, 404):
            raise
        form.refuse(fault)
        return _show(request, found, form, 422)
    return done(request, reverse("own-profile", args=[workspace_id]))
