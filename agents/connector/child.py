"""The agent's process: lines in, lines out, and an end that leaves nothing behind."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

from agents.connector.spool import Gathering, Line, pieces
from agents.protocol import version

MAX_LINE = 16 * 1024 * 1024
STDERR_TAIL = 8 * 1024
_CHUNK = 256 * 1024
_BEGINNING = 4096
_NEXT = re.compile(r"\s*[,}]")
_MEMBER = re.compile(r'\s*[{,]\s*("(?:[^"\\]|\\.)*")\s*:\s*')
_OURS = "CLAWGROUPS_"


class Child(Protocol):
    """An ACP agent on a pair of byte streams, as the bridge sees it: a process, or code in this process."""

    def lines(self) -> AsyncIterator[Line]:
        """What the agent writes, one JSON-RPC message a line, without the newline; ends when the agent
        ends.
        """
        ...

    async def write(self, line: Line) -> None:
        """Give the agent one message (no newline in it); raises ConnectionError when it is gone."""
        ...

    async def close(self) -> int:
        """End the agent and everything it started, and return its exit code. May be called twice."""
        ...

    def stderr_tail(self) -> str:
        """The last words of the agent on its error stream; empty if it has none."""
        ...


def too_large(frame_id: Any, what: str) -> bytes:
    """An error in place of a message that is too large to be carried."""
    error = {"code": version.TOO_LARGE, "message": f"{what} is larger than {MAX_LINE} bytes"}
    return json.dumps({"jsonrpc": "2.0", "id": frame_id, "error": error}).encode()


def in_place_of(beginning: bytes) -> bytes:
    """What is heard of a message of which only the beginning was kept: somebody waits for an answer to it.

    An answer becomes an error, a request one without parameters, which is refused; of all others nothing is heard.
    """
    known = _members(beginning.decode("utf-8", "ignore"))
    if "id" not in known:
        return b""
    if isinstance(known.get("method"), str):
        return json.dumps({"jsonrpc": "2.0", "id": known["id"], "method": known["method"], "params": {}}).encode()
    return too_large(known["id"], "the answer")


def _members(text: str) -> dict[str, Any]:
    """The members of a JSON object as far as its beginning has them whole."""
    decoder, found, at = json.JSONDecoder(), {}, 0
    with contextlib.suppress(ValueError, RecursionError):
        while member := _MEMBER.match(text, at):
            value, at = decoder.raw_decode(text, member.end())
            if _NEXT.match(text, at):
                found[json.loads(member[1])] = value
    return found


class LineSplitter:
    """Cuts a byte stream into lines and gives up on a line that is longer than allowed, not on the stream."""

    def __init__(self, limit: int = MAX_LINE) -> None:
        self._limit = limit
        self._parts = Gathering()
        self._skipping = False
        self._beginning = b""
        self.skipped = 0
        """How many lines were too long and were left out."""

    def feed(self, data: bytes) -> list[Line]:
        """The lines that `data` completes; blank ones are left out, see `in_place_of` for those that are too long."""
        *complete, rest = data.split(b"\n")
        lines = [line for part in complete if (line := self._finish(part))]
        self._keep(rest)
        return lines

    def end(self) -> Line:
        """What is left when the stream ends: a last line without a newline, or nothing."""
        return self._finish(b"")

    def _finish(self, part: bytes) -> Line:
        self._keep(part)
        line, skipping = self._parts.take(), self._skipping
        self._skipping = False
        if skipping:
            self.skipped += 1
            return in_place_of(self._beginning)
        return line

    def _keep(self, part: bytes) -> None:
        if self._skipping:
            return
        self._parts.add(part)
        if self._parts.size > self._limit:
            self._beginning = self._parts.beginning(_BEGINNING)
            self._parts.forget()
            self._skipping = True


async def split_lines(
    stream: asyncio.StreamReader, on_skip: Callable[[], None] = lambda: None, limit: int = MAX_LINE
) -> AsyncIterator[Line]:
    """The lines of a stream up to its end; `on_skip` hears of every line that was too long to carry."""
    splitter = LineSplitter(limit)
    known = 0
    while data := await stream.read(_CHUNK):
        lines = splitter.feed(data)
        lines.reverse()
        del data
        while lines:
            yield lines.pop()  # and hold on to none
        while known < splitter.skipped:
            known += 1
            on_skip()
    if last := splitter.end():
        yield last


def _to_stderr(data: bytes) -> None:
    sys.stderr.buffer.write(data)
    sys.stderr.buffer.flush()


class ProcessChild:
    """A `Child` that is a process in its own process group, so that its own children end with it."""

    def __init__(
        self,
        process: asyncio.subprocess.Process,
        *,
        grace: float,
        on_stderr: Callable[[bytes], None] = _to_stderr,
    ) -> None:
        self._process = process
        self._grace = grace
        self._on_stderr = on_stderr
        self._tail = b""
        self._writing = asyncio.Lock()
        self._gone = asyncio.Event()
        self._draining = asyncio.create_task(self._drain_stderr())
        self._watching = asyncio.create_task(self._watch())

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        cwd: str | None = None,
        env: Mapping[str, str] | None = None,
        grace: float = 5.0,
        on_stderr: Callable[[bytes], None] = _to_stderr,
    ) -> ProcessChild:
        """Start `command`; `grace` seconds are given at each step of its end. Raises OSError if it cannot
        start.
        """
        inherited = os.environ if env is None else env
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            cwd=cwd,
            # The agent works for many teams; the key that speaks for it to one server, and
            # a server's own secrets, are not its business.
            env={name: value for name, value in inherited.items() if not name.startswith(_OURS)},
            start_new_session=True,
            limit=1024 * 1024,
        )
        return cls(process, grace=grace, on_stderr=on_stderr)

    @property
    def pid(self) -> int:
        """The process id, which is also the id of its group."""
        return self._process.pid

    async def lines(self) -> AsyncIterator[Line]:
        """See `Child.lines`."""
        assert self._process.stdout is not None
        async for line in split_lines(self._process.stdout, self._say_skipped):
            yield line

    async def write(self, line: Line) -> None:
        """See `Child.write`."""
        stdin = self._process.stdin
        assert stdin is not None
        if self._gone.is_set() or stdin.is_closing():
            raise ConnectionError("the agent has ended")
        async with self._writing:
            # Bit by bit: what cannot be written at once is copied.
            for piece in pieces(line):
                stdin.write(piece)
                await stdin.drain()
            stdin.write(b"\n")
            await stdin.drain()

    async def close(self) -> int:
        """End of input, then TERM, then KILL to the whole group, each after `grace` seconds."""
        stdin = self._process.stdin
        if stdin is not None and not stdin.is_closing():
            stdin.close()
        for step in (None, signal.SIGTERM, signal.SIGKILL):
            if step is not None:
                self._signal(step)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._gone.wait(), self._grace)
                break
        # A grandchild may outlive the leader and hold the pipes; the group goes as a whole.
        self._signal(signal.SIGKILL)
        self._watching.cancel()
        await asyncio.wait({self._draining}, timeout=self._grace)
        self._draining.cancel()
        code = self._process.returncode
        return 1 if code is None else code

    def stderr_tail(self) -> str:
        """See `Child.stderr_tail`."""
        return self._tail.decode("utf-8", "replace")

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _say_skipped(self) -> None:
        self._on_stderr(f"clawgroups: the agent wrote a line over {MAX_LINE} bytes; it was left out\n".encode())

    async def _drain_stderr(self) -> None:
        assert self._process.stderr is not None
        while data := await self._process.stderr.read(_CHUNK):
            self._tail = (self._tail + data)[-STDERR_TAIL:]
            self._on_stderr(data)

    async def _watch(self) -> None:
        # Process.wait() may wait for the pipes, which a grandchild can hold for ever; the return code tells
        # in time.
        while self._process.returncode is None:
            await asyncio.sleep(0.05)
        self._gone.set()
        await asyncio.sleep(min(self._grace, 1.0))
        self._signal(signal.SIGKILL)
