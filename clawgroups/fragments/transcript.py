"""What was said and done in the tries of a task: the newest of it, with looks into files joined into one line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db.models.functions import Length

from clawgroups.core.lifecycle import ATTEMPT_LIVE
from clawgroups.models import Attempt, Part, Step

NEWEST = 200  # entries of a try that its page shows at a time
LOOKS = frozenset({"read", "search", "fetch"})
FEWEST = 3  # looks that are joined
MOST_SAID = 20_000  # characters of a message that are shown
MOST_TOLD = 300_000  # characters of all messages of a page: Markdown of more takes longer than anybody waits


@dataclass(frozen=True, slots=True)
class Looks:
    """Several steps in a row that only looked at something."""

    steps: tuple[Step, ...]

    @property
    def first(self) -> Step:
        return self.steps[0]

    @property
    def reads(self) -> int:
        return sum(1 for step in self.steps if step.kind == "read")

    @property
    def others(self) -> int:
        return len(self.steps) - self.reads


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a transcript: something said, something done, or several looks."""

    ordinal: int
    part: Part | None = None
    step: Step | None = None
    looks: Looks | None = None


@dataclass(frozen=True, slots=True)
class Try:
    """An attempt, and what was said and done in it as far as it is shown. `earlier`: how many entries come before."""

    attempt: Attempt
    entries: tuple[Entry, ...] = ()
    earlier: int = 0
    later: int = 0
    total: int = 0

    @property
    def first(self) -> int:
        """From which on it is shown: what comes before that is on the page before."""
        return self.entries[0].ordinal if self.entries else 0

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        begun, ended = self.attempt.begun_at or self.attempt.offered_at, self.attempt.ended_at
        return (ended - begun).total_seconds() if ended is not None else None


@dataclass(frozen=True, slots=True)
class Transcript:
    """The tries of a task: the present one as it goes, those before with how they came out."""

    present: Try | None
    past: tuple[Try, ...]


def transcript_of(attempts: Sequence[Attempt]) -> Transcript:
    """The present try, or the last one that something was said in; and those before it without their words."""
    told = [one for one in attempts if _has_words(one) or (one.state in ATTEMPT_LIVE and one.member.agent_id)]
    if not told:
        return Transcript(None, ())
    present = told[-1]
    past = tuple(Try(one) for one in reversed(told[:-1]))
    return Transcript(try_of(present), past)


def try_of(attempt: Attempt, before: int | None = None) -> Try:
    """The newest entries of a try, or the newest of those before an ordinal."""
    parts, steps = attempt.parts.all(), attempt.steps.all()
    total = parts.count() + steps.count()
    shown = _shown(attempt, before)
    first = shown[0].ordinal if shown else 0
    earlier = parts.filter(ordinal__lt=first).count() + steps.filter(ordinal__lt=first).count() if shown else 0
    return Try(attempt, tuple(joined(shown)), earlier, max(0, total - earlier - len(shown)), total)


def _shown(attempt: Attempt, before: int | None) -> list[Entry]:
    """The newest entries before an ordinal: at most `NEWEST`, and so many that a page of them is made in time."""
    upto = {} if before is None else {"ordinal__lt": before}
    parts = attempt.parts.filter(**upto).order_by("-ordinal", "-pk").values_list("ordinal", "pk", Length("text"))
    steps = attempt.steps.filter(**upto).order_by("-ordinal").values_list("ordinal", "pk")
    found = [(ordinal, False, pk, min(length, MOST_SAID)) for ordinal, pk, length in parts[:NEWEST]]
    found += [(ordinal, True, pk, 0) for ordinal, pk in steps[:NEWEST]]
    found.sort(key=lambda one: one[:2])
    kept, told = list[tuple[int, bool, UUID, int]](), 0
    for one in reversed(found[-NEWEST:]):
        told += one[3]
        if kept and told > MOST_TOLD:
            break
        kept.append(one)
    # Over the attempt, so that each part and step knows it without being asked.
    said = attempt.parts.filter(pk__in=[pk for _, is_step, pk, _ in kept if not is_step]).in_bulk()
    done = attempt.steps.defer("detail").filter(pk__in=[pk for _, is_step, pk, _ in kept if is_step]).in_bulk()
    return [
        Entry(ordinal, step=done[pk]) if is_step else Entry(ordinal, part=said[pk])
        for ordinal, is_step, pk, _ in reversed(kept)
        if pk in (done if is_step else said)
    ]


def joined(entries: Sequence[Entry]) -> list[Entry]:
    """Looks in a row as one entry. The last ones stay as they are: one watches them come."""
    made: list[Entry] = []
    row: list[Step] = []

    def close(*, last: bool = False) -> None:
        if len(row) >= FEWEST and not last:
            made.append(Entry(row[-1].ordinal, looks=Looks(tuple(row))))
        else:
            made.extend(Entry(step.ordinal, step=step) for step in row)
        row.clear()

    for entry in entries:
        if entry.step is not None and entry.step.kind in LOOKS and entry.step.status == "completed":
            row.append(entry.step)
            continue
        close()
        made.append(entry)
    close(last=bool(entries) and _goes_on(entries[-1]))
    return made


def _goes_on(entry: Entry) -> bool:
    """Whether its try is under way, so that more may come after this entry."""
    return entry.step is not None and entry.step.attempt.state in ATTEMPT_LIVE


def _has_words(attempt: Attempt) -> bool:
    """A person works in the editor; only what they asked an agent stands here."""
    return attempt.parts.exists() or attempt.steps.exists()
