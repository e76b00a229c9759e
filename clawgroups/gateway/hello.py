"""Who knocks: the upgrade request of an agent's socket, and what the agent announces of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from agents.protocol import version
from agents.protocol.acp import AgentSnapshot
from agents.protocol.card import announced_card
from clawgroups.core.announced import CAPABILITIES
from clawgroups.core.shrinking import shrink, shrunk_text

MOST_SKILLS = 20


@dataclass(frozen=True, slots=True)
class Hello:
    """What the headers say. Without the extension "link" every socket is a link of its own."""

    authorization: str | None
    link: UUID
    extensions: frozenset[str]
    client: Mapping[str, str]

    @property
    def is_connector(self) -> bool:
        """Whether it understands `_clawgroups/*` messages and remembers what it was not acknowledged."""
        return version.EXTENSION_LINK in self.extensions

    @property
    def has_workdir(self) -> bool:
        """Whether it carries files between a session and the server."""
        return version.EXTENSION_WORKDIR in self.extensions

    @property
    def has_policy(self) -> bool:
        """Whether it tells what its owner allows, and what was decided there."""
        return self.is_connector and version.EXTENSION_POLICY in self.extensions

    @property
    def hands_tools_on(self) -> bool:
        """Whether it hands the workspace's tools to its agent in a way that the agent takes, whichever that is."""
        return version.EXTENSION_TOOLS in self.extensions


def read_hello(scope: Mapping[str, Any]) -> Hello:
    """Read an ASGI scope's headers. Cookies and Origin play no part."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    said = {one.strip() for one in headers.get(version.HEADER_EXTENSIONS.lower(), "").split(",")}
    extensions = said & set(version.EXTENSIONS)
    link = _uuid(headers.get(version.HEADER_LINK.lower(), ""))
    if link is None:
        extensions.discard(version.EXTENSION_LINK)
    client = {
        "connector": shrunk_text(headers.get(version.HEADER_CONNECTOR.lower(), ""), 80),
        "os": shrunk_text(headers.get(version.HEADER_OS.lower(), ""), 80),
        "name": shrunk_text(headers.get(version.HEADER_NAME.lower(), ""), 80),
        "address": str((scope.get("client") or [""])[0]),
    }
    is_link = version.EXTENSION_LINK in extensions
    return Hello(
        authorization=headers.get("authorization"),
        link=link if link is not None and is_link else uuid4(),
        extensions=frozenset(extensions),
        client=client,
    )


def announced(snapshot: AgentSnapshot) -> dict[str, Any]:
    """What is kept of an agent's answer to `initialize`: to be shown, and to choose what it is sent."""
    return {
        "protocol": snapshot.protocol_version,
        "name": shrunk_text(snapshot.name, 120),
        "title": shrunk_text(snapshot.title, 120),
        "version": shrunk_text(snapshot.version, 80),
        **{name: getattr(snapshot, name) for name in CAPABILITIES},
        "auth_methods": [shrink(method, 4000) for method in snapshot.auth_methods[:10]],
        "skills": _skills(snapshot),
    }


def _skills(snapshot: AgentSnapshot) -> list[dict[str, str]]:
    """The skills that it says it has, to be suggested to its owner; nothing is given to it for that."""
    meta = snapshot.raw.get("_meta")
    card = announced_card(meta.get(version.META_KEY) if isinstance(meta, dict) else None)
    return [
        {
            "name": shrunk_text(skill.id, 60),
            "title": shrunk_text(skill.name, 80),
            "description": shrunk_text(skill.description, 300),
        }
        for skill in card.skills[:MOST_SKILLS]
    ]


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
