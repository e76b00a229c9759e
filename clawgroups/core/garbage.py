"""How a process that serves collects its garbage, and how its threads take turns."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from agents import heap

YOUNG = 20_000  # objects made before the youngest are looked through; Python's own figure is 700
OLDER = 20  # looks at the younger before one at the older
TURN = 0.002  # seconds that a thread which has something to do lets another one go on


def settle() -> None:
    """Call once everything is loaded, and before forking: what is there stays and is not looked through again.

    A frame or a request makes thousands of small objects that go by themselves. With Python's own figures, searching
    the rest of the heap for the few in cycles took a third of the time that a step takes. The writer's thread waits for
    its database more than it computes: with Python's own turns of five milliseconds it came to its next statement so
    much later, while nothing else was to be done. With turns of one, those who wait for theirs wake up a thousand
    times a second each, to find that it is not: three of them cost a quarter of a core.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDER)
    sys.setswitchinterval(TURN)
    heap.give_back()
    heap.share()


@contextmanager
def loading() -> Iterator[None]:
    """While this lasts nothing is looked through: what modules make as they are loaded stays."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
