"""Each provider's way: its address, its prices, what it takes, and the exact body of a request to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Mode, Prices, Request
from agents.llm.cleaning import clean, clean_json
from agents.llm.history import TOOL_NAME, in_words, mended, parts
from agents.llm.modes import Chosen, Spelling, choose

MOST_TOOLS = 128
FREE = Prices()
# What `Endpoint.extra` may not change.
_OURS = frozenset({"model", "messages", "tools", "stream"})


@dataclass(frozen=True, slots=True)
class Preset:
    """A provider as it is offered for choice, and how it differs. `url` may hold `{placeholders}` to be filled in."""

    label: str
    url: str
    needs_key: bool
    default_model: str
    docs: str
    prices: Prices = FREE
    # One's own server: sampling is said in every request, and a Kimi of any name is one.
    own_server: bool = False
    modes: Spelling = Spelling.NONE
    # The name of the limit on output, and the field of reasoning in the history (none: it is not sent).
    limit: str = "max_tokens"
    reasoning: str = ""
    # Whether it takes an id for the try, a place in the queue, a key for the cache, and is asked for usage in a stream.
    rid: bool = False
    priority: bool = False
    cache_key: bool = False
    stream_options: bool = True
    schema: bool = True
    strict_tools: bool = False
    renumber: bool = True


_SGLANG = dict[str, Any](
    needs_key=False,
    own_server=True,
    modes=Spelling.TEMPLATE,
    reasoning="reasoning_content",
    rid=True,
    priority=True,
    strict_tools=True,
)

PRESETS: Mapping[str, Preset] = MappingProxyType(
    {
        "sglang": Preset(
            label="SGLang",
            url="http://127.0.0.1:30000/v1",
            default_model="moonshotai/Kimi-K2.6",
            docs="Your own SGLang server. Start it with --enable-priority-scheduling and --enable-cache-report.",
            **_SGLANG,
        ),
        "vllm": Preset(
            label="vLLM",
            url="http://127.0.0.1:8000/v1",
            needs_key=False,
            default_model="moonshotai/Kimi-K2.6",
            docs="Your own vLLM server, 0.19.1 or later. Start it with the reasoning and tool call parsers kimi_k2.",
            own_server=True,
            modes=Spelling.TEMPLATE,
            reasoning="reasoning",
        ),
        "ktransformers": Preset(
            label="KTransformers",
            url="http://127.0.0.1:30000/v1",
            default_model="moonshotai/Kimi-K2.6",
            docs="Your own KTransformers server, which answers as SGLang does.",
            **_SGLANG,
        ),
        "moonshot": Preset(
            label="Moonshot API",
            url="https://api.moonshot.ai/v1",
            needs_key=True,
            default_model="kimi-k2.6",
            docs="A key of api.moonshot.ai is none of api.moonshot.cn: use the address your key is from.",
            prices=Prices(miss=0.95, hit=0.16, out=4.0),
            modes=Spelling.THINKING,
            limit="max_completion_tokens",
            reasoning="reasoning_content",
            cache_key=True,
        ),
        "openrouter": Preset(
            label="OpenRouter",
            url="https://openrouter.ai/api/v1",
            needs_key=True,
            default_model="moonshotai/kimi-k2.6",
            docs="The cost of each call is taken from its answer, as prices differ between its upstream providers.",
            modes=Spelling.REASONING,
            reasoning="reasoning_details",
        ),
        "cloudflare": Preset(
            label="Cloudflare Workers AI",
            url="https://api.cloudflare.com/client/v4/accounts/{account_id}/ai/v1",
            needs_key=True,
            default_model="@cf/moonshotai/kimi-k2.6",
            docs="Put your account id into the address. The key needs the permission Workers AI.",
            modes=Spelling.TEMPLATE,
            reasoning="reasoning_content",
        ),
        "openai": Preset(
            label="Any OpenAI-compatible server",
            url="https://api.openai.com/v1",
            needs_key=False,
            default_model="",
            docs="Whatever offers /v1/chat/completions. Nothing beyond OpenAI's own parameters is sent.",
            renumber=False,
        ),
    }
)


def preset_of(endpoint: Endpoint) -> Preset:
    """Raises Fault (request) for a provider that is none."""
    if endpoint.provider not in PRESETS:
        raise Fault(FaultKind.REQUEST, f"There is no provider {endpoint.provider}.")
    return PRESETS[endpoint.provider]


def address(endpoint: Endpoint) -> str:
    """The base URL: what people enter with or without `/v1` and `/chat/completions`. Raises Fault (request)."""
    url = endpoint.url.strip().rstrip("/").removesuffix("/chat/completions").rstrip("/")
    try:
        split = urlsplit(url)
        well = (
            split.scheme in ("http", "https")
            and bool(split.hostname)
            and (split.port or 1) > 0
            and "@" not in split.netloc
        )
    except ValueError:
        well = False
    if not well or "{" in url:
        raise Fault(FaultKind.REQUEST, "The server's address is not complete. It looks like http://host:port/v1.")
    return url if split.path else f"{url}/v1"


def mode_of(endpoint: Endpoint, mode: Mode) -> Chosen:
    """The mode that this endpoint is really asked in, with why where it is another."""
    preset = preset_of(endpoint)
    return choose(endpoint.model, mode, preset.modes, own_server=preset.own_server)


def body(endpoint: Endpoint, request: Request, *, streaming: bool = True) -> dict[str, Any]:
    """The exact JSON body. Raises Fault (request) where no server could answer it.

    What `endpoint.extra` holds is laid over it (not over what is asked); a null there takes a field away.
    """
    preset = preset_of(endpoint)
    chosen = mode_of(endpoint, request.mode)
    if request.schema is not None and request.tools:
        raise Fault(FaultKind.REQUEST, "A call has a schema or tools, not both: servers drop one of them silently.")
    if request.schema is not None and not preset.schema:
        request = in_words(request)
    said: dict[str, Any] = {"model": endpoint.model, "messages": _messages(preset, request)}
    said |= _tools(preset, request) | _schema(request)
    said[_limit(endpoint, preset)] = request.max_output
    said |= chosen.parameters
    if preset.own_server and chosen.mode in chosen.family.temperature:
        heat = chosen.family.temperature[chosen.mode]
        said |= {"temperature": heat, "top_p": 0.95, "n": 1, "presence_penalty": 0, "frequency_penalty": 0}
    if preset.rid and request.rid:
        said["rid"] = request.rid
    if preset.priority:
        # Always: at SGLang a request without one comes after all others.
        said["priority"] = request.priority
    if request.cache_key and (preset.cache_key or _is_openai(endpoint)):
        said["prompt_cache_key"] = request.cache_key
    if endpoint.provider == "openrouter" and (request.schema is not None or request.tools):
        # Else it may choose an upstream provider that drops them.
        said["provider"] = {"require_parameters": True}
    if streaming:
        said["stream"] = True
        if preset.stream_options:
            said["stream_options"] = {"include_usage": True}
    extra = {name: value for name, value in clean_json(endpoint.extra).items() if name not in _OURS}
    return {name: value for name, value in {**said, **extra}.items() if extra.get(name, value) is not None}


def _is_openai(endpoint: Endpoint) -> bool:
    return urlsplit(endpoint.url).hostname == "api.openai.com"


def _limit(endpoint: Endpoint, preset: Preset) -> str:
    return "max_completion_tokens" if _is_openai(endpoint) else preset.limit


def _messages(preset: Preset, request: Request) -> list[dict[str, Any]]:
    return [_message(preset, message) for message in mended(request.messages, renumber=preset.renumber)]


def _message(preset: Preset, message: Message) -> dict[str, Any]:
    said: dict[str, Any] = {"role": message.role, "content": parts(message)}
    if message.role == "tool":
        return {"role": "tool", "tool_call_id": message.call_id, "content": said["content"]}
    if message.role != "assistant":
        return said
    said |= _reasoning(preset, clean(message.reasoning), calls=bool(message.calls))
    if message.calls:
        said["tool_calls"] = [
            {
                "id": call.id,
                "type": "function",
                "function": {"name": call.name, "arguments": clean(call.arguments)},
            }
            for call in message.calls
        ]
    return said


def _reasoning(preset: Preset, text: str, *, calls: bool) -> dict[str, Any]:
    """Reasoning as this provider reads it in the history. Moonshot refuses a message with calls that has no field."""
    if preset.reasoning == "reasoning_details":
        return {"reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]} if text else {}
    if preset.reasoning and (text or (calls and preset.modes is Spelling.THINKING)):
        return {preset.reasoning: text}
    return {}


def _tools(preset: Preset, request: Request) -> dict[str, Any]:
    """The tools, always in one order: they come first in the prompt, and any change loses the cached prefix."""
    if not request.tools:
        return {}
    names = [tool.name for tool in request.tools]
    if wrong := sorted(name for name in names if not TOOL_NAME.fullmatch(name)):
        raise Fault(FaultKind.REQUEST, f"No model takes a tool of the name {clean(wrong[0])[:80]!r}.")
    if len(set(names)) < len(names) or len(names) > MOST_TOOLS:
        raise Fault(FaultKind.REQUEST, f"Tools need names of their own, and there can be {MOST_TOOLS} at most.")
    strict = {"strict": True} if preset.strict_tools else {}
    return {
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": tool.name,
                    "description": clean(tool.description),
                    "parameters": clean_json(tool.parameters),
                    **strict,
                },
            }
            for tool in sorted(request.tools, key=lambda tool: tool.name)
        ]
    }


def _schema(request: Request) -> dict[str, Any]:
    if request.schema is None:
        return {}
    schema = {"name": request.schema_name, "strict": True, "schema": clean_json(request.schema)}
    return {"response_format": {"type": "json_schema", "json_schema": schema}}
