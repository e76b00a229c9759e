"""The story of a task for its page and for scripts: its journal entries, joined with what rows say to them.

Entries are found by a scan over the task's life. What was found once is kept: entries never change, and the next
reader looks only at those that came since.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.db.models import Max, Q

from agents.protocol.version import META_KEY
from clawgroups.core.sentences import SENTENCES
from clawgroups.core.story import OF_THE_RUN, Chapter, Line, tell
from clawgroups.core.telling import Known, Told
from clawgroups.journal import Head, head_of
from clawgroups.models import Approval, Attempt, Command, ControlRequest, Entry, Member, Task
from clawgroups.permissions import may_see_event

KEPT = 200  # stories
AFTERWARDS = timedelta(minutes=5)
LONGEST = 2_000  # entries of one, the newest


@dataclass(frozen=True, slots=True)
class Story:
    """The chapters of a task's life, oldest first; `cut` when its beginning is too long ago to be told."""

    chapters: tuple[Chapter, ...]
    cut: bool = False

    @property
    def lines(self) -> tuple[Line, ...]:
        return tuple(line for chapter in self.chapters for line in chapter.lines)

    @property
    def latest(self) -> tuple[Line, ...]:
        """The last few lines, newest last."""
        return self.lines[-6:]

    def as_json(self) -> dict[str, Any]:
        return {"chapters": [one.as_json() for one in self.chapters], "cut": self.cut}


def story_of(task: Task, role: str) -> Story:
    """The story as a member of this role may read it."""
    entries = [one for one in entries_of(task) if may_see_event(role, one.type)]
    told = entries[-LONGEST:]
    chapters = tell(str(task.pk), str(task.run_id), told, _known(task, told, role))
    return Story(chapters, cut=len(told) < len(entries))


_kept: OrderedDict[UUID, tuple[int, int, tuple[Told, ...]]] = OrderedDict()
_lock = threading.Lock()


def entries_of(task: Task) -> tuple[Told, ...]:
    """The journal's entries of a task that have a sentence, in order."""
    head = head_of(task.workspace_id)
    with _lock:
        generation, upto, known = _kept.get(task.pk, (head.generation, 0, ()))
    if generation != head.generation:
        upto, known = 0, ()
    last = head.seq if task.ended_at is None else _first_since(task, head, _over(task, task.ended_at))
    if upto < last:
        first = upto + 1 if upto else _first_since(task, head, task.created_at)
        known = (*known, *_scan(task, head.generation, first, last))
        with _lock:
            _kept[task.pk] = (head.generation, last, known)
            _kept.move_to_end(task.pk)
            while len(_kept) > KEPT:
                _kept.popitem(last=False)
    return known


def _scan(task: Task, generation: int, first: int, last: int) -> list[Told]:
    about = Q(type__in=SENTENCES.keys() - OF_THE_RUN, payload__task_id=str(task.pk))
    about |= Q(type__in=OF_THE_RUN, payload__run_id=str(task.run_id))
    here = Entry.objects.filter(workspace=task.workspace_id, generation=generation, seq__range=(first, last))
    columns = ("seq", "at", "type", "payload", "actor")
    return [Told(*row) for row in here.filter(about).order_by("seq").values_list(*columns)]


def _over(task: Task, ended: datetime) -> datetime:
    """From when on nothing more is told of a task that has ended; what came late, and was stopped late, is."""
    late = task.attempts.aggregate(at=Max("late_at"))["at"]
    return max(ended, late or ended) + AFTERWARDS


def _first_since(task: Task, head: Head, moment: datetime) -> int:
    """The first entry that is not older than this: the journal is in the order of time, so it is halved."""
    low, high = 1, head.seq
    here = Entry.objects.filter(workspace=task.workspace_id, generation=head.generation)
    while low < high:
        middle = (low + high) // 2
        at = here.filter(seq=middle).values_list("at", flat=True).first()
        low, high = (middle + 1, high) if at is not None and at < moment else (low, middle)
    return low


def _known(task: Task, entries: Sequence[Told], role: str) -> Known:
    attempts = list(task.attempts.select_related("member").order_by("number"))
    workers = {str(one.pk): one.member.name for one in attempts}
    members = {str(one.member_id): one.member.name for one in attempts}
    wanted = _named(entries, "member_id", "former_id", "to_id", "back_to", "holder_id") - members.keys()
    members |= {str(pk): name for pk, name in Member.objects.filter(pk__in=wanted).values_list("pk", "name")}
    users = {one.actor["on_behalf_of"] for one in entries if one.actor.get("on_behalf_of")}
    people = {user.pk: user.get_full_name() or user.username for user in User.objects.filter(pk__in=users)}
    said = _of_attempts(task, attempts) | _of_requests(entries) | _of_prompts(entries)
    if may_see_event(role, "approval.requested"):
        said |= _of_approvals(entries)
    return Known(members, people, workers, said)


def _named(entries: Iterable[Told], *keys: str) -> set[str]:
    return {str(value) for one in entries for key in keys if (value := one.payload.get(key))}


Said = dict[tuple[str, str], tuple[str, ...]]


def _of_attempts(task: Task, attempts: Sequence[Attempt]) -> Said:
    said: Said = {}
    for one in attempts:
        key = str(one.pk)
        said["verdicts", key] = tuple(_verdict(line) for line in one.verdicts if isinstance(line, dict))
        if one.acknowledgement:
            said["attempt.acknowledged", key] = (one.acknowledgement[:500],)
        # The hand-back before it: its note stands in what this one was told.
        _note(said, one.epoch - 1, one.brief)
    _note(said, task.epoch, task.brief)
    chosen = task.match.get("chosen") if isinstance(task.match, dict) else None
    if attempts and isinstance(chosen, dict) and chosen.get("member") == str(attempts[-1].member_id):
        reasons = tuple(map(str, chosen.get("reasons") or ()))[:3]
        said["task.assigned", str(attempts[-1].pk)] = reasons
    return said


def _note(said: Said, epoch: int, brief: Any) -> None:
    back = brief.get("handback") if isinstance(brief, dict) else None
    if isinstance(back, dict):
        said.setdefault(("task.handed_back", str(epoch)), (str(back["note"]),) if back.get("note") else ())


def _verdict(line: dict[str, Any]) -> str:
    by = f" ({line['by']})" if line.get("by") else ""
    why = f": {line['reason']}" if line.get("reason") else ""
    return f"{line.get('line', '')} – {line.get('finding', '')}{why}{by}"


def _of_requests(entries: Sequence[Told]) -> Said:
    ids = _named([one for one in entries if one.type.startswith("control.")], "request_id")
    said: Said = {}
    rows = ControlRequest.objects.filter(pk__in=ids).values_list("pk", "note", "answer") if ids else ()
    for pk, note, answer in rows:
        said["control.asked", str(pk)] = (note,) if note else ()
        said["control.answered", str(pk)] = (answer,) if answer else ()
    return said


def _of_prompts(entries: Sequence[Told]) -> Said:
    ids = _named([one for one in entries if one.type == "attempt.steered"], "command_id")
    rows = Command.objects.filter(pk__in=ids).values_list("pk", "params") if ids else ()
    return {("steer", str(pk)): (_prompt(params),) for pk, params in rows}


def _prompt(params: Any) -> str:
    meta = params.get("_meta") if isinstance(params, dict) else None
    own = meta.get(META_KEY) if isinstance(meta, dict) else None
    if isinstance(own, dict) and own.get("said"):
        # What the person said, without what was put around it.
        return str(own["said"])[:500]
    blocks = params.get("prompt") if isinstance(params, dict) else None
    texts = [str(block.get("text", "")) for block in blocks or () if isinstance(block, dict)]
    return " ".join(texts).strip()[:500]


def _of_approvals(entries: Sequence[Told]) -> Said:
    ids = _named([one for one in entries if one.type.startswith("approval.")], "approval_id")
    said: Said = {}
    for row in Approval.objects.filter(pk__in=ids) if ids else ():
        title = str(row.tool_call.get("title") or "")[:500]
        said["approval.requested", str(row.pk)] = (title,) if title else ()
        chosen = next((str(o.get("name") or o["optionId"]) for o in row.options if o["optionId"] == row.option_id), "")
        answer = (row.answer or chosen or row.option_kind)[:500]
        said["approval.decided", str(row.pk)] = (answer,) if answer else ()
    return said
