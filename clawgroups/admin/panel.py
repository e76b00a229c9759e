"""The pages of the operator: health, failures, settings, what is kept, archives. Staff look; who may change, acts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib import messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.text import slugify
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from clawgroups.admin import health
from clawgroups.admin.settings_form import WORDS, read, rows_of
from clawgroups.auth import actor_of_user
from clawgroups.core.errors import ClawError
from clawgroups.core.installation import Kind
from clawgroups.models import Export, Lease, Setting, Workspace
from clawgroups.services import exporting, housekeeping, installation, retention, trying_again
from clawgroups.services.perform import perform

MAY_SET = "clawgroups.change_setting"
MAY_EXPORT = "clawgroups.add_export"
MOST_EXPORTS = 50
HOURS = {"24": 24, "168": 168}


def urls(site: Any) -> list[URLPattern]:
    """The addresses of these pages, for a site of the administration."""
    ours = {
        "health/": (health_page, "health"),
        "failed/": (failed_page, "failed"),
        "failed/again/": (try_again, "try-again"),
        "settings/": (settings_page, "settings"),
        "settings/set/": (set_settings, "set-settings"),
        "retention/": (retention_page, "retention"),
        "retention/set/": (set_retention, "set-retention"),
        "retention/prune/": (prune, "prune"),
        "exports/": (export_page, "exports"),
        "exports/new/": (export, "export"),
        "exports/<uuid:export_id>/": (download, "download-export"),
    }
    return [path(address, site.admin_view(view), {"site": site}, name=name) for address, (view, name) in ours.items()]


def _show(request: HttpRequest, site: Any, name: str, title: str, status: int = 200, **said: Any) -> HttpResponse:
    may = {"may_set": request.user.has_perm(MAY_SET), "may_export": request.user.has_perm(MAY_EXPORT)}
    context = {"title": title, "panel": name, **may, **said, **site.each_context(request)}
    return render(request, f"admin/{name}.html", context, status=status)


def _require(request: HttpRequest, permission: str) -> None:
    if not request.user.has_perm(permission):
        raise PermissionDenied


def _log(request: HttpRequest, rows: Iterable[Model], said: str, flag: int = CHANGE) -> None:
    """Written after the act: whoever is refused leaves nothing here."""
    found = list(rows)
    if found and request.user.pk is not None:
        LogEntry.objects.log_actions(request.user.pk, found, flag, said)


def _to(name: str) -> HttpResponseRedirect:
    return HttpResponseRedirect(reverse(f"admin:{name}"))


@require_safe
def health_page(request: HttpRequest, site: Any) -> HttpResponse:
    """What waits, who is there, and how models do."""
    hours = HOURS.get(request.GET.get("hours", ""), 24)
    found: dict[str, Any] = {
        "queues": health.queues(),
        "health": health.coordinator(timezone.now(), hours),
        "hours": health.HOURS,
    }
    return _show(request, site, "health", _("Queues and coordinator"), **found)


@require_safe
def failed_page(request: HttpRequest, site: Any) -> HttpResponse:
    """What has failed, and the button that tries it again."""
    titles = {
        "turn": (_("Turns of the coordinator"), _("Each ended its worker; after three the run is handed to a person.")),
        "reaction": (_("Journals nobody reacts to"), _("The sweep does them by hand where no worker hears its queue.")),
        "call": (
            _("Questions to models"),
            _("The newest of the last seven days, in runs that go on by rules meanwhile."),
        ),
        "server": (_("Model servers that rest"), _("They are asked again by themselves.")),
        "agent": (_("Agents that get no work"), _("One task is tried with each when its pause is over.")),
        "dial": (_("Agents that cannot be reached"), _("They are dialled again by themselves, unless they refused.")),
        "letter": (_("Letters that were not sent"), _("They are sent again by themselves.")),
        "export": (_("Archives that were not made"), ""),
    }
    found = trying_again.found(timezone.now())
    parts = [
        (kind, *titles[kind], rows, request.user.has_perm(_change(trying_again.AGAIN[kind][0])))
        for kind, rows in found.items()
    ]
    number = sum(len(rows) for rows in found.values())
    return _show(request, site, "failed", _("What failed"), parts=parts, number=number)


def _change(model: type[Model]) -> str:
    return f"{model._meta.app_label}.change_{model._meta.model_name}"


@require_POST
def try_again(request: HttpRequest, site: Any) -> HttpResponse:
    """Try one thing that failed again."""
    known = trying_again.AGAIN.get(request.POST.get("kind", ""))
    try:
        pk = uuid.UUID(request.POST.get("pk", ""))
    except ValueError:
        raise Http404 from None
    if known is None:
        raise Http404
    model, verb = known
    _require(request, _change(model))
    row = model._default_manager.filter(pk=pk).first()
    try:
        perform(verb, pk, actor=actor_of_user(request.user))
    except ClawError as fault:
        messages.error(request, fault.message)
    else:
        _log(request, [row] if row is not None else [], "Tried again")
        messages.success(request, _("It is tried again now: %(what)s") % {"what": row})
    return _to("failed")


@require_safe
def settings_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Switches and limits as they hold."""
    return _settings(request, site)


def _settings(request: HttpRequest, site: Any, status: int = 200, **typed: Any) -> HttpResponse:
    rows = {"switches": rows_of(Kind.SWITCH, **typed), "limits": rows_of(Kind.LIMIT, **typed)}
    return _show(request, site, "settings", _("Switches and limits"), status, **rows)


@require_POST
def set_settings(request: HttpRequest, site: Any) -> HttpResponse:
    """Have the switches and limits be as they were typed; or one of them as the environment says."""
    _require(request, MAY_SET)
    name = request.POST.get("unset", "")
    if name:
        return _unset(request, name, "settings")
    said, faults = read(request.POST, Kind.SWITCH, Kind.LIMIT)
    if faults:
        return _settings(request, site, 422, typed=request.POST, faults=faults)
    _set(request, said)
    return _to("settings")


def _unset(request: HttpRequest, name: str, back: str) -> HttpResponse:
    row = Setting.objects.filter(pk=name).first()
    try:
        perform(installation.unset, names=[name], actor=actor_of_user(request.user))
    except ClawError as fault:
        messages.error(request, fault.message)
    else:
        _log(request, [row] if row is not None else [], "Taken back")
        messages.success(
            request, _("%(what)s is not set here any more: the environment decides.") % {"what": WORDS[name][0]}
        )
    return _to(back)


def _set(request: HttpRequest, said: dict[str, Any]) -> None:
    try:
        done = perform(installation.set_values, said=said, actor=actor_of_user(request.user))
    except ClawError as fault:
        messages.error(request, fault.message)
        return
    changed = done.answer["changed"]
    _log(request, Setting.objects.filter(pk__in=changed), "Set")
    titles = ", ".join(str(WORDS[name][0]) for name in changed)
    messages.success(request, _("Changed: %(what)s") % {"what": titles} if changed else _("Nothing was changed."))


@require_safe
def retention_page(request: HttpRequest, site: Any) -> HttpResponse:
    """How long things are kept, and how much would be deleted by what holds, or by what was typed. Deletes nothing."""
    return _retention(request, site)


def _retention(request: HttpRequest, site: Any, status: int = 200, **typed: Any) -> HttpResponse:
    asked = "look" in request.GET
    said, faults = read(request.GET, Kind.DAYS) if asked else (retention.in_force(), typed.pop("faults", {}))
    days = {name: None if one is None else int(one) for name, one in said.items()}
    over = {one.name: one for one in retention.over(days, timezone.now())}
    shown = request.GET if asked else typed.get("typed")
    rows = [(row, over.get(row.name)) for row in rows_of(Kind.DAYS, shown, faults)]
    total = sum(one.rows for one in over.values())
    last = Lease.objects.filter(name=housekeeping.PRUNE).exclude(done_at=None).first()
    in_force = any(one is not None for one in retention.in_force().values())
    said_of = {"rows": rows, "asked": asked, "total": total, "last": last, "in_force": in_force}
    return _show(request, site, "retention", _("What is kept"), status, **said_of)


@require_POST
def set_retention(request: HttpRequest, site: Any) -> HttpResponse:
    """Keep things for so many days from now on."""
    _require(request, MAY_SET)
    said, faults = read(request.POST, Kind.DAYS)
    if faults:
        return _retention(request, site, 422, typed=request.POST, faults=faults)
    _set(request, said)
    return _to("retention")


@require_POST
def prune(request: HttpRequest, site: Any) -> HttpResponse:
    """Delete what is over now, and not only at the next hour."""
    _require(request, MAY_SET)
    done = retention.prune(timezone.now(), actor=actor_of_user(request.user))
    number = sum(done.values())
    if number and request.user.pk is not None:
        told = ", ".join(f"{name}: {rows}" for name, rows in done.items())
        LogEntry.objects.create(
            user_id=request.user.pk, action_flag=DELETION, object_repr="Retention", change_message=told
        )
    messages.success(request, ngettext("%(n)d row deleted.", "%(n)d rows deleted.", number) % {"n": number})
    return _to("retention")


@require_safe
def export_page(request: HttpRequest, site: Any) -> HttpResponse:
    """Archives of workspaces, and where one asks for another."""
    rows = Export.objects.select_related("workspace", "asked_by")[:MOST_EXPORTS]
    rooms = Workspace.objects.order_by("name", "pk").values_list("pk", "name")[:1000]
    chosen = request.GET.get("workspace", "")
    return _show(request, site, "exports", _("Archives of workspaces"), exports=rows, rooms=rooms, chosen=chosen)


@require_POST
def export(request: HttpRequest, site: Any) -> HttpResponse:
    """Have an archive of a workspace made."""
    _require(request, MAY_EXPORT)
    try:
        pk = uuid.UUID(request.POST.get("workspace", ""))
        done = perform(exporting.export_workspace, pk, actor=actor_of_user(request.user))
    except ValueError:
        messages.error(request, _("Choose a workspace."))
    except ClawError as fault:
        messages.error(request, fault.message)
    else:
        _log(request, Export.objects.filter(pk=done.answer["id"]), "Asked for")
        messages.success(request, _("The archive is being made. It will stand here when it is ready."))
    return _to("exports")


@require_safe
def download(request: HttpRequest, site: Any, export_id: uuid.UUID) -> Any:
    """The bytes of an archive."""
    _require(request, MAY_EXPORT)
    try:
        row, place = exporting.taken(export_id, actor=actor_of_user(request.user))
    except ClawError as fault:
        messages.error(request, fault.message)
        return _to("exports")
    _log(request, [row], "Downloaded")
    name = f"{slugify(row.workspace.name) or 'workspace'}-{row.asked_at:%Y%m%d-%H%M}.zip"
    return FileResponse(place.open("rb"), as_attachment=True, filename=name)
