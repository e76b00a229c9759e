"""T25 at the client: whatever a model or its server says ends in a reply or in a fault, in bounded time."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

import pytest

from agents.llm.base import Endpoint, Fault, FaultKind, Message, Mode, Reply, Request, Tool
from agents.llm.client import ask
from agents.llm.repair import json_of, mend
from tests.llm.bad_outputs import KINDS, bad_completions, bad_messages, bad_texts
from tests.llm.fake_server import FakeServer
from tests.llm.flavours import Answer

SEEDS = (1, 2)
TOOL = Tool("assign_task", "Gives a task.", {"type": "object", "properties": {"agent": {"type": "string"}}})
PLAIN = Request((Message("user", "Plan it."),), mode=Mode.INSTANT, tools=(TOOL,))
PLANNED = Request((Message("user", "Plan it."),), schema={"type": "object"})


def storable(reply: Reply) -> None:
    """It can go to the database and back over the wire."""
    kept = [reply.text, reply.reasoning, reply.raw, [(call.id, call.name, call.arguments) for call in reply.calls]]
    text = json.dumps(kept, ensure_ascii=False, allow_nan=False)
    # Neither NUL itself nor its escape (a backslash that is written out is two).
    assert not re.search(r"(?<!\\)(\\\\)*\\u0000", text)
    text.encode("utf-8")


def test_there_are_more_than_five_hundred_of_every_kind_and_the_same_for_a_seed() -> None:
    texts = bad_texts(7)
    assert len(texts) > 500
    assert texts == bad_texts(7) != bad_texts(8)
    assert len({kind.__name__ for kind in KINDS}) == 17


Answered = TypeVar("Answered")


def tried(ask_it: Callable[[], Answered]) -> Answered | Fault:
    """What came of it, and that it came within two seconds of work."""
    began = time.process_time()
    try:
        return ask_it()
    except Fault as fault:
        return fault
    finally:
        assert time.process_time() - began < 2


@pytest.mark.parametrize("seed", SEEDS)
def test_json_of_gives_json_that_can_be_stored_or_a_fault(seed: int) -> None:
    faults = 0
    for text in bad_texts(seed):
        found = tried(partial(json_of, text))
        if isinstance(found, Fault):
            faults += 1
            assert found.kind is FaultKind.MALFORMED
        else:
            json.dumps(found, ensure_ascii=False, allow_nan=False).encode("utf-8")
    assert 100 < faults < 400


@pytest.mark.parametrize("seed", SEEDS)
def test_mending_gives_an_answer_or_a_fault(seed: int) -> None:
    for text in bad_texts(seed):
        for content, reasoning in ((text, ""), ("", text), (text, text)):
            mended = tried(partial(mend, PLAIN, content, reasoning, (), "stop"))
            if isinstance(mended, Fault):
                assert mended.kind is FaultKind.MALFORMED
            else:
                assert mended.text.strip() or mended.calls
                assert all(call.name == "assign_task" for call in mended.calls)


@pytest.mark.parametrize("flavour", ["sglang", "vllm", "openrouter"])
@pytest.mark.parametrize("streaming", [True, False])
def test_bad_messages_over_the_wire_end_in_a_reply_or_a_fault(flavour: str, streaming: bool) -> None:
    messages = bad_messages(3) if flavour == "sglang" and streaming else bad_messages(4)[::5]
    said: list[Answer] = []
    with FakeServer(flavour, lambda body: said[-1], piece=2000) as server:
        endpoint = Endpoint(flavour, server.url, "kimi-k2.6")
        for number, (content, reasoning, calls, finish) in enumerate(messages):
            said.append(Answer(content, reasoning, calls, finish))
            ends_well(endpoint, PLAIN if number % 2 else PLANNED, streaming)


def test_bad_completions_end_in_a_reply_or_a_fault() -> None:
    said: list[Any] = []
    with FakeServer("sglang", lambda body: Answer(raw=said[-1], events=["data: " + json.dumps(said[-1])])) as server:
        endpoint = Endpoint("sglang", server.url, "kimi-k2.6")
        for number, completion in enumerate(bad_completions(5)):
            said.append(completion)
            ends_well(endpoint, PLAIN, bool(number % 2))


def ends_well(endpoint: Endpoint, request: Request, streaming: bool) -> None:
    reply = tried(partial(ask, endpoint, request, streaming=streaming))
    if isinstance(reply, Fault):
        assert reply.kind in (FaultKind.MALFORMED, FaultKind.REQUEST, FaultKind.UNREACHABLE)
        str(reply).encode("utf-8")
    else:
        storable(reply)
        assert reply.text.strip() or reply.calls
        assert reply.usage.prompt >= reply.usage.cached >= 0
