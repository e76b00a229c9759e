"""A workspace's own deadlines, as durations that people write."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.forms.boundfield import BoundField
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.durations import parse_duration, say_duration
from clawgroups.core.timer_settings import GROUPS, SETTINGS, Setting
from clawgroups.models import Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import workspaces
from clawgroups.web.forms import carry_out
from clawgroups.web.http import actor_of, done, operation_of, page
from clawgroups.web.undo import offered
from clawgroups.wording import say


class DurationField(forms.CharField):
    """Seconds, written like `5 min`; empty means the default, which is shown as the placeholder."""

    def __init__(self, setting: Setting) -> None:
        default = say(say_duration(setting.default))
        super().__init__(
            max_length=60,
            required=False,
            label=_(setting.label),
            help_text=_("%(does)s Usually %(default)s.") % {"does": _(setting.does), "default": default},
            widget=forms.TextInput({"placeholder": default, "inputmode": "text", "autocomplete": "off"}),
        )

    def clean(self, value: Any) -> float | None:
        """The seconds, or None for the default."""
        text = super().clean(value)
        try:
            return parse_duration(text) if text else None
        except ValueError as fault:
            raise forms.ValidationError(say(fault)) from None


class DeadlinesForm(forms.Form):
    """All deadlines that a workspace may set."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, setting in SETTINGS.items():
            self.fields[name] = DurationField(setting)

    @property
    def groups(self) -> list[tuple[str, list[BoundField]]]:
        """The fields under their headings."""
        return [(_(title), [self[one.name] for one in group]) for title, group in GROUPS]


@require_safe
def deadlines(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """The form, with what is set here; what is not is empty and says its default."""
    found = get_workspace(actor_of(request), workspace_id, "workspace.set_timers")
    own = {name: say(say_duration(seconds)) for name, seconds in found.timers.items() if name in SETTINGS}
    return _show(request, found, DeadlinesForm(initial=own))


def _show(request: HttpRequest, found: Workspace, form: DeadlinesForm, status: int = 200) -> HttpResponse:
    return page(request, "workspaces/deadlines.html", {"workspace": found, "form": form}, status)


@require_POST
@offered("set-timers")
def set_timers(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Replace the workspace's own deadlines."""
    actor = actor_of(request)
    found = get_workspace(actor, workspace_id, "workspace.set_timers")
    form = DeadlinesForm(request.POST)
    outcome = None
    if form.is_valid():
        said = form.cleaned_data
        operation = operation_of(request)
        outcome = carry_out(form, workspaces.set_timers, workspace_id, timers=said, actor=actor, operation=operation)
    if outcome is None:
        return _show(request, found, form, status=422)
    return done(request, reverse("deadlines", args=[workspace_id]))
