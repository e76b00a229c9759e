"""What can be made of a bad answer: calls and JSON found where they should not be, and a fault where nothing can.

The known ways in which K2.6 and its servers fail are named in the tests (`tests/llm/test_repair.py`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from agents.llm.base import Fault, FaultKind, Message, Mode, Request, ToolCall
from agents.llm.cleaning import clean_json, too_deep
from agents.llm.history import call_id, in_words, unseen
from agents.llm.markers import calls_in, thoughts_apart, without_marks

# A text goes round in circles when its last so many characters are the same piece again and again.
LOOP = 2_000
_REPEATS = 5
_PROBE = 48
# JSON in prose is looked for at so many places of a text.
_PLACES = 64


@dataclass(frozen=True, slots=True)
class Mended:
    """An answer as it can be used."""

    text: str
    reasoning: str
    calls: tuple[ToolCall, ...]
    finish: str


def mend(request: Request, text: str, reasoning: str, calls: Sequence[ToolCall], finish: str) -> Mended:
    """The answer with what was in the wrong place put right. Raises Fault (malformed) when it is none.

    `finish` is not trusted: whether there are calls is seen from the calls.
    """
    if is_nan(text) or is_nan(reasoning):
        raise Fault(FaultKind.MALFORMED, "The server has broken down: it writes nothing but exclamation marks.")
    if any(goes_round(part) for part in (text.strip(), reasoning, *(call.arguments for call in calls))):
        raise Fault(FaultKind.MALFORMED, "The model repeats itself without end.")
    found = list(calls)
    names = {tool.name for tool in request.tools}
    for part in (text, reasoning):
        if names and not found:
            found = calls_in(part, names)
    thoughts, answer = thoughts_apart(without_marks(text))
    answer = answer.strip()
    reasoning = "\n".join(part for part in (without_marks(reasoning), thoughts) if part)
    if not answer and not found:
        raise Fault(FaultKind.MALFORMED, _why_empty(reasoning, finish))
    said = "tool_calls" if found else "length" if finish == "length" else "stop"
    return Mended(answer, reasoning, tuple(_with_ids(found, request.messages)), said)


def _why_empty(reasoning: str, finish: str) -> str:
    if finish == "length":
        return "The model used up its output before it came to an answer."
    if reasoning:
        return "The model ended inside its thinking, without an answer."
    return "The server sent an answer with nothing in it."


def _with_ids(calls: Sequence[ToolCall], messages: Sequence[Message]) -> Iterator[ToolCall]:
    """Calls each with an id of its own: as they came, unless one is missing, twice there or already used."""
    used = {call.id for message in messages for call in message.calls}
    count = sum(len(message.calls) for message in messages)
    ids = [call.id for call in calls]
    well = all(ids) and len(set(ids)) == len(ids) and not used.intersection(ids)
    for number, call in enumerate(calls, count):
        yield call if well else replace(call, id=call_id(call.name, number))


def is_nan(text: str) -> bool:
    """Whether it is what a server writes whose numbers are none any more: only `!`."""
    end = text[-256:].strip()
    return len(end) >= 4 and not end.strip("!") and (len(end) >= 64 or not text.strip().strip("!"))


def goes_round(text: str) -> bool:
    """Whether the end of a text is one piece (or white space) over and over."""
    if len(text) < LOOP:
        return False
    end = text[-LOOP:]
    if not end.strip():
        return True
    before = end.rfind(end[-_PROBE:], 0, LOOP - 1)
    period = LOOP - _PROBE - before
    return before >= 0 and period * _REPEATS <= LOOP and end[period:] == end[:-period]


def json_of(text: str) -> Any:
    """The JSON of an answer that should be JSON: the whole text, else a fenced block, else the first object in it.

    Raises Fault (malformed) where there is none, or one that is cut. Strings are cleaned for storing.
    """
    whole = text.strip().removeprefix("\ufeff")
    fenced = _fenced(whole)
    begins = whole[:1] in ("{", "[")
    if begins or not fenced:
        found, ends = _decoded(whole, 0)
        # A number or a word in front of prose is not the answer.
        if ends and (begins or not whole[ends:].strip()):
            return _usable(found)
    # Not into what begins as JSON: the inner objects of a cut answer are not the answer.
    inner = None if begins else _first_object(fenced or whole)
    if inner is not None:
        return _usable(inner)
    why = "It begins well and is cut off or broken." if begins else "There is no JSON in it."
    raise Fault(FaultKind.MALFORMED, f"The answer is not the JSON that was asked for. {why}")


def _fenced(text: str) -> str:
    for fence in ("```json", "```JSON", "```"):
        _, mark, rest = text.partition(fence)
        if mark and rest.lstrip()[:1] in ("{", "["):
            return rest.lstrip()
    return ""


def _first_object(text: str) -> Any:
    """The first object, else the first list, that is written anywhere in a text."""
    first, at = None, 0
    for _ in range(_PLACES):
        at = min((place for sign in "{[" if (place := text.find(sign, at)) >= 0), default=-1)
        if at < 0:
            break
        value, ends = _decoded(text, at)
        if isinstance(value, dict):
            return value
        first = value if first is None and ends else first
        at = ends or at + 1
    return first


def _decoded(text: str, at: int) -> tuple[Any, int]:
    """The JSON that begins there, and where it ends; 0: there is none."""
    try:
        return _DECODER.raw_decode(text, at)
    except (ValueError, RecursionError):
        return None, 0


def _usable(value: Any) -> Any:
    if too_deep(value):
        raise Fault(FaultKind.MALFORMED, "The answer is JSON that is nested too deep.")
    return clean_json(value)


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def again(request: Request, fault: Fault) -> Request | None:
    """The next form of the same question after such a fault; None: asking again makes no sense.

    Most answers that are none come from thinking: it ends inside, it eats the budget, its end is not found. Some
    servers refuse schemas or images: then the schema is put in words, and the images are left out, which is said.
    """
    if fault.kind is FaultKind.MALFORMED and request.mode is not Mode.INSTANT:
        return replace(request, mode=Mode.INSTANT)
    if fault.kind is not FaultKind.REQUEST:
        return None
    if request.schema is not None and _about(str(fault), "response_format", "schema", "grammar"):
        return in_words(request)
    if any(message.images for message in request.messages) and _about(str(fault), "image", "multimodal", "vision"):
        return unseen(request)
    return None


def _about(said: str, *words: str) -> bool:
    return any(word in said.lower() for word in words)
