"""Workspaces, their members and their journal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Count, OuterRef, Prefetch, QuerySet, Subquery, Sum
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _

from clawgroups.admin.reading import ReadOnlyAdmin, standing
from clawgroups.admin.site import site
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.models import Artifact, Entry, Invitation, Member, Run, Share, Workspace
from clawgroups.services import closing, exporting, members


@admin.register(Workspace, site=site)
class WorkspaceAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "owners",
        "seats",
        "open_runs",
        "files",
        "last",
        "created_at",
        "closed_at",
        "head",
        "behind",
    )
    search_fields = ("name", "goal", "created_by__username")
    list_select_related = ("created_by",)
    ordering = ("-created_at",)
    actions = ("shut", "reopen", "export")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        here = OuterRef("pk")
        seats = Member.objects.filter(workspace=here, left_at=None).order_by().values("workspace")
        going = Run.objects.filter(workspace=here).exclude(state__in=RUN_TERMINAL).order_by().values("workspace")
        size = Artifact.objects.filter(workspace=here).order_by().values("workspace").values(all=Sum("size"))
        newest = Entry.objects.filter(workspace=here).order_by("-generation", "-seq").values("at")[:1]
        owners = Prefetch("members", Member.objects.filter(role="owner", left_at=None), to_attr="owned_by")
        rows: QuerySet[Any] = super().get_queryset(request).prefetch_related(owners)
        found: QuerySet[Any] = rows.annotate(
            seated=Subquery(seats.values(n=Count("pk"))),
            going=Subquery(going.values(n=Count("pk"))),
            kept=Subquery(size),
            told_at=Subquery(newest),
        )
        return found

    @admin.display(description=_("owners"))
    def owners(self, room: Any) -> str:
        return ", ".join(seat.name for seat in room.owned_by)

    @admin.display(description=_("members"), ordering="seated")
    def seats(self, room: Any) -> int:
        return int(room.seated or 0)

    @admin.display(description=_("open runs"), ordering="going")
    def open_runs(self, room: Any) -> int:
        return int(room.going or 0)

    @admin.display(description=_("files"), ordering="kept")
    def files(self, room: Any) -> str:
        return str(filesizeformat(room.kept or 0))

    @admin.display(description=_("last activity"), ordering="told_at")
    def last(self, room: Any) -> Any:
        return room.told_at

    @admin.display(description=_("not reacted to"))
    def behind(self, room: Workspace) -> int:
        return room.head - room.reacted

    @admin.action(description=_("Close the selected workspaces"), permissions=["act"])
    def shut(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, closing.close_workspace, _("Closed"))

    @admin.action(description=_("Open the selected workspaces again"), permissions=["act"])
    def reopen(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, closing.reopen_workspace, _("Opened"))

    @admin.action(description=_("Make an archive of the selected workspaces"), permissions=["export"])
    def export(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, exporting.export_workspace, _("Archives asked for"))

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("clawgroups.add_export")


@admin.register(Member, site=site)
class MemberAdmin(ReadOnlyAdmin):
    list_display = ("name", "handle", "workspace", "role", "joined_at", "left_at")
    list_filter = ("role", ("left_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "handle", "workspace__name")
    list_select_related = ("workspace",)
    ordering = ("-joined_at",)
    actions = ("remove",)

    @admin.action(description=_("Remove the selected members"), permissions=["act"])
    def remove(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, members.remove_member, _("Removed"))


@admin.register(Entry, site=site)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ("seq", "type", "who", "workspace", "generation", "at")
    list_filter = ("type",)
    search_fields = ("=workspace__name", "=type")
    list_select_related = ("workspace",)
    ordering = ("-id",)

    @admin.display(description=_("actor"))
    def who(self, entry: Entry) -> str:
        return f"{entry.actor.get('name', '')} ({entry.actor.get('kind', '')})"


@admin.register(Invitation, site=site)
class InvitationAdmin(ReadOnlyAdmin):
    list_display = ("workspace", "role", "standing", "note", "uses", "most_uses", "made_by", "made_at", "expires_at")
    list_filter = ("role", ("revoked_at", admin.EmptyFieldListFilter))
    search_fields = ("workspace__name", "note", "made_by__name")
    list_select_related = ("workspace", "made_by")

    @admin.display(description=_("state"))
    def standing(self, row: Invitation) -> str:
        return standing(row)


@admin.register(Share, site=site)
class ShareAdmin(ReadOnlyAdmin):
    list_display = ("run", "workspace", "standing", "made_by", "made_at", "expires_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("workspace__name", "run__goal", "made_by__name")
    list_select_related = ("run", "workspace", "made_by")

    @admin.display(description=_("state"))
    def standing(self, row: Share) -> str:
        return standing(row)
