from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llm.base import Message, Mode, Request, Tool, ToolCall
from agents.llm.stored import request_as_json, request_from_json

# What can be stored: no NUL, no halves of surrogate pairs.
texts = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), max_size=20)
anything = st.text(max_size=20)
scalars = st.one_of(st.none(), st.booleans(), st.integers(-(2**53), 2**53), st.floats(-1e9, 1e9), texts)
schemas = st.dictionaries(
    texts,
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3)),
    max_size=3,
)


def requests(words: st.SearchStrategy[str]) -> st.SearchStrategy[Request]:
    message = st.builds(
        Message,
        role=st.sampled_from(["system", "user", "assistant", "tool"]),
        text=words,
        reasoning=words,
        calls=st.lists(st.builds(ToolCall, words, words, words), max_size=2).map(tuple),
        call_id=words,
        images=st.lists(words, max_size=2).map(tuple),
    )
    return st.builds(
        Request,
        messages=st.lists(message, max_size=4).map(tuple),
        mode=st.sampled_from(Mode),
        schema=st.none() | schemas,
        schema_name=words,
        tools=st.lists(st.builds(Tool, words, words, schemas), max_size=2).map(tuple),
        max_output=st.integers(1, 100_000),
        rid=words,
        priority=st.integers(-1000, 1000),
        cache_key=words,
    )


def through(request: Request) -> Request:
    kept: dict[str, Any] = json.loads(json.dumps(request_as_json(request), sort_keys=True, allow_nan=False))
    return request_from_json(kept)


@given(requests(texts))
def test_a_request_comes_back_as_it_was(request: Request) -> None:
    back = through(request)
    assert back == request
    # Also the order of fields, which constrained answers follow.
    assert json.dumps(back.schema) == json.dumps(request.schema)


@given(requests(anything))
def test_any_request_can_be_stored(request: Request) -> None:
    kept = json.dumps(request_as_json(request), ensure_ascii=False)
    kept.encode("utf-8")
    assert "\\u0000" not in kept
    assert through(through(request)) == through(request)


@pytest.mark.parametrize(
    "kept",
    [
        {},
        {"messages": None},
        {"messages": [1]},
        {"messages": [{}]},
        {"messages": [], "schema": "{"},
        {"messages": [], "mode": "deep"},
    ],
)
def test_what_was_never_a_request_is_a_value_error(kept: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        request_from_json(kept)


def test_what_an_older_version_did_not_keep_has_its_usual_value() -> None:
    assert request_from_json({"messages": [{"role": "user", "text": "Hi."}]}) == Request((Message("user", "Hi."),))
