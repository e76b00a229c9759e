"""What went wrong with a call, from what the server, the connection or the `openai` package said of it."""

from __future__ import annotations

import email.utils
import json
import re
import time
from collections.abc import Mapping
from typing import Any

from agents.llm.base import Endpoint, Fault, FaultKind, Usage
from agents.llm.cleaning import clean

_QUOTA = re.compile(
    r"quota|balance|insufficient|out of credit|more credits|arrears|usage limit|spend(ing)? limit|suspended",
    re.IGNORECASE,
)
_TOO_LONG = re.compile(
    r"context.{0,20}length|context.{0,10}window|token limit|too long|too large|longer than|max_model_len|message size|"
    r"requested token count|maximum.{0,20}tokens",
    re.IGNORECASE,
)
_FULL = re.compile(r"queue is full|overloaded|too many|rate limit", re.IGNORECASE)
_SHOWN = 300
_LONGEST_REST = 24 * 3600.0


def status_fault(endpoint: Endpoint, status: int, answer: Any, headers: Mapping[str, str]) -> Fault:
    """The fault that an HTTP status and its body mean, whatever form the body has."""
    words = said_in(answer)
    again_in = _again_in(headers)
    kind = _kind(status, f"{words} {_type_in(answer)}", again_in)
    text = f"The server answered {status}" + (f": {words}" if words else ".")
    if 300 <= status < 400:
        text = "The server's address sends elsewhere. Enter the address that it names."
    return Fault(kind, without_key(endpoint, text), again_in=again_in)


def _kind(status: int, words: str, again_in: float | None) -> FaultKind:
    if status == 402 or (status in (403, 429) and _QUOTA.search(words)):
        return FaultKind.QUOTA
    if status in (401, 403):
        return FaultKind.KEY
    if status in (429, 529) or (status == 503 and (again_in is not None or _FULL.search(words))):
        return FaultKind.BUSY
    if status == 408:
        return FaultKind.SLOW
    if status == 413 or (400 <= status < 500 and _TOO_LONG.search(words)):
        return FaultKind.TOO_LONG
    return FaultKind.REQUEST if status < 500 else FaultKind.UNREACHABLE


def stream_fault(endpoint: Endpoint, answer: Any) -> Fault:
    """The fault that an error in the middle of a stream means."""
    code = answer.get("code") if isinstance(answer, Mapping) else None
    status = code if isinstance(code, int) and 400 <= code < 600 else 500
    return status_fault(endpoint, status, answer, {})


def said_in(answer: Any) -> str:
    """The words of an error body: of OpenAI's form, SGLang's flat one, Cloudflare's, or a proxy's page."""
    if isinstance(answer, Mapping):
        for name in ("message", "error", "errors", "detail", "msg"):
            if answer.get(name):
                return said_in(answer[name])
        return ""
    if isinstance(answer, list):
        return said_in(answer[0]) if answer else ""
    text = answer.decode("utf-8", "replace") if isinstance(answer, bytes) else str(answer or "")
    if text.lstrip()[:1] == "{":
        try:
            return said_in(json.loads(text))
        except (ValueError, RecursionError):
            pass
    if "<html" in text[:500].lower():
        title = re.search(r"<title>([^<]{0,200})", text[:5000], re.IGNORECASE)
        text = title[1] if title else "a page instead of an answer"
    return " ".join(clean(text[:5000]).split())[:_SHOWN]


def _type_in(answer: Any) -> str:
    inner = answer.get("error", answer) if isinstance(answer, Mapping) else None
    return f"{inner.get('type') or ''} {inner.get('code') or ''}"[:100] if isinstance(inner, Mapping) else ""


def _again_in(headers: Mapping[str, str]) -> float | None:
    """Seconds until it may be asked again, from Retry-After (seconds or a date) or X-RateLimit-Reset (either too)."""
    for name in ("retry-after", "x-ratelimit-reset"):
        value = (headers.get(name) or "").strip()
        seconds = _seconds(value) if value else None
        if seconds is not None:
            return min(max(0.0, seconds), _LONGEST_REST)
    return None


def _seconds(value: str) -> float | None:
    number = re.fullmatch(r"(\d{1,15}(?:\.\d+)?)(ms|s)?", value)
    if number:
        seconds = float(number[1]) / (1000 if number[2] == "ms" else 1)
        # A point in time is given in seconds or milliseconds.
        for unit in (1, 1000):
            if seconds > 1_000_000_000 * unit and number[2] is None:
                until = seconds / unit - time.time()
                if until < _LONGEST_REST:
                    return until
        return seconds
    try:
        return email.utils.parsedate_to_datetime(value).timestamp() - time.time()
    except (ValueError, OverflowError, TypeError):
        return None


def without_key(endpoint: Endpoint, text: str) -> str:
    """The text without the endpoint's key, whoever has put it there."""
    return text.replace(endpoint.key, "(the key)") if endpoint.key else text


def with_cost(fault: Fault, usage: Usage, raw: Mapping[str, Any] | None = None, *, kind: type[Fault] = Fault) -> Fault:
    """The same fault with what it cost, and with what came of the answer (none: as it has it)."""
    return kind(fault.kind, str(fault), again_in=fault.again_in, usage=usage, raw=raw or fault.raw)
