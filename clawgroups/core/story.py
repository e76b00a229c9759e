"""The story of a task: journal entries as sentences, grouped by whose hands it was in. Pure.

Every type of event that is about a task has a sentence here, or stands in `LEFT_OUT`; a test holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from clawgroups.core.fold import State, fold, task_row

Json = Mapping[str, Any]
SOMEBODY = "Somebody"
NOBODY = "nobody"

# What stands on the page itself, step by step, or says too little to be told.
OF_WORDS = frozenset(f"message.{what}" for what in ("posted", "edited", "removed", "reacted", "unreacted"))
OF_FILES = frozenset({"artifact.pinned", "artifact.unpinned"})
LEFT_OUT = frozenset({"step.recorded", "attempt.plan_ticked", "attempt.progress_reported"}) | OF_WORDS | OF_FILES
# What a run's own events do to its tasks.
OF_THE_RUN = frozenset({"run.paused", "run.resumed", "run.cancelled", "run.failed"})


@dataclass(frozen=True, slots=True)
class Told:
    """A journal entry of a task, as it was written."""

    seq: int
    at: datetime
    type: str
    payload: Json
    actor: Json


@dataclass(frozen=True, slots=True)
class Known:
    """What rows say of what entries only name; keys are ids as text."""

    members: Mapping[str, str] = field(default_factory=dict)
    users: Mapping[int, str] = field(default_factory=dict)
    # Attempt -> its member, and what is said of it at certain events: {type: (line, ...)}.
    workers: Mapping[str, str] = field(default_factory=dict)
    said: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)

    def name(self, member: Any) -> str:
        """Of a seat."""
        return self.members.get(str(member), SOMEBODY)

    def worker(self, attempt: Any) -> str:
        """Whose an attempt is."""
        return self.workers.get(str(attempt), SOMEBODY)

    def of(self, type_: str, key: Any) -> tuple[str, ...]:
        """The bodies of an event of this type about this row."""
        return self.said.get((type_, str(key)), ())


@dataclass(frozen=True, slots=True)
class Hands:
    """A task at a moment: its state, whose hands it is in, and the epoch that fences them."""

    state: str
    who: str
    epoch: int

    def as_json(self) -> dict[str, Any]:
        return {"state": self.state, "hands": self.who, "epoch": self.epoch}


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


@dataclass(frozen=True, slots=True)
class Telling:
    """What a sentence is made of: the entry's facts, who did it, how the task stood before, and what rows know."""

    said: Json
    who: str
    before: Hands
    known: Known

    def __getitem__(self, key: str) -> Any:
        return self.said.get(key)

    @property
    def member(self) -> str:
        return self.known.name(self["member_id"])

    @property
    def worker(self) -> str:
        return self.known.worker(self["attempt_id"])


Sentence = Callable[[Telling], tuple[str, tuple[str, ...]]]


def _plain(text: str) -> Sentence:
    """A sentence with {who}, {member} and {worker} in it."""

    def make(told: Telling) -> tuple[str, tuple[str, ...]]:
        return text.format(who=told.who, member=told.member, worker=told.worker, **_words(told.said)), ()

    return make


def _words(said: Json) -> dict[str, str]:
    names = ("reason", "name", "option", "value", "kind")
    return {name: str(said.get(name) or "").rstrip(".") for name in names}


def _with(type_: str, key: str, text: str) -> Sentence:
    """A plain sentence, and what rows have to say to it."""
    plain = _plain(text)

    def make(told: Telling) -> tuple[str, tuple[str, ...]]:
        return plain(told)[0], told.known.of(type_, told[key])

    return make


def _ready(told: Telling) -> tuple[str, tuple[str, ...]]:
    return ("It can be begun." if told.before.state == "waiting" else "It is ready again."), ()


def _assigned(told: Telling) -> tuple[str, tuple[str, ...]]:
    why = told.known.of("task.assigned", told["attempt_id"])
    return f"{told.who} gave it to {told.member}{': ' + ', '.join(why) if why else ''}.", ()


def _returned(told: Telling) -> tuple[str, tuple[str, ...]]:
    lines = told.known.of("verdicts", told["attempt_id"])
    return f"{told.who} sent the result of {told.worker} back.", (*(told["reasons"] or ()), *lines)


def _taken_over(told: Telling) -> tuple[str, tuple[str, ...]]:
    former = told.known.name(told["former_id"]) if told["former_id"] else ""
    reason = (str(told["reason"]),) if told["reason"] else ()
    how = told["how"]
    if how == "forced":
        return f"{told.member} took it from {former}, as an admin may.", reason
    if how == "offered":
        return f"{told.member} took it over: it had lain idle with {former}.", ()
    if how == "passed":
        return f"It passed from {former} to {told.member}, with the draft.", ()
    if how == "accepted":
        return f"{told.member} was asked to do it, and took it.", ()
    if not told["superseded_id"] and told.before.state != "held" and told.who != told.member:
        return f"It is back in the hands of {told.member}.", ()
    stopped = told.known.worker(told["superseded_id"]) if told["superseded_id"] else ""
    return f"{told.member} took it over{' from ' + stopped if stopped not in ('', told.member) else ''}.", ()


def _handed_back(told: Telling) -> tuple[str, tuple[str, ...]]:
    to = f", for {told.known.name(told['to_id'])}" if told["to_id"] else ""
    return f"{told.member} handed it back{to}.", told.known.of("task.handed_back", told["epoch"])


def _declined(told: Telling) -> tuple[str, tuple[str, ...]]:
    said = "was asked and did not answer" if told["silent"] else "was asked and said “not this one”"
    back = f"; it is back with {told.known.name(told['back_to'])}" if told["back_to"] else ""
    return f"{told.member} {said}{back}.", (str(told["reason"]),) if told["reason"] else ()


def _delegated(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.member} asked {told.known.name(told['to_id'])} instead.", (str(told["note"]),) if told[
        "note"
    ] else ()


def _split(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.who} cut it into {len(told['parts'] or ())} parts, which it waits for.", ()


def _parked(told: Telling) -> tuple[str, tuple[str, ...]]:
    return (str(told["reason"]) if told["reason"] else "It does not wait for that any more."), ()


STEERED = {
    "end_turn": "answered", "refusal": "refused", "error": "could not answer", "withdrawn": "is not asked any more",
    "cancelled": "was stopped before it had answered", "cut_off": "went away before it had answered",
}  # fmt: skip


def _steered(told: Telling) -> tuple[str, tuple[str, ...]]:
    when = "" if told["when"] == "now" else ", for after the step under way"
    return f"{told.who} asked the agent{when}.", told.known.of("steer", told["command_id"])


def _steer_answered(told: Telling) -> tuple[str, tuple[str, ...]]:
    offered = f"; its words are offered as version {told['draft']} of the draft" if told["draft"] else ""
    return f"The agent {STEERED.get(str(told['outcome']), 'ran into a limit')}{offered}.", ()


def _draft_saved(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.who} changed the draft, version {told['version']}.", ()


def _artifact(told: Telling) -> tuple[str, tuple[str, ...]]:
    if told["kind"] == "late":
        return f"A file came late and is kept beside the task: {told['name']}.", ()
    return f"{told.who} added the file {told['name']}.", ()


def _control_asked(told: Telling) -> tuple[str, tuple[str, ...]]:
    note, holder = told.known.of("control.asked", told["request_id"]), told.known.name(told["holder_id"])
    offered = told["how"] == "offered"
    return (f"{holder} offered it to {told.member}." if offered else f"{told.member} asked {holder} for it."), note


def _control_answered(told: Telling) -> tuple[str, tuple[str, ...]]:
    outcome, word = told["outcome"], told.known.of("control.answered", told["request_id"])
    if outcome == "granted":
        return f"{told.who} took it as it was offered." if told.who == told.member else f"{told.who} agreed.", ()
    if outcome == "refused":
        return f"{told.who} said “not now”.", word
    if outcome == "withdrawn":
        return f"{told.who} took that back.", ()
    return f"The request of {told.member} is void: the task moved on.", ()


SENTENCES: Mapping[str, Sentence] = {
    "task.ready": _ready,
    "task.assigned": _assigned,
    "task.assignee_chosen": _plain("{who} chose {member} for it."),
    "task.begun": _plain("{worker} began."),
    "task.submitted": _plain("{worker} handed in a result."),
    "task.returned": _returned,
    "task.done": _with("verdicts", "attempt_id", "{who} accepted the result of {worker}: it is done."),
    "task.taken_over": _taken_over,
    "task.handed_back": _handed_back,
    "task.declined": _declined,
    "task.delegated": _delegated,
    "task.released": _plain("The try of {worker} ended: {reason}."),
    "task.stuck": _plain("It is stuck: {reason}."),
    "task.parked": _parked,
    "task.failed": _plain("It failed: {reason}."),
    "task.cancelled": _plain("{who} cancelled it."),
    "task.regenerated": _plain("{who} wrote it anew; it may be tried again."),
    "task.split": _split,
    "task.paused": _plain("{who} paused it."),
    "task.resumed": _plain("{who} let it go on."),
    "task.stopped": _plain("{who} had {member} stopped."),
    "task.late_result_adopted": _plain("{who} took up the late result of {member}."),
    "attempt.acknowledged": _with("attempt.acknowledged", "attempt_id", "{worker} read what had changed, and said so."),
    "attempt.late_result_kept": _plain("A result of {worker} came late; it is kept, and changed nothing."),
    "attempt.stop_confirmed": _plain("{worker} confirmed the stop."),
    "attempt.contact_lost": _plain("Contact with {worker} was lost."),
    "attempt.contact_restored": _plain("{worker} was back, and went on."),
    "attempt.quiet": _plain("{worker} showed no sign of progress."),
    "attempt.stirred": _plain("{worker} showed progress again."),
    "attempt.stop_unconfirmed": _plain("{worker} did not confirm the stop; its writes are refused."),
    "attempt.steered": _steered,
    "attempt.steer_answered": _steer_answered,
    "session.option_set": _plain("{who} set {option} of the agent's session to {value}."),
    "draft.saved": _draft_saved,
    "draft.file_removed": _plain("{who} took {name} out of the draft."),
    "approval.requested": _with("approval.requested", "approval_id", "{worker} asked a person."),
    "approval.decided": _with("approval.decided", "approval_id", "{who} answered."),
    "approval.expired": _plain("Nobody answered in time; the agent was told “no”."),
    "approval.voided": _plain("What the agent had asked is not decided any more."),
    "artifact.added": _artifact,
    "memory.kept": _plain("{who} kept a note for the workspace out of it."),
    "control.asked": _control_asked,
    "control.answered": _control_answered,
    "run.paused": _plain("{who} paused the run."),
    "run.resumed": _plain("{who} let the run go on."),
    "run.cancelled": _plain("{who} cancelled the run, and with it this task."),
    "run.failed": _plain("The run failed: {reason}."),
}
