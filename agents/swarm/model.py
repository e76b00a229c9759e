"""Which model the sub-agents ask: from a file, or from the variables that name the coordinator's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agents.connector.exits import Wrong
from agents.llm.base import Endpoint, Fault, Mode, Prices, Timeouts
from agents.llm.providers import PRESETS, address

VARIABLES = "CLAWGROUPS_COORDINATOR_"
_HOW = f"set {VARIABLES}URL and {VARIABLES}PROVIDER (sglang, vllm, moonshot, ...), or name a file with --model"


@dataclass(frozen=True)
class Chosen:
    """The endpoint, and how much it thinks."""

    endpoint: Endpoint
    mode: Mode


def from_environment(environ: Mapping[str, str]) -> Chosen:
    """As `CLAWGROUPS_COORDINATOR_URL`, `_PROVIDER`, `_MODEL`, `_API_KEY` and `_MODE` say. Raises Wrong."""
    told = {name: environ.get(VARIABLES + name.upper(), "").strip() for name in ("url", "provider", "model", "mode")}
    if not told["url"] and not told["provider"]:
        raise Wrong(f"no model is named: {_HOW}")
    return _chosen({**told, "key": environ.get(f"{VARIABLES}API_KEY", "").strip()}, "the environment")


def from_file(file: Path) -> Chosen:
    """As a file says: {"provider", "url", "model", "key", "mode", "prices", "timeouts", "extra"}. Raises Wrong."""
    try:
        told: Any = json.loads(file.read_text("utf-8"))
    except OSError as problem:
        raise Wrong(f"{file} cannot be read: {problem.strerror}") from None
    except ValueError:
        raise Wrong(f"{file} is no JSON") from None
    if not isinstance(told, dict):
        raise Wrong(f"{file} does not name a model")
    return _chosen(told, str(file))


def _chosen(told: Mapping[str, Any], where: str) -> Chosen:
    provider = str(told.get("provider") or "sglang")
    if provider not in PRESETS:
        raise Wrong(f"{where} names the provider {provider!r}; there are {', '.join(PRESETS)}")
    preset = PRESETS[provider]
    endpoint = Endpoint(
        provider=provider,
        url=str(told.get("url") or preset.url),
        model=str(told.get("model") or preset.default_model),
        key=str(told.get("key") or ""),
        timeouts=Timeouts(**_numbers(told.get("timeouts"), Timeouts)),
        prices=Prices(**_numbers(told["prices"], Prices)) if told.get("prices") else preset.prices,
        extra=told["extra"] if isinstance(told.get("extra"), dict) else {},
    )
    if not endpoint.model:
        raise Wrong(f"{where} does not name the model")
    try:
        address(endpoint)
        return Chosen(endpoint, Mode(str(told.get("mode") or Mode.THINKING)))
    except Fault as fault:
        raise Wrong(f"{where}: {fault}") from None
    except ValueError:
        raise Wrong(f"{where} names the mode {told['mode']!r}; there are {', '.join(Mode)}") from None


def _numbers(said: Any, kind: type[Timeouts] | type[Prices]) -> dict[str, float]:
    given = said if isinstance(said, dict) else {}
    found = {one.name: given.get(one.name) for one in fields(kind)}
    return {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0
    }
