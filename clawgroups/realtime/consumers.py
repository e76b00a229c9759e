"""The journal socket, for scripts: `/ws/workspaces/{id}/?generation=&after=` (design.md 6)."""

from __future__ import annotations

from urllib.parse import parse_qsl
from uuid import UUID

from clawgroups.core.errors import ClawError
from clawgroups.realtime.follower import EntryFollower
from clawgroups.realtime.frames import Frame, encode
from clawgroups.realtime.place import enter, number, place_of
from clawgroups.realtime.socket import Socket
from clawgroups.services.perform import read_arriving

SUBPROTOCOL = "clawgroups.journal.v1"


class JournalSocket(Socket):
    """hello, then entries from `after` on; a snapshot first where there is no usable `after`.

    Server: hello{generation, head}, entries{generation, after, seq, entries}, snapshot{generation, seq, hash,
    state}, head{generation, head}, draining{retry_after}, error{code, message}. Client: ack{seq}.
    """

    subprotocol = SUBPROTOCOL

    async def begin(self) -> None:
        self.handlers = {"ack": self.on_ack}
        self.workspace_id: UUID = self.scope["url_route"]["kwargs"]["workspace_id"]
        query = dict(parse_qsl(self.scope.get("query_string", b"").decode("latin-1")))
        try:
            entry = await read_arriving(enter, self.visitor, self.workspace_id, place_of(query))
        except ClawError as refused:
            await self.close(4000 + refused.status, refused.message)
            return
        hello = {"type": "hello", "generation": entry.head.generation, "head": entry.head.seq}
        # Straight to the writer's queue: it must go out before the first entries do.
        self.offer(encode(hello))
        await self.follow(EntryFollower, self.workspace_id, entry)

    async def on_ack(self, frame: Frame) -> None:
        follower = self.followers.get(self.workspace_id)
        seq = number(frame, "seq")
        if follower is not None and seq is not None:
            follower.ack(seq)
