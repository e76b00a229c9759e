"""What a batch leaves in the database so that it can be found again: the writer's name and the batch's number."""

from __future__ import annotations

import itertools
import os
from dataclasses import dataclass
from uuid import UUID, uuid4


@dataclass(frozen=True, slots=True)
class Mark:
    """One batch of one process."""

    writer: UUID
    number: int


class _Numbers:
    """The numbers of this process; a forked child counts under a name of its own."""

    def __init__(self) -> None:
        self.begin_anew()

    def begin_anew(self) -> None:
        self._writer, self._count = uuid4(), itertools.count(1)

    def next(self) -> Mark:
        return Mark(self._writer, next(self._count))


_numbers = _Numbers()
os.register_at_fork(after_in_child=_numbers.begin_anew)
next_mark = _numbers.next
