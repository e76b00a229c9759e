"""Messages as the API shows them, and what is found by words."""

from __future__ import annotations

from typing import Any

from clawgroups.api import shown
from clawgroups.api.shown import Json, columns, moment
from clawgroups.fragments.messages import signs_on
from clawgroups.models import Message, MessageFile, MessageVersion
from clawgroups.services.search import Found, FoundFile


def message(row: Message) -> Json:
    """One that was taken back has no words, files and signs: `removed_at` says so."""
    said = columns(row, "id", "body", "actor", "created_at", "edited_at", "removed_at")
    signs = [] if row.removed_at else signs_on(row)
    return {
        **said,
        "task": str(row.task_id) if row.task_id else None,
        "member": shown.seat(row.member),
        "reply_to": str(row.reply_to_id) if row.reply_to_id else None,
        "files": [file(one) for one in row.files.all()],
        "reactions": [{"sign": one.sign, "members": [shown.seat(member) for member in one.members]} for one in signs],
    }


def file(row: MessageFile) -> Json:
    return {
        **columns(row, "id", "name", "size", "sha256", "content_type"),
        "url": f"/api/v1/message-files/{row.pk}/content",
    }


def version(row: MessageVersion) -> Json:
    return columns(row, "number", "body", "said_at")


def found(group: Found) -> Json:
    """A kind of what was found: enough of each to tell it, and where it is."""
    return {"items": [_ROWS[group.kind](row) for row in group.rows], "more": group.more}


def _message(row: Message) -> Json:
    said = columns(row, "id", "body", "actor", "created_at")
    return {**said, "task": str(row.task_id) if row.task_id else None}


def _task(row: Any) -> Json:
    return {**columns(row, "id", "key", "title", "state", "created_at"), "run": str(row.run_id)}


def _file(row: FoundFile) -> Json:
    where = "" if row.message is None else str(row.message.pk)
    return {**columns(row, "name", "size", "by", "url"), "at": moment(row.at), "message": where or None}


def _run(row: Any) -> Json:
    return columns(row, "id", "goal", "state", "created_at")


_ROWS: dict[str, Any] = {"messages": _message, "tasks": _task, "files": _file, "runs": _run}


def thread(row: Any) -> Json:
    """A task with how much was said about it, and when and what was said last."""
    newest = str(row.newest) if row.newest else None
    return {**_task(row), "lines": row.lines, "newest": newest, "newest_at": moment(row.newest_at)}
