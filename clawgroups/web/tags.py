"""Template tags of the whole site: icons, states, people, times, files, Markdown."""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4
from zlib import crc32

from django import template
from django.conf import settings
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext_lazy as _

from clawgroups.core import session_state
from clawgroups.core.answer_form import Field, fields_of
from clawgroups.core.errors import ClawError
from clawgroups.core.looks import suffix_of
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
    "stopped": ("stop", _("Stopped"), "ask"),
    "done": ("done", _("Done"), "done"),
    "accepted": ("done", _("Accepted"), "done"),
    "failed": ("failed", _("Failed"), "bad"),
    "returned": ("back", _("Returned"), "ask"),
    "cancelled": ("cancelled", _("Cancelled"), ""),
    "expired": ("clock", _("Out of time"), "bad"),
    "refused": ("failed", _("Gave up"), "bad"),
    "superseded": ("hand", _("Taken over"), "hold"),
    "handed_back": ("back", _("Handed back"), ""),
    # Agents in the fleet
    "asks": ("ask", _("Needs a person"), "ask"),
    "lost": ("lost", _("Contact lost"), "bad"),
    "quiet": ("quiet", _("Quiet"), "ask"),
    "free": ("ready", _("Free"), ""),
    "resting": ("paused", _("Resting"), ""),
    "offline": ("away", _("Offline"), ""),
    # Steps and plan entries of an agent
    "pending": ("waiting", _("To come"), ""),
    "in_progress": ("working", _("Under way"), "live"),
    "completed": ("check", _("Done"), "done"),
    "unknown": ("stuck", _("Unknown"), "ask"),
    # Calls of a model
    "calling": ("working", _("Asking"), "live"),
    "answered": ("check", _("Answered"), "done"),
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
FILE_ICONS = {
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg"), "image"),
    **dict.fromkeys((".csv", ".tsv", ".tab", ".xlsx", ".xlsm"), "table"),
    **dict.fromkeys((".html", ".htm"), "page"),
    **dict.fromkeys((".md", ".txt", ".pdf", ".markdown"), "read"),
    ".zip": "archive",
}
_NUMBER = re.compile(r"[-+−]?[\d.,\u202f ]*\d ?[%€$]?")


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


@register.simple_tag
def shape(value: str) -> SafeString:
    """The shape of a state; its word stands beside."""
    return _svg(STATES.get(value, ("open", value, ""))[0])


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


@register.filter
def shape_name(value: str) -> str:
    """The name of a state's icon."""
    return STATES.get(value, ("open", "", ""))[0]


@register.simple_tag
def symbol(name: str) -> SafeString:
    """An icon as a symbol of SVG, drawn by `<use href="#shape-...">` as often as it is needed."""
    inside = _svg(name).partition(">")[2].removesuffix("</svg>")
    return mark_safe(f'<symbol id="shape-{name}" viewBox="0 0 24 24">{inside}</symbol>')  # noqa: S308 - our own files


@register.filter
def hue(name: str) -> str:
    """The class of the colour that goes with a name."""
    return f"hue-{crc32(name.encode()) % HUES}"


@register.filter
def initials(name: str) -> str:
    """One or two letters that stand for a name."""
    parts = [p for p in name.replace("-", " ").replace("_", " ").split() if p[:1].isalnum()]
    return "".join(p[0] for p in (parts[:1] + parts[1:][-1:])) or "?"


@register.simple_tag
def who(kind: str, name: str, size: str = "") -> SafeString:
    """A person (round), an agent (square) or the coordinator, as a small mark. Decoration: the name stands beside."""
    inside: Any = _svg("claw") if kind == "coordinator" else _svg("info") if kind == "system" else initials(name)
    return format_html(
        '<span class="who who--{} {}{}" aria-hidden="true">{}</span>',
        kind,
        hue(name),
        f" who--{size}" if size else "",
        inside,
    )


@register.simple_tag
def seat(member: Any, size: str = "") -> SafeString:
    """The mark of a member."""
    return who("agent" if member.agent_id else "person", member.name, size)


@register.simple_tag
def when(at: datetime | None, style: str = "") -> SafeString:
    """A moment; the browser shows it in the reader's zone. `rel`: as a distance from now; `clock`: to the second."""
    if at is None:
        return mark_safe("")
    shown = at.strftime("%H:%M:%S UTC" if style == "clock" else str(_("%d %b %Y %H:%M UTC")))
    flag = mark_safe({"rel": " data-rel", "clock": " data-clock"}.get(style, ""))  # noqa: S308 - our own words
    return format_html('<time datetime="{}"{}>{}</time>', at.isoformat(timespec="seconds"), flag, shown)


@register.simple_tag
def since(at: datetime | None) -> SafeString:
    """How long ago, in three characters or so; the browser counts on."""
    if at is None:
        return mark_safe("")
    return format_html('<time datetime="{}" data-since>{}</time>', at.isoformat(timespec="seconds"), lasted(at))


def lasted(at: datetime) -> str:
    """The time since then in its largest unit: 40s, 12m, 3h, 2d."""
    seconds = max((timezone.now() - at).total_seconds(), 0)
    *units, last = _("d h m s").split()
    for unit, size in zip(units, (86_400, 3600, 60), strict=True):
        if seconds >= size:
            return f"{seconds // size:.0f}{unit}"
    return f"{seconds:.0f}{last}"


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


@register.simple_tag
def file_icon(name: str) -> SafeString:
    """The icon of a file, by its name."""
    return _svg(FILE_ICONS.get(suffix_of(name), "file"))


@register.filter
def is_number(cell: str) -> bool:
    """Whether a cell of a table is a number, so that it is set to the right."""
    return bool(_NUMBER.fullmatch(cell))


@register.filter
def span(seconds: float) -> str:
    """A length of time for people, in the largest unit that says enough."""
    if seconds < 90:
        return _("%d s") % seconds
    if seconds < 90 * 60:
        return _("%d min") % round(seconds / 60)
    return _("%d h") % round(seconds / 3600) if seconds < 36 * 3600 else _("%d days") % round(seconds / 86400)


@register.simple_tag
def operation() -> SafeString:
    """A form's own id: sending the form twice acts once."""
    return format_html('<input type="hidden" name="operation" value="{}">', uuid4().hex)


@register.filter
def undo_offer(tags: str | None) -> str:
    """The offer to take back what a message says (`web.undo`), if it has one."""
    mark, _sign, offer = (tags or "").partition(":")
    return offer if mark == "undo" else ""


@register.filter
def get(mapping: Any, key: Any) -> Any:
    """`mapping[key]`, or nothing."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.filter
def chosen_name(option: Any) -> Any:
    """The name of an option's value."""
    if option["type"] == "boolean":
        return _("on") if option["value"] else _("off")
    return next((c["name"] for c in option["choices"] if c["value"] == option["value"]), option["value"])


@register.filter
def loose_mode(told: Any) -> str:
    """The mode in which a session acts without asking; empty where it asks, as far as is known."""
    return session_state.loose_mode(told)


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
def as_number(text: str) -> int:
    """A number that comes as text."""
    return int(text)


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


@register.filter
def as_data(value: Any) -> str:
    """A value as JSON, for a script to read out of an attribute."""
    return json.dumps(value, default=str)
