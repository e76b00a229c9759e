"""The size of what is sent to us: refused by its length before it is read, and counted while it is.

`BodyLimit` stands before Django, which would first write a whole body to disk. `CappedUpload` does the same for
the parts of a form inside Django, wherever it is served from.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from django.conf import settings
from django.core.files.uploadhandler import FileUploadHandler

from clawgroups.api.problems import problem_body
from clawgroups.core.errors import TooLarge

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

SLACK = 1024 * 1024  # names, boundaries and the other fields of a form
PAGE = (
    "<!doctype html><html lang=en><meta charset=utf-8><title>Too large</title>"
    "<h1>Too large</h1><p>{message}</p><p>Go back and choose a smaller file; nothing was kept.</p></html>"
)


def too_large() -> TooLarge:
    """The refusal of a body over the limit."""
    limit = settings.MAX_UPLOAD_BYTES
    return TooLarge(f"At most {limit // (1024 * 1024)} MB can be sent at once.", limit=limit)


class _Overflow(Exception):
    """The body went over the limit while Django was reading it."""


class BodyLimit:
    """ASGI middleware: answers 413 instead of reading more than an upload may be."""

    def __init__(self, application: Application) -> None:
        self.application = application

    @property
    def limit(self) -> int:
        """The largest body that is taken, in bytes."""
        return int(settings.MAX_UPLOAD_BYTES) + SLACK

    def refusal(self, accept: bytes) -> tuple[bytes, bytes]:
        """Content type and body of the answer to a larger one, for whoever accepts this."""
        refused = too_large()
        if b"text/html" in accept:
            return b"text/html; charset=utf-8", PAGE.format(message=refused.message).encode()
        return b"application/problem+json", problem_body(refused)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        limit = self.limit
        headers = {key.lower(): value for key, value in scope["headers"]}
        said = headers.get(b"content-length", b"0")
        if said.isdigit() and int(said) > limit:
            await self._refuse(headers, send)
            return
        received = 0
        answered = False

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise _Overflow
            return message

        async def noted(message: Message) -> None:
            nonlocal answered
            answered = True
            await send(message)

        try:
            await self.application(scope, counted, noted)
        except _Overflow:
            if not answered:
                await self._refuse(headers, send)

    async def _refuse(self, headers: dict[bytes, bytes], send: Send) -> None:
        kind, body = self.refusal(headers.get(b"accept", b""))
        length = str(len(body)).encode()
        said = [(b"content-type", kind), (b"content-length", length), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": 413, "headers": said})
        await send({"type": "http.response.body", "body": body})


class CappedUpload(FileUploadHandler):
    """Counts the files of a form while they arrive. Raises `TooLarge`."""

    def __init__(self, request: Any = None) -> None:
        super().__init__(request)
        self.received = 0

    def handle_raw_input(self, input_data: Any, META: Any, content_length: int, *args: Any, **kwargs: Any) -> None:  # noqa: N803
        if content_length > settings.MAX_UPLOAD_BYTES + SLACK:
            raise too_large()

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        self.received += len(raw_data)
        if self.received > settings.MAX_UPLOAD_BYTES:
            raise too_large()
        return raw_data

    def file_complete(self, file_size: int) -> None:
        return None
