"""The figures of the sockets, in one place (reliability.md 2.7 and 3, performance.md 6)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(slots=True)
class Pace:
    """Seconds, entries and frames."""

    tick: float = 0.04  # entries within it leave as one frame
    full: int = 16  # entries that are worth a frame of their own, once nothing came for as long as `calm`
    calm: float = 0.003
    draw: float = 0.2  # between two looks at what pages show
    look: float = 5.0  # a reader looks at the head by itself: a hint may be lost
    head: float = 15.0  # the head is repeated, so that a client knows what it missed
    standing: float = 2.0  # passes and seats are asked for again
    live: float = 0.25  # between two frames of streaming text
    here: float = 10.0  # between two renewals of the leases of those who are here
    needs: float = 1.0  # between two times that a page is told that what waits for people may be another
    gather: float = 1.0  # between two looks at who is here, at the least
    typing: float = 2.0  # between two times that somebody is said to type in one place
    handshake: float = 15.0  # whoever is sent away comes back up to 30 s later, and waits anew
    window: int = 500  # entries sent and not yet acknowledged
    frame: int = 250  # entries in one frame
    drawn: int = 1500  # entries of which one frame brings a page all that they changed
    late: int = 400  # the same for who is behind: all others wait while it is drawn
    gap: int = 5000  # beyond it a snapshot is cheaper than the entries
    stalled: float = 2.0  # a window full for longer is made up for by one snapshot
    behind: float = 60.0  # then the socket is closed
    outbox_frames: int = 256
    outbox_bytes: int = 1024 * 1024
    rate: float = 50.0  # frames a second from a peer
    burst: float = 200.0
    excess: int = 100  # frames over the rate until the socket is closed
