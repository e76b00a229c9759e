"""Guesses of short codes: who names codes that nobody has given out is soon not listened to any more.

A code has 80 bits, so no number of guesses finds one; what is kept small is the work they make. Each process counts by
itself. Right codes cost nothing, so machines behind one address come in as fast as they like.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings

from clawgroups.core.bucket import Bucket
from clawgroups.core.errors import NotFound, TooOften

PER_ADDRESS, AT_ONCE = 0.1, 10.0  # wrong codes a second from one address, and saved up
IN_ALL, IN_ALL_AT_ONCE = 20.0, 500.0
MOST = 4096  # addresses that are remembered
PREFIX = 64  # of an IPv6 address: what one household or machine is given


def asker(headers: Mapping[str, Any]) -> str:
    """Whose address a request (by its `META`) comes from; behind a proxy of ours, what that says last."""
    said = str(headers.get("REMOTE_ADDR", ""))
    if settings.SECURE_PROXY_SSL_HEADER:
        # What stands before it, whoever asks may have written.
        said = str(headers.get("HTTP_X_FORWARDED_FOR", said)).rpartition(",")[2].strip()
    return said


class Guesses:
    """Wrong codes of late, by address and in all."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self._all = Bucket(IN_ALL, IN_ALL_AT_ONCE, self._clock())
        self._known: OrderedDict[str, Bucket] = OrderedDict()

    @contextmanager
    def counted(self, address: str) -> Iterator[None]:
        """Around whatever looks a code up: its `NotFound` is a wrong guess. Raises `TooOften` before, for too many."""
        who = _network(address)
        self._refuse(who)
        try:
            yield
        except NotFound:
            self._miss(who)
            raise

    def _refuse(self, who: str) -> None:
        now = self._clock()
        with self._lock:
            own = self._known.get(who)
            wait = max(self._all.wait(now), 0.0 if own is None else own.wait(now))
        if wait > 0.0:
            seconds = math.ceil(wait)
            raise TooOften(
                f"Too many wrong codes were tried. Wait {seconds} seconds, then try again.", retry_after=seconds
            )

    def _miss(self, who: str) -> None:
        now = self._clock()
        with self._lock:
            own = self._known.pop(who, None) or Bucket(PER_ADDRESS, AT_ONCE, now)
            self._known[who] = own
            if len(self._known) > MOST:
                self._known.popitem(last=False)
            own.take(1.0, now)
            self._all.take(1.0, now)


def _network(address: str) -> str:
    """What counts as one: an IPv4 address, or the network that an IPv6 address is in."""
    try:
        read = ip_address(address.partition("%")[0])
    except ValueError:
        return ""
    if isinstance(read, IPv6Address):
        return str(read.ipv4_mapped or ip_network((read, PREFIX), strict=False))
    return str(read)


guesses = Guesses()
"""This process's."""
