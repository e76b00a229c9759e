"""The base of every domain model's page: rows are shown, never written; a verb is an action."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from clawgroups import commit
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.core.audit import Audit
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import ClawError, NotFound
from clawgroups.services.perform import perform

if TYPE_CHECKING:
    Base = admin.ModelAdmin[Any]
else:
    Base = admin.ModelAdmin

Words = str | Promise
Act = Callable[[Any, Actor], object]
Verb = Callable[..., Future[Outcome]]
MOST_TOLD = 50


def tell(actor: Actor, said: str, rows: Sequence[Model]) -> None:
    """Put an act of the administration down on the installation's trail, whatever the verb itself tells elsewhere."""
    about = {"said": said, "of": rows[0]._meta.label, "rows": [str(row.pk) for row in rows[:MOST_TOLD]]}
    told = Audit("panel.acted", {**about, "number": len(rows)})
    commit.wait(commit.submit(Change(actor, verb="panel.act", audits=(told,))))


def standing(row: Any) -> str:
    """Whether something by which somebody comes in still does: in force, expired or revoked."""
    if row.revoked_at is not None:
        return _("revoked")
    return _("expired") if row.expires_at is not None and row.expires_at <= timezone.now() else _("in force")


class Acting(Base):
    """Actions that are verbs: each row stands for itself, and what was done is logged after."""

    def has_act_permission(self, request: HttpRequest) -> bool:
        """Whether this person may use the verbs: who could change the rows, were they to be changed here."""
        meta = self.model._meta
        return bool(request.user.has_perm(f"{meta.app_label}.change_{meta.model_name}"))

    def carry_out(self, request: HttpRequest, rows: QuerySet[Any], verb: Verb, said: Words) -> None:
        """Do `verb` to each row, as the person who is signed in, and say what came of it."""
        self.act(request, rows, lambda row, actor: perform(verb, row.pk, actor=actor), said)

    def act(self, request: HttpRequest, rows: QuerySet[Any], act: Act, said: Words) -> None:
        """`act` on each row; each stands for itself. Runs outside of a transaction; the log entry is written after."""
        assert request.user.pk is not None
        actor = actor_of_user(request.user)
        done: list[Model] = []
        for row in rows:
            try:
                act(row, actor)
            except ClawError as fault:
                reason = _("you have no seat where this belongs") if isinstance(fault, NotFound) else fault.message
                self.message_user(request, f"{row}: {reason}", messages.ERROR)
            else:
                done.append(row)
        if done:
            self.message_user(request, _("%(said)s: %(count)d") % {"said": said, "count": len(done)}, messages.SUCCESS)
            LogEntry.objects.log_actions(request.user.pk, done, CHANGE, str(said))
            tell(actor, str(said), done)


class ReadOnlyAdmin(Acting):
    """Shows rows to staff. Nothing is added, changed or deleted here."""

    list_per_page = 50
    show_full_result_count = False
    actions_on_top = True
    # What a secret is checked by is nobody's to see.
    exclude = ("digest", "secret")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
