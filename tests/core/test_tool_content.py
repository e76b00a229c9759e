"""Tests of reading what a tool call shows: everything in it may be anything."""

from __future__ import annotations

import base64
from time import process_time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.pictures import picture_type
from clawgroups.core.tool_content import blocks_of, picture_bytes, places_of, plain

PNG = b"\x89PNG\r\n\x1a\n" + bytes(20)
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=4),
    max_leaves=12,
)


def said(inner: dict[str, Any]) -> dict[str, Any]:
    return {"content": [{"type": "content", "content": inner}]}


def test_what_a_terminal_printed_is_shown_without_its_escapes_and_with_the_last_form_of_a_line() -> None:
    assert plain("\x1b[1;32mok\x1b[0m\r\n10 %\r50 %\r100 %\n\x1b]0;title\x07done\x07") == "ok\n100 %\ndone"
    assert plain("tab\there\x00\x08") == "tab\there"


def test_an_escape_without_an_end_takes_nothing_with_it_but_itself() -> None:
    assert plain("a\x1b[") == "a"
    assert plain("\x1b]0;no end\nall the rest") == "\nall the rest"
    assert plain("\x1b" * 2000 + "text").endswith("ext")


def test_a_line_without_an_end_is_read_once() -> None:
    begun = process_time()
    assert len(plain("x" * 100_000)) == 100_000
    assert process_time() - begun < 2  # the square of it took half a minute


@pytest.mark.parametrize(
    ("head", "named"),
    [
        (PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a..", "image/gif"),
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
        (b"<svg onload='alert(1)'/>", None),
        (b"<?xml version='1.0'?><svg/>", None),
        (b"BM123", None),
        (b"", None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes_alone(head: bytes, named: str | None) -> None:
    assert picture_type(head) == named
    assert (picture_bytes(base64.b64encode(head).decode()) is not None) is (named is not None)


def test_each_kind_of_content_becomes_a_block_of_its_own() -> None:
    detail = {
        "content": [
            {"type": "diff", "path": "a.py", "oldText": "1", "newText": "2"},
            {"type": "diff", "path": "b.py", "newText": "new"},
            {"type": "content", "content": {"type": "text", "text": "words"}},
            {"type": "content", "content": {"type": "text", "text": "\x1b[31mred\x1b[0m"}},
            {"type": "terminal", "terminalId": "t", "output": "out"},
            {"type": "content", "content": {"type": "image", "data": base64.b64encode(PNG).decode()}},
            {"type": "content", "content": {"type": "image", "data": base64.b64encode(b"<svg/>").decode()}},
            {"type": "content", "content": {"type": "resource_link", "uri": "https://example.org/x", "name": "x"}},
            {"type": "content", "content": {"type": "resource", "resource": {"uri": "file:///n", "text": "note"}}},
            {"type": "hologram"},
        ]
    }
    blocks = blocks_of(detail)
    kinds = ["diff", "diff", "text", "terminal", "terminal", "image", "other", "link", "text", "other"]
    assert [block.kind for block in blocks] == kinds
    assert blocks[1].before is None
    assert blocks[3].text == "red"
    assert blocks[8].name == "file:///n"


def test_what_a_command_said_is_shown_as_a_terminal() -> None:
    assert blocks_of(said({"type": "text", "text": "12 passed"}), "execute")[0].kind == "terminal"


@pytest.mark.parametrize(
    "uri", ["javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "//evil", "http://a b"]
)
def test_only_addresses_of_the_web_lead_anywhere(uri: str) -> None:
    (block,) = blocks_of(said({"type": "resource_link", "uri": uri, "name": "trap"}))
    assert block.href == ""
    assert block.name == "trap"


def test_places_are_files_with_lines_each_once() -> None:
    places = places_of(
        {"locations": [{"path": "a.py", "line": 3}, {"path": "a.py", "line": 3}, {"path": "b", "line": True}, 7]}
    )
    assert [str(place) for place in places] == ["a.py:3", "b"]


@given(ANYTHING, ANYTHING)
def test_whatever_an_agent_sends_is_read_without_a_fault(content: Any, locations: Any) -> None:
    detail = {
        "content": [content, said(content if isinstance(content, dict) else {})["content"][0]],
        "locations": locations,
    }
    assert len(blocks_of(detail)) <= 2
    places_of({"locations": locations})
