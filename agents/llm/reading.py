"""Reading what servers send, whatever of it is missing, null or of another form: usage, texts, reasoning, calls."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.llm.base import ToolCall, Usage
from agents.llm.cleaning import clean, clean_json

# More than any window holds: a server that says more is out of its mind.
LONGEST = 4_000_000
MOST_CALLS = 1000
_MOST_TOKENS = 2**31 - 1


def usage_of(told: Any) -> Usage:
    """Usage from wherever a provider puts its parts; what it does not tell is 0."""
    if not isinstance(told, Mapping):
        return Usage()
    prompt = _count(told.get("prompt_tokens"))
    completion = _count(told.get("completion_tokens"))
    cached = max(
        _count(told.get("cached_tokens")),
        _inner(told, "prompt_tokens_details", "cached_tokens"),
        _count(told.get("prompt_cache_hit_tokens")),
    )
    reasoning = max(_count(told.get("reasoning_tokens")), _inner(told, "completion_tokens_details", "reasoning_tokens"))
    cost = _number(told.get("cost"))
    return Usage(
        prompt=prompt,
        cached=min(cached, prompt),
        completion=completion,
        reasoning=min(reasoning, completion),
        cost=cost if cost is not None and 0 <= cost < 1e6 else None,
    )


def added(one: Usage, other: Usage) -> Usage:
    """Both together."""
    known = [usage.cost for usage in (one, other) if usage.cost is not None]
    return Usage(
        prompt=one.prompt + other.prompt,
        cached=one.cached + other.cached,
        completion=one.completion + other.completion,
        reasoning=one.reasoning + other.reasoning,
        cost=sum(known) if known else None,
        estimated=one.estimated or other.estimated,
    )


@dataclass
class _Call:
    id: str = ""
    name: str = ""
    arguments: list[str] = field(default_factory=list)


class Draft:
    """An answer in the making: pieces of a stream, or a whole message as one piece."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._calls: dict[int, _Call] = {}
        self.length = 0
        self.pieces = 0
        self.finish = ""
        self.model = ""
        self.id = ""
        self.usage: Usage | None = None
        self._told: Any = None

    def add(self, chunk: Any) -> bool:
        """Take a chunk (or a whole completion); whether it brought anything of the answer."""
        if not isinstance(chunk, Mapping):
            return False
        self.model = self.model or _text(chunk.get("model"))[:200]
        self.id = self.id or _text(chunk.get("id"))[:200]
        choice = _first(chunk.get("choices"))
        # Moonshot has put usage into the choice; SGLang into a last chunk without one.
        for told in (chunk.get("usage"), choice.get("usage")):
            if isinstance(told, Mapping) and told:
                self._told, self.usage = told, usage_of(told)
        self.finish = _text(choice.get("finish_reason")) or self.finish
        before = self.length
        for name in ("delta", "message"):
            if isinstance(choice.get(name), Mapping):
                self._take(choice[name])
        self.pieces += self.length > before
        return self.length > before

    def _take(self, message: Mapping[str, Any]) -> None:
        self._put(self._text, _text(message.get("content")) or _text(message.get("refusal")))
        self._put(self._reasoning, _reasoning(message))
        calls = message.get("tool_calls")
        for position, call in enumerate(calls if isinstance(calls, list) else []):
            if isinstance(call, Mapping):
                self._take_call(call, position)

    def _put(self, pieces: list[str], text: str) -> None:
        if text:
            pieces.append(text)
            self.length += len(text)

    def _take_call(self, call: Mapping[str, Any], position: int) -> None:
        inner = call.get("function")
        function = inner if isinstance(inner, Mapping) else {}
        place = self._place(call, position)
        if place not in self._calls and len(self._calls) >= MOST_CALLS:
            return
        kept = self._calls.setdefault(place, _Call())
        kept.id = kept.id or _text(call.get("id"))[:200]
        name = _text(function.get("name"))[:200]
        kept.name = kept.name or name
        arguments = function.get("arguments")
        if isinstance(arguments, Mapping | list):
            arguments = json.dumps(clean_json(arguments), ensure_ascii=False)
        self._put(kept.arguments, _text(arguments))
        self.length += len(name)

    def _place(self, call: Mapping[str, Any], position: int) -> int:
        """Which call a piece belongs to: by its index, else by its id, else the last one."""
        index = call.get("index")
        if isinstance(index, int) and not isinstance(index, bool):
            return index
        own = _text(call.get("id"))
        for place, kept in self._calls.items():
            if own and kept.id == own:
                return place
        if own or not self._calls:
            return max(self._calls, default=-1) + 1
        return max(self._calls) if position == 0 else position

    @property
    def text(self) -> str:
        return clean("".join(self._text))

    @property
    def reasoning(self) -> str:
        return clean("".join(self._reasoning))

    @property
    def calls(self) -> tuple[ToolCall, ...]:
        return tuple(
            ToolCall(clean(call.id), clean(call.name), clean("".join(call.arguments)))
            for _, call in sorted(self._calls.items())
            if call.name
        )

    def newest(self, size: int) -> list[str]:
        """The ends of what grows, for a look while it comes."""
        lists = [self._text, self._reasoning, *(call.arguments for call in self._calls.values())]
        return ["".join(pieces[-size:])[-size:] for pieces in lists if pieces]

    def estimated_usage(self, prompt: int) -> Usage:
        """What the server has told; else a guess by pieces and characters: it has worked all the same."""
        if self.usage is not None:
            return self.usage
        return Usage(prompt=prompt // 4, completion=max(self.pieces, self.length // 4), estimated=True)

    def raw(self) -> dict[str, Any]:
        """What came, in the form of a whole completion; what was streamed has its pieces joined."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text, "reasoning": self.reasoning}
        if self._calls:
            message["tool_calls"] = [
                {"id": call.id, "function": {"name": call.name, "arguments": call.arguments}} for call in self.calls
            ]
        choices = [{"index": 0, "message": message, "finish_reason": self.finish}]
        raw = {"id": self.id, "model": self.model, "choices": choices, "usage": self._told}
        cleaned: dict[str, Any] = clean_json(raw)
        return cleaned


def _first(choices: Any) -> Mapping[str, Any]:
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, Mapping) else {}


def _text(value: Any) -> str:
    """A text, or the texts of a list of parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "".join(_text(part.get("text")) for part in value if isinstance(part, Mapping))
    return ""


def _reasoning(message: Mapping[str, Any]) -> str:
    """From the first field that has any: providers send it under one to three names, the same in each."""
    for name in ("reasoning_content", "reasoning"):
        if text := _text(message.get(name)):
            return text
    details = message.get("reasoning_details")
    if not isinstance(details, list):
        return ""
    return "".join(_text(part.get("text") or part.get("summary")) for part in details if isinstance(part, Mapping))


def _number(value: Any) -> float | None:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    return float(value) if abs(value) < 1e15 else None  # not NaN, and nothing that no float holds


def _count(value: Any) -> int:
    number = _number(value)
    return min(int(number), _MOST_TOKENS) if number is not None and number > 0 else 0


def _inner(told: Mapping[str, Any], outer: str, name: str) -> int:
    inner = told.get(outer)
    return _count(inner.get(name)) if isinstance(inner, Mapping) else 0
