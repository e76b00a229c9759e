"""The small questions by which a server is tested, and how their answers are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from agents.llm.base import Fault, Message, Mode, Reply, Request, Tool
from agents.llm.cleaning import clean
from agents.llm.repair import json_of

_OUTPUT = 2_000
# Long enough for every provider's prefix cache to take it, and the same in all questions.
_PREFIX = "\n".join(
    (
        "You are asked short questions to see whether a connection works. Answer in as few words as you can.",
        *(f"{number}. This line only makes the text longer: there is nothing to do for it." for number in range(1, 61)),
    )
)
_WORDS = ["alpha", "beta"]
_SCHEMA = {
    "type": "object",
    "additionalProperties": False,
    "required": ["ready", "word"],
    "properties": {"ready": {"type": "boolean"}, "word": {"enum": _WORDS}},
}
_TOOL = Tool(
    "note_word",
    "Notes one word.",
    {
        "type": "object",
        "additionalProperties": False,
        "required": ["word"],
        "properties": {"word": {"enum": _WORDS}},
    },
)


@dataclass(frozen=True, slots=True)
class Probe:
    """A question, whether an answer shows that `name` works, and what to say when it does not."""

    name: str
    request: Request
    fits: Callable[[Reply], bool]
    fails: str


def _request(question: str, **more: Any) -> Request:
    messages = (Message("system", _PREFIX), Message("user", question))
    return Request(messages, mode=Mode.INSTANT, max_output=_OUTPUT, cache_key="connection-test", **more)


def _is_asked_json(reply: Reply) -> bool:
    try:
        said = json_of(reply.text)
    except Fault:
        return False
    return isinstance(said, dict) and isinstance(said.get("ready"), bool) and said.get("word") in _WORDS


def _is_call(reply: Reply) -> bool:
    for call in reply.calls:
        try:
            said = json_of(call.arguments)
        except Fault:
            continue
        if call.name == _TOOL.name and isinstance(said, dict) and said.get("word") in _WORDS:
            return True
    return False


PROBES = (
    Probe("", _request("Say: ready."), lambda reply: True, "It did not answer a plain question."),
    Probe(
        "schema",
        _request('Answer as JSON: "ready" is true, "word" is "beta".', schema=_SCHEMA),
        _is_asked_json,
        "It does not keep to a JSON schema.",
    ),
    Probe(
        "tools",
        _request('Call the tool note_word with the word "alpha".', tools=(_TOOL,)),
        _is_call,
        "It does not call tools.",
    ),
    Probe("", _request("Say: ready."), lambda reply: True, "It did not answer the same question twice."),
)


def models_in(told: Any, model: str) -> tuple[list[str], int | None]:
    """The names in what `/v1/models` told, and the window of this model (of the only one, under another name)."""
    data = told.get("data") if isinstance(told, Mapping) else None
    found = [each for each in data if isinstance(each, Mapping)] if isinstance(data, list) else []
    names = [clean(str(each["id"]))[:200] for each in found if each.get("id")]
    ours = [each for each in found if each.get("id") == model] or (found if len(found) == 1 else [])
    sizes = [each.get(name) for each in ours for name in ("max_model_len", "context_length", "context_window")]
    known = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    return names[:200], min(known, default=None)
