"""Runs, tasks, attempts, approvals and files."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from clawgroups.admin.reading import ReadOnlyAdmin
from clawgroups.admin.site import site
from clawgroups.models import Approval, Artifact, Attempt, Run, Task
from clawgroups.services import runs, tasks


@admin.register(Run, site=site)
class RunAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "workspace", "state", "paused", "open_tasks", "created_by", "created_at", "ended_at")
    list_filter = ("state", "paused")
    search_fields = ("goal", "workspace__name")
    list_select_related = ("workspace", "created_by")
    ordering = ("-created_at",)
    actions = ("pause", "resume", "cancel")

    @admin.action(description=_("Pause the selected runs"), permissions=["act"])
    def pause(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, runs.pause_run, _("Paused"))

    @admin.action(description=_("Resume the selected runs"), permissions=["act"])
    def resume(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, runs.resume_run, _("Resumed"))

    @admin.action(description=_("Cancel the selected runs"), permissions=["act"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, runs.cancel_run, _("Cancelled"))


class Named(admin.AllValuesFieldListFilter):
    """Each value by its word; the empty one has a word, too."""

    def choices(self, changelist: Any) -> Iterator[Any]:
        for one in super().choices(changelist):
            yield {**one, "display": one["display"] or _("nobody")}


@admin.register(Task, site=site)
class TaskAdmin(ReadOnlyAdmin):
    list_display = ("title", "workspace", "state", "blocked_on", "next_actor", "deadline_at", "tries", "epoch")
    list_filter = ("state", ("blocked_on", Named))
    search_fields = ("title", "key", "workspace__name")
    list_select_related = ("workspace",)
    ordering = ("-created_at", "position")
    actions = ("cancel",)

    @admin.action(description=_("Cancel the selected tasks"), permissions=["act"])
    def cancel(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, tasks.cancel_task, _("Cancelled"))


@admin.register(Attempt, site=site)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ("task", "number", "member", "state", "contact", "stop", "epoch", "offered_at", "ended_at")
    list_filter = ("state", "contact", "stop")
    search_fields = ("task__title", "member__name")
    list_select_related = ("task", "member")
    ordering = ("-offered_at",)


@admin.register(Approval, site=site)
class ApprovalAdmin(ReadOnlyAdmin):
    list_display = ("task", "workspace", "state", "option_kind", "decided_by", "asked_at", "expires_at")
    list_filter = ("state",)
    list_select_related = ("task", "workspace", "decided_by")
    ordering = ("-asked_at",)


@admin.register(Artifact, site=site)
class ArtifactAdmin(ReadOnlyAdmin):
    list_display = ("name", "kind", "revision", "size", "workspace", "task", "created_at")
    list_filter = ("kind",)
    search_fields = ("name", "sha256", "workspace__name")
    list_select_related = ("workspace", "task")
    ordering = ("-created_at",)
