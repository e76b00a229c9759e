"""Agents and their keys."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents.models import Agent, AgentKey
from clawgroups.admin.reading import ReadOnlyAdmin, standing
from clawgroups.admin.site import site
from clawgroups.fragments import roster
from clawgroups.services import agents, breakers


@admin.register(Agent, site=site)
class AgentAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "handle",
        "owner",
        "presence",
        "breaker",
        "skill_list",
        "is_builtin",
        "created_at",
        "retired_at",
    )
    list_filter = ("breaker", "is_builtin", ("retired_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "handle", "owner__username")
    list_select_related = ("owner",)
    readonly_fields = ("presence", "skill_list")
    actions = ("retire", "clear")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).prefetch_related("skills")

    @admin.display(description=_("presence"))
    def presence(self, agent: Agent) -> str:
        return roster.presences([agent.pk])[agent.pk]

    @admin.display(description=_("skills"))
    def skill_list(self, agent: Agent) -> str:
        return ", ".join(str(skill) for skill in agent.skills.all())

    @admin.action(description=_("Retire the selected agents"), permissions=["act"])
    def retire(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, agents.retire_agent, _("Retired"))

    @admin.action(description=_("Give the selected agents work again"), permissions=["act"])
    def clear(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, breakers.clear_breaker, _("Cleared"))


@admin.register(AgentKey, site=site)
class AgentKeyAdmin(ReadOnlyAdmin):
    list_display = ("public_id", "agent", "owner", "standing", "created_at", "expires_at", "last_used_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    search_fields = ("public_id", "agent__name", "agent__handle")
    list_select_related = ("agent__owner",)
    actions = ("revoke",)

    @admin.display(description=_("owner"))
    def owner(self, key: AgentKey) -> str:
        return key.agent.owner.get_username()

    @admin.display(description=_("state"))
    def standing(self, key: AgentKey) -> str:
        return standing(key)

    @admin.action(description=_("Revoke the selected keys"), permissions=["act"])
    def revoke(self, request: HttpRequest, rows: QuerySet[Any]) -> None:
        self.carry_out(request, rows, agents.revoke_key, _("Revoked"))
