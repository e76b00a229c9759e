"""Notices when this process opens a file, starts a program or calls somebody."""

from __future__ import annotations

import contextlib
import ctypes
import gc
import os
import sys
from collections.abc import Iterator
from typing import Any

FORBIDDEN = frozenset(
    {
        "ftplib.connect", "http.client.connect", "os.chmod", "os.chown", "os.exec", "os.fork", "os.forkpty", "os.link",
        "os.listdir", "os.mkdir", "os.posix_spawn", "os.remove", "os.rename", "os.rmdir", "os.scandir", "os.spawn",
        "os.symlink", "os.system", "os.truncate", "os.utime", "pty.spawn", "shutil.copyfile", "shutil.move",
        "shutil.rmtree", "socket.connect", "socket.getaddrinfo", "socket.sendto", "subprocess.Popen", "urllib.Request",
    }
)  # fmt: skip
# Python reads its own sources when it imports late, and when it shows a traceback.
_PYTHONS = (".py", ".pyc", ".so")
_watching: list[list[str]] = []


def _hook(event: str, arguments: tuple[Any, ...]) -> None:
    if not _watching:
        return
    if event in FORBIDDEN:
        _watching[-1].append(f"{event} {arguments!r:.300}")
    elif event == "open" and isinstance(arguments[0], (str, bytes)) and not _is_pythons(os.fsdecode(arguments[0])):
        _watching[-1].append(f"open {arguments[0]!r} {arguments[1]!r}")


def _is_pythons(path: str) -> bool:
    return path.endswith(_PYTHONS)


# A hook cannot be taken out again; this one does nothing while nobody watches.
sys.addaudithook(_hook)


@contextlib.contextmanager
def watched() -> Iterator[list[str]]:
    """What was touched in the block; an import of a module lists the folders of the path, and is let pass."""
    touched: list[str] = []
    _watching.append(touched)
    try:
        yield touched
    finally:
        _watching.remove(touched)


@contextlib.contextmanager
def collected_as_if_new() -> Iterator[None]:
    """In the block garbage is collected as in a new process: the more is there, the more rarely Python looks."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def memory() -> int:
    """What this process holds, in bytes; what was freed, and malloc keeps for the next time, is given back first."""
    with contextlib.suppress(AttributeError):  # another C library than GNU's
        ctypes.CDLL(None).malloc_trim(0)
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
