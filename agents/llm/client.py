"""Asking a model: one question, one answer or a fault, whatever the server does. Synchronous; no state is kept.

A server that fails in a known way is asked once or twice again: without streaming when a stream brought nothing, in
instant mode when thinking brought no answer (`agents.llm.repair.again`). All of it stays within the total timeout,
and all of it is in the usage.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from agents.llm.base import Checked, Endpoint, Fault, FaultKind, Mode, Reply, Request, Timeouts, Usage
from agents.llm.cleaning import clean_json
from agents.llm.faults import with_cost
from agents.llm.probing import PROBES, Probe, models_in
from agents.llm.providers import body, mode_of
from agents.llm.reading import LONGEST, Draft, added
from agents.llm.repair import LOOP, again, goes_round, json_of, mend

if TYPE_CHECKING:
    from agents.llm.wire import Exchange

Wanted = Callable[[], bool]

# Asked at most three times in all, and not when there is less time left than that.
TRIES = 3
_LEAST = 2.0
# `wanted` may look into a database: not for every token of a fast model.
_LOOK = 0.25
_NAP = 0.5
# How long a server may take to say what it cost after it has said that it is done.
_USAGE = 5.0
# What servers say of an answer that they did not let come to its end.
_BROKEN = {
    "abort": (FaultKind.UNREACHABLE, "The server broke the answer off."),
    "error": (FaultKind.UNREACHABLE, "The server broke the answer off."),
    "content_filter": (FaultKind.REQUEST, "The provider's filter kept the answer back."),
}
_HOPELESS = (FaultKind.UNREACHABLE, FaultKind.KEY, FaultKind.QUOTA)
# A test is not as patient as a question.
_TEST = Timeouts(connect=5.0, first=45.0, between=45.0, total=60.0)


def _always() -> bool:
    return True


def ask(endpoint: Endpoint, request: Request, *, wanted: Wanted = _always, streaming: bool = True) -> Reply:
    """The model's answer. Raises Fault, and nothing else of its own.

    `wanted` is asked while we wait, at least every second: once it says False, the connection is closed (by which a
    server stops its work) and the fault is `aborted`.
    """
    began = time.monotonic()
    body(endpoint, request)  # What no server could answer is refused before anything is sent.
    tries = _Tries(endpoint, request, wanted, streaming, began, began + endpoint.timeouts.total)
    reply = tries.reply()
    return replace(reply, usage=added(tries.spent, reply.usage), took=time.monotonic() - began)


class _Unheard(Fault):
    """A stream that ended with nothing in it, or without its end: the same question may do in one piece."""


class _Tries:
    """The tries of one question: each costs, and what they cost is summed in `spent`."""

    def __init__(
        self, endpoint: Endpoint, request: Request, wanted: Wanted, streams: bool, began: float, until: float
    ) -> None:
        self._endpoint, self._wanted, self._began, self._until = endpoint, wanted, began, until
        self._request, self._rid, self.streams = request, request.rid, streams
        self.spent = Usage()

    def reply(self) -> Reply:
        no_json: Reply | None = None
        for number in range(1, TRIES + 1):
            try:
                reply = self._once(number)
            except Fault as fault:
                self.spent = added(self.spent, fault.usage)
                if no_json is not None and fault.kind is not FaultKind.ABORTED:
                    return no_json
                if number == TRIES or not self._next(fault):
                    raise with_cost(fault, self.spent) from None
                continue
            if number == TRIES or no_json is not None or not self._is_no_json(reply):
                return reply
            self.spent = added(self.spent, reply.usage)
            no_json = replace(reply, usage=Usage())
        raise AssertionError("the last try returns or raises")

    def _is_no_json(self, reply: Reply) -> bool:
        """Whether it should be JSON and is none, where asking without thinking may help; and so it is asked."""
        if self._request.schema is None or self._request.mode is Mode.INSTANT:
            return False
        try:
            json_of(reply.text)
        except Fault as fault:
            return self._next(fault)
        return False

    def _next(self, fault: Fault) -> bool:
        """Whether there is another form of the question, and time for it; from then on it is asked so."""
        if self._until - time.monotonic() < min(_LEAST, self._endpoint.timeouts.total / 2):
            return False
        if isinstance(fault, _Unheard):
            self.streams = False
            return True
        following = again(self._request, fault)
        if following is not None:
            self._request = following
        return following is not None

    def _once(self, number: int) -> Reply:
        if not self._wanted():
            raise Fault(FaultKind.ABORTED, "Nobody wants the answer any more.")
        # A server that still works on an earlier try refuses its id.
        rid = f"{self._rid}-{number}" if self._rid and number > 1 else self._rid
        request = replace(self._request, rid=rid)
        heard = _Hearing(self._endpoint, request, self._wanted, self.streams, self._until).hear()
        draft = heard.draft
        try:
            mended = mend(request, draft.text, draft.reasoning, draft.calls, draft.finish)
        except Fault as fault:
            unheard = self.streams and heard.whole and not draft.length
            raise with_cost(fault, heard.usage, heard.raw, kind=_Unheard if unheard else Fault) from None
        return Reply(
            text=mended.text,
            reasoning=mended.reasoning,
            calls=mended.calls,
            finish=mended.finish,
            usage=heard.usage,
            model=draft.model,
            raw=heard.raw,
            first=(heard.first or time.monotonic()) - self._began,
        )


@dataclass
class _Heard:
    """What came of one try. `whole`: to its end, and not left by us."""

    draft: Draft
    usage: Usage
    raw: Mapping[str, Any]
    first: float
    whole: bool


class _Hearing:
    """One try: hears what comes, as long as it comes in time and is wanted."""

    def __init__(self, endpoint: Endpoint, request: Request, wanted: Wanted, streams: bool, until: float) -> None:
        self._endpoint, self._wanted, self._streams, self._until = endpoint, wanted, streams, until
        self._said = body(endpoint, request, streaming=streams)
        self._draft = Draft()
        self._raw: Mapping[str, Any] | None = None
        self._began = self._last = self._looked = time.monotonic()
        self._first = 0.0
        self._measured = 0

    def hear(self) -> _Heard:
        exchange = _exchange(self._endpoint, "/chat/completions", self._said, streams=self._streams)
        try:
            whole = self._listen(exchange)
        except Fault as fault:
            broken = self._streams and fault.kind is FaultKind.MALFORMED and not self._draft.length
            raise with_cost(fault, self._usage(), self._came(), kind=_Unheard if broken else Fault) from None
        finally:
            exchange.leave()
        if self._draft.finish in _BROKEN:
            kind, words = _BROKEN[self._draft.finish]
            raise Fault(kind, words, usage=self._usage(), raw=self._came())
        if self._streams and whole and self._draft.length and not self._draft.finish:
            words = "The answer broke off before its end."
            raise _Unheard(FaultKind.MALFORMED, words, usage=self._usage(), raw=self._came())
        return _Heard(self._draft, self._usage(), self._came(), self._first, whole)

    def _came(self) -> Mapping[str, Any]:
        """The server's JSON; of a stream, its pieces put together. Empty when nothing came."""
        if self._raw is not None:
            return self._raw
        return self._draft.raw() if self._draft.length or self._draft.finish else {}

    def _usage(self) -> Usage:
        """What it cost. A server of which nothing came is taken to have done nothing."""
        if not self._draft.length:
            return self._draft.usage or Usage()
        return self._draft.estimated_usage(prompt=len(str(self._said["messages"])))

    def _listen(self, exchange: Exchange) -> bool:
        """Until the end (True), or until it goes round in circles (False)."""
        more = True
        while more:
            wait = self._wait()
            if wait <= 0 and self._draft.finish:
                return True
            more, piece = exchange.piece(wait)
            if piece is not None:
                self._take(piece)
            self._look()
            if self._runs_on():
                return False
        return True

    def _take(self, piece: Any) -> None:
        if not self._streams:
            self._raw = clean_json(piece) if isinstance(piece, Mapping) else {}
            if not self._raw:
                raise Fault(FaultKind.MALFORMED, "The server answered with something that is no JSON.")
        if self._draft.add(piece) or self._draft.finish:
            # Signs of life without a token of the answer are no progress.
            self._last = time.monotonic()
            self._first = self._first or self._last

    def _wait(self) -> float:
        """Seconds to wait for the next piece before we look around. Raises Fault when there are none left.

        Once the server has said that it is done, only the usage is waited for, and not for long: then 0.
        """
        now = time.monotonic()
        times = self._endpoint.timeouts
        left = self._until - now
        if self._streams and self._draft.finish:
            return max(0.0, min(left, self._last + min(_USAGE, times.between) - now))
        if self._streams:
            left = min(left, self._last + times.between - now if self._first else self._began + times.first - now)
        if left <= 0:
            raise Fault(FaultKind.SLOW, self._slow(now))
        return min(left, _NAP)

    def _slow(self, now: float) -> str:
        if now >= self._until:
            return f"The answer was not complete within {self._endpoint.timeouts.total:g} seconds."
        if self._first:
            return f"The server fell silent for {self._endpoint.timeouts.between:g} seconds."
        return f"The server began no answer within {self._endpoint.timeouts.first:g} seconds."

    def _look(self) -> None:
        now = time.monotonic()
        if now - self._looked < _LOOK:
            return
        self._looked = now
        if not self._wanted():
            raise Fault(FaultKind.ABORTED, "Nobody wants the answer any more.")

    def _runs_on(self) -> bool:
        if self._draft.length > LONGEST:
            raise Fault(FaultKind.MALFORMED, "The answer is longer than any answer can be.")
        if not self._streams or self._draft.length - self._measured < LOOP:
            return False
        self._measured = self._draft.length
        return any(goes_round(end) for end in self._draft.newest(LOOP))


def check(endpoint: Endpoint) -> Checked:
    """What an endpoint has and can do, by some small calls. Raises Fault when it cannot be asked at all."""
    endpoint = replace(endpoint, timeouts=_TEST)
    notes: list[str] = []
    models, context = _models(endpoint, notes)
    works = {"streaming": False, "schema": False, "tools": False, "cached": False}
    latency = 0.0
    last: Fault | None = None
    for each in PROBES:
        try:
            reply, streamed = _probed(endpoint, each)
        except Fault as fault:
            if fault.kind in _HOPELESS:
                raise
            last = fault
            notes.append(f"{each.fails} {fault}")
            continue
        latency = latency or reply.first
        works["streaming"] = works["streaming"] or streamed
        works["cached"] = works["cached"] or reply.usage.cached > 0
        if each.name:
            works[each.name] = each.fits(reply)
            notes += [] if works[each.name] else [each.fails]
    if last is not None and not latency:
        raise last
    if not works["cached"]:
        notes.append("It tells nothing of cached tokens.")
    said = " ".join([*notes, mode_of(endpoint, Mode.INSTANT).said]).strip()
    return Checked(models=models, context=context, latency=latency, works=works, said=said)


def _probed(endpoint: Endpoint, each: Probe) -> tuple[Reply, bool]:
    """The answer, and whether it came as a stream."""
    tries = _Tries(endpoint, each.request, _always, True, time.monotonic(), time.monotonic() + _TEST.total)
    reply = tries.reply()
    return replace(reply, usage=added(tries.spent, reply.usage)), tries.streams


def _models(endpoint: Endpoint, notes: list[str]) -> tuple[list[str], int | None]:
    """The models that it offers and the window of ours; a server without such a list may answer all the same."""
    try:
        told = _whole(endpoint, "/models")
    except Fault as fault:
        if fault.kind in _HOPELESS:
            raise
        notes.append(f"It does not tell its models: {fault}")
        return [], None
    models, context = models_in(told, endpoint.model)
    if models and endpoint.model not in models:
        notes.append(f"It has no model {endpoint.model}. It offers {', '.join(models[:5])}.")
    return models, context


def _whole(endpoint: Endpoint, path: str) -> Any:
    exchange = _exchange(endpoint, path, None)
    try:
        more, piece = exchange.piece(_TEST.first)
    finally:
        exchange.leave()
    if more and piece is None:
        raise Fault(FaultKind.SLOW, "It does not answer in time.")
    return piece


def _exchange(endpoint: Endpoint, path: str, said: Mapping[str, Any] | None, *, streams: bool = False) -> Exchange:
    # Not above: importing `openai` takes a second, which only who asks a model pays.
    from agents.llm.wire import Exchange  # noqa: PLC0415

    return Exchange(endpoint, path, said, streams=streams)
