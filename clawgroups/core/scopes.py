"""What a personal access token may be used for. A token never does more than its scopes, nor more than its person."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

from clawgroups.core.errors import Invalid


class Scope(StrEnum):
    """Groups of the permission table's actions. Whoever may do anything may `read`."""

    READ = "read"
    WORK = "work"
    MANAGE = "manage"


# What changes who is here, with which rights, and what holds for all; and what shows a run to the world.
MANAGING = frozenset(
    {
        "workspace.rename",
        "workspace.set_rules",
        "workspace.set_timers",
        "workspace.transfer",
        "workspace.close",
        "workspace.set_coordination",
        "member.add",
        "member.add_agent",
        "member.set_role",
        "member.remove",
        "member.mute",
        "member.invite",
        "memory.forget",
        "run.share",
        "run.set_budget",
        "rule.keep",
        "rule.set",
    }
)
READING = frozenset({"run.view_calls"})


def scope_of(action: str) -> Scope:
    """The scope that an action of the permission table takes."""
    if action in MANAGING:
        return Scope.MANAGE
    return Scope.READ if action.endswith(".view") or action in READING else Scope.WORK


def chosen(given: Iterable[str]) -> list[str]:
    """The scopes of a token, in their order, as it keeps them. Raises `Invalid` for none, and for one there is not."""
    asked = {*given}
    if not asked or not asked <= {*Scope}:
        raise Invalid(f"Choose what the token may do: {', '.join(Scope)}.", field="scopes")
    return [scope.value for scope in Scope if scope in asked or scope is Scope.READ]
