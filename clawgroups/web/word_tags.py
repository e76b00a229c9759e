"""Template filters for what the program said in English before it knew who reads it: reasons, plans, names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

from clawgroups.coordinator.builtin import NAME
from clawgroups.models import Message, Run
from clawgroups.wording import say, say_lines, say_plan

register = template.Library()

# What the product's own agents say that answer no question (`agents.builtin.agent`).
INTRODUCTION = "I am the built-in "
KINDS = {"agent": _("agent"), "coordinator": _("coordinator"), "system": _("system")}
ROLES = {"owner": _("Owner"), "admin": _("Admin"), "member": _("Member"), "guest": _("Guest"), "agent": _("Agent")}


@register.filter("say")
def say_it(text: Any) -> str:
    """What the program says in English, such as a reason, in the reader's language."""
    return say(text)


@register.filter("planned")
def say_planned(text: Any) -> str:
    """A title, a goal or instructions: in the reader's language where the product's own plans say them."""
    return say_plan(text)


@register.filter
def planned_all(titles: Iterable[str]) -> list[str]:
    """Several of those."""
    return [say_plan(title) for title in titles]


@register.filter
def why_planned(run: Run) -> str:
    """Why a plan is as it is. What a model or a person says of it stays as it is."""
    ours = run.planner == NAME or run.planner.startswith("the template ")
    return say_lines(run.rationale) if ours else run.rationale


@register.filter
def words_of(message: Message) -> str:
    """What a message says; where the program says it by itself, in the reader's language."""
    kind = message.actor.get("kind")
    if kind == "system":
        return say_lines(message.body)
    if kind == "agent":
        return say_lines(message.body, sure=True) if message.body.startswith(INTRODUCTION) else message.body
    if kind == "person" and message.run_id:
        return say_plan(message.body)  # a goal, maybe of a template
    # What a model answers stands below the message that it answers.
    by_us = kind == "coordinator" and not message.reply_to_id
    return say_lines(message.body, sure=True) if by_us else message.body


@register.filter
def called(actor: Mapping[str, Any] | None) -> Any:
    """The name of whoever did something, as it was kept with it."""
    known = actor or {}
    return _("Coordinator") if known.get("kind") == "coordinator" else known.get("name", "")


@register.filter
def role_word(role: str) -> Any:
    """The name of a role."""
    return ROLES.get(role, role)


@register.filter
def kind_word(actor: Mapping[str, Any]) -> Any:
    """What somebody is who is no person."""
    return KINDS.get(str(actor.get("kind")), "")
