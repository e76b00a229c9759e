"""A form that an agent asks people to fill in (ACP elicitation): what it asks, and whether an answer fits. Pure.

The schema is the agent's: read leniently, bounded, and never run. In particular its patterns are shown to people
and handed to their browser, but no pattern of a stranger is matched here: one can be made to take hours.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from math import isfinite
from typing import Any

from agents.protocol.reading import as_text
from clawgroups.core.errors import Invalid
from clawgroups.core.shrinking import shrunk_text

MAX_FIELDS = 30
MAX_CHOICES = 200
MAX_TEXT = 20_000
FORMATS = ("email", "uri", "date", "date-time")
KINDS = ("string", "number", "integer", "boolean", "array")

Json = dict[str, Any]
Posted = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Field:
    """One thing asked for. `kind` is one of KINDS; with `choices` (value, name) only those may be chosen."""

    name: str
    title: str
    description: str
    kind: str
    required: bool
    choices: tuple[tuple[str, str], ...] = ()
    default: Any = None
    format: str = ""
    pattern: str = ""
    least: float | None = None
    most: float | None = None

    @property
    def chosen(self) -> tuple[str, ...]:
        """The default, as the values that a form shows as chosen."""
        values = self.default if isinstance(self.default, list) else [self.default]
        return tuple(str(value) for value in values if isinstance(value, (str, int, float)))


def fields_of(schema: Mapping[str, Any]) -> tuple[Field, ...]:
    """What a form asks for, in its order. Raises `Invalid` for one that nobody can answer."""
    properties = schema.get("properties")
    required = schema.get("required")
    needed = {name for name in required if isinstance(name, str)} if isinstance(required, list) else set()
    listed = list(properties.items()) if isinstance(properties, dict) else []
    found = [field for name, raw in listed[:MAX_FIELDS] if (field := _field(name, raw, name in needed)) is not None]
    if needed - {field.name for field in found}:
        raise Invalid("The agent asks for something that no form can show.", code="no_form")
    return tuple(found)


def _field(name: Any, raw: Any, required: bool) -> Field | None:
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not isinstance(raw, dict):
        return None
    kind = raw.get("type")
    if kind not in KINDS:
        return None
    choices = _choices(raw.get("items") if kind == "array" else raw)
    if kind == "array" and not choices:
        return None
    low, high = {"string": ("minLength", "maxLength"), "array": ("minItems", "maxItems")}.get(
        kind, ("minimum", "maximum")
    )
    return Field(
        name,
        shrunk_text(as_text(raw.get("title")) or name, 120),
        shrunk_text(as_text(raw.get("description")), 500),
        kind,
        required,
        choices,
        raw.get("default"),
        raw["format"] if raw.get("format") in FORMATS else "",
        shrunk_text(as_text(raw.get("pattern")), 200),
        _number(raw.get(low)),
        _number(raw.get(high)),
    )


def _choices(raw: Any) -> tuple[tuple[str, str], ...]:
    if not isinstance(raw, dict):
        return ()
    plain = [one for one in raw.get("enum") or () if isinstance(one, str)] if isinstance(raw.get("enum"), list) else []
    found = {value: value for value in plain}
    for key in ("oneOf", "anyOf"):
        for one in raw[key] if isinstance(raw.get(key), list) else ():
            if isinstance(one, dict) and isinstance(one.get("const"), str):
                found[one["const"]] = as_text(one.get("title")) or one["const"]
    return tuple((value, shrunk_text(name, 200)) for value, name in list(found.items())[:MAX_CHOICES])


def answer_of(schema: Mapping[str, Any], posted: Posted) -> Json:
    """The content of an accepted form, from the values that were posted under its fields' names.

    Raises `Invalid` with the field that does not fit.
    """
    content: Json = {}
    for field in fields_of(schema):
        values = [value for value in posted.get(field.name, ()) if value != ""]
        if field.kind == "boolean":
            content[field.name] = bool(values) and values[-1] not in ("false", "off", "0")
        elif values:
            content[field.name] = _values(field, values) if field.kind == "array" else _value(field, values[-1])
        elif field.required:
            raise Invalid(f"{field.title} is needed.", field=field.name)
    return content


def _values(field: Field, values: Sequence[str]) -> list[str]:
    known = {value for value, _ in field.choices}
    if not set(values) <= known:
        raise Invalid(f"{field.title}: choose of those offered.", field=field.name)
    chosen = list(dict.fromkeys(values))
    _bounded(field, len(chosen), "choices")
    return chosen


def _value(field: Field, value: str) -> str | int | float:
    if field.choices:
        if value not in {known for known, _ in field.choices}:
            raise Invalid(f"{field.title}: choose one of those offered.", field=field.name)
        return value
    if field.kind == "string":
        if len(value) > MAX_TEXT:
            raise Invalid(f"{field.title} holds at most {MAX_TEXT} characters.", field=field.name)
        _bounded(field, len(value), "characters")
        _formatted(field, value)
        return value
    try:
        number = int(value) if field.kind == "integer" else float(value)
    except ValueError:
        kind = "a whole number" if field.kind == "integer" else "a number"
        raise Invalid(f"{field.title} is {kind}.", field=field.name) from None
    if not isfinite(number) or abs(number) >= 2**63:
        raise Invalid(f"{field.title} is out of range.", field=field.name)
    _bounded(field, number, "")
    return number


def _bounded(field: Field, size: float, what: str) -> None:
    if field.least is not None and size < field.least:
        raise Invalid(f"{field.title}: at least {field.least:g} {what}".rstrip() + ".", field=field.name)
    if field.most is not None and size > field.most:
        raise Invalid(f"{field.title}: at most {field.most:g} {what}".rstrip() + ".", field=field.name)


def _formatted(field: Field, value: str) -> None:
    fits = True
    if field.format == "email":
        name, at, host = value.partition("@")
        fits = bool(name and at and host) and not any(c.isspace() for c in value)
    elif field.format == "uri":
        scheme, colon, rest = value.partition(":")
        fits = bool(scheme.isascii() and scheme[:1].isalpha() and colon and rest) and not any(
            c.isspace() for c in value
        )
    elif field.format:
        try:
            date.fromisoformat(value) if field.format == "date" else datetime.fromisoformat(value)
        except ValueError:
            fits = False
    if not fits:
        raise Invalid(f"{field.title} is no {field.format}.", field=field.name)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
