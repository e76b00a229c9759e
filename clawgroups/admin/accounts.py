"""People: Django's own pages for users and groups, which tell what they change, and access tokens."""

from __future__ import annotations

from contextlib import ExitStack
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.db import transaction
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from clawgroups.admin.reading import Acting, ReadOnlyAdmin, standing
from clawgroups.admin.site import site
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.models import AccessToken
from clawgroups.services import account_letters, accounts, admission, people

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = object

HERE = "administration"


class Told(Base):
    """What is done here is on the installation's audit trail, in the transaction that does it."""

    def watch(self, over: ExitStack, request: HttpRequest, pk: int) -> None:
        """Until `over` is left, whatever happens to the row is told."""
        raise NotImplementedError

    def tell_made(self, request: HttpRequest, row: Any) -> None:
        """Tell that a row was made."""
        raise NotImplementedError

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as over:
            self._watched(over, request, object_id)
            return super().changeform_view(request, object_id, *args, **kwargs)

    def delete_view(self, request: HttpRequest, object_id: str, *args: Any, **kwargs: Any) -> Any:
        with ExitStack() as over:
            self._watched(over, request, object_id)
            return super().delete_view(request, object_id, *args, **kwargs)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        with ExitStack() as over:
            for pk in queryset.values_list("pk", flat=True):
                self.watch(over, request, pk)
            super().delete_queryset(request, queryset)

    def log_addition(self, request: HttpRequest, obj: Any, message: Any) -> Any:
        self.tell_made(request, obj)
        return super().log_addition(request, obj, message)

    def _watched(self, over: ExitStack, request: HttpRequest, object_id: str | None) -> None:
        if request.method == "POST" and object_id is not None and object_id.isdecimal():
            self.watch(over, request, int(object_id))


def _actor(request: HttpRequest) -> Actor:
    return actor_of_user(request.user)


@admin.register(User, site=site)
class AccountAdmin(Told, Acting, UserAdmin):  # type: ignore[type-arg]
    list_display = ("username", "email", "seats", "is_staff", "is_superuser", "is_active", "last_login", "date_joined")
    actions = ("close", "reopen", "sign_out")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_queryset(request)
        found: QuerySet[Any] = rows.annotate(seated=Count("seats", filter=Q(seats__left_at=None)))
        return found

    @admin.display(description=_("workspaces"), ordering="seated")
    def seats(self, user: Any) -> int:
        return int(user.seated)

    @admin.action(description=_("Close the selected accounts"), permissions=["act"])
    def close(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.act(request, rows, lambda row, actor: admission.close_account(row.pk, actor=actor), _("Closed"))

    @admin.action(description=_("Open the selected accounts again"), permissions=["act"])
    def reopen(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.act(request, rows, lambda row, actor: admission.open_account(row.pk, actor=actor), _("Opened"))

    @admin.action(description=_("Sign the selected people out everywhere"), permissions=["act"])
    def sign_out(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.act(request, rows, lambda row, actor: admission.sign_out(row.pk, actor=actor), _("Signed out"))

    def watch(self, over: ExitStack, request: HttpRequest, pk: int) -> None:
        over.enter_context(accounts.told(pk, by=_actor(request), where=HERE))

    def tell_made(self, request: HttpRequest, row: Any) -> None:
        accounts.tell(None, accounts.seen(row.pk), by=_actor(request), where=HERE)

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: Any) -> None:
        super().save_model(request, obj, form, change)
        # An account that was closed is closed on open pages, too: seen by others once it is committed.
        transaction.on_commit(people.passes_changed)

    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:
        with ExitStack() as over:
            self._watched(over, request, id)
            response = super().user_change_password(request, id, form_url)
        people.passes_changed()
        # Only what was taken leads on; a form with mistakes is shown again.
        if request.method == "POST" and response.status_code == HTTPStatus.FOUND and id.isdecimal():
            account_letters.tell(User.objects.get(pk=int(id)), "password_changed")
        return response


@admin.register(Group, site=site)
class RightsAdmin(Told, GroupAdmin):
    def watch(self, over: ExitStack, request: HttpRequest, pk: int) -> None:
        over.enter_context(accounts.group_told(pk, by=_actor(request)))

    def tell_made(self, request: HttpRequest, row: Any) -> None:
        accounts.tell_group(None, row.pk, by=_actor(request))


@admin.register(AccessToken, site=site)
class AccessTokenAdmin(ReadOnlyAdmin):
    list_display = ("name", "user", "public_id", "standing", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("name", "user__username", "public_id")
    list_select_related = ("user",)
    actions = ("revoke",)

    @admin.display(description=_("state"))
    def standing(self, token: AccessToken) -> str:
        return standing(token)

    @admin.action(description=_("Revoke the selected tokens"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.act(request, rows, lambda row, actor: people.revoke_token(row.user, row.pk, actor=actor), _("Revoked"))
