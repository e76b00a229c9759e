"""What a connector says of the machine that it runs on: what its owner allows there, and what was decided there.

Both are facts to be shown. A connector may say anything, and nothing of it is authority here.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from agents.protocol import version
from agents.protocol.peer import JsonObject
from agents.protocol.reading import as_object, as_text, tool_call
from agents.protocol.updates import ToolCall
from clawgroups.core import machine_policy
from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError
from clawgroups.core.shrinking import shrunk_text
from clawgroups.core.transcript import DecidedThere
from clawgroups.gateway.reads import Held
from clawgroups.ingest import patiently
from clawgroups.services import contact
from clawgroups.services.perform import perform_async

log = logging.getLogger(__name__)

MOST_POLICIES = 5
"""That one socket may say: a connector says its own once."""
MOST_PATH = 1000
WORDS = {
    ("allowed", "rule"): "Allowed by its owner's rules",
    ("rejected", "rule"): "Rejected by its owner's rules",
    ("allowed", "owner"): "Allowed by its owner, at the machine",
    ("rejected", "owner"): "Rejected by its owner, at the machine",
    ("asked", "owner"): "Its owner is asked, at the machine",
}
FOR_GOOD = " for good"


class Allowance:
    """Keeps what one socket says that its owner allows."""

    def __init__(self, held: Held, actor: Actor) -> None:
        self._held = held
        self._actor = actor
        self._said: Mapping[str, Any] | None = None
        self._times = 0

    async def keep(self, params: JsonObject) -> None:
        """Keep it with the link, unless it is no news, or there is too much of it."""
        said = machine_policy.kept(params)
        if said == self._said or self._times >= MOST_POLICIES:
            return
        self._said, self._times = said, self._times + 1
        try:
            await patiently(perform_async, contact.policy_told, self._held.link, epoch=self._held.epoch, policy=said)
        except ClawError:
            log.info("could not keep what the owner of agent %s allows", self._held.agent_id)


def where_it_works(answer: JsonObject, *, is_told: bool) -> JsonObject:
    """The answer to a request that opened a session, with the folder in it that a connector has told, if one did.

    What an agent says of it itself is left out: rules go by it. `is_told`: the connector makes the folders.
    """
    meta = as_object(answer.get("_meta"))
    ours = dict(as_object(meta.get(version.META_KEY)))
    folder = as_text(ours.pop(version.META_CWD, None))
    if is_told:
        ours[version.META_CWD] = folder if len(folder) <= MOST_PATH else ""
    return {**answer, "_meta": {**meta, version.META_KEY: ours}}


def read_decision(params: JsonObject) -> tuple[str, ToolCall | None, DecidedThere] | None:
    """The agent's id of the session, what it asked for, and how that was answered; None for no decision of ours."""
    given = as_object(params.get("toolCall"))
    how = WORDS.get((as_text(params.get("answer")), as_text(params.get("by"))))
    if how is None:
        return None
    if as_text(params.get("option")).endswith("_always"):
        how += FOR_GOOD
    call = tool_call(given)
    what = shrunk_text(as_text(given.get("title")) or as_text(given.get("toolCallId")), 300)
    rule = shrunk_text(as_text(params.get("rule")), 300)
    text = " ".join(f"{how}: {what}".split()) + (f" ({' '.join(rule.split())})" if rule else "")
    return (
        as_text(params.get("sessionId")),
        call,
        DecidedThere(text + "\n", "" if call is None else call.tool_call_id, as_text(params.get("answer"))),
    )
