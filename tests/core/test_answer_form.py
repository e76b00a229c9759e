"""A form that an agent asks people to fill in: what it asks, and which answers fit."""

from __future__ import annotations

from typing import Any

import pytest

from clawgroups.core.answer_form import MAX_FIELDS, answer_of, fields_of
from clawgroups.core.errors import Invalid

FORM: dict[str, Any] = {
    "type": "object",
    "properties": {
        "branch": {"type": "string", "title": "Branch", "enum": ["main", "dev"], "default": "dev"},
        "who": {"type": "string", "format": "email"},
        "note": {"type": "string", "maxLength": 5},
        "count": {"type": "integer", "minimum": 1, "maximum": 9},
        "share": {"type": "number"},
        "sure": {"type": "boolean", "default": True},
        "tags": {"type": "array", "items": {"anyOf": [{"const": "a", "title": "A"}, {"const": "b"}]}, "maxItems": 1},
    },
    "required": ["branch"],
}


def test_a_form_is_read_in_its_order_with_what_it_needs() -> None:
    fields = fields_of(FORM)
    assert [field.name for field in fields] == ["branch", "who", "note", "count", "share", "sure", "tags"]
    assert fields[0].choices == (("main", "main"), ("dev", "dev"))
    assert fields[0].chosen == ("dev",)
    assert fields[0].required
    assert fields[6].choices == (("a", "A"), ("b", "b"))


def test_an_answer_has_the_types_that_were_asked_for_and_leaves_out_what_is_empty() -> None:
    posted = {"branch": ["main"], "count": ["3"], "share": ["0.5"], "sure": ["true"], "tags": ["a"], "note": [""]}
    assert answer_of(FORM, posted) == {"branch": "main", "count": 3, "share": 0.5, "sure": True, "tags": ["a"]}
    assert answer_of(FORM, {"branch": ["dev"]}) == {"branch": "dev", "sure": False}


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("branch", []),
        ("branch", ["other"]),
        ("who", ["nobody"]),
        ("note", ["too long"]),
        ("count", ["0"]),
        ("count", ["10"]),
        ("count", ["1.5"]),
        ("share", ["nan"]),
        ("share", ["1e999"]),
        ("tags", ["c"]),
        ("tags", ["a", "b"]),
    ],
)
def test_an_answer_that_does_not_fit_is_refused_with_its_field(field: str, values: list[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        answer_of(FORM, {"branch": ["main"], field: values})
    assert refusal.value.fields["field"] == field


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("uri", "https://example.org/x", "not an address"),
        ("date", "2026-11-28", "28.11.2026"),
        ("date-time", "2026-11-28T10:00:00+00:00", "soon"),
    ],
)
def test_formats_are_held(format_: str, good: str, bad: str) -> None:
    form = {"properties": {"x": {"type": "string", "format": format_}}}
    assert answer_of(form, {"x": [good]}) == {"x": good}
    with pytest.raises(Invalid):
        answer_of(form, {"x": [bad]})


def test_what_no_form_can_show_is_refused_only_where_it_is_needed() -> None:
    odd = {"properties": {"deep": {"type": "object"}, "x": {"type": "string"}, "y": 7}}
    assert [field.name for field in fields_of(odd)] == ["x"]
    with pytest.raises(Invalid):
        fields_of({**odd, "required": ["deep"]})
    assert fields_of({}) == fields_of({"properties": []}) == ()


def test_a_form_is_bounded_and_no_pattern_of_a_stranger_is_run() -> None:
    many = {"properties": {f"f{number}": {"type": "string"} for number in range(200)}}
    assert len(fields_of(many)) == MAX_FIELDS
    evil = {"properties": {"x": {"type": "string", "pattern": "(a+)+$"}}}
    assert answer_of(evil, {"x": ["a" * 5000 + "!"]}) == {"x": "a" * 5000 + "!"}
