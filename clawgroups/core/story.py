"""The story of a task: journal entries as sentences, grouped by whose hands it was in. Pure.

Every type of event that is about a task has a sentence in `core.sentences`, or stands in `LEFT_OUT`; a test holds it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from clawgroups.core.fold import State, fold, task_row
from clawgroups.core.sentences import SENTENCES
from clawgroups.core.telling import NOBODY, SOMEBODY, Hands, Known, Sentence, Telling, Told

# What stands on the page itself, step by step, or says too little to be told.
OF_WORDS = frozenset(f"message.{what}" for what in ("posted", "edited", "removed", "reacted", "unreacted"))
OF_FILES = frozenset({"artifact.pinned", "artifact.unpinned"})
LEFT_OUT = frozenset({"step.recorded", "attempt.plan_ticked", "attempt.progress_reported"}) | OF_WORDS | OF_FILES
# What a run's own events do to its tasks.
OF_THE_RUN = frozenset({"run.paused", "run.resumed", "run.cancelled", "run.failed"})


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that happened: a sentence, by whom, what was said with it, and what it changed."""

    seq: int
    at: datetime
    type: str
    sentence: str
    who: str
    on_behalf: str
    details: tuple[str, ...]
    before: Hands
    after: Hands
    # Of a draft: its attempt, and the versions between which it was changed.
    draft: tuple[str, int, int] | None = None

    @property
    def moved(self) -> bool:
        return self.before != self.after

    def as_json(self) -> dict[str, Any]:
        said = {"seq": self.seq, "at": self.at.isoformat().replace("+00:00", "Z"), "type": self.type}
        said |= {"sentence": self.sentence, "actor": self.who, "on_behalf_of": self.on_behalf or None}
        said |= {"details": list(self.details), "before": self.before.as_json(), "after": self.after.as_json()}
        if self.draft is not None:
            attempt, first, last = self.draft
            said["draft"] = {"attempt": attempt, "from": first, "to": last}
        return said


@dataclass(frozen=True, slots=True)
class Chapter:
    """A stretch of time in the same hands. `kind`: working, held, in_review, over, or idle (nobody's)."""

    kind: str
    who: str
    since: datetime
    until: datetime | None
    lines: tuple[Line, ...]

    @property
    def seconds(self) -> float | None:
        return None if self.until is None else (self.until - self.since).total_seconds()

    def as_json(self) -> dict[str, Any]:
        until = self.until and self.until.isoformat().replace("+00:00", "Z")
        said = {"kind": self.kind, "who": self.who, "since": self.since.isoformat().replace("+00:00", "Z")}
        return {**said, "until": until, "lines": [line.as_json() for line in self.lines]}


def tell(task_id: str, run_id: str, entries: Iterable[Told], known: Known) -> tuple[Chapter, ...]:
    """The story of a task, oldest first. Entries that say nothing about it are passed over."""
    state: State = {"workspace": {}, "members": {}, "runs": {}, "approvals": {}}
    state["tasks"] = {task_id: task_row(run_id, "waiting")}
    lines: list[Line] = []
    for entry in entries:
        make = SENTENCES.get(entry.type)
        if make is None or not _is_about(entry, task_id, run_id):
            continue
        before = _hands(state, task_id, known)
        state = fold(state, [{"type": entry.type, "payload": entry.payload}])
        _add(lines, _line(entry, make, before, _hands(state, task_id, known), known))
    return _chapters(lines)


def _is_about(entry: Told, task_id: str, run_id: str) -> bool:
    if entry.type in OF_THE_RUN:
        return bool(entry.payload.get("run_id") == run_id)
    return bool(entry.payload.get("task_id") == task_id)


def _hands(state: State, task_id: str, known: Known) -> Hands:
    row = state["tasks"][task_id]
    at_it = row["state"] in ("assigned", "working")
    member = row["holder"] or (row["assignee"] if at_it else None)
    return Hands(row["state"], known.name(member) if member else NOBODY, row["epoch"])


def _line(entry: Told, make: Sentence, before: Hands, after: Hands, known: Known) -> Line:
    actor = entry.actor
    behalf = known.users.get(actor.get("on_behalf_of") or -1, "")
    who = str(actor.get("name") or SOMEBODY)
    sentence, details = make(Telling(entry.payload, who, before, known))
    draft = None
    if entry.type == "draft.saved":
        version = int(entry.payload["version"])
        draft = (str(entry.payload["attempt_id"]), max(version - 1, 1), version)
    return Line(entry.seq, entry.at, entry.type, sentence, who, behalf, details, before, after, draft)


def _add(lines: list[Line], line: Line) -> None:
    """A draft that is saved again and again is told of once, from its first to its last version."""
    last = lines[-1] if lines else None
    if (
        last is None
        or line.draft is None
        or last.draft is None
        or (last.draft[0], last.who) != (line.draft[0], line.who)
    ):
        lines.append(line)
        return
    first, version = last.draft[1], line.draft[2]
    sentence = f"{line.who} changed the draft, version {first} to {version}."
    lines[-1] = replace(line, sentence=sentence, before=last.before, draft=(line.draft[0], first, version))


def _chapters(lines: list[Line]) -> tuple[Chapter, ...]:
    found: list[list[Line]] = []
    for line in lines:
        if found and _place(found[-1][-1].after) == _place(line.after):
            found[-1].append(line)
        else:
            found.append([line])
    ends = [one[0].at for one in found[1:]]
    chapters = []
    for number, one in enumerate(found):
        kind, who = _place(one[-1].after)
        over = kind == "over"
        until = ends[number] if number < len(ends) else one[0].at if over else None
        chapters.append(Chapter(kind, who, one[0].at, until, tuple(one)))
    return tuple(chapters)


def _place(hands: Hands) -> tuple[str, str]:
    if hands.state in ("done", "failed", "cancelled"):
        return "over", NOBODY
    if hands.state in ("held", "in_review"):
        return hands.state, hands.who
    return ("working", hands.who) if hands.who != NOBODY else ("idle", NOBODY)
