"""One real SGLang server for all of these tests, and how they ask it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from agents.llm import client
from agents.llm.base import Endpoint, Message, Mode, Reply, Request
from tests.model.serving import install, launch
from tests.model.serving.launch import ModelServer

KEY, ADMIN_KEY = "for-requests-0123", "for-administration-0123"
# Seconds for one test on a slow machine: the first one waits for the server as well, and a run has a plan to wait for.
SLOWEST = 1200
_numbers = itertools.count(1)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        item.add_marker(pytest.mark.timeout(SLOWEST))


@pytest.fixture(scope="session")
def server() -> Iterator[ModelServer]:
    """The server, with keys, as one that others can reach should be."""
    there = install.ready() and install.model_folder().exists()
    assert there, "Run these tests by `make test-model`, which installs what they need."
    with launch.running(launch.tiny(install.model_folder()), key=KEY, admin_key=ADMIN_KEY) as running:
        print(f"\nSGLang's server answered after {running.took:.0f} s and holds {running.memory() / 2**30:.1f} GiB.")
        yield running


@pytest.fixture
def endpoint(server: ModelServer) -> Endpoint:
    """The server as the product would be told of it, at its own temperatures."""
    return Endpoint(provider="sglang", url=f"{server.url}/v1", model=server.name, key=server.key)


class Talk:
    """Asks the server by our client. Its prompts begin as no other's do, so that no other warms the cache for them."""

    def __init__(self, endpoint: Endpoint) -> None:
        # The likeliest word each time: the same question has the same answer.
        self.endpoint = dataclasses.replace(endpoint, extra={"temperature": 0})
        self.system = Message("system", f"Room {next(_numbers)} plans the work of a team by region and in good order.")

    def request(self, *said: Message | str, **more: Any) -> Request:
        messages = [Message("user", part) if isinstance(part, str) else part for part in said]
        return Request((self.system, *messages), **{"max_output": 1_000, **more})

    def ask(self, *said: Message | str, streaming: bool = True, **more: Any) -> Reply:
        return client.ask(self.endpoint, self.request(*said, **more), streaming=streaming)


@pytest.fixture
def talk(endpoint: Endpoint) -> Talk:
    return Talk(endpoint)


def answered(reply: Reply, *, thought: bool = True) -> Message:
    """A reply as the turn of the conversation that it becomes."""
    return Message("assistant", reply.text, reasoning=reply.reasoning if thought else "", calls=reply.calls)


MODES = list(Mode)
