"""Workspaces, their members and their journal."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from clawgroups.admin.reading import ReadOnlyAdmin
from clawgroups.admin.site import site
from clawgroups.models import Entry, Member, Workspace
from clawgroups.services import members


@admin.register(Workspace, site=site)
class WorkspaceAdmin(ReadOnlyAdmin):
    list_display = ("name", "created_by", "created_at", "generation", "head", "reacted")
    search_fields = ("name", "goal", "created_by__username")
    list_select_related = ("created_by",)
    ordering = ("-created_at",)


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
