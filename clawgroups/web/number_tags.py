"""Template filters for figures: counts, sums, lengths of time, what a model used."""

from __future__ import annotations

from typing import Any

from django import template
from django.utils.translation import gettext_lazy as _

from clawgroups.core.amounts import say_count, say_dollars
from clawgroups.fragments.model_use import short
from clawgroups.web.tags import span
from clawgroups.wording import say

register = template.Library()

ASKED_FOR = {
    "plan": _("Plan"),
    "replan": _("Change of the plan"),
    "anew": _("Task written anew"),
    "match": _("Matching"),
    "judge": _("Judgement"),
    "hear": _("A message to nobody"),
}


@register.filter
def brief(seconds: float) -> str:
    """A short time for people: tenths of a second where these matter."""
    return _("%.1f s") % seconds if seconds < 10 and seconds != round(seconds) else span(seconds)


@register.filter
def minutes(number: float | None) -> Any:
    """Minutes for people, as “12 min” or “1 h 30 min”."""
    if number is None:
        return ""
    whole = round(number)
    if whole < 1:
        return _("under a minute")
    hours, rest = divmod(whole, 60)
    if not hours:
        return _("%d min") % whole
    return _("%(h)d h %(m)d min") % {"h": hours, "m": rest} if rest and hours < 24 else _("%d h") % hours


@register.filter
def usd(micro: float | None) -> str:
    """Millionths of a US dollar for people."""
    if micro is None:
        return ""
    return f"${micro / 1e6:,.2f}" if micro >= 10_000 else f"${micro / 1e6:.4f}"


@register.filter
def stars(level: int) -> str:
    """A skill's level as filled and empty marks."""
    return "●" * level + "○" * (5 - level)


@register.filter
def thousands(number: Any) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f") if isinstance(number, int) else ""


@register.filter
def dollars(micro: Any) -> str:
    """Millionths of a US dollar, with as many digits as say something."""
    return say(say_dollars(micro)) if isinstance(micro, int) else ""


@register.filter
def count(number: Any) -> str:
    """A large count in a few characters."""
    return say_count(number) if isinstance(number, int) else ""


@register.filter
def seconds(ms: int) -> str:
    """Milliseconds as seconds, with a digit where it matters."""
    return _("%.1f s") % (ms / 1000) if ms < 99_500 else _("%d s") % round(ms / 1000)


@register.filter
def short_model(name: str) -> str:
    """A model's name without the folder or the maker before it."""
    return short(name)


@register.filter
def asked_for(kind: str) -> Any:
    """What a call of the model is for."""
    return ASKED_FOR.get(kind, kind)


@register.filter
def nearly_full(usage: Any) -> int:
    """From where on a meter of context warns."""
    return int(usage["size"] * 0.8)
