"""How each provider speaks chat completions, as functions: answers, streams, errors, and what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

FLAVOURS = ("sglang", "vllm", "ktransformers", "moonshot", "openrouter", "cloudflare", "openai")

# Under which name reasoning comes back.
_REASONING = {"vllm": "reasoning", "openrouter": "reasoning"}
Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """What the fake says. `raw` is the whole answer as it is, `events` the lines of its stream; both past all forms."""

    text: str | None = ""
    reasoning: str = ""
    calls: Sequence[tuple[str, str, str]] = ()  # id, name, arguments
    finish: str = ""
    usage: Mapping[str, Any] | None = None
    raw: Any = None
    events: Sequence[str] | None = None

    @classmethod
    def of(cls, said: Answer | Mapping[str, Any] | str | None) -> Answer:
        """From what a test or `POST /answers` gave: text, or the fields by name; another dict is the JSON it says."""
        if isinstance(said, Answer):
            return said
        if isinstance(said, Mapping):
            if said.keys() <= set(cls.__dataclass_fields__):
                return cls(**{**said, "calls": [tuple(call) for call in said.get("calls", ())]})
            return cls(text=json.dumps(said, ensure_ascii=False))
        return cls(text=said)


@dataclass
class Counted:
    """Tokens of a call as the fake counts them: four characters each."""

    prompt: int
    cached: int
    completion: int
    reasoning: int


def counted(prompt: str, cached: int, answer: Answer) -> Counted:
    said = len(answer.text or "") + sum(len(call[2]) for call in answer.calls)
    reasoning = len(answer.reasoning) // 4
    return Counted(max(1, len(prompt) // 4), cached // 4, max(1, said // 4) + reasoning, reasoning)


def usage(flavour: str, tokens: Counted) -> Json:
    """The usage object of this provider."""
    said: Json = {
        "prompt_tokens": tokens.prompt,
        "completion_tokens": tokens.completion,
        "total_tokens": tokens.prompt + tokens.completion,
    }
    if flavour == "moonshot":
        return {**said, "cached_tokens": tokens.cached}
    if flavour == "cloudflare":
        return said
    said["prompt_tokens_details"] = {"cached_tokens": tokens.cached}
    if flavour in ("sglang", "ktransformers"):
        said["reasoning_tokens"] = tokens.reasoning
    if flavour != "vllm":
        said["completion_tokens_details"] = {"reasoning_tokens": tokens.reasoning}
    if flavour == "openrouter":
        said["cost"] = round((tokens.prompt + 4 * tokens.completion) / 1_000_000, 8)
    return said


def finish_of(answer: Answer) -> str:
    return answer.finish or ("tool_calls" if answer.calls else "stop")


def completion(flavour: str, answer: Answer, body: Json, used: Json) -> Json:
    """The answer in one piece."""
    message: Json = {"role": "assistant", "content": answer.text, **_reasoning(flavour, answer.reasoning, whole=True)}
    if answer.calls:
        message["tool_calls"] = [_call(number, call) for number, call in enumerate(answer.calls)]
    choice = {"index": 0, "message": message, "finish_reason": finish_of(answer)}
    return {**_head(flavour, body, "chat.completion"), "choices": [choice], "usage": used}


def stream(flavour: str, answer: Answer, body: Json, used: Json, *, piece: int) -> Iterator[str]:
    """The answer as the lines of a stream, in pieces of so many characters."""
    head = _head(flavour, body, "chat.completion.chunk")
    if flavour == "openrouter":
        yield ": OPENROUTER PROCESSING"
    yield _line(head, {"role": "assistant", "content": ""})
    for part in _pieces(answer.reasoning, piece):
        yield _line(head, _reasoning(flavour, part, whole=False))
    for part in _pieces(answer.text or "", piece):
        yield _line(head, {"content": part})
    for number, call in enumerate(answer.calls):
        yield _line(head, {"tool_calls": [_call(number, (call[0], call[1], ""))]})
        for part in _pieces(call[2], piece):
            yield _line(head, {"tool_calls": [{"index": number, "function": {"arguments": part}}]})
    last: Json = {"index": 0, "delta": {}, "finish_reason": finish_of(answer)}
    if flavour == "moonshot":
        yield _data({**head, "choices": [{**last, "usage": used}]})
    else:
        yield _data({**head, "choices": [last]})
        if (body.get("stream_options") or {}).get("include_usage") or flavour == "openrouter":
            yield _data({**head, "choices": [], "usage": used})
    yield "data: [DONE]"


def error(flavour: str, status: int, message: str, kind: str) -> Json:
    """An error as this provider words it."""
    if flavour in ("sglang", "ktransformers"):
        return {"object": "error", "message": message, "type": kind, "param": None, "code": status}
    if flavour == "cloudflare":
        return {"success": False, "errors": [{"code": 3000 + status, "message": message}], "result": None}
    if flavour == "openrouter":
        return {"error": {"code": status, "message": message, "metadata": {"provider_name": "somebody"}}}
    if flavour == "moonshot":
        return {"error": {"message": message, "type": kind}}
    return {"error": {"message": message, "type": kind, "param": None, "code": kind}}


def models(flavour: str, model: str, context: int) -> Json:
    """What `/v1/models` says."""
    said: Json = {"id": model, "object": "model", "created": 1_790_000_000, "owned_by": flavour}
    if flavour in ("sglang", "ktransformers", "vllm"):
        said |= {"root": model, "max_model_len": context}
    if flavour in ("moonshot", "openrouter"):
        said["context_length"] = context
    return {"object": "list", "data": [said]}


def refusal(flavour: str, body: Json, context: int, *, sees: bool = True) -> str:
    """Why this provider answers 400 to this body; empty: it does not."""
    schema = ((body.get("response_format") or {}).get("json_schema") or {}).get("schema")
    if "response_format" in body and not isinstance(schema, dict):
        return "Invalid response_format: no schema"
    if not sees and '"image_url"' in json.dumps(body["messages"]):
        return "The model is not a multimodal model, but the request has image data"
    wanted = body.get("max_completion_tokens") or body.get("max_tokens") or 0
    if len(json.dumps(body["messages"])) // 4 + wanted > context:
        return f"Requested token count exceeds the model's maximum context length of {context} tokens."
    for number, message in enumerate(body["messages"]):
        if wrong := _wrong_message(flavour, body, message, number):
            return wrong
    if flavour == "moonshot":
        fixed = {"temperature", "top_p", "n", "presence_penalty", "frequency_penalty"} & body.keys()
        return f"invalid {min(fixed)}: only the default is allowed for this model" if fixed else ""
    return ""


def _wrong_message(flavour: str, body: Json, message: Json, number: int) -> str:
    calls = message.get("tool_calls") or []
    for call in calls:
        try:
            json.loads(call["function"]["arguments"])
        except ValueError:
            return f"Invalid JSON in the arguments of message {number}"
        if flavour in ("sglang", "vllm") and not re.fullmatch(r"functions\.[\w-]+:\d+", call["id"]):
            return f"Foreign tool call id {call['id']} in message {number}"
    thinks = (body.get("thinking") or {}).get("type") != "disabled"
    if flavour == "moonshot" and calls and thinks and "reasoning_content" not in message:
        return f"thinking is enabled but reasoning_content is missing in assistant tool call message at index {number}"
    return ""


def _head(flavour: str, body: Json, kind: str) -> Json:
    own = str(body["rid"]) if flavour in ("sglang", "ktransformers") and body.get("rid") else "chatcmpl-1"
    return {"id": own, "object": kind, "created": 1_790_000_000, "model": body.get("model", "")}


def _reasoning(flavour: str, text: str, *, whole: bool) -> Json:
    name = _REASONING.get(flavour, "reasoning_content")
    if not text:
        return {name: None} if whole and flavour != "openai" else {}
    if flavour == "openai":
        return {}
    said: Json = {name: text}
    if flavour == "openrouter":
        said["reasoning_details"] = [{"type": "reasoning.text", "text": text, "index": 0}]
    return said


def _call(number: int, call: tuple[str, str, str]) -> Json:
    return {"index": number, "id": call[0], "type": "function", "function": {"name": call[1], "arguments": call[2]}}


def _pieces(text: str, piece: int) -> Iterator[str]:
    return (text[at : at + piece] for at in range(0, len(text), piece))


def _line(head: Json, delta: Json) -> str:
    return _data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


def _data(value: Json) -> str:
    return "data: " + json.dumps(value)
