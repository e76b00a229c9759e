"""Who is here and who types, for the pages of one process. Nothing of it is in the journal.

Being here is a lease in the database (`services.presence`), so that processes need not know of each other: each renews
the leases of its own people and looks at all of them. Typing goes from process to process by the bus and is kept
nowhere.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Any, Protocol
from uuid import UUID

from django.db import Error

from clawgroups import bus
from clawgroups.core.actors import ActorKind
from clawgroups.core.errors import ClawError
from clawgroups.realtime.entrance import Visitor
from clawgroups.realtime.frames import encode
from clawgroups.realtime.pace import Pace
from clawgroups.services import presence
from clawgroups.services.perform import perform_shared, read_shared

log = logging.getLogger(__name__)


class Page(Protocol):
    """What is known of a browser's socket."""

    visitor: Visitor

    def offer(self, text: str) -> None: ...


class Company:
    """The pages of one event loop, and whose company each shows."""

    def __init__(self, pace: Pace) -> None:
        self.pace = pace
        self.pages: dict[Page, set[UUID]] = {}
        self._known: dict[UUID, frozenset[UUID]] = {}
        self._leave: dict[UUID, list[Callable[[], None]]] = {}
        self._seen: set[int] = set()
        self._loop = asyncio.get_running_loop()
        self._soon = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    # Coming and going

    def add(self, page: Page) -> None:
        """A page is open: its person is here from now on."""
        self.pages[page] = set()
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="company")

    def remove(self, page: Page) -> None:
        """A page is closed. Its person's lease runs out by itself: they may only have gone to another page."""
        self.pages.pop(page, None)
        shown = self.workspaces()
        for workspace_id in [pk for pk in self._leave if pk not in shown]:
            for leave in self._leave.pop(workspace_id):
                leave()
            self._known.pop(workspace_id, None)
        if not self.pages and self._task is not None:
            self._task.cancel()
            self._task = None
            self._seen.clear()

    def join(self, page: Page, workspace_id: UUID) -> None:
        """Tell this page from now on who is in a workspace, and who types there."""
        self.pages[page].add(workspace_id)
        if workspace_id not in self._leave:
            self._leave[workspace_id] = [
                bus.subscribe(bus.here_topic(workspace_id), self._on_here),
                bus.subscribe(bus.typing_topic(workspace_id), self._on_typing),
            ]
        if workspace_id in self._known:
            page.offer(_here(workspace_id, self._known[workspace_id]))
        self._soon.set()

    def workspaces(self) -> set[UUID]:
        """Those whose company some page shows."""
        return {pk for shown in self.pages.values() for pk in shown}

    # Being here

    def _on_here(self, topic: str, value: Any) -> None:
        self._call(self._soon.set)

    def _call(self, fn: Callable[..., None], *args: Any) -> None:
        # From whichever thread; the loop may be closing in a test or at shutdown.
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(fn, *args)

    async def _run(self) -> None:
        while True:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._soon.wait(), self.pace.here)
            self._soon.clear()
            try:
                await self.beat()
            except (Error, ClawError) as fault:
                log.warning("who is here could not be told, trying again: %s", fault)
            # Those who come together, as after a restart, are looked for together.
            await asyncio.sleep(self.pace.gather)

    async def beat(self) -> None:
        """Renew the leases of everybody who has a page here, and tell pages who came or went."""
        users = {page.visitor.actor.user_id for page in self.pages if page.visitor.actor.kind is ActorKind.PERSON}
        people = {pk for pk in users if pk is not None}
        new, self._seen = people - self._seen, people
        if people:
            await perform_shared(presence.renew, people)
        found = await read_shared(presence.here, self.workspaces())
        for workspace_id, members in found.items():
            if self._known.get(workspace_id) != members and workspace_id in self._leave:
                self._known[workspace_id] = members
                self._tell(workspace_id, _here(workspace_id, members))
                if new:
                    bus.wake(bus.here_topic(workspace_id))

    # Typing

    def types(self, page: Page, workspace_id: UUID, task_id: UUID | None, name: str) -> None:
        """Pass on that somebody types, to the others who look at this workspace."""
        said = {"by": page.visitor.seat_key, "name": name, "task": str(task_id) if task_id else None}
        bus.wake(bus.typing_topic(workspace_id), said)

    def _on_typing(self, topic: str, value: Any) -> None:
        if isinstance(value, dict):
            self._call(self._pass_on, UUID(topic.partition(":")[2]), value)

    def _pass_on(self, workspace_id: UUID, said: dict[str, Any]) -> None:
        frame = {"type": "typing", "workspace": str(workspace_id), "task": said.get("task"), "name": said.get("name")}
        self._tell(workspace_id, encode(frame), but=str(said.get("by")))

    def _tell(self, workspace_id: UUID, text: str, but: str = "") -> None:
        for page, shown in self.pages.items():
            if workspace_id in shown and page.visitor.seat_key != but:
                page.offer(text)


def _here(workspace_id: UUID, members: frozenset[UUID]) -> str:
    return encode({"type": "here", "workspace": str(workspace_id), "members": sorted(map(str, members))})
