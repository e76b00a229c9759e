"""What an agent has told of its session beside the work: context, cost, options, commands. Pure.

It is kept as one JSON object per session, shown to people, and decides nothing. Modes and config options of ACP
become one list of options, so that whoever shows or sets them knows one shape.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from agents.protocol import version
from agents.protocol.reading import as_integer, as_text
from agents.protocol.updates import (
    AgentUpdate,
    CommandsAvailable,
    ConfigChanged,
    ModeChanged,
    SessionInfo,
    Subagent,
    Usage,
)
from clawgroups.core.budgets import MOST_AT_ONCE
from clawgroups.core.errors import Invalid
from clawgroups.core.shrinking import shrunk_text

Json = dict[str, Any]
Told = Mapping[str, Any]

STATE_UPDATES = (CommandsAvailable, ConfigChanged, ModeChanged, SessionInfo, Subagent, Usage)
MAX_OPTIONS = 20
MAX_CHOICES = 200
MAX_COMMANDS = 100
MAX_CHILDREN = 100
MAX_VALUE = 200
MAX_REMEMBERED = 100
MAX_STOPPED = 20
# The names of ACP's counts of tokens, over all turns of a session.
TOKENS = {
    "input": "inputTokens",
    "output": "outputTokens",
    "thought": "thoughtTokens",
    "cached_read": "cachedReadTokens",
    "cached_write": "cachedWriteTokens",
}
MODE = "mode"
# Modes in which an agent acts without asking, by the words that real agents use in their ids.
LOOSE = re.compile(r"yolo|bypass|auto|accept|full|dont.?ask|unrestrict|danger|trust|never", re.IGNORECASE)
# Of several modes that ask, the first of these; a mode that only plans does no work.
ASKING = ("default", "ask", "normal", "manual", "agent", "build", "code", "read-only")
IDLE = ("plan", "architect", "chat")


def fold(told: Told, said: AgentUpdate) -> Json:
    """What is told after this update; a new object where it differs."""
    match said:
        case Usage():
            usage: Json = {"used": said.used, "size": said.size}
            if said.cost is not None:
                usage["cost"] = {"amount": said.cost, "currency": shrunk_text(said.currency or "", 8)}
            return {**told, "usage": usage}
        case SessionInfo():
            return {**told, "title": shrunk_text(said.title, 200)} if said.title is not None else dict(told)
        case CommandsAvailable():
            return {**told, "commands": _commands(said.commands)}
        case ConfigChanged():
            return {**told, "options": config_options(said.options)}
        case ModeChanged():
            return {**told, "options": with_value(told, MODE, said.mode_id[:MAX_VALUE])}
        case Subagent():
            known = {**told.get("children", {}), said.session_id[:MAX_VALUE]: shrunk_text(said.title, 120)}
            return {**told, "children": dict(list(known.items())[-MAX_CHILDREN:])}
        case _:
            return dict(told)


def fold_tokens(told: Told, said: Mapping[str, Any]) -> Json:
    """What is told after a prompt was answered with the tokens that the session has used so far."""
    tokens = {name: as_integer(said.get(key)) for name, key in TOKENS.items()}
    known = {name: min(number, MOST_AT_ONCE) for name, number in tokens.items() if number is not None and number > 0}
    return {**told, "tokens": known} if known else dict(told)


@dataclass(frozen=True, slots=True)
class Used:
    """What a session has used: tokens (`prompt` with the cached ones, `completion` with reasoning) and money."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cost_micro: int = 0


def used_since(before: Told, after: Told) -> Used:
    """What a session says that it used between two moments. A count that has fallen began anew."""
    if after is before:
        return Used()
    then, now = _used(before), _used(after)
    grown = {
        name: new - old if new >= old else new
        for name in ("prompt", "cached", "completion", "reasoning", "cost_micro")
        for old, new in [(getattr(then, name), getattr(now, name))]
    }
    return Used(**grown)


def fold_after_stop(told: Told, attempt: str, used: Used) -> Json:
    """What is told with this added to what was used in an attempt after it was over.

    Agents count per turn or per call, so that a part of it may be from before the stop.
    """
    tokens, cost = used.prompt + used.completion, used.cost_micro
    if not tokens and not cost:
        return dict(told)
    known = {key: value for key, value in told.get("after_stop", {}).items() if key != attempt}
    before = told.get("after_stop", {}).get(attempt, {})
    mine = {"tokens": before.get("tokens", 0) + tokens, "cost_micro": before.get("cost_micro", 0) + cost}
    return {**told, "after_stop": dict([*known.items(), (attempt, mine)][-MAX_STOPPED:])}


def _used(told: Told) -> Used:
    tokens, cost = told.get("tokens", {}), told.get("usage", {}).get("cost", {})
    cached = tokens.get("cached_read", 0) + tokens.get("cached_write", 0)
    dollars = cost.get("amount", 0.0) if str(cost.get("currency", "")).upper() in ("USD", "") else 0.0
    return Used(
        prompt=tokens.get("input", 0) + cached,
        cached=tokens.get("cached_read", 0),
        completion=tokens.get("output", 0) + tokens.get("thought", 0),
        reasoning=tokens.get("thought", 0),
        cost_micro=round(min(max(dollars, 0.0) * 1_000_000, MOST_AT_ONCE)),
    )


def read_opened(result: Mapping[str, Any]) -> Json:
    """What the answer to `session/new`, load or resume tells. Where it has both, config options count alone."""
    options = _config_of(result) or mode_options(result.get("modes"))
    return {"options": options} if options else {}


def folder_of(result: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """The folder that a session works in, on its agent's machine; empty where nobody has told.

    A connector that makes the folders says it; else it is the one that the agent's owner has named.
    """
    meta = result.get("_meta")
    ours = meta.get(version.META_KEY) if isinstance(meta, dict) else None
    if isinstance(ours, dict) and version.META_CWD in ours:
        return as_text(ours[version.META_CWD])
    named = as_text(asked.get("cwd"))
    return "" if named == "/" else named


def remembered(told: Told) -> list[Json]:
    """What is kept of a session's options, to choose from before the next one: short, since it is often read."""
    kept = []
    for option in told.get("options", []):
        short = {**option, "value": None}
        if option["type"] == "select":
            short["choices"] = [{**choice, "description": ""} for choice in option["choices"][:MAX_REMEMBERED]]
        kept.append(short)
    return kept


def after_set(told: Told, option_id: str, value: Any, result: Mapping[str, Any] | None, refusal: str) -> Json:
    """What is told after an option was set: the agent's own list where it gives one; why, where it refused."""
    refused = {key: why for key, why in told.get("refused", {}).items() if key != option_id}
    if refusal:
        refused[option_id] = shrunk_text(refusal, 300)
        return {**told, "refused": refused}
    options = _config_of(result or {}) or with_value(told, option_id, value)
    return {**told, "options": options, "refused": refused}


def _config_of(result: Mapping[str, Any]) -> list[Json]:
    raw = result.get("configOptions")
    return config_options([one for one in raw if isinstance(one, dict)]) if isinstance(raw, list) else []


def config_options(raw: Iterable[Mapping[str, Any]]) -> list[Json]:
    """ACP config options in our shape; those of a type that ACP 1 does not know are left out."""
    found: dict[str, Json] = {}
    for one in list(raw)[:MAX_OPTIONS]:
        option = _option(one)
        if option is not None:
            found.setdefault(option["id"], option)
    return list(found.values())


def _option(raw: Mapping[str, Any]) -> Json | None:
    option_id, kind, value = raw.get("id"), raw.get("type", "select"), raw.get("currentValue")
    if not isinstance(option_id, str) or not 0 < len(option_id) <= MAX_VALUE:
        return None
    option = {
        "id": option_id,
        "name": shrunk_text(as_text(raw.get("name")) or option_id, 80),
        "description": shrunk_text(as_text(raw.get("description")), 300),
        "category": shrunk_text(as_text(raw.get("category")), 40),
        "via": "config",
    }
    if kind == "boolean" and isinstance(value, bool):
        return {**option, "type": "boolean", "value": value}
    if kind == "select" and _is_value(value) and isinstance(raw.get("options"), list):
        return {**option, "type": "select", "value": value, "choices": _choices(raw["options"])}
    return None


def _choices(raw: Sequence[Any]) -> list[Json]:
    """The values of a select; ACP lists them plainly or in groups."""
    choices: list[Json] = []
    for one in raw:
        if not isinstance(one, dict):
            continue
        if isinstance(one.get("options"), list):
            group = shrunk_text(as_text(one.get("name")), 80)
            choices += [{**choice, "group": group} for choice in _choices(one["options"])]
        elif _is_value(one.get("value")):
            choices.append(_choice(one["value"], one))
    return choices[:MAX_CHOICES]


def _choice(value: str, raw: Mapping[str, Any]) -> Json:
    name = shrunk_text(as_text(raw.get("name")) or value, 120)
    return {"value": value, "name": name, "description": shrunk_text(as_text(raw.get("description")), 300)}


def mode_options(modes: Any) -> list[Json]:
    """The older session modes, as an option of the category "mode"."""
    if not isinstance(modes, dict):
        return []
    offered, current = modes.get("availableModes"), modes.get("currentModeId")
    if not isinstance(offered, list) or not _is_value(current):
        return []
    choices = [_choice(one["id"], one) for one in offered if isinstance(one, dict) and _is_value(one.get("id"))]
    option = {"id": MODE, "name": "Mode", "description": "", "category": MODE, "via": "modes", "type": "select"}
    return [{**option, "value": current, "choices": choices[:MAX_CHOICES]}] if choices else []


def with_value(told: Told, option_id: str, value: str | bool) -> list[Json]:
    """The options with one of them at another value."""
    options: list[Json] = list(told.get("options", []))
    return [{**one, "value": value} if _named(one, option_id) else one for one in options]


def _named(option: Told, option_id: str) -> bool:
    """A mode that an agent reports is its mode, whichever way it offers it."""
    return bool(option["id"] == option_id or (option_id == MODE and option["category"] == MODE))


def chosen_value(told: Told, option_id: str, value: str) -> tuple[Json, str | bool]:
    """The option of this id, and a value as a form sends it, as ACP wants it.

    Raises `Invalid` for what the session does not offer.
    """
    option = next((one for one in told.get("options", []) if one["id"] == option_id), None)
    if option is None:
        raise Invalid("This session offers no such option.", field="option")
    if option["type"] == "boolean":
        if value not in ("true", "false"):
            raise Invalid(f"{option['name']} is either true or false.", field="value")
        return option, value == "true"
    if value not in [choice["value"] for choice in option["choices"]]:
        raise Invalid(f"{option['name']} cannot be “{value[:80]}”; choose one of those offered.", field="value")
    return option, value


def wanted_values(
    told: Told, preferences: Mapping[str, str], *, must_ask: bool = False
) -> list[tuple[Json, str | bool]]:
    """What is set in a new session before anything is asked of it, in the order of the options.

    The preferences of the agent's owner where the session offers them; and always a mode, one that asks before it
    acts where the owner has not chosen another: what a program does by itself when it starts is not for us to trust.
    `must_ask`: nor is it the owner's to choose, since something is critical where it works.
    """
    wanted = []
    for option in told.get("options", []):
        if option["id"] in preferences:
            try:
                preferred = chosen_value(told, option["id"], preferences[option["id"]])
            except Invalid:
                preferred = None  # It offered that once and does no more.
            if preferred is not None and not (must_ask and is_loose(*preferred) and asking_mode(option) is not None):
                wanted.append(preferred)
                continue
        if option["category"] == MODE and (mode := asking_mode(option)) is not None:
            wanted.append((option, mode))
    return wanted


def asking_mode(option: Told) -> str | None:
    """Which mode of these asks before it acts: the one it is in, else the best known; None when none seems to."""
    if option["type"] != "select":
        return None
    asking = [choice["value"] for choice in option["choices"] if not LOOSE.search(choice["value"])]
    working = [mode for mode in asking if mode not in IDLE]
    if option["value"] in working:
        return str(option["value"])
    return next((mode for mode in ASKING if mode in working), working[0] if working else None)


def is_loose(option: Told, value: Any) -> bool:
    """Whether this value makes an agent act without asking, as far as its id says."""
    return bool(option["category"] == MODE and isinstance(value, str) and LOOSE.search(value))


def loose_mode(told: Told) -> str:
    """The name of the mode in which a session acts without asking; empty where it is in none, as far as is known."""
    for option in told.get("options", []):
        if is_loose(option, option["value"]):
            names = [one["name"] for one in option.get("choices", []) if one["value"] == option["value"]]
            return str(names[0] if names else option["value"])
    return ""


def _commands(raw: Sequence[Mapping[str, Any]]) -> list[Json]:
    named = [one for one in raw if isinstance(one.get("name"), str) and one["name"]]
    return [
        {
            "name": shrunk_text(one["name"], 80),
            "description": shrunk_text(as_text(one.get("description")), 300),
            "hint": shrunk_text(as_text((one.get("input") or {}).get("hint")), 120)
            if isinstance(one.get("input"), dict)
            else "",
        }
        for one in named[:MAX_COMMANDS]
    ]


def _is_value(value: Any) -> bool:
    """Whether it can be sent back as it came: a longer one is cut nowhere, but left out."""
    return isinstance(value, str) and 0 < len(value) <= MAX_VALUE
