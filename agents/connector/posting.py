"""One question to the server over HTTP, and what became of it in plain words. Blocking."""

from __future__ import annotations

import http.client
import json
import socket
import urllib.error
import urllib.request
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from agents.connector import faults, route

TIMEOUT = 30.0
_LIMIT = 64 * 1024


@dataclass(frozen=True)
class Answer:
    """What came back; `said` is empty where it is no JSON object."""

    status: int
    said: dict[str, Any]
    location: str = ""


class Unanswered(Exception):
    """No answer, and what to do: `passing` where another try may have one, `arrived` where the question may have come
    through all the same.
    """

    def __init__(self, text: str, *, passing: bool = False, arrived: bool = False) -> None:
        super().__init__(text)
        self.passing, self.arrived = passing, arrived


def post(url: str, body: dict[str, Any]) -> Answer:
    """Send JSON to a web address. Raises Unanswered."""
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers, method="POST")  # noqa: S310
    try:
        return _sent(request)
    except (OSError, http.client.HTTPException, ValueError) as problem:
        raise _unanswered(url, problem) from None


def _sent(request: urllib.request.Request) -> Answer:
    try:
        with route.opener(request.full_url).open(request, timeout=TIMEOUT) as response:
            return _answer(response.status, response)
    except urllib.error.HTTPError as refused:
        with refused:
            return _answer(refused.code, refused, refused.headers.get("Location") or "")


def _answer(status: int, response: Any, location: str = "") -> Answer:
    body = response.read(_LIMIT)
    with suppress(ValueError, RecursionError):
        said = json.loads(body)
        if isinstance(said, dict):
            return Answer(status, said, location)
    return Answer(status, {}, location)


def _unanswered(url: str, problem: Exception) -> Unanswered:
    """What to tell of a question that was not answered. Raises Wrong for a proxy that cannot be used."""
    cause = problem.reason if isinstance(problem, urllib.error.URLError) else problem
    refused = isinstance(cause, ConnectionRefusedError)
    if isinstance(cause, http.client.HTTPException | ConnectionError) and not refused:
        text = f"{faults.place(url)} broke off without a proper answer: check the address, and start the line again"
        return Unanswered(text, passing=True, arrived=True)
    fault = faults.explain(problem, url)
    nowhere = isinstance(cause, socket.gaierror) and cause.errno != socket.EAI_AGAIN
    return Unanswered(
        fault.text,
        passing=isinstance(cause, OSError) and not fault.elsewhere and not nowhere,
        arrived=isinstance(cause, TimeoutError),
    )
