"""A conversation in the form in which a server takes it: ids in order, every call answered, nothing broken."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from agents.llm.base import Message, Request, ToolCall
from agents.llm.cleaning import clean, clean_json

# Names of tools as Moonshot takes them, and how many.
TOOL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_-]{2,63}")
_UNSEEN = "(Images belong to this message. They are not shown here, as this model sees none.)"
NO_ANSWER = "No answer of this call was kept."


def call_id(name: str, number: int) -> str:
    """The id of a call as Kimi writes it: `number` counts from 0 over the whole conversation."""
    return f"functions.{name}:{number}"


def mended(messages: Sequence[Message], *, renumber: bool) -> list[Message]:
    """The conversation with ids of one form, calls with readable arguments, and one answer to each, in their order.

    An answer to no call is kept as a message of the user. With `renumber` ids are rewritten as Kimi writes them:
    others make it invent ids from the second round on. Without, only those are rewritten that occur twice.
    """
    kept: list[Message] = []
    numbers = _Numbers(renumber)
    at = 0
    while at < len(messages):
        message = messages[at]
        at += 1
        if message.role == "tool":
            kept.append(_orphan(message))
        elif message.calls:
            answers: list[Message] = []
            while at < len(messages) and messages[at].role == "tool":
                answers.append(messages[at])
                at += 1
            kept += _round(message, answers, numbers)
        elif message.role != "assistant" or message.text.strip():
            kept.append(message)
    return kept


class _Numbers:
    def __init__(self, renumber: bool) -> None:
        self._renumber = renumber
        self._count = 0
        self._seen: set[str] = set()

    def next(self, call: ToolCall) -> str:
        own = call_id(call.name, self._count)
        self._count += 1
        if not self._renumber and call.id and call.id not in self._seen:
            own = call.id
        self._seen.add(own)
        return own


def _round(message: Message, answers: list[Message], numbers: _Numbers) -> Iterator[Message]:
    """An assistant message with calls and the answers that follow it."""
    left = list(answers)
    calls: list[ToolCall] = []
    told: list[Message] = []
    for came in message.calls:
        call = replace(came, name=_name(came.name), arguments=_arguments(came.arguments))
        call = replace(call, id=numbers.next(call))
        calls.append(call)
        mine = next((answer for answer in left if answer.call_id == came.id), None)
        if mine is not None:
            left.remove(mine)
        told.append(replace(mine or Message("tool", NO_ANSWER), call_id=call.id))
    yield replace(message, calls=tuple(calls))
    yield from told
    yield from map(_orphan, left)


def _orphan(message: Message) -> Message:
    return Message("user", f"Answer of an earlier tool call:\n{message.text}", images=message.images)


def _name(name: str) -> str:
    if TOOL_NAME.fullmatch(name):
        return name
    return f"tool_{re.sub(r'[^a-zA-Z0-9_-]', '_', name)}"[:64]


def _arguments(text: str) -> str:
    """The arguments as they came where they are a JSON object, else an empty one: a server refuses the rest."""
    try:
        fine = isinstance(json.loads(text, parse_constant=_refuse), dict)
    except (ValueError, RecursionError):
        fine = False
    return text if fine else "{}"


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def in_words(request: Request) -> Request:
    """The same question for a server that takes no schema: the schema stands at the end of the last message."""
    wish = "Answer with JSON alone, and nothing before or after it. It must fit this JSON schema:\n"
    last = request.messages[-1]
    asked = f"{last.text}\n\n{wish}{json.dumps(clean_json(request.schema), ensure_ascii=False)}"
    return replace(request, schema=None, messages=(*request.messages[:-1], replace(last, text=asked)))


def unseen(request: Request) -> Request:
    """The same question for a model that sees no images; it is told that there are some."""
    return replace(
        request,
        messages=tuple(
            replace(message, images=(), text=f"{message.text}\n\n{_UNSEEN}") if message.images else message
            for message in request.messages
        ),
    )


def parts(message: Message) -> str | list[dict[str, Any]]:
    """The content of a message: its text, or its images and its text."""
    if not message.images:
        return clean(message.text)
    images = [{"type": "image_url", "image_url": {"url": clean(url)}} for url in message.images]
    return [*images, {"type": "text", "text": clean(message.text)}] if message.text else images
