"""What a prompt brings along beside its text, by what the agent takes: pictures, small texts, links to the rest.

It is put in when the prompt is sent, so that no row holds a file's bytes.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote
from uuid import UUID

from django.conf import settings

from agents.protocol import acp
from clawgroups.core.errors import NotFound
from clawgroups.models import Session
from clawgroups.services.artifacts import WorkFile, work_files
from clawgroups.services.files import open_file

# All of it fits into one frame.
MAX_IMAGE = 2 * 1024 * 1024
MAX_IMAGES = 4
MAX_TEXT = 48 * 1024
MAX_TEXTS = 20
IMAGES = frozenset({"image/png", "image/jpeg", "image/gif", "image/webp"})

Block = dict[str, Any]


def filled(session_id: UUID, blocks: list[Block], *, takes: Mapping[str, bool], has_workdir: bool) -> list[Block]:
    """The blocks of a prompt as this agent gets them.

    Behind a connector with a work folder the files lie there, and only pictures, which few agents look at in a
    folder, are sent along. Any other agent gets small texts whole and a link to the rest.
    """
    named = [block for block in blocks if block.get("type") == "resource_link"]
    if not named or not (takes.get("image") or not has_workdir):
        return blocks
    session = Session.objects.select_related("attempt", "attempt__task").get(pk=session_id)
    files = {file.name: file for file in work_files(session)}
    left = {"image": MAX_IMAGES, "embedded": MAX_TEXTS}
    found: list[Block] = []
    for block in blocks:
        file = files.get(str(block.get("uri"))) if block in named else None
        found += [block] if file is None else _of_file(session_id, block, file, takes, left, has_workdir)
    return found


def _of_file(
    session_id: UUID, link: Block, file: WorkFile, takes: Mapping[str, bool], left: dict[str, int], has_workdir: bool
) -> list[Block]:
    picture = file.content_type in IMAGES and file.size <= MAX_IMAGE and takes.get("image") and left["image"]
    if picture and (data := _bytes(file)) is not None:
        left["image"] -= 1
        shown = acp.image_block(base64.b64encode(data).decode(), file.content_type)
        return [_linked(session_id, link, has_workdir), acp.plain(shown)]
    if has_workdir:
        return [link]
    text = _text(file) if takes.get("embedded") and file.size <= MAX_TEXT and left["embedded"] else None
    if text is None:
        return [_linked(session_id, link, has_workdir)]
    left["embedded"] -= 1
    address = str(_linked(session_id, link, has_workdir)["uri"])
    return [acp.plain(acp.text_resource(address, text, file.content_type))]


def _linked(session_id: UUID, link: Block, has_workdir: bool) -> Block:
    """The link as this agent can follow it: by its name in the work folder, or at our address, by its session's key."""
    if has_workdir:
        return link
    return {**link, "uri": f"{settings.BASE_URL}/api/v1/sessions/{session_id}/files/{quote(str(link['uri']))}"}


def _bytes(file: WorkFile) -> bytes | None:
    if file.text is not None:
        return file.text
    try:
        with open_file(file.sha256) as stream:
            return stream.read()
    except NotFound:
        return None


def _text(file: WorkFile) -> str | None:
    """The file as text; None for what is none."""
    data = _bytes(file)
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None
