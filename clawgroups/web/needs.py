"""The page "Needs you": what waits for the viewer, in all their workspaces, to be settled where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from clawgroups.core.errors import ClawError, Conflict, NotFound
from clawgroups.models import Approval
from clawgroups.permissions import get_approval, get_workspace
from clawgroups.services import fanning, needs
from clawgroups.services.fanning import Answer, Told
from clawgroups.services.needs import Need
from clawgroups.services.perform import perform
from clawgroups.web.approvals import answers_of
from clawgroups.web.http import Viewer, actor_of, done, is_htmx, operation_of, page
from clawgroups.web.need_cards import GROUPS, Card, cards_of, settled_lately
from clawgroups.web.workspaces import follows, id_of, workspaces_of
from clawgroups.wording import say

STEP = 25
FOLLOWED = 20


@dataclass(frozen=True)
class Chosen:
    """Which part of the list is looked at: the query of the page."""

    group: str = ""
    workspace: UUID | None = None
    most: int = STEP

    @classmethod
    def of(cls, said: Any) -> Chosen:
        """What the query says, as far as it makes sense."""
        number = str(said.get("most", ""))
        most = int(number) if number.isdecimal() and len(number) < 5 else STEP
        group = str(said.get("show", ""))
        return cls(group if group in GROUPS else "", id_of(said.get("workspace", "")), min(max(most, STEP), needs.MOST))

    def has(self, need: Need) -> bool:
        return self.of_group(need) and self.of_workspace(need)

    def of_group(self, need: Need) -> bool:
        return not self.group or need.kind in GROUPS[self.group][1]

    def of_workspace(self, need: Need) -> bool:
        return self.workspace is None or need.workspace_id == self.workspace

    def query(self, **other: Any) -> str:
        """The query that asks for this part, or for another one."""
        said = {"show": self.group, "workspace": self.workspace, "most": self.most if self.most > STEP else "", **other}
        kept = {key: str(value) for key, value in said.items() if value}
        return f"?{urlencode(kept)}" if kept else "?"


@dataclass(frozen=True)
class Facet:
    """One way to narrow the list, and how much of it would be left."""

    word: Any
    query: str
    number: int
    is_on: bool = False


@dataclass(frozen=True)
class Listed:
    """The list as it is shown."""

    cards: Sequence[Card]
    total: int
    count: int
    chosen: Chosen
    groups: Sequence[Facet] = ()
    rooms: Sequence[Facet] = ()
    settled: Sequence[Any] = field(default=())

    @property
    def left(self) -> int:
        return max(0, self.count - len(self.cards))

    @property
    def step(self) -> int:
        return min(self.left, STEP)

    @property
    def more(self) -> str:
        return self.chosen.query(most=self.chosen.most + STEP)

    @property
    def here(self) -> str:
        return self.chosen.query()

    @property
    def oldest(self) -> Any:
        return self.cards[0].need.since if self.cards else None


@require_safe
def needs_you(request: HttpRequest) -> HttpResponse:
    """The list, what waits longest first; to a script only the list."""
    actor, now, chosen = actor_of(request), timezone.now(), Chosen.of(request.GET)
    mine = workspaces_of(actor)
    followed = follows(mine[:FOLLOWED])
    found = needs.needs_of(actor.user_id, now)
    fits = [need for need in found if chosen.has(need)]
    listed = Listed(
        cards_of(fits[: chosen.most], actor, now),
        len(found),
        len(fits),
        chosen,
        _groups(found, chosen),
        _rooms(found, chosen),
        settled_lately(actor, needs.rooms_where(actor.user_id, "approval.view"), now),
    )
    context = {"follows": followed, "nav": "needs", "list": listed, "needs_count": len(found), "needs_counted": True}
    if is_htmx(request):
        # The badge with it, so that both tell the same.
        badge = {"needs_count": len(found), "full": True, "needs_counted": True, "here": "needs", "oob": "merge"}
        said = (
            render_to_string(name, with_it, request)
            for name, with_it in (("needs/_list.html", context), ("_needs.html", badge))
        )
        return HttpResponse("".join(said))
    return page(request, "needs/list.html", context)


def _groups(found: Sequence[Need], chosen: Chosen) -> list[Facet]:
    here = [need for need in found if chosen.of_workspace(need)]
    facets = [Facet(_("Everything"), chosen.query(show="", most=""), len(here), not chosen.group)]
    for name, (word, kinds) in GROUPS.items():
        number = sum(need.kind in kinds for need in here)
        if number or name == chosen.group:
            facets.append(Facet(word, chosen.query(show=name, most=""), number, name == chosen.group))
    return facets


def _rooms(found: Sequence[Need], chosen: Chosen) -> list[Facet]:
    """The workspaces in which something waits; none where it is one and the same."""
    here = [need for need in found if chosen.of_group(need)]
    names = {need.workspace_id: need.workspace for need in found if need.workspace_id}
    if len(names) < 2 and chosen.workspace is None:
        return []
    facets = [
        Facet(_("All workspaces"), chosen.query(workspace="", most=""), len(here), is_on=chosen.workspace is None)
    ]
    for pk, name in sorted(names.items(), key=lambda one: one[1].lower()):
        number = sum(need.workspace_id == pk for need in here)
        facets.append(Facet(name, chosen.query(workspace=pk, most=""), number, is_on=pk == chosen.workspace))
    return facets


@require_safe
def count_needs(request: HttpRequest) -> HttpResponse:
    """The badge."""
    count = needs.count_of(actor_of(request).user_id, timezone.now())
    context = {"needs_count": count, "full": True, "needs_counted": True, "here": request.GET.get("here", "")}
    response = render(request, "_needs.html", context)
    response["HX-Trigger"] = "reload-needs"
    return response


@require_safe
def approval_details(request: HttpRequest, workspace_id: UUID, approval_id: UUID) -> HttpResponse:
    """All that an agent sent with its question, and every line of a change: what a list shows the beginning of."""
    actor = actor_of(request)
    found = get_approval(actor, approval_id, "approval.view")
    if found.workspace_id != workspace_id:
        raise NotFound("There is no such question in this workspace.")
    context = {"ask": found, "loaded": True, "viewer": Viewer(actor, workspace_id)}
    if is_htmx(request):
        return render(request, "approvals/_details.html", context)
    return page(request, "approvals/details.html", context)


@require_POST
def answer_alike(request: HttpRequest, workspace_id: UUID) -> HttpResponse:
    """Answer several questions that ask for the same as one."""
    actor = actor_of(request)
    get_workspace(actor, workspace_id, "approval.decide")
    picked = _picked(request, workspace_id)
    posted = {key: request.POST.get(key, "") for key in ("kind", "name", "text")}
    answer = Answer(**posted, answers=answers_of(request))
    told = fanning.answer_alike(picked, answer, actor=actor, operation=operation_of(request))
    kept = _kept(request, told, answer)
    said = _said(told, kept)
    if all(one.problem for one in told):
        raise Conflict(said, code="not_open")
    if not is_htmx(request):
        return done(request, reverse("needs-you"), said=said)
    bad = any(one.problem for one in told)
    return HttpResponse(render_to_string("_toast.html", {"message": said, "id": uuid4().hex, "bad": bad}, request))


def _picked(request: HttpRequest, workspace_id: UUID) -> dict[UUID, str]:
    """The questions that are ticked, of this workspace only, each with the digest of the arguments that were seen."""
    said = (one.partition(":") for one in request.POST.getlist("pick"))
    given = {pk: digest for text, _colon, digest in said if (pk := id_of(text)) is not None}
    here = set(Approval.objects.filter(pk__in=given, workspace=workspace_id).values_list("pk", flat=True))
    return {pk: digest for pk, digest in given.items() if pk in here}


def _kept(request: HttpRequest, told: Sequence[Told], answer: Answer) -> str:
    """What came of the wish to have the answer hold for the next hours: nothing, "kept", or why it does not."""
    first = next((one.approval_id for one in told if not one.problem), None)
    if request.POST.get("keep") != "1" or first is None:
        return ""
    try:
        perform(fanning.keep_answer, first, kind=answer.kind, actor=actor_of(request), operation=_own(request))
    except ClawError as fault:
        return say(fault.message)
    return "kept"


def _own(request: HttpRequest) -> str:
    operation = operation_of(request)
    return f"{operation}:kept" if operation else ""


def _said(told: Sequence[Told], kept: str) -> str:
    bad = fanning.problems(told)
    good = len(told) - len(bad)
    said = [ngettext("%d of them was answered.", "%d were answered.", good) % good] if good else []
    if bad:
        why = "; ".join(dict.fromkeys(one.problem for one in bad))
        said.append(
            ngettext("%(n)d was not: %(why)s", "%(n)d were not: %(why)s", len(bad)) % {"n": len(bad), "why": why}
        )
    if kept == "kept":
        hours = int(fanning.HOURS)
        said.append(_("The same is answered so by itself for the next %d hours.") % hours)
    elif kept:
        said.append(kept)
    return " ".join(said)
