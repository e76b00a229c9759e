"""The audit trail of a workspace, for its admins, and of the installation, for its staff."""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.utils import timezone
from django.utils.dateparse import parse_date
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from clawgroups.core.actors import Actor
from clawgroups.core.audit import AUDITED, INSTALLATION
from clawgroups.core.errors import Forbidden
from clawgroups.models import AuditRow, Workspace
from clawgroups.permissions import get_workspace
from clawgroups.services import audit_trail
from clawgroups.services.audit_trail import Wanted
from clawgroups.services.sending import streamed
from clawgroups.web.http import actor_of, page, paged, typed

PAGE = 50
# What there is to choose from, by what the kinds begin with.
KINDS = tuple(sorted({kind.partition(".")[0] + "." for kind in AUDITED}))
OF_INSTALLATION = (
    "account.",
    "agent.",
    "token.",
    "dial.",
    "model_server.",
    "setting.",
    "retention.",
    "export.",
    "model.",
    "turn.",
    "react.",
    "letter.",
    "panel.",
)


def in_words(action: str) -> str:
    """A kind of row in words, as `task taken over`."""
    return _(action.replace(".", " ").replace("_", " "))


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as the page tells it."""

    row: AuditRow
    said: Mapping[str, Any]

    @property
    def what(self) -> str:
        """The kind in words, as `task taken over`."""
        return in_words(self.row.action)

    @property
    def reason(self) -> str:
        """Why, where somebody said so."""
        return str(self.said["detail"].get("reason") or "")

    @property
    def detail(self) -> list[tuple[str, str]]:
        """Everything else that it says, by name."""
        said = self.said["detail"].items()
        shown = ((key, value) for key, value in said if key not in ("type", "reason") and value not in ("", None, []))
        return [(key.replace("_", " "), value if isinstance(value, str) else json.dumps(value)) for key, value in shown]


@require_safe
def workspace_audit(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Who decided what in a workspace."""
    found = get_workspace(actor_of(request), workspace_id, "audit.view")
    return _shown(request, found.pk, KINDS, found)


@require_safe
def installation_audit(request: HttpRequest) -> HttpResponse:
    """What was done about keys, agents and servers."""
    _staff(actor_of(request))
    return _shown(request, INSTALLATION, OF_INSTALLATION, None)


@require_safe
def export_workspace_audit(request: HttpRequest, workspace_id: UUID) -> StreamingHttpResponse:
    """The rows that the page shows, as lines of JSON."""
    found = get_workspace(actor_of(request), workspace_id, "audit.view")
    return _exported(request, found.pk)


@require_safe
def export_installation_audit(request: HttpRequest) -> StreamingHttpResponse:
    """The same of the installation."""
    _staff(actor_of(request))
    return _exported(request, INSTALLATION)


def _staff(actor: Actor) -> None:
    if not actor.is_staff:
        raise Forbidden("Only staff sees the installation's audit trail.")


def _shown(request: HttpRequest, chain: UUID, kinds: tuple[str, ...], workspace: Workspace | None) -> HttpResponse:
    asked, wanted = _asked(request)
    shown = paged(request, audit_trail.rows_of(chain, wanted).order_by("-number"), PAGE)
    number, digest = audit_trail.head_of(chain)
    context: dict[str, Any] = {
        "workspace": workspace,
        "kinds": [(kind, in_words(kind.rstrip("."))) for kind in kinds],
        "asked": asked,
        "filtered": any(asked.values()),
        "rows": [Shown(row, audit_trail.said(row)) for row in shown.object_list],
        "page": shown,
        "query": urlencode({name: value for name, value in asked.items() if value}),
        "number": number,
        "head": digest,
    }
    if "verify" in request.GET:
        context |= {"verified": True, "fault": audit_trail.verify(chain)}
    return page(request, "audit/list.html", context)


def _asked(request: HttpRequest) -> tuple[dict[str, str], Wanted]:
    """What was asked for, as it was typed and as it is looked for. A date that is none counts as not given."""
    asked = {name: typed(request, name, 60) for name in ("action", "who", "since", "until")}
    since, until = _day(asked["since"]), _day(asked["until"])
    # Until the end of the day that was named.
    until = until + timedelta(days=1) if until is not None else None
    return asked, Wanted(asked["action"], asked["who"], since, until)


def _day(text: str) -> datetime | None:
    try:
        day = parse_date(text)
    except ValueError:
        return None
    return None if day is None else timezone.make_aware(datetime.combine(day, time.min))


def _exported(request: HttpRequest, chain: UUID) -> StreamingHttpResponse:
    _, wanted = _asked(request)
    response = streamed(request, _encoded(chain, wanted))
    response["Content-Type"] = "application/x-ndjson"
    response["Content-Disposition"] = f'attachment; filename="audit-{timezone.now():%Y%m%d-%H%M}.jsonl"'
    return response


def _encoded(chain: UUID, wanted: Wanted) -> Generator[bytes, None, None]:
    for line in audit_trail.lines(chain, wanted):
        yield line.encode()
