"""How a form that an agent asks people to fill in is shown."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from django.template.loader import render_to_string

NAMES = {"const": "north", "title": "The north"}, {"const": "south", "title": "The south"}


def shown(**field: Any) -> str:
    schema = {"type": "object", "properties": {"region": {"title": "Region", **field}}, "required": ["region"]}
    return render_to_string("approvals/_fields.html", {"ask": SimpleNamespace(pk="a", form=schema)})


def test_what_may_be_chosen_is_offered() -> None:
    html = shown(type="string", oneOf=list(NAMES))
    assert '<option value="north">The north</option><option value="south">The south</option>' in html
    assert '<option value="">Choose</option>' in html
    assert 'type="text"' not in html


def test_the_default_is_chosen_beforehand() -> None:
    html = shown(type="string", enum=["north", "south"], default="south")
    assert '<option value="south" selected>south</option>' in html
    assert "Choose" not in html


def test_of_several_each_can_be_ticked() -> None:
    html = shown(type="array", items={"anyOf": list(NAMES)})
    assert html.count('type="checkbox"') == 2
    assert "The south" in html
