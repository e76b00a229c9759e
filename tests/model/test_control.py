"""Requests that are no longer wanted end at the server, and what matters more goes first."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from agents.llm import client
from agents.llm.base import Endpoint, Fault, FaultKind, Request
from agents.llm.providers import body
from tests.model.conftest import ADMIN_KEY, Talk
from tests.model.serving.launch import ModelServer
from tests.stories.waiting import until

ABORTED = "sglang:num_aborted_requests_total"
RUNNING, QUEUED = "sglang:num_running_reqs", "sglang:num_queue_reqs"
SOON = 60.0


def endless(endpoint: Endpoint) -> Endpoint:
    """Answers from it go on to the limit of their output; at its own temperature they do not go round in circles."""
    return dataclasses.replace(endpoint, extra={"ignore_eos": True})


def idle(server: ModelServer) -> None:
    until(lambda: server.metric(RUNNING) + server.metric(QUEUED) == 0, seconds=SOON, what="an idle server")


@pytest.mark.parametrize("streaming", [True, False], ids=["streamed", "whole"])
def test_what_is_no_longer_wanted_ends_at_the_server(talk: Talk, server: ModelServer, streaming: bool) -> None:
    idle(server)
    before = server.metric(ABORTED)
    stop = threading.Event()

    def watch() -> None:
        until(lambda: server.metric(RUNNING) >= 1, seconds=SOON, what="the request at the server")
        stop.set()

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.monotonic()
    request = talk.request("Count.", max_output=30_000)
    with pytest.raises(Fault) as ended:
        client.ask(endless(talk.endpoint), request, wanted=lambda: not stop.is_set(), streaming=streaming)
    watcher.join()
    assert ended.value.kind is FaultKind.ABORTED
    assert time.monotonic() - begun < SOON
    until(lambda: server.metric(ABORTED) == before + 1, seconds=SOON, what="the request counted as aborted")
    idle(server)


def test_a_try_can_be_ended_by_its_id_with_the_key_of_the_administration(talk: Talk, server: ModelServer) -> None:
    idle(server)
    rid = "run-1-plan-0"
    said = body(endless(talk.endpoint), talk.request("Count.", max_output=30_000, rid=rid), streaming=False)
    with ThreadPoolExecutor(1) as other:
        asking = other.submit(server.post, "/v1/chat/completions", said)
        until(lambda: server.metric(RUNNING) >= 1, seconds=SOON, what="the request at the server")
        assert server.post("/abort_request", {"rid": rid})[0] == 401
        assert server.post("/abort_request", {"rid": rid}, key=ADMIN_KEY)[0] == 200
        status, answer = asking.result(SOON)
    assert status == 200
    assert answer["id"] == rid
    assert answer["choices"][0]["finish_reason"] == "abort"
    assert 0 < answer["usage"]["completion_tokens"] < 30_000
    idle(server)


class Crowd:
    """Many requests at once, whose order of ending is noted."""

    def __init__(self) -> None:
        self.ended: list[str] = []
        self.over = threading.Event()
        self._threads: list[threading.Thread] = []

    def add(self, name: str, ask: Callable[[Callable[[], bool]], object]) -> threading.Thread:
        def run() -> None:
            # Those that are still asking in the end are aborted.
            with suppress(Fault):
                ask(lambda: not self.over.is_set())
                self.ended.append(name)

        thread = threading.Thread(target=run)
        self._threads.append(thread)
        thread.start()
        return thread

    def disperse(self) -> None:
        self.over.set()
        for thread in self._threads:
            thread.join(SOON)


def test_a_plan_overtakes_what_waits_and_what_is_being_written(talk: Talk, server: ModelServer) -> None:
    """It finds the server full: eight are being answered, sixteen wait."""
    idle(server)
    crowd = Crowd()
    slow = endless(talk.endpoint)

    def asking(request: Request) -> Callable[[Callable[[], bool]], object]:
        return lambda wanted: client.ask(slow, request, wanted=wanted)

    try:
        for number in range(24):
            crowd.add(f"match {number}", asking(talk.request(f"Match {number}.", max_output=3_000, priority=10)))
        until(lambda: server.metric(QUEUED) >= 12, seconds=SOON, what="a queue")
        plan = crowd.add("plan", asking(talk.request("Plan.", max_output=60, priority=100)))
        least = crowd.add("batch", asking(talk.request("Batch.", max_output=60, priority=0)))
        plan.join(SOON)
        assert "plan" in crowd.ended
        assert len(crowd.ended) <= 9, crowd.ended
        assert least.is_alive()
    finally:
        crowd.disperse()
    idle(server)
