"""The pages' socket: one per browser, for as many workspaces and attempts as the page shows (design.md 6)."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from uuid import UUID

from clawgroups.core.errors import Invalid, NotFound
from clawgroups.models import Member
from clawgroups.permissions import TEAM, get_attempt, get_task, may_see_words, require, seat_of
from clawgroups.realtime.entrance import Seats, Visitor
from clawgroups.realtime.feed import KINDS
from clawgroups.realtime.follower import Follower, FragmentFollower, NeedsFollower
from clawgroups.realtime.frames import Frame, encode
from clawgroups.realtime.place import enter_page, identifier, number, place_of
from clawgroups.realtime.room import NEEDS
from clawgroups.realtime.socket import Socket
from clawgroups.services.perform import read_arriving, read_async
from clawgroups.services.preferences import LANGUAGES

MAX_WORKSPACES = 20
MAX_NEEDS = 50  # workspaces, the newest
MAX_PLACES = 50  # where one socket may type


class BrowserSocket(Socket):
    """Fragments of the workspaces that a page subscribed to, and the text of the attempt that it watches.

    Client: subscribe{workspace, generation, after, language, kinds} (of what there are many of, which it has a place
    for; all without it; again with others, or from an earlier place), unsubscribe{workspace}, ack{workspace, seq},
    watch{attempt} (instead of the one before), unwatch, people{workspace} (tell who is here and who types from now on),
    typing{workspace, task}, needs (tell from now on that what waits for this person may be another, in all their
    workspaces). Server: hello{workspace, generation, head},
    fragments{workspace, generation, seq, html}, head{workspace, generation, head},
    reset{workspace, generation, head} (load the page again), live{attempt, ...}, draining{retry_after},
    here{workspace, members}, typing{workspace, task, name}, needs, error{code, message}.
    """

    async def begin(self) -> None:
        self.watched: tuple[UUID, UUID] | None = None
        self._role = ""  # where the attempt is that it watches
        self.hub.company.add(self)
        # Where it said that somebody types: as whom, and when last.
        self._typed: dict[tuple[UUID, UUID | None], tuple[Speaker, float]] = {}
        self.handlers = {
            "subscribe": self.on_subscribe,
            "unsubscribe": self.on_unsubscribe,
            "ack": self.on_ack,
            "watch": self.on_watch,
            "unwatch": self.on_unwatch,
            "people": self.on_people,
            "typing": self.on_typing,
            "needs": self.on_needs,
        }
        # Where somebody may have to do with what happens; a page that shows nothing of these loses none by a lost seat.
        self.needs: dict[UUID, Follower] = {}

    async def on_subscribe(self, frame: Frame) -> None:
        workspace_id = identifier(frame, "workspace")
        if workspace_id not in self.followers and len(self.followers) >= MAX_WORKSPACES:
            raise Invalid(f"A page follows at most {MAX_WORKSPACES} workspaces.", code="too_many")
        entry = await read_arriving(enter_page, self.visitor, workspace_id, place_of(frame))
        # Asked for again: after the greeting nothing comes any more of what was asked for before.
        if isinstance(before := self.followers.get(workspace_id), FragmentFollower):
            before.halted = True
        said = {"workspace": str(workspace_id), "generation": entry.head.generation, "head": entry.head.seq}
        self.offer(encode({"type": "hello", **said}))
        follower = await self.follow(FragmentFollower, workspace_id, entry)
        if frame.get("language") in LANGUAGES:
            follower.language = str(frame["language"])
        if isinstance(kinds := frame.get("kinds"), list):
            follower.kinds = KINDS.intersection(kind for kind in kinds if isinstance(kind, str))

    async def on_unsubscribe(self, frame: Frame) -> None:
        self.unfollow(identifier(frame, "workspace"))

    async def on_ack(self, frame: Frame) -> None:
        follower = self.followers.get(identifier(frame, "workspace"))
        seq = number(frame, "seq")
        if follower is not None and seq is not None:
            follower.ack(seq)

    async def on_watch(self, frame: Frame) -> None:
        attempt_id = identifier(frame, "attempt")
        workspace_id, role = await read_async(_place_of, self.visitor, attempt_id)
        await self.on_unwatch(frame)
        self._role = role
        self.watched = (attempt_id, workspace_id)
        self.hub.watch(attempt_id, self)

    async def on_unwatch(self, frame: Frame) -> None:
        if self.watched is not None:
            self.hub.unwatch(self.watched[0], self)
            self.watched = None

    async def on_people(self, frame: Frame) -> None:
        workspace_id = identifier(frame, "workspace")
        shown = self.hub.company.pages[self]
        if workspace_id not in shown and len(shown) >= MAX_WORKSPACES:
            raise Invalid(f"A page shows who is in at most {MAX_WORKSPACES} workspaces.", code="too_many")
        await read_async(require, self.visitor.actor, "workspace.view", workspace_id)
        self.hub.company.join(self, workspace_id)

    async def on_typing(self, frame: Frame) -> None:
        workspace_id = identifier(frame, "workspace")
        place = (workspace_id, identifier(frame, "task") if frame.get("task") else None)
        # Asked once for each place: whoever loses the seat loses the socket, and with another seat it is asked again.
        who, last = self._typed.get(place) or (await read_async(_speaker, self.visitor, *place), float("-inf"))
        if (now := time.monotonic()) - last < self.hub.pace.typing:
            return
        if len(self._typed) >= MAX_PLACES:
            self._typed.clear()
        self._typed[place] = (who, now)
        self.hub.company.types(self, *place, who.name)

    async def on_needs(self, frame: Frame) -> None:
        """Sent again, it takes up seats that are new and leaves those that are lost."""
        seats = await read_async(_seats_of, self.visitor)
        for workspace_id in self.needs.keys() - seats.keys():
            self._leave_needs(workspace_id)
        for workspace_id in seats.keys() - self.needs.keys():
            room = await self.hub.room(workspace_id)
            self.needs[workspace_id] = NeedsFollower(
                room, generation=None, after=room.head, role=seats[workspace_id], wake=self._wake.set
            )
        # What happened before the rooms were open is found by who looks now.
        self.offer(NEEDS)

    def _leave_needs(self, workspace_id: UUID) -> None:
        follower = self.needs.pop(workspace_id)
        follower.leave()
        self.hub.left(follower.room)

    def listening(self) -> list[Follower]:
        return [*super().listening(), *self.needs.values()]

    def end(self) -> None:
        for workspace_id in list(self.needs):
            self._leave_needs(workspace_id)

    def sees(self, kind: str) -> bool:
        return may_see_words(self._role, kind)

    def seated(self, seats: Seats, asked: Collection[UUID]) -> bool:
        for workspace_id in self.needs.keys() & asked:
            seat = seats.get((workspace_id, self.visitor.seat_key))
            if seat is None or seat.role not in TEAM:
                self._leave_needs(workspace_id)
                self.offer(NEEDS)  # what waited there does so no more
        if self.watched and self.watched[1] in asked:
            seat = seats.get((self.watched[1], self.visitor.seat_key))
            self._role = seat.role if seat is not None else ""
        is_seated = super().seated(seats, asked)
        for place, (who, _) in list(self._typed.items()):
            found = seats.get((place[0], self.visitor.seat_key))
            if place[0] in asked and (found is None or found.auth_version != who.auth_version):
                del self._typed[place]
        return is_seated

    def workspaces(self) -> Iterable[UUID]:
        shown = self.hub.company.pages.get(self, ())
        typed = (workspace_id for workspace_id, _ in self._typed)
        return {*self.followers, *(self.watched[1:] if self.watched else ()), *shown, *typed, *self.needs}


@dataclass(frozen=True, slots=True)
class Speaker:
    """The name under which somebody speaks in a workspace, and the state of the seat that allows it."""

    name: str
    auth_version: int


def _speaker(visitor: Visitor, workspace_id: UUID, task_id: UUID | None) -> Speaker:
    """As whom somebody may speak there. Raises `NotFound`, `Forbidden`."""
    require(visitor.actor, "message.post", workspace_id)
    if task_id is not None and get_task(visitor.actor, task_id, "task.view").workspace_id != workspace_id:
        raise NotFound("There is no such task in this workspace.")
    seat = seat_of(visitor.actor, workspace_id)
    assert seat is not None
    return Speaker(seat.name, seat.auth_version)


def _seats_of(visitor: Visitor) -> dict[UUID, str]:
    """Where something may wait for a person, and with which role they are there."""
    user_id = visitor.actor.user_id
    if user_id is None:
        return {}
    seats = Member.objects.filter(user=user_id, left_at=None, role__in=TEAM).order_by("-joined_at")
    return dict(seats.values_list("workspace_id", "role")[:MAX_NEEDS])


def _place_of(visitor: Visitor, attempt_id: UUID) -> tuple[UUID, str]:
    """Where an attempt is, and the visitor's role there. Raises `NotFound`."""
    workspace_id = get_attempt(visitor.actor, attempt_id, "task.view").workspace_id
    seat = seat_of(visitor.actor, workspace_id)
    assert seat is not None
    return workspace_id, seat.role
