"""What an agent announced of itself, and what changed since it did so before. Pure.

A snapshot is JSON that came from a stranger: whatever is in it is read as text or as yes and no, and never trusted.
What the older of two snapshots does not speak of is no change: it may have been kept by an older server.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# What it can do, in the order in which it is shown.
CAPABILITIES = (
    "load",
    "resume",
    "list_sessions",
    "close",
    "delete",
    "fork",
    "image",
    "audio",
    "embedded",
    "mcp_http",
    "mcp_sse",
    "logout",
)
FACTS = ("title", "name", "version", "protocol", "connector")
# What we add to it ourselves while it is connected.
OURS = frozenset({"needs_login", "quota"})
_LONGEST = 120


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing that changed. Of a capability one side is "yes" and the other empty."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Login:
    """A way to sign in that the agent offers. `kind` is agent, terminal, env_var or any word; empty means agent.

    `args`: what its own command is run with, where that needs a terminal on its machine.
    """

    id: str
    name: str
    description: str
    kind: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skill:
    """A skill that the agent says it has."""

    name: str
    title: str = ""
    description: str = ""


def kept(said: Any) -> dict[str, Any]:
    """The part of a snapshot that is compared and kept."""
    return {key: value for key, value in said.items() if key not in OURS} if isinstance(said, Mapping) else {}


def can(said: Any, capability: str) -> bool:
    """Whether it announced this capability."""
    return isinstance(said, Mapping) and said.get(capability) is True


def fact(said: Any, name: str) -> str:
    """One of its `FACTS` as a short text."""
    return _text(said.get(name)) if isinstance(said, Mapping) else ""


def logins(said: Any) -> tuple[Login, ...]:
    """The ways to sign in, those with an id."""
    methods = said.get("auth_methods") if isinstance(said, Mapping) else None
    found = [one for one in methods if isinstance(one, Mapping)] if isinstance(methods, list) else []
    read = [
        Login(
            _text(m.get("id")),
            _text(m.get("name")),
            _text(m.get("description"), 400),
            _text(m.get("type"), 40),
            tuple(_text(one) for one in m["args"][:20]) if isinstance(m.get("args"), list) else (),
        )
        for m in found[:10]
    ]
    return tuple(login for login in read if login.id)


def skills(said: Any) -> tuple[Skill, ...]:
    """The skills that it says it has, those with a name."""
    listed = said.get("skills") if isinstance(said, Mapping) else None
    found = [one for one in listed if isinstance(one, Mapping)] if isinstance(listed, list) else []
    read = [
        Skill(_text(one.get("name"), 60), _text(one.get("title"), 80), _text(one.get("description"), 300))
        for one in found[:40]
    ]
    return tuple(one for one in read if one.name)


def differences(before: Any, after: Any) -> tuple[Difference, ...]:
    """What changed from one snapshot to the next, in a fixed order."""
    old, new = kept(before), kept(after)
    found = [Difference(name, fact(old, name), fact(new, name)) for name in FACTS if name in old]
    found += [Difference(name, _yes(old, name), _yes(new, name)) for name in CAPABILITIES if name in old]
    if "auth_methods" in old:
        found.append(Difference("logins", _named(old), _named(new)))
    if "skills" in old:
        found.append(Difference("skills", _skilled(old), _skilled(new)))
    return tuple(one for one in found if one.before != one.after)


def _yes(said: Mapping[str, Any], name: str) -> str:
    return "yes" if can(said, name) else ""


def _named(said: Mapping[str, Any]) -> str:
    return ", ".join(login.name or login.id for login in logins(said))


def _skilled(said: Mapping[str, Any]) -> str:
    return _text(", ".join(skill.name for skill in skills(said)), 400)


def _text(value: Any, limit: int = _LONGEST) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    text = " ".join(str(value).split())
    return text if len(text) <= limit else text[: limit - 1] + "…"
