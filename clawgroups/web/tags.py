"""Template tags of the whole site: icons, states, people, times, files, Markdown."""

from __future__ import annotations

import json
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

from django import template
from django.conf import settings
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from clawgroups.core.answer_form import Field, fields_of
from clawgroups.core.errors import ClawError
from clawgroups.formats.markdown import to_html

register = template.Library()

ICONS = Path(settings.BASE_DIR) / "templates" / "icons"
HUES = 8

# State -> icon, word, tone. The icon is a shape of its own: colour never stands alone.
STATES: dict[str, tuple[str, Any, str]] = {
    "draft": ("open", _("Draft"), ""),
    "planning": ("planning", _("Planning"), "live"),
    "proposed": ("proposed", _("Plan to check"), "ask"),
    "running": ("working", _("Running"), "live"),
    "paused": ("paused", _("Paused"), "ask"),
    "consolidating": ("planning", _("Putting together"), "live"),
    "waiting": ("waiting", _("Waiting"), ""),
    "ready": ("ready", _("Ready"), ""),
    "assigned": ("assigned", _("Offered"), "live"),
    "offered": ("assigned", _("Offered"), "live"),
    "working": ("working", _("Working"), "live"),
    "in_review": ("in_review", _("In review"), "review"),
    "submitted": ("in_review", _("Submitted"), "review"),
    "held": ("hand", _("In human hands"), "hold"),
    "stuck": ("stuck", _("Stuck"), "ask"),
    "done": ("done", _("Done"), "done"),
    "accepted": ("done", _("Accepted"), "done"),
    "failed": ("failed", _("Failed"), "bad"),
    "returned": ("back", _("Returned"), "ask"),
    "cancelled": ("cancelled", _("Cancelled"), ""),
    "expired": ("clock", _("Out of time"), "bad"),
    "refused": ("failed", _("Gave up"), "bad"),
    "superseded": ("hand", _("Taken over"), "hold"),
    "handed_back": ("back", _("Handed back"), ""),
    # Steps and plan entries of an agent
    "pending": ("waiting", _("To come"), ""),
    "in_progress": ("working", _("Under way"), "live"),
    "completed": ("check", _("Done"), "done"),
    "unknown": ("stuck", _("Unknown"), "ask"),
    # Findings
    "passed": ("check", _("Passed"), "done"),
    "open": ("open", _("Not judged yet"), ""),
}
TOOL_ICONS = {
    "read": "read",
    "edit": "edit",
    "delete": "trash",
    "move": "swap",
    "search": "search",
    "execute": "play",
    "think": "thought",
    "fetch": "download",
}


@lru_cache(maxsize=128)
def _svg(name: str) -> SafeString:
    path = ICONS / f"{name}.svg"
    return mark_safe(path.read_text(encoding="utf-8").strip())  # noqa: S308 - our own files


@register.simple_tag
def icon(name: str) -> SafeString:
    """An inline icon of `templates/icons`; always beside a word."""
    return _svg(name)


@register.simple_tag
def state(value: str) -> SafeString:
    """A state as shape, word and tone."""
    shape, word, tone = STATES.get(value, ("open", value.replace("_", " "), ""))
    return format_html('<span class="state tone--{}">{}{}</span>', tone or "none", _svg(shape), word)


@register.simple_tag
def mark(value: str) -> SafeString:
    """A state as a shape alone, its word for those who hear the page."""
    shape, word, _tone = STATES.get(value, ("open", value, ""))
    return format_html('{}<span class="sr">{}</span>', _svg(shape), word)


@register.filter
def tone(value: str) -> str:
    """The tone class of a state."""
    return f"tone--{STATES.get(value, ('', '', ''))[2] or 'none'}"


@register.filter
def word(value: str) -> Any:
    """The word of a state."""
    return STATES[value][1] if value in STATES else value.replace("_", " ")


@register.simple_tag
def tool_icon(kind: str) -> SafeString:
    """The icon of an ACP tool kind."""
    return _svg(TOOL_ICONS.get(kind, "tool"))


def initials(name: str) -> str:
    """One or two letters that stand for a name."""
    parts = [p for p in name.replace("-", " ").replace("_", " ").split() if p[:1].isalnum()]
    return "".join(p[0] for p in (parts[:1] + parts[1:][-1:])) or "?"


@register.simple_tag
def who(kind: str, name: str, size: str = "") -> SafeString:
    """A person (round), an agent (square) or the coordinator, as a small mark. Decoration: the name stands beside."""
    inside: Any = _svg("claw") if kind == "coordinator" else _svg("info") if kind == "system" else initials(name)
    hue = crc32(name.encode()) % HUES
    return format_html(
        '<span class="who who--{} hue-{}{}" aria-hidden="true">{}</span>',
        kind,
        hue,
        f" who--{size}" if size else "",
        inside,
    )


@register.simple_tag
def seat(member: Any, size: str = "") -> SafeString:
    """The mark of a member."""
    return who("agent" if member.agent_id else "person", member.name, size)


@register.simple_tag
def when(at: datetime | None, style: str = "") -> SafeString:
    """A moment; the browser shows it in the reader's zone. `rel`: as a distance from now."""
    if at is None:
        return mark_safe("")
    shown = at.strftime("%d %b %Y %H:%M UTC")
    flag = mark_safe(" data-rel") if style == "rel" else ""
    return format_html('<time datetime="{}"{}>{}</time>', at.isoformat(timespec="seconds"), flag, shown)


@register.filter
def ms(at: datetime) -> int:
    """Milliseconds, to order by."""
    return int(at.timestamp() * 1000)


@register.filter
def markdown(text: str) -> SafeString:
    """Markdown as harmless HTML."""
    return mark_safe(to_html(text or ""))  # noqa: S308 - cleaned by nh3


@register.filter
def size(count: int) -> str:
    """Bytes for people."""
    value = float(count)
    for unit in ("B", "KB", "MB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "B" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} GB"


@register.filter
def span(seconds: float) -> str:
    """A length of time for people, in the largest unit that says enough."""
    if seconds < 90:
        return _("%d s") % seconds
    if seconds < 90 * 60:
        return _("%d min") % round(seconds / 60)
    return _("%d h") % round(seconds / 3600) if seconds < 36 * 3600 else _("%d days") % round(seconds / 86400)


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


@register.simple_tag
def operation() -> SafeString:
    """A form's own id: sending the form twice acts once."""
    return format_html('<input type="hidden" name="operation" value="{}">', uuid4().hex)


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, or nothing."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def thousands(number: Any) -> str:
    """A count with thin spaces between thousands."""
    return f"{number:,}".replace(",", "\u202f") if isinstance(number, int) else ""


@register.filter
def nearly_full(usage: Any) -> int:
    """From where on a meter of context warns."""
    return int(usage["size"] * 0.8)


@register.filter
def chosen_name(option: Any) -> Any:
    """The name of an option's value."""
    if option["type"] == "boolean":
        return _("on") if option["value"] else _("off")
    return next((c["name"] for c in option["choices"] if c["value"] == option["value"]), option["value"])


@register.filter
def fields(form: Any) -> tuple[Field, ...]:
    """What a form of an agent asks for; nothing of one that cannot be read."""
    try:
        return fields_of(form)
    except ClawError:
        return ()


@register.filter
def input_type(field: Field) -> str:
    """The kind of input for what a form asks for."""
    if field.kind in ("number", "integer"):
        return "number"
    return {"email": "email", "uri": "url", "date": "date"}.get(field.format, "text")


@register.filter
def pretty(value: Any) -> str:
    """JSON for people to read, bounded."""
    return shown_json(value)


def shown_json(value: Any, limit: int = 20_000) -> str:
    """A value as indented JSON, cut at `limit` characters."""
    text = value if isinstance(value, str) else _dump(value)
    return text if len(text) <= limit else text[:limit] + "\n…"


def _dump(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
