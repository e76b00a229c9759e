"""Bytes on their way out, read piece by piece and never on the event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator, Iterator
from typing import BinaryIO

from django.core.handlers.asgi import ASGIRequest
from django.http import HttpRequest, StreamingHttpResponse

from clawgroups.services.perform import read_async

PIECE = 256 * 1024


class Pieces(Iterator[bytes]):
    """What is in an open file from `begin` on, or `length` bytes of it. Closed with the response, also unread."""

    def __init__(self, opened: BinaryIO, begin: int = 0, length: int | None = None) -> None:
        opened.seek(begin)
        self._opened, self._left = opened, length

    def __next__(self) -> bytes:
        if self._opened.closed:
            raise StopIteration
        piece = self._opened.read(PIECE if self._left is None else min(PIECE, self._left))
        if not piece:
            self.close()
            raise StopIteration
        if self._left is not None:
            self._left -= len(piece)
        return piece

    def close(self) -> None:
        self._opened.close()


class _Apart(AsyncIterator[bytes]):
    """The same, each piece read in a thread of ours."""

    def __init__(self, pieces: Pieces | Generator[bytes, None, None]) -> None:
        self._pieces = pieces

    async def __anext__(self) -> bytes:
        if piece := await read_async(next, self._pieces, b""):
            return piece
        raise StopAsyncIteration

    def close(self) -> None:
        self._pieces.close()


def streamed(request: HttpRequest, pieces: Pieces | Generator[bytes, None, None]) -> StreamingHttpResponse:
    """A response of these pieces, each made when the one before it has gone out; none of them is empty."""
    return StreamingHttpResponse(_Apart(pieces) if isinstance(request, ASGIRequest) else pieces)
