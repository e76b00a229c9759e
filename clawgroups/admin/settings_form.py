"""The form of switches, limits and what is kept: what each is called, what it does, and what stands in its field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from clawgroups.core.errors import Invalid
from clawgroups.core.installation import SETTINGS, Kind, Value, clean, of_kind
from clawgroups.models import Setting
from clawgroups.services import installation

# Name -> what it is called, what it does.
WORDS: Mapping[str, tuple[Any, Any]] = {
    "signup": (_("Sign-up"), _("Anybody who finds the address may make an account. Invitations work either way.")),
    "model": (_("Models"), _("Models are asked to plan and to judge. Off: the built-in coordinator does it by rules.")),
    "dialling": (
        _("Dialling out"),
        _("This server connects to agents at their addresses. Off: those are let go at once."),
    ),
    "mail": (_("Letters"), _("People are told by e-mail of what waits for them.")),
    "sharing": (_("Read-only links"), _("Runs may be shown to people without an account. Off: links show nothing.")),
    "templates": (_("Templates"), _("Runs may be started from templates, and the example tried.")),
    "upload_mb": (_("Largest file"), _("Megabytes of one file.")),
    "month_usd": (
        _("Models in a month"),
        _("US dollars, all workspaces together. Then the built-in coordinator goes on."),
    ),
    "workspaces_each": (_("Workspaces"), _("That one person may have opened.")),
    "agents_each": (_("Agents"), _("That one person may have registered and not retired.")),
    "open_runs_each": (_("Open runs"), _("In one workspace at once.")),
    "keep_model_words": (
        _("Words of models"),
        _("What models were told and answered in runs that are over. Costs, decisions and times stay."),
    ),
    "keep_drafts": (_("Earlier drafts"), _("Versions that a newer one replaced, of runs that are over.")),
    "keep_operations": (_("Repeated requests"), _("Answers kept for whoever sends the same request once more.")),
    "keep_letters": (_("Letters sent"), _("That they were sent, and about what.")),
    "keep_admissions": (
        _("What lets nobody in any more"),
        _("Invitations, links, enrolment codes and browsers' sessions whose time is over."),
    ),
    "keep_exports": (_("Archives of workspaces"), _("The files; that they were made stays on the audit trail.")),
}


@dataclass(frozen=True, slots=True)
class Row:
    """One setting as it is shown."""

    name: str
    title: Any
    does: Any
    value: Value
    typed: str
    least: int
    most: int | None
    usual: Value
    row: Setting | None
    is_forbidden: bool
    fault: str = ""


def rows_of(kind: Kind, typed: Mapping[str, str] | None = None, faults: Mapping[str, str] | None = None) -> list[Row]:
    """The settings of a kind, as they hold or as they were typed."""
    known = Setting.objects.select_related("set_by").in_bulk()
    shown = []
    for one in of_kind(kind):
        value, most = installation.value(one.name), installation.most(one.name)
        title, does = WORDS[one.name]
        text = "" if value is None else str(value)
        if typed is not None and one.is_switch:
            value = typed.get(one.name) == "on"
        shown.append(
            Row(
                one.name, title, does, value, (typed or {}).get(one.name, text), one.least,
                most if isinstance(most, int) and not isinstance(most, bool) else None,
                installation.usual(one.name), known.get(one.name), most is False, (faults or {}).get(one.name, ""),
            )
        )  # fmt: skip
    return shown


def read(given: QueryDict, *kinds: Kind) -> tuple[dict[str, Value], dict[str, str]]:
    """What was typed of these kinds of settings, and what is wrong with it by name."""
    said: dict[str, Value] = {}
    faults: dict[str, str] = {}
    for one in (one for kind in kinds for one in of_kind(kind)):
        if one.is_switch and installation.most(one.name) is False:
            continue
        try:
            said[one.name] = clean(one.name, _typed(given, one.name), installation.most(one.name))
        except Invalid as fault:
            faults[one.name] = fault.message
    return said, faults


def _typed(given: QueryDict, name: str) -> Any:
    if SETTINGS[name].is_switch:
        return given.get(name) == "on"
    text = (given.get(name) or "").strip()
    try:
        return int(text) if text else None
    except ValueError:
        return text
