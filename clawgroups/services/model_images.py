"""Images in questions to a model: kept by reference with the question, put in as bytes when it is sent."""

from __future__ import annotations

import base64
from dataclasses import replace
from uuid import UUID

from agents.llm.base import Message, Request
from clawgroups.core.errors import NotFound
from clawgroups.models import Artifact
from clawgroups.services.files import open_file

PREFIX = "artifact:"
MAX_BYTES = 4 * 1024 * 1024
# What models read, by how such a file begins: a name proves nothing.
BEGINS = {
    "image/png": (b"\x89PNG\r\n\x1a\n",),
    "image/jpeg": (b"\xff\xd8\xff",),
    "image/gif": (b"GIF87a", b"GIF89a"),
    "image/webp": (b"RIFF",),
}


def usable(row: Artifact) -> bool:
    """Whether a file can be shown to a model: an image of a usual kind and size."""
    return row.content_type in BEGINS and 0 < row.size <= MAX_BYTES


def reference_of(row: Artifact) -> str:
    """How a stored question names an image: by its row, and by its bytes."""
    return f"{PREFIX}{row.pk}:{row.sha256}"


def inlined(request: Request) -> Request:
    """The request with the images themselves in place of references. One that is gone or is no image is left out."""
    return replace(request, messages=tuple(_inlined(one) for one in request.messages))


def _inlined(message: Message) -> Message:
    if not message.images:
        return message
    found = (_data_url(one) if one.startswith(PREFIX) else one for one in message.images)
    return replace(message, images=tuple(one for one in found if one))


def _data_url(reference: str) -> str:
    pk, _, sha256 = reference.removeprefix(PREFIX).partition(":")
    try:
        row = Artifact.objects.filter(pk=UUID(pk)).first()
        if row is None or not usable(row) or (sha256 and row.sha256 != sha256):
            return ""
        with open_file(row.sha256) as content:
            held = content.read(MAX_BYTES + 1)
    except (ValueError, NotFound, OSError):
        return ""
    if len(held) > MAX_BYTES or not held.startswith(BEGINS[row.content_type]):
        return ""
    return f"data:{row.content_type};base64,{base64.b64encode(held).decode()}"
