"""Several agents from one program, each with its own connection, key and name; one that ends does not end the rest."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence

from agents.connector.bridge import Bridge
from agents.connector.console import Console
from agents.connector.exits import Wrong
from agents.connector.picking import Wanted

Make = Callable[[argparse.Namespace, list[str], Console], Awaitable[Bridge]]
_CRASHED = 1
_LONGEST = 8000


class Voice(Console):
    """A console that says of each line which agent it is about, on another one that all of them share."""

    def __init__(self, shared: Console, label: str) -> None:
        # No thread of its own: the shared one has it.
        self._shared = shared
        self._label = label.encode("utf-8", "replace")
        self._begun = b""

    def write(self, data: bytes) -> None:
        """Show what an agent writes, line by line, so that the words of two do not mix within one."""
        *lines, self._begun = (self._begun + data).split(b"\n")
        self._shared.write(b"".join(b"%s | %s\n" % (self._label, line) for line in lines))
        if len(self._begun) > _LONGEST:
            self.close()

    def say(self, text: str) -> None:
        """Show a sentence of ours."""
        self._shared.write(b"%s: %s\n" % (self._label, text.encode("utf-8", "replace")))

    def close(self, patience: float = 0.0) -> None:
        """Show a line that was begun and not ended; the shared console goes on."""
        if self._begun:
            self._shared.write(b"%s | %s\n" % (self._label, self._begun))
        self._begun = b""


async def carry(wanted: Sequence[Wanted], make: Make, console: Console) -> int:
    """Start all of them and carry until the last has ended; the exit code as `exit_code` says."""
    running: dict[str, Bridge] = {}
    waiting = [one.label for one in wanted]
    with stopping(lambda: list(running.values()), console.say) as received:

        async def one(agent: Wanted) -> int:
            voice = Voice(console, agent.label)
            code = await _carry_one(agent, make, voice, running, received)
            waiting.remove(agent.label)
            running.pop(agent.label, None)
            voice.close()
            if waiting and not received:
                voice.say(f"this one is over (code {code}); still running: {', '.join(waiting)}")
            return code

        codes = await asyncio.gather(*(one(agent) for agent in wanted))
    return exit_code(codes, received)


async def _carry_one(agent: Wanted, make: Make, voice: Voice, running: dict[str, Bridge], received: list[int]) -> int:
    try:
        agent.check()
        bridge = await make(agent.options, agent.command, voice)
        if received:
            return 0
        running[agent.label] = bridge
        return await bridge.run()
    except Wrong as wrong:
        voice.say(str(wrong))
        return wrong.code
    except Exception:  # noqa: BLE001
        # A mistake of ours with one agent must not take its neighbours in this process with it.
        voice.write(traceback.format_exc().encode("utf-8", "replace"))
        return _CRASHED


def exit_code(codes: Sequence[int], received: Sequence[int]) -> int:
    """How the program ends: 128 + the signal that ended it; else as the first agent, in the order in which they
    were named, that did not end with 0.
    """
    if received:
        return 128 + received[0]
    return next((128 - code if code < 0 else code for code in codes if code), 0)


@contextlib.contextmanager
def stopping(bridges: Callable[[], Sequence[Bridge]], say: Callable[[str], None]) -> Iterator[list[int]]:
    """Within the block, INT, TERM and a closed terminal end the agents of `bridges()`; gives the list of what came."""
    loop = asyncio.get_running_loop()
    received: list[int] = []

    def stop(number: int) -> None:
        received.append(number)
        running = bridges()
        say("ending the agent" if len(running) < 2 else f"ending {len(running)} agents")
        for bridge in running:
            bridge.stop()

    # Closing the terminal ends the agents as well, but not under nohup.
    hang_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    for number in (signal.SIGINT, signal.SIGTERM, *hang_up):
        # Not on Windows; there Ctrl-C cancels `run`, which ends the agent as well.
        with contextlib.suppress(NotImplementedError):
            loop.add_signal_handler(number, stop, number)
    yield received
