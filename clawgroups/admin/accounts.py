"""People: Django's own pages for users and groups, and their access tokens."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from clawgroups.admin.reading import ReadOnlyAdmin
from clawgroups.admin.site import site
from clawgroups.models import AccessToken
from clawgroups.services import people

site.register(Group, GroupAdmin)


@admin.register(User, site=site)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]
    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        # An account that was closed is closed on open pages, too: seen by others once it is committed.
        transaction.on_commit(people.passes_changed)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        response = super().user_change_password(request, id, form_url)
        people.passes_changed()
        return response


@admin.register(AccessToken, site=site)
class AccessTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "public_id", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "user__username", "public_id")
    list_select_related = ("user",)
    actions = ("revoke",)

    @admin.action(description=_("Revoke the selected tokens"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.act(request, rows, lambda row, actor: people.revoke_token(row.user, row.pk, actor=actor), _("Revoked"))
