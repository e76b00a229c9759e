"""Judges a round of T21 by what PostgreSQL noted at every commit, and by the rows that are left."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from clawgroups.core.lifecycle import ATTEMPT_OPEN
from clawgroups.models import Approval, Attempt, Draft, Part
from tests.chaos.takeover_phases import Round
from tests.chaos.takeover_witness import Commit, Json, commits

SETTLED = frozenset(state.value for state in ATTEMPT_OPEN)

MARK, SINCE = re.compile(r"\n\n\[What .* has said since:\]\n\n"), "\n\n(since)\n\n"


def faults(at: Round) -> list[str]:
    """Everything that went wrong in a round, as sentences."""
    seen = commits(at.task)
    return [
        f"{at}: {fault}"
        for found in (_controllers(seen), _after(seen), _draft(at, seen), _words(at), _questions(at))
        for fault in found
    ]


def _controllers(seen: Sequence[Commit]) -> Iterator[str]:
    """At every commit at most one controls the task: the open attempt of its epoch; a held one has its holder's."""
    epoch = 0
    for one in seen:
        task, going = one.task, one.open_attempts
        if len(going) > 1:
            yield f"{len(going)} attempts are open at once under epoch {task['epoch']}"
        if task["epoch"] < epoch:
            yield f"the epoch fell from {epoch} to {task['epoch']}"
        epoch = task["epoch"]
        if any(row["epoch"] != epoch or row["id"] != task["attempt_id"] for row in going):
            yield f"an attempt is open that is not the task's, which is {task['state']} under epoch {epoch}"
        if task["state"] == "held" and [row["member_id"] for row in going] != [task["holder_id"]]:
            yield "it is held, and its open attempt is not its holder's"
        if (task["state"] == "held") != (task["holder_id"] is not None):
            yield f"it is {task['state']}, and its holder is {task['holder_id']}"


def _after(seen: Sequence[Commit]) -> Iterator[str]:
    """After the commit point of a takeover nothing of what it ended is written, but what is marked as such."""
    for number, point in enumerate(seen):
        if point.took_over() is None:
            continue
        over = {pk: row for pk, row in point.rows["attempt"].items() if row["state"] not in SETTLED}
        for later in seen[number + 1 :]:
            for what, row in later.wrote:
                before = over.get(str(row["id"])) if what == "attempt" else None
                if before is not None and any(before[name] != row[name] for name in ("state", "result", "plan")):
                    yield f"an attempt that was over became {row['state']} with the result {row['result']!r}"
                if row.get("attempt_id") in over and _counts(what, row):
                    yield f"a {what} was written for an attempt that was over: {row}"


def _counts(what: str, row: Json) -> bool:
    """Whether such a row is what an agent, or a former holder, did, and not evidence of what it still did."""
    match what:
        case "part":
            return not row["after_stop"] and row["kind"] != "prompt"
        case "artifact":
            return row["kind"] in ("result", "draft")
        case "approval":
            return bool(row["state"] in ("open", "decided"))
        case "draft":
            return bool(row["kind"] == "own")
        case _:
            return what == "step"


def _draft(at: Round, seen: Sequence[Commit]) -> Iterator[str]:
    """The first draft of whoever took over is all that stood there at the commit point."""
    for number, point in enumerate(seen):
        entry = point.took_over()
        if entry is None:
            continue
        attempt = entry["payload"]["attempt_id"]
        first = Draft.objects.filter(attempt=attempt).order_by("version").first()
        before = seen[number - 1].rows
        wanted = _texts_at(before)
        if first is None or MARK.sub(SINCE, first.text) not in wanted:
            yield f"the draft begins with {first and first.text!r}; at the commit point there was {wanted!r}"


def _texts_at(rows: dict[str, dict[str, Json]]) -> list[str]:
    """The text that the newest attempt had come to.

    What a person had handed to it stands before its words; those that say that it understood are left out, and only
    its commands know which those are.
    """
    attempts = sorted(rows.get("attempt", {}).values(), key=lambda row: row["number"])
    if not attempts:
        return [""]
    last = attempts[-1]
    drafts = [row for row in _of(rows, "draft", last) if row["kind"] == "own"]
    newest = max(drafts, key=lambda row: row["version"])["text"] if drafts else None
    parts = [row for row in _of(rows, "part", last) if row["kind"] == "text" and not row["after_stop"]]
    said = [row["text"] for row in sorted(parts, key=lambda row: row["ordinal"]) if row["text"].strip()]
    given = (last["brief"] or {}).get("handback", {}).get("draft", "")
    if newest is not None or last["result"]:
        return [str(last["result"] or newest)]
    if not given:
        return ["\n\n".join(said)]
    return [str(given), *(str(given) + SINCE + "\n\n".join(said[first:]) for first in range(len(said)))]


def _of(rows: dict[str, dict[str, Json]], what: str, attempt: Json) -> list[Json]:
    return [row for row in rows.get(what, {}).values() if row["attempt_id"] == attempt["id"]]


def _words(at: Round) -> Iterator[str]:
    """Whatever the agent said stands somewhere, once and in order: before the stop, or after it."""
    tries = Attempt.objects.filter(task_id=at.task, member=at.room.seats[at.worker]).order_by("number")
    first: Any = tries.first()
    parts = Part.objects.filter(attempt=first, kind="text").order_by("ordinal") if at.said else []
    there = "".join(part.text for part in parts)
    if there != "".join(at.said):
        yield f"the agent said {''.join(at.said)!r}, and there is {there!r}"


def _questions(at: Round) -> Iterator[str]:
    """No question is left open, and none is answered by a person after the stop."""
    for one in Approval.objects.filter(task_id=at.task, state="open"):
        yield f"the question {one.request_id} is still open"
