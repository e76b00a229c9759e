"""An agent's profile as an A2A agent card (1.0), and back. Pure.

A card of ours speaks of ACP by an extension and claims no A2A interface, since none is served. What A2A has no place
for (levels, limits, the handle) is in an extension of our own. Read are cards of 1.0 and of 0.x, alone or inside
{"card": …}; what a profile has no place for is named in the notes and left out. A card is a stranger's text: nothing
in it is believed but what its reader confirms.
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

JsonObject = dict[str, Any]

ACP_EXTENSION = "https://agentclientprotocol.com/protocol/v1"
OUR_EXTENSION = "urn:claw-groups:profile:1"
MEDIA_TYPE = "application/json"
LARGEST = 256 * 1024  # characters
MAX_SKILLS = 40
MOST_SESSIONS = 300  # that one agent holds at once
MAX_TEXTS = 20  # tags or examples of a skill
LONGEST = 20_000
# What 1.0 demands of every card, written where a profile says nothing, and read as nothing.
UNVERSIONED = "0.0.0"

# Fields that are read, or say nothing that a profile would miss.
_KNOWN = frozenset(
    {
        *("name", "description", "version", "skills", "capabilities", "protocolVersion", "protocol_version"),
        *("defaultInputModes", "default_input_modes", "defaultOutputModes", "default_output_modes"),
    }
)
_WRAPPED = ("card", "agentCard", "agent_card")


class CardError(ValueError):
    """A card that cannot be read; the message says where and why."""


@dataclass(frozen=True)
class CardSkill:
    """A skill of a card. `id` is the name that tasks ask for; `level` is None where the card does not say."""

    id: str
    name: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    level: int | None = None


@dataclass(frozen=True)
class Profile:
    """What a card says of an agent. The lower half only where the card is one of ours."""

    name: str = ""
    description: str = ""
    version: str = ""
    skills: tuple[CardSkill, ...] = ()
    handle: str = ""
    model: str = ""
    device: str = ""
    toolkits: tuple[str, ...] = ()
    max_sessions: int | None = None


@dataclass(frozen=True)
class Reading:
    """A card that was read. `left_out` names its fields that a profile has no place for."""

    profile: Profile
    left_out: tuple[str, ...] = field(default=())


# Out


def write_card(profile: Profile, *, images: bool = False) -> JsonObject:
    """The card of a profile. `images`: it takes pictures beside text."""
    acp = {
        "uri": ACP_EXTENSION,
        "description": "Speaks the Agent Client Protocol; it dials out to the server that it works for.",
        "required": False,
        "params": {"transport": "reverse-ws", "protocolVersion": 1},
    }
    ours = {
        "uri": OUR_EXTENSION,
        "description": "What Claw Groups knows of the agent besides.",
        "required": False,
        "params": _ours(profile),
    }
    return {
        "name": profile.name,
        "description": profile.description or profile.name,
        "version": profile.version or UNVERSIONED,
        "supportedInterfaces": [],
        "capabilities": {"streaming": True, "pushNotifications": False, "extensions": [acp, ours]},
        "defaultInputModes": ["text/plain", *(("image/png", "image/jpeg") if images else ())],
        "defaultOutputModes": ["text/plain"],
        "skills": [_written(skill) for skill in profile.skills],
    }


def _ours(profile: Profile) -> JsonObject:
    said: JsonObject = {
        "handle": profile.handle,
        "model": profile.model,
        "device": profile.device,
        "toolkits": list(profile.toolkits),
        "maxSessions": profile.max_sessions,
        "levels": {skill.id: skill.level for skill in profile.skills if skill.level is not None},
    }
    return {key: value for key, value in said.items() if value}


def _written(skill: CardSkill) -> JsonObject:
    said: JsonObject = {
        "id": skill.id,
        "name": skill.name or skill.id,
        "description": skill.description or skill.name or skill.id,
        "tags": list(skill.tags or (skill.id,)),
    }
    return {**said, "examples": list(skill.examples)} if skill.examples else said


# In


def read_card(given: str | JsonObject) -> Reading:
    """Read a card from its text or its object. Raises `CardError`."""
    card = _unwrapped(_parsed(given) if isinstance(given, str) else given)
    if not any(key in card for key in ("name", "description", "skills")):
        raise CardError("This is no agent card: it has no name, no description and no skills.")
    ours = _extension(card, OUR_EXTENSION)
    name, version = _line(card, "name"), _version(card)
    description = _prose(card, "description")
    profile = Profile(
        name=name,
        description="" if description == name else description,
        version="" if version == UNVERSIONED else version,
        skills=_skills(card.get("skills"), ours.get("levels")),
        handle=_soft(ours.get("handle")),
        model=_soft(ours.get("model")),
        device=_soft(ours.get("device")),
        toolkits=_texts(ours.get("toolkits"), "toolkits"),
        max_sessions=_whole(ours.get("maxSessions"), MOST_SESSIONS),
    )
    return Reading(profile, tuple(sorted(clean(str(key))[:40] for key in card if key not in _KNOWN and card[key]))[:20])


def announced_card(said: Any) -> Profile:
    """What an agent says of itself under our name in the `_meta` of its answer to `initialize`: the words of a card.

    An empty profile where it says nothing, or nonsense.
    """
    try:
        return read_card(said).profile if isinstance(said, dict) else Profile()
    except CardError:
        return Profile()


def _parsed(text: str) -> JsonObject:
    if len(text) > LARGEST:
        raise CardError(f"The card is too large: at most {LARGEST // 1024} KB are read.")
    try:
        found = json.loads(text)
    except json.JSONDecodeError as error:
        said = f"{error.msg} (line {error.lineno}, column {error.colno})"
        raise CardError(f"The card is no JSON: {said}. Paste the whole file, from “{{” to “}}”.") from None
    except (RecursionError, ValueError):
        raise CardError(
            "The card is no JSON that can be read: it is too deep, or a number in it is too long."
        ) from None
    if not isinstance(found, dict):
        raise CardError(f"The card is {_kind(found)}; an object was expected, from “{{” to “}}”.")
    return found


def _unwrapped(card: JsonObject) -> JsonObject:
    inner = next((card[key] for key in _WRAPPED if isinstance(card.get(key), dict)), None)
    return card if inner is None or "name" in card else inner


def _extension(card: JsonObject, uri: str) -> JsonObject:
    """The parameters of one of a card's extensions; empty where it lacks it."""
    capabilities = card.get("capabilities")
    listed = capabilities.get("extensions") if isinstance(capabilities, dict) else None
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, dict) and one.get("uri") == uri and isinstance(one.get("params"), dict):
            return dict(one["params"])
    return {}


def _skills(given: Any, levels: Any) -> tuple[CardSkill, ...]:
    if given is None:
        return ()
    if not isinstance(given, list):
        raise CardError(f"skills: a list was expected, this is {_kind(given)}.")
    if len(given) > MAX_SKILLS:
        raise CardError(f"The card has {len(given)} skills; at most {MAX_SKILLS} fit. Take some out.")
    known = levels if isinstance(levels, Mapping) else {}
    found: dict[str, CardSkill] = {}
    for number, one in enumerate(given, 1):
        skill = _skill({"name": one} if isinstance(one, str) else one, f"skills[{number}]", known)
        if skill.id in found:
            raise CardError(f"skills[{number}]: there is another skill with the id “{skill.id[:60]}”.")
        found[skill.id] = skill
    return tuple(found.values())


def _skill(given: Any, where: str, levels: Mapping[str, Any]) -> CardSkill:
    if not isinstance(given, dict):
        raise CardError(f"{where}: an object was expected, this is {_kind(given)}.")
    name = _line(given, "name", where)
    key = _line(given, "id", where) or name
    if not key:
        raise CardError(f"{where}: it has neither an id nor a name.")
    description, tags = _prose(given, "description", where), _texts(given.get("tags"), f"{where}.tags")
    return CardSkill(
        id=key,
        name="" if name == key else name,
        description="" if description in (name, key) else description,
        tags=() if tags == (key,) else tags,
        examples=_texts(given.get("examples"), f"{where}.examples", commas=False),
        level=_whole(levels.get(key), 5),
    )


def _version(card: JsonObject) -> str:
    said = card.get("version")
    return str(said) if isinstance(said, int | float) and not isinstance(said, bool) else _line(card, "version")


def _line(given: JsonObject, key: str, where: str = "") -> str:
    """A field of one line; empty where it is not there."""
    return " ".join(_prose(given, key, where).split())


def _prose(given: JsonObject, key: str, where: str = "") -> str:
    said = given.get(key)
    if said is None:
        return ""
    if not isinstance(said, str):
        raise CardError(f"{where + '.' if where else ''}{key}: a text was expected, this is {_kind(said)}.")
    if len(said) > LONGEST:
        raise CardError(f"{where + '.' if where else ''}{key}: {len(said)} characters are too long.")
    return clean(said).strip()


def _texts(given: Any, where: str, *, commas: bool = True) -> tuple[str, ...]:
    """A list of short texts; one text is a list with commas between, or of itself."""
    if given is None:
        return ()
    if isinstance(given, str):
        given = given.split(",") if commas else [given]
    if not isinstance(given, list):
        raise CardError(f"{where}: a list of texts was expected, this is {_kind(given)}.")
    if len(given) > MAX_TEXTS:
        raise CardError(f"{where}: there are {len(given)} of them; at most {MAX_TEXTS} fit.")
    if not all(isinstance(one, str) and len(one) <= LONGEST for one in given):
        raise CardError(f"{where}: a list of texts was expected; something else is in it.")
    return tuple(dict.fromkeys(text for one in given if (text := " ".join(clean(one).split()))))


def _soft(given: Any) -> str:
    """A text of our own extension; nothing where it is something else."""
    return " ".join(clean(given[:LONGEST]).split()) if isinstance(given, str) else ""


def _whole(given: Any, most: int) -> int | None:
    right = isinstance(given, int) and not isinstance(given, bool) and 1 <= given <= most
    return int(given) if right else None


def clean(text: str) -> str:
    """A text that can be stored and shown: without control characters and halves of characters."""
    whole = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(s for s in whole if s in "\n\t" or (unicodedata.category(s) != "Cc" and s not in _UNSEEN))


# They reverse or hide what stands around them.
_UNSEEN = frozenset("\u200b\u2028\u2029\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\ufeff")


def _kind(value: Any) -> str:
    names = {bool: "yes or no", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}
    return names.get(type(value), "nothing")
