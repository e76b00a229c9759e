"""One try of a verb: the task, who is about, and what there is to give it, chosen by the step's own chance."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.utils import timezone

from agents.ids import new_id
from clawgroups.models import Artifact, Command, ControlRequest, Draft, Member, Task
from clawgroups.queries import asked_now
from clawgroups.services.asked_for import LIVING
from clawgroups.services.files import StoredFile

if TYPE_CHECKING:
    from tests.machine.acts import Acts

About = dict[str, frozenset[UUID]]
NAMES = ("data.bin", "more.bin")


@dataclass(frozen=True)
class Case:
    """`agent` and `person` are names of somebody else, `pick` is any number."""

    acts: Acts
    task_id: UUID
    who: str
    agent: str
    person: str
    pick: int

    # Whose it is

    def anybody(self) -> str:
        return self.who

    def holder(self) -> str:
        return self._name(Task.objects.values_list("holder_id", flat=True).get(pk=self.task_id))

    def asked(self) -> str:
        """Who is asked for the task."""
        return self._name(asked_now(Task.objects.get(pk=self.task_id), timezone.now()))

    def answerer(self) -> str:
        """Whose a request or an offer is to answer."""
        row = self._request()
        return self.who if row is None else self._name(row.holder_id if row.state == "open" else row.member_id)

    def asker(self) -> str:
        """Whose a request or an offer is."""
        row = self._request()
        return self.who if row is None else self._name(row.member_id if row.state == "open" else row.holder_id)

    def _name(self, seat: UUID | None) -> str:
        row = Member.objects.select_related("user").filter(pk__in=[seat]).first()
        return row.user.username if row is not None and row.user is not None else self.who

    def seat(self, name: str) -> UUID:
        return self.acts.seat(name).pk

    # What it is about

    def task(self) -> UUID:
        return self.task_id

    def request(self) -> UUID | None:
        row = self._request()
        return None if row is None else row.pk

    def _request(self) -> ControlRequest | None:
        """Somebody's request for this task: mostly one that is not answered."""
        rows = list(ControlRequest.objects.filter(task=self.task_id).order_by("asked_at", "pk"))
        living = [row for row in rows if row.state in LIVING]
        row: ControlRequest | None = self.one_of(*(living if living and self.pick % 7 else rows))
        return row

    # What is given

    def one_of(self, *rows: Any) -> Any:
        """One of these; None of none."""
        return rows[self.pick % len(rows)] if rows else None

    def epoch(self, less: int) -> int:
        return max(Task.objects.values_list("epoch", flat=True).get(pk=self.task_id) - less, 0)

    def type(self, after: str = "") -> str:
        """Words that nobody has typed before."""
        return self.acts.typed(self.who, after)

    def text_for_other(self) -> dict[str, Any]:
        """What stands in the editor of who grants a request; who takes an offer has no part in the text."""
        row = self._request()
        return {"text": self.type()} if row is not None and row.state == "open" and self.pick % 2 else {}

    def version(self, kinds: Iterable[str] = ("own", "offered", "kept")) -> int | None:
        """The newest version of this attempt's text, an older one, or none."""
        rows = Draft.objects.filter(attempt__task=self.task_id, attempt__ended_at=None, kind__in=list(kinds))
        known = list(rows.order_by("-version").values_list("version", flat=True))
        version: int | None = self.one_of(*known[:1], *known[:1], *known[1:3], None)
        return version

    def goes_on(self, name: str) -> dict[str, Any]:
        """What was kept, and more: as the editor sends it that goes on from there."""
        row = self._kept()
        return {name: self.type()} if row is None else {name: self.type(row.text), "kept": row.version}

    def choice(self) -> dict[str, Any]:
        row = self._kept()
        return {"kept": row.version if row else 1, "choice": self.one_of("mine", "newer", "both")}

    def _kept(self) -> Draft | None:
        mine = Draft.objects.filter(attempt__task=self.task_id, attempt__member=self.acts.seat(self.who), kind="kept")
        return mine.order_by("-attempt__number", "-version").first()

    def file(self) -> StoredFile:
        """A file of one of two names. Its bytes are nowhere: nobody reads what is no text."""
        return made_file(self.one_of(*NAMES), str(self.pick // 2 % 5))

    def revision(self) -> UUID | None:
        """What an edit of that file began from: the newest revision, an older one, or none."""
        rows = Artifact.objects.filter(task=self.task_id, name=self.one_of(*NAMES), kind="draft", removed_at=None)
        known = list(rows.order_by("-created_at", "-pk").values_list("pk", flat=True))
        found: UUID | None = self.one_of(*known[:2], None)
        return found

    def any_revision(self) -> UUID:
        return self.revision() or new_id()

    def steered(self) -> UUID:
        """Something that was asked in this task."""
        rows = Command.objects.filter(attempt__task=self.task_id, purpose="steer").order_by("-created_at", "-pk")
        going = list(rows.filter(state__in=["open", "sent"]).values_list("pk", flat=True))
        found: UUID | None = self.one_of(*(going or list(rows.values_list("pk", flat=True)[:3])))
        return found or new_id()


def about(workspace_id: UUID) -> About:
    """Of which tasks there is something now: a request, something asked of an agent, a kept text, a draft's file, a
    person who is asked."""
    here = Task.objects.filter(workspace=workspace_id)
    held = here.filter(state="held")
    asked = [task.pk for task in here.filter(state="ready") if asked_now(task, timezone.now()) is not None]
    found: dict[str, Iterable[UUID]] = {
        "request": held.filter(control_requests__state__in=LIVING).values_list("pk", flat=True),
        "steer": Command.objects.filter(
            purpose="steer", state__in=["open", "sent"], attempt__task__in=held, attempt__ended_at=None
        ).values_list("attempt__task_id", flat=True),
        "kept": Draft.objects.filter(kind="kept", attempt__task__in=held).values_list("attempt__task_id", flat=True),
        "file": Artifact.objects.filter(
            kind="draft", removed_at=None, attempt__ended_at=None, task__in=held
        ).values_list("task_id", flat=True),
        "asked": asked,
    }
    return {name: frozenset(pk for pk in rows if pk is not None) for name, rows in found.items()}


def made_file(name: str, content: str) -> StoredFile:
    return StoredFile(name, len(content), hashlib.sha256(content.encode()).hexdigest(), "application/octet-stream")
