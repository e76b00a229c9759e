"""A model that says what it was told to say: in the place of `agents.llm.client.ask`, without any server."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from agents.llm.base import Endpoint, Fault, FaultKind, Reply, Request, Usage

# Text, JSON to be said as text, a whole reply, or a fault to be raised.
Said = str | Mapping[str, Any] | Reply | Fault


class Scripted:
    """Answers from a list, whose last is given again and again, or from a function of the request.

    `asked` keeps every request and `endpoints` what was asked, in order. May be used by several threads.
    """

    def __init__(self, answers: Iterable[Said] | Callable[[Request], Said]) -> None:
        self._answer = answers if callable(answers) else None
        self._list = [] if callable(answers) else list(answers)
        self._guard = threading.Lock()
        self.asked: list[Request] = []
        self.endpoints: list[Endpoint] = []

    def __call__(
        self,
        endpoint: Endpoint,
        request: Request,
        *,
        wanted: Callable[[], bool] = lambda: True,
        streaming: bool = True,
    ) -> Reply:
        """As `agents.llm.client.ask`. What is not wanted is not answered."""
        with self._guard:
            self.asked.append(request)
            self.endpoints.append(endpoint)
        if not wanted():
            raise Fault(FaultKind.ABORTED, "Nobody wants the answer any more.")
        said = self._next(request)
        if isinstance(said, Fault):
            raise Fault(said.kind, str(said), again_in=said.again_in, usage=said.usage)
        return said if isinstance(said, Reply) else _reply(endpoint, request, said)

    def _next(self, request: Request) -> Said:
        if self._answer is not None:
            return self._answer(request)
        with self._guard:
            if not self._list:
                raise Fault(FaultKind.UNREACHABLE, "The script has no answer.")
            return self._list.pop(0) if len(self._list) > 1 else self._list[0]


def _reply(endpoint: Endpoint, request: Request, said: str | Mapping[str, Any]) -> Reply:
    """A reply with tokens counted at four characters each."""
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    prompt = sum(len(message.text) for message in request.messages) // 4
    usage = Usage(prompt=max(1, prompt), completion=max(1, len(text) // 4))
    raw = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
    return Reply(text, finish="stop", usage=usage, model=endpoint.model, raw=raw, first=0.001, took=0.002)
