"""The session whose work folder tests look at, and a carrier of its files that never waits."""

from __future__ import annotations

from agents.connector.workdir import Sync

SESSION = "0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee"


async def always_online() -> None:
    return None


SYNC = Sync(always_online, scale=0.001)
