"""Testing a model server: asked what it has and what works there, in a thread of its own and not for ever."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any
from uuid import UUID

from agents.llm import client
from agents.llm.base import Checked, Endpoint, Fault
from clawgroups import sealing
from clawgroups.core.actors import Actor
from clawgroups.models import ModelServer
from clawgroups.services.endpoints import endpoint_of
from clawgroups.services.model_servers import get_server

log = logging.getLogger(__name__)
# Seconds. A test is waited for by a person.
LIMIT = 60.0
MAX_MODELS = 200

# What asks; tests put their own in its place.
check: Callable[[Endpoint], Checked] = client.check


def test_server(server_id: UUID, *, actor: Actor) -> dict[str, Any]:
    """Test a server and return what was found, for `model_servers.note_check`. Blocks for `LIMIT` seconds at most.

    What is wrong with the server is no error: `ok` is false, and `said` tells why.
    """
    server = get_server(actor, server_id)
    try:
        endpoint = endpoint_of(server)
    except sealing.Unreadable:
        return _failed(server, "Its key was sealed by another CLAWGROUPS_SECRET_KEY. Enter it again.")
    ended: list[dict[str, Any]] = []
    # A daemon: one that hangs keeps neither the page nor the end of the process waiting.
    thread = threading.Thread(target=lambda: ended.append(_look(server, endpoint)), name="model-test", daemon=True)
    thread.start()
    thread.join(LIMIT)
    return ended[0] if ended else _failed(server, f"It was not done with the test within {LIMIT:.0f} seconds.")


def _look(server: ModelServer, endpoint: Endpoint) -> dict[str, Any]:
    try:
        found = check(endpoint)
    except Fault as fault:
        return _failed(server, str(fault) or fault.kind.value)
    except Exception:
        log.exception("The test of the model server %s failed", server.pk)
        return _failed(server, "The test itself failed; the log of the server says where.")
    works = {str(name): bool(works) for name, works in found.works.items()}
    # Without a model it was asked only which ones it has.
    said = found.said if server.model or not found.models else ""
    return {
        "url": server.url,
        "asked": server.model,
        "ok": bool(server.model) and any(works.values()),
        "said": said[:500],
        "models": [str(model)[:200] for model in found.models][:MAX_MODELS],
        "context": found.context,
        "latency": round(found.latency, 3),
        "works": works if server.model else {},
    }


def _failed(server: ModelServer, said: str) -> dict[str, Any]:
    return {
        "url": server.url,
        "asked": server.model,
        "ok": False,
        "said": said[:500],
        "models": [],
        "context": None,
        "latency": 0.0,
        "works": {},
    }
