"""Carries out recorded questions to the model beside everything else: a bounded number of threads in each process.

A call may take ten minutes, longer than any job may; so a job only says which call, and a thread of its own asks.
What finds no free thread is found again by the sweep, like everything that is lost here.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from uuid import UUID

from django.db import connections

from clawgroups.coordinator import hearing
from clawgroups.services import consulting, knocking

log = logging.getLogger(__name__)

MOST = 32  # calls that one process has under way; each is a thread that mostly waits


class Consultant:
    """The calls of this process. Nothing is asked before the first `take`, so a fork finds nothing of the parent's."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._begin_anew()
        os.register_at_fork(after_in_child=self._begin_anew)

    def _begin_anew(self) -> None:
        self._changed = threading.Condition()
        self._under_way: set[UUID] = set()
        self._leaving = threading.Event()

    def take(self, call_id: UUID) -> bool:
        """Ask this question in a thread of its own. False when that is done already, or too many are under way."""
        return self._begin(call_id, self._consult)

    def knock(self, server_id: UUID) -> bool:
        """Find out in a thread of its own whether a server that rests answers again; as `take`."""
        return self._begin(server_id, knocking.knock)

    def leave(self, seconds: float) -> bool:
        """The process goes: what is under way is put back for others. False when that took longer."""
        self._leaving.set()
        return self.rest(seconds)

    def rest(self, seconds: float) -> bool:
        """Wait until nothing is under way; False when that took longer."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._under_way, seconds)

    def _begin(self, pk: UUID, work: Callable[[UUID], object]) -> bool:
        with self._changed:
            if self._leaving.is_set() or pk in self._under_way or len(self._under_way) >= self._most:
                return False
            self._under_way.add(pk)
        # A daemon, so that a call that hangs keeps no process from ending: its lease lapses then.
        threading.Thread(target=self._run, args=(pk, work), name=f"consult {pk}", daemon=True).start()
        return True

    def _run(self, pk: UUID, work: Callable[[UUID], object]) -> None:
        try:
            work(pk)
        except Exception:
            # It is found again: by its lease, or as one that waits.
            log.exception("the question %s could not be carried out", pk)
        finally:
            connections.close_all()
            with self._changed:
                self._under_way.discard(pk)
                self._changed.notify_all()

    def _consult(self, call_id: UUID) -> None:
        consulting.consult(call_id, staying=lambda: not self._leaving.is_set())
        hearing.take_up(call_id)
        consulting.send_next()


consultant = Consultant()
