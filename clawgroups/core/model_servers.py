"""What can be said about a model server, by people and by the environment. Pure."""

from __future__ import annotations

import ipaddress
import json
import math
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

from agents.llm.providers import PRESETS
from clawgroups.core.coordination_settings import MODE_NAMES
from clawgroups.core.errors import Invalid

# As `agents.llm.providers.PRESETS` has them; the name of a provider that is not known is one of these, too.
PROVIDERS = ("sglang", "vllm", "ktransformers", "moonshot", "openrouter", "cloudflare", "openai")
# Which provider an address speaks for by itself.
_HOSTS = {
    "moonshot.ai": "moonshot",
    "moonshot.cn": "moonshot",
    "openrouter.ai": "openrouter",
    "cloudflare.com": "cloudflare",
    "openai.com": "openai",
}
MAX_URL = 500
MAX_KEY = 4000
MAX_EXTRA = 4000
MAX_PRICE = 10_000.0
MAX_CALLS = 512
PRICES = {"miss": "Input that was not cached", "hit": "Input that was", "out": "Output"}
# Seconds: (the least, the most).
TIMEOUTS = {"connect": (0.5, 120.0), "first": (1.0, 3600.0), "between": (1.0, 3600.0), "total": (5.0, 14_400.0)}
# What a request says itself, whatever else goes along with it.
OURS = frozenset({"model", "messages", "stream", "response_format", "tools", "tool_choice", "max_tokens", "rid"})
# Names that stay inside a network.
_INSIDE = ("localhost", ".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test", ".svc")


def read_url(text: str) -> str:
    """The address of a server as it is kept, without a slash at its end. Raises `Invalid`.

    Any address will do, also one in a private network: it is the operator's own server.
    """
    cleaned = text.strip().rstrip("/")
    if gap := re.search(r"\{[^{}]*\}", cleaned):
        raise Invalid(f"Put your own in the place of {gap[0]} in the address.", field="url")
    parts = _split(cleaned)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise Invalid("An address is like http://gpu-1:30000/v1, with http:// or https:// before it.", field="url")
    if len(cleaned) > MAX_URL or not cleaned.isprintable() or " " in cleaned:
        raise Invalid(f"An address has at most {MAX_URL} characters, without blanks.", field="url")
    if parts.username is not None or parts.password is not None:
        raise Invalid("The address holds no name or key: the key has a field of its own.", field="url")
    if parts.query or parts.fragment:
        raise Invalid("The address ends with its path: leave out what follows “?” or “#”.", field="url")
    return cleaned


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  (raises for a port that is none)
    except ValueError:
        return None
    return parts


def is_exposed(url: str) -> bool:
    """Whether what is sent there, the key with it, can be read on the way: no TLS, and not inside a network."""
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if parts.scheme != "http" or ("." not in host and ":" not in host):
        return False
    try:
        return ipaddress.ip_address(host).is_global
    except ValueError:
        return not host.endswith(_INSIDE)


def clean_server(given: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of a model server. Raises `Invalid` naming the field. The key is sealed by whoever stores it."""
    provider = str(given.get("provider") or "")
    if provider not in PROVIDERS:
        raise Invalid(f"There is no provider “{provider[:40]}”. Known: {', '.join(PROVIDERS)}.", field="provider")
    mode = str(given.get("mode") or "")
    if mode and mode not in MODE_NAMES:
        raise Invalid(f"There is no mode “{mode[:40]}”. Known: {', '.join(MODE_NAMES)}.", field="mode")
    calls = given.get("concurrency", 4)
    if isinstance(calls, bool) or not isinstance(calls, int) or not 1 <= calls <= MAX_CALLS:
        raise Invalid(f"A server takes 1 to {MAX_CALLS} calls at once.", field="concurrency")
    return {
        "name": _line(given.get("name"), "Name", 80, "name", required=True),
        "provider": provider,
        "url": read_url(str(given.get("url") or "")),
        "model": _line(given.get("model"), "Model", 200, "model"),
        "mode": mode,
        "concurrency": calls,
        "prices": _numbers(given.get("prices"), "prices", dict.fromkeys(PRICES, (0.0, MAX_PRICE))),
        "timeouts": _numbers(given.get("timeouts"), "timeouts", TIMEOUTS),
        "extra": _extra(given.get("extra")),
    }


def clean_key(key: str) -> str:
    """A key as it goes into a header; "Bearer " before it may stand or not. Raises `Invalid`."""
    cleaned = key.strip()
    if cleaned.lower().startswith("bearer "):
        cleaned = cleaned[7:].strip()
    if len(cleaned) > MAX_KEY or any(not "!" <= mark <= "~" for mark in cleaned):
        raise Invalid(f"A key is one word of at most {MAX_KEY} letters, digits and signs.", field="key")
    return cleaned


def _line(given: Any, what: str, limit: int, field_name: str, *, required: bool = False) -> str:
    text = str(given or "").strip()
    if required and not text:
        raise Invalid(f"{what} is empty. Write at least a word.", field=field_name, code="empty")
    if len(text) > limit:
        raise Invalid(f"{what} is {len(text)} characters long; at most {limit} fit.", field=field_name, code="too_long")
    if any(unicodedata.category(mark) == "Cc" or mark in "<>" for mark in text):
        raise Invalid(f"{what} is one line, without “<” and “>”.", field=field_name, code="markup")
    return text


def _numbers(given: Any, what: str, bounds: Mapping[str, tuple[float, float]]) -> dict[str, float]:
    """Numbers by name; None is as usual."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise Invalid(f"{what} are numbers by name: {', '.join(bounds)}.", field=what)
    said = {}
    for name, value in given.items():
        if name not in bounds:
            raise Invalid(f"{what} has no “{str(name)[:40]}”. Known: {', '.join(bounds)}.", field=what)
        if value is None:
            continue
        least, most = bounds[name]
        is_number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not is_number or not least <= value <= most:
            raise Invalid(f"“{name}” is a number from {least:g} to {most:g}.", field=f"{what}_{name}")
        said[str(name)] = float(value)
    return said


def _extra(given: Any) -> dict[str, Any]:
    if given in (None, ""):
        return {}
    if not isinstance(given, dict):
        raise Invalid('What else goes into a request is a JSON object, like {"top_k": 20}.', field="extra")
    if taken := sorted(OURS & given.keys()):
        raise Invalid(f"Every request says {', '.join(taken)} itself; leave that out.", field="extra")
    if len(json.dumps(given)) > MAX_EXTRA:
        raise Invalid(f"What else goes into a request has at most {MAX_EXTRA} characters.", field="extra")
    return given


# The environment


@dataclass(frozen=True, slots=True)
class FromEnvironment:
    """The server that CLAWGROUPS_COORDINATOR_* describe."""

    provider: str
    url: str
    model: str
    mode: str = ""
    key: str = field(default="", repr=False)


_PREFIX = "CLAWGROUPS_COORDINATOR_"
_NAMES = ("URL", "MODEL", "API_KEY", "PROVIDER", "MODE")


def read_environment(env: Mapping[str, str]) -> FromEnvironment | None:
    """The server of CLAWGROUPS_COORDINATOR_*, or None where none of them is set.

    Raises ValueError naming the variable that is wrong, and what to do about it.
    """
    said = {name: env.get(_PREFIX + name, "").strip() for name in _NAMES}
    given = [_PREFIX + name for name in _NAMES if said[name]]
    if not given:
        return None
    if not said["URL"]:
        raise ValueError(
            f"{_PREFIX}URL is empty, but {given[0]} is set. "
            f"Say where the model is served, like http://gpu-1:30000/v1, or unset {' and '.join(given)}."
        )
    url = _checked("URL", read_url, said["URL"])
    provider = said["PROVIDER"].lower() or _provider_of(url)
    if provider not in PROVIDERS:
        raise ValueError(f"{_PREFIX}PROVIDER is {provider[:40]!r}: choose one of {', '.join(PROVIDERS)}.")
    if said["MODE"] and said["MODE"] not in MODE_NAMES:
        raise ValueError(f"{_PREFIX}MODE is {said['MODE'][:40]!r}: choose one of {', '.join(MODE_NAMES)}.")
    # SGLang serves one model, and takes any name for it; this one says which modes it has.
    model = said["MODEL"] or (PRESETS["sglang"].default_model if provider == "sglang" else "")
    if not model:
        raise ValueError(f"{_PREFIX}MODEL is empty: name the model as {url}/models lists it.")
    _checked("MODEL", lambda text: _line(text, "The model", 200, "model"), model)
    return FromEnvironment(provider, url, model, said["MODE"], _checked("API_KEY", clean_key, said["API_KEY"]))


def _checked(name: str, read: Any, text: str) -> str:
    try:
        return str(read(text))
    except Invalid as fault:
        raise ValueError(f"{_PREFIX}{name}: {fault.message}") from None


def _provider_of(url: str) -> str:
    host = (urlsplit(url).hostname or "").lower()
    return next((who for end, who in _HOSTS.items() if host == end or host.endswith("." + end)), "sglang")
