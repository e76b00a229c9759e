"""What is asked of a model and what comes back, as values that are the same for every provider.

How a provider spells them is `agents.llm.providers`; how they travel is `agents.llm.client`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Mode(StrEnum):
    """How much a model thinks before it answers (K2.6: thinking, preserve-thinking, instant)."""

    THINKING = "thinking"
    PRESERVE = "preserve-thinking"
    INSTANT = "instant"


@dataclass(frozen=True, slots=True)
class ToolCall:
    """A call that the model makes: `arguments` is the JSON text as it came, checked by whoever carries it out."""

    id: str
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a conversation. `images` are data or http(s) URLs, `call_id` is what a tool's answer answers."""

    role: str  # system, user, assistant, tool
    text: str
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    call_id: str = ""
    images: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Tool:
    """A function that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """One call. With a `schema` the answer is constrained to it, and then there are no tools (one or the other)."""

    messages: tuple[Message, ...]
    mode: Mode = Mode.THINKING
    schema: Mapping[str, Any] | None = None
    schema_name: str = "answer"
    tools: tuple[Tool, ...] = ()
    max_output: int = 16_000
    # The id of this try at the server, by which it can be aborted; and its place in the server's queue.
    rid: str = ""
    priority: int = 0
    # What the server may keep its prefix cache under.
    cache_key: str = ""


@dataclass(frozen=True, slots=True)
class Prices:
    """USD per million tokens: input that was not cached, input that was, and output (reasoning is output)."""

    miss: float = 0.0
    hit: float = 0.0
    out: float = 0.0


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a call. `prompt` includes `cached`, `completion` includes `reasoning`; `cost` in USD where told.

    `estimated`: a part of it is our guess, as the server was left before it told.
    """

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cost: float | None = None
    estimated: bool = False

    def micro_usd(self, prices: Prices) -> int:
        """What it cost in millionths of a US dollar: as the provider says, else by the prices."""
        if self.cost is not None:
            return round(self.cost * 1_000_000)
        cached = min(self.cached, self.prompt)
        return round((self.prompt - cached) * prices.miss + cached * prices.hit + self.completion * prices.out)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a model answered. `raw` is the server's JSON as it came, kept apart and never fed back."""

    text: str
    reasoning: str = ""
    calls: tuple[ToolCall, ...] = ()
    finish: str = ""
    usage: Usage = Usage()
    model: str = ""
    raw: Mapping[str, Any] = field(default_factory=dict)
    # Seconds until the first token and in all.
    first: float = 0.0
    took: float = 0.0


class FaultKind(StrEnum):
    """Why there is no answer. What the kinds mean for who asked: see `Fault`."""

    UNREACHABLE = "unreachable"  # no connection, or 5xx
    SLOW = "slow"  # no first token, none for too long, or not done in time
    BUSY = "busy"  # 429, 503 with Retry-After: later
    QUOTA = "quota"  # no balance, or the plan's limit: later, and somebody should know
    KEY = "key"  # 401, 403: nobody can use it until the key is mended
    REQUEST = "request"  # 400: this request will never do
    TOO_LONG = "too_long"  # over the model's window
    MALFORMED = "malformed"  # an answer that is none: empty, cut, broken markers
    ABORTED = "aborted"  # we did not want it any more


class Fault(Exception):
    """A call without an answer. `again_in`: seconds after which the server says that it may be asked again.

    `usage` is what it cost all the same, `raw` what came of the answer where any did.
    """

    def __init__(
        self,
        kind: FaultKind,
        said: str,
        *,
        again_in: float | None = None,
        usage: Usage | None = None,
        raw: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(said)
        self.kind = kind
        self.again_in = again_in
        self.usage = usage or Usage()
        self.raw = raw or {}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, until the first token, between two tokens, and for the whole call."""

    connect: float = 5.0
    first: float = 90.0
    between: float = 90.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One model at one server. `provider` is a key of `agents.llm.providers.PRESETS`."""

    provider: str
    url: str
    model: str
    key: str = field(default="", repr=False)
    timeouts: Timeouts = Timeouts()
    prices: Prices = Prices()
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Checked:
    """What a test of an endpoint found: which models it has, how fast it is, and what works."""

    models: Sequence[str] = ()
    context: int | None = None
    latency: float = 0.0
    works: Mapping[str, bool] = field(default_factory=dict)  # schema, tools, streaming, cached
    said: str = ""
