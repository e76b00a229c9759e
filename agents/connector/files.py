"""The server's files over HTTP, with the standard library: list, download, upload. Blocking; run it in a
thread.
"""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import mimetypes
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import IO, BinaryIO, TypeVar

from agents.connector import route

TIMEOUT = 30.0
_BLOCK = 1024 * 1024
_LISTING_LIMIT = 16 * 1024 * 1024
_PROBLEM_LIMIT = 64 * 1024
_PASSING = frozenset({408, 425, 429})

T = TypeVar("T")


class Unavailable(OSError):
    """It did not work this time; another try may."""


class Rejected(Exception):
    """The server said no, and would say so again."""


class TooLate(Rejected):
    """What it belongs to had moved on: the server keeps it as evidence, which changes nothing."""


@dataclass(frozen=True)
class RemoteFile:
    """A file of a session as the server lists it."""

    name: str
    sha256: str
    url: str


@dataclass(frozen=True)
class Store:
    """Where a session's files are, and the key that opens them."""

    url: str
    key: str

    def list(self) -> list[RemoteFile]:
        """What the server has for this session."""
        with self._open(self._request(self.url)) as response:
            body = response.read(_LISTING_LIMIT + 1)
        try:
            return [
                RemoteFile(str(item["name"]), str(item["sha256"]), urllib.parse.urljoin(self.url, str(item["url"])))
                for item in json.loads(body)["files"]
            ]
        except (ValueError, KeyError, TypeError) as problem:
            raise Unavailable("the server's list of files cannot be read") from problem

    def download(self, remote: RemoteFile, out: BinaryIO) -> None:
        """Write a file's content to `out`; raises Unavailable when it is not what the list promised."""
        digest = hashlib.sha256()
        with self._open(self._request(remote.url)) as response:
            while block := response.read(_BLOCK):
                digest.update(block)
                out.write(block)
        if digest.hexdigest() != remote.sha256:
            raise Unavailable(f"{remote.name} arrived incomplete or changed")

    def upload(self, name: str, body: BinaryIO) -> None:
        """Store a file, open at its beginning, under `name`."""
        url = f"{self.url.rstrip('/')}/{urllib.parse.quote(name)}"
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        headers = {"Content-Type": kind, "Content-Length": str(os.fstat(body.fileno()).st_size)}
        with self._open(self._request(url, method="PUT", data=body, headers=headers)):
            pass

    def _request(
        self, url: str, *, method: str = "GET", data: IO[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> urllib.request.Request:
        if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
            raise Rejected(f"{url} is not a web address")
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})  # noqa: S310
        if _origin(url) == _origin(self.url):
            request.add_unredirected_header("Authorization", f"Bearer {self.key}")
        return request

    @contextmanager
    def _open(self, request: urllib.request.Request) -> Iterator[http.client.HTTPResponse]:
        try:
            with route.opener(request.full_url).open(request, timeout=TIMEOUT) as opened:
                yield opened
        except urllib.error.HTTPError as problem:
            with problem:
                message = f"{request.get_method()} was answered {problem.code}"
                if problem.code == 409 and _is_kept(problem):
                    raise TooLate(message) from None
            if problem.code >= 500 or problem.code in _PASSING:
                raise Unavailable(message) from None
            raise Rejected(message) from None
        except http.client.HTTPException as problem:
            raise Unavailable(f"no proper answer: {problem!r}") from None


def _is_kept(problem: urllib.error.HTTPError) -> bool:
    """Whether a 409 says that the file came too late and is kept all the same."""
    with suppress(OSError, ValueError, http.client.HTTPException):
        said = json.loads(problem.read(_PROBLEM_LIMIT))
        return isinstance(said, dict) and said.get("code") == "stale_attempt" and bool(said.get("kept_as"))
    return False


def _origin(url: str) -> tuple[str, str]:
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.netloc


async def in_thread(work: Callable[[], T]) -> T:
    """Run blocking work in a thread that does not hold up the end of the program."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()

    def settle(result: T | None, problem: BaseException | None) -> None:
        if future.done():
            return
        if problem is not None:
            future.set_exception(problem)
        else:
            future.set_result(result)  # type: ignore[arg-type]

    def run() -> None:
        result: T | None = None
        problem: BaseException | None = None
        try:
            result = work()
        except BaseException as raised:  # noqa: BLE001 - it belongs to the one who waits
            problem = raised
        # The loop may be closed by now: then nobody waits.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(settle, result, problem)

    threading.Thread(target=run, name="clawgroups-files", daemon=True).start()
    return await future
