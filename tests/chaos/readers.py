"""T03 and T20: a workspace in which much is written while browsers watch it, some of them on a very thin line."""

from __future__ import annotations

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.chaos.appender import Appended
from tests.chaos.browsers import CUT_OFF, Book, Browser, Json, OnJournal, OnPage
from tests.chaos.crew import Room, furnish
from tests.chaos.faults import FaultProxy
from tests.chaos.history import Verdict, at_one_moment
from tests.chaos.meter import metered
from tests.chaos.processes import Process, python
from tests.chaos.rows import CI, FULL, Row, Size, percentile
from tests.chaos.stacks import Stack
from tests.stories import checker
from tests.stories.script import Script
from tests.stories.waiting import until

# `agents` are the browsers here, `blows` those of them on a thin line; `tasks` are entries, `work` is for how long.
SIZES = {
    "T03": {FULL: Size(FULL, 20, 18_000, 0, 120.0), CI: Size(CI, 4, 300, 0, 2.0)},
    "T20": {FULL: Size(FULL, 20, 18_000, 10, 120.0), CI: Size(CI, 8, 600, 4, 4.0)},
}
# Other tests have the machine meanwhile in a test run: there only what is far too slow is a fault.
SLACK = {FULL: 1.0, CI: 10.0}
THIN = 1000  # bytes a second
# Entries that may be on the way, as the sockets' contract says: to a page, all that one frame brings it up to date on.
WINDOW = {OnJournal: 500, OnPage: 1500}
TOO_FAR_BEHIND = 4413
SHUT_OUT = "closing a socket that has been too far behind"  # in web's log
LOCKED = "database is locked"
LOOK = 1.0  # seconds between two looks at the memory


@dataclass(frozen=True)
class Tally:
    """What the appender says of itself."""

    seconds: float
    appended: list[Appended]
    failures: dict[str, int]
    log: str


@contextlib.contextmanager
def written(stack: Stack, room: Room, size: Size) -> Iterator[Tally]:
    """Everything is written; its writer stays until its last hint has gone out for sure."""
    environment = {
        **stack.environment, "REDIS_URL": redis_of(stack), "DJANGO_SETTINGS_MODULE": "clawgroups.settings",
    }  # fmt: skip
    given = (room.workspace, str(size.tasks / size.work), str(size.work))
    log = stack.data / f"appender-{room.workspace[-8:]}.log"
    process = Process("appender", python("-m", "tests.chaos.appender", *given), environment, log)

    def told() -> str:
        said = process.said()
        assert process.runs, said
        lines = (line for line in said.splitlines(keepends=True) if line.startswith('{"seconds"') and line[-1] == "\n")
        return next(lines, "")

    try:
        process.start()
        line = until(told, seconds=size.work + 120, what="the last append")
        found = json.loads(line)
        appended = [Appended(*one) for one in found["appended"]]
        yield Tally(found["seconds"], appended, found["failures"], process.said().replace(line, ""))
    finally:
        process.stop()


def redis_of(stack: Stack) -> str:
    """The Redis of a stack; that of `up` is its own, and told in a file."""
    return stack.environment.get("REDIS_URL") or (stack.data / "run" / "redis.url").read_text().strip()


# What they look at


def come(over: ExitStack, kinds: Sequence[type[Browser]], script: Script, room: Room, book: Book) -> list[Browser]:
    """Browsers of these kinds, which have loaded what there is."""
    browsers = [over.enter_context(kind(script, room.workspace, book)) for kind in kinds]
    until(lambda: all(one.begun for one in browsers), seconds=60, what="everybody there")
    return browsers


def by_halves(count: int) -> list[type[Browser]]:
    """Pages and scripts in turn."""
    return [(OnPage, OnJournal)[number % 2] for number in range(count)]


def judge(row: Row, stack: Stack, room: Room, tally: Tally, browsers: Sequence[Browser]) -> None:
    """Nothing acknowledged is lost or doubled, nobody has a gap, and everybody ends with what the server shows."""
    entries, snapshot = at_one_moment(stack, room.script, room.workspace)
    stored = {entry["seq"]: entry for entry in entries}
    book = browsers[0].book
    row.verdict = Verdict(
        lost=sum(not _stored(stored.get(one.seq), one, room) for one in tally.appended),
        doubled=len(tally.appended) - len({one.seq for one in tally.appended}),
        faults=checker.gapless(entries) + book.faults,
    )
    for seq, heard in book.entries.items():
        now = stored.get(seq, {})
        if any(heard[name] != now.get(name) for name in ("type", "payload")):
            row.verdict.faults.append(f"entry {seq} was told otherwise than it is stored")
    for number, one in enumerate(browsers):
        found = one.wrong(entries, snapshot)
        if one.seq != snapshot["seq"]:
            found.append(f"it ended at {one.seq} of {snapshot['seq']}")
        row.verdict.faults += [f"{type(one).__name__} {number}: {fault}" for fault in found]


def _stored(entry: Json | None, one: Appended, room: Room) -> bool:
    """Whether the row of an acknowledged append is there. A rename is answered with its workspace."""
    return entry is not None and entry["payload"].get("message_id", room.workspace) == one.id


def undisturbed(row: Row, browsers: Sequence[Browser]) -> None:
    """These were told every single entry, on one line."""
    row.measure("began anew or were cut off", sum((one.begun, one.ends) != (1, []) for one in browsers), 0, "of them")


def lateness(browsers: Sequence[Browser], tally: Tally) -> list[float]:
    """For each append and browser: the seconds from the acknowledgement to the browser."""
    acknowledged = {one.seq: one.acknowledged for one in tally.appended}
    return [
        max(0.0, came.at - acknowledged[seq])
        for one in browsers
        for came in one.came
        for seq in range(came.after + 1, came.seq + 1)
        if seq in acknowledged
    ]


def measure_writing(row: Row, stack: Stack, size: Size, tally: Tally) -> None:
    """What T03 asks of the writing."""
    took = [1000 * (one.acknowledged - one.began) for one in tally.appended]
    measure_pace(row, size, tally)
    row.note(f"append p50 {percentile(took, 0.5):.1f} ms, worst {max(took):.0f} ms")
    row.measure("append p99", percentile(took, 0.99), 150 * SLACK[size.name], "ms")
    said = [tally.log, *tally.failures, *(stack.said(part) for part in stack.pids())]
    row.measure(f'"{LOCKED}"', sum(text.count(LOCKED) for text in said), 0, "times")


def measure_pace(row: Row, size: Size, tally: Tally) -> None:
    """Everything was written, at the pace that was asked for."""
    row.note(f"{len(tally.appended) / tally.seconds:.1f} appends a second for {tally.seconds:.1f} s")
    row.measure("behind the pace at the end", tally.seconds - size.work, SLACK[size.name])
    row.measure("appends not acknowledged", size.tasks - len(tally.appended), 0, "of them")
    if tally.failures:
        row.note(f"failures were {tally.failures}")


def appended(stack: Stack, size: Size, seed: int) -> Row:
    """T03: 8 threads write through the services at a steady pace, while browsers watch the journal."""
    rate = size.tasks / size.work
    row = Row("T03", f"{rate:.0f} appends a second, {size.agents} browsers", stack.name, seed)
    room, book = furnish(stack, 0), Book()
    with ExitStack() as over:
        browsers = come(over, [OnJournal] * size.agents, room.script, room, book)
        tally = over.enter_context(written(stack, room, size))
        catch_up(room, browsers)
        judge(row, stack, room, tally, browsers)
    undisturbed(row, browsers)
    measure_writing(row, stack, size, tally)
    late = lateness(browsers, tally)
    row.note(f"at a browser after p50 {percentile(late, 0.5):.3f} s, p99 {percentile(late, 0.99):.3f} s")
    return row


def catch_up(room: Room, browsers: Sequence[Browser], seconds: float = 60) -> int:
    """Wait until these have everything; the head."""
    head = int(room.script.get(f"/api/v1/workspaces/{room.workspace}/snapshot")["seq"])
    for one in browsers:
        one.caught_up(head, seconds=seconds)
    return head


# T20


def throttled(stack: Stack, size: Size, seed: int) -> Row:
    """T20: some browsers read a thousand bytes a second; nobody else may notice, nor the server's memory."""
    row = Row("T20", f"{size.blows} of {size.agents} browsers read {THIN / 1000:g} kB/s", stack.name, seed)
    room, book = furnish(stack, 0), Book()
    before = stack.said("web").count(SHUT_OUT)
    with ExitStack() as over:
        line = over.enter_context(FaultProxy(stack.url))
        near = come(over, by_halves(size.agents - size.blows), room.script, room, book)
        far = come(over, by_halves(size.blows), Script(line.url, room.script.token), room, book)
        line.rate = THIN
        meter = over.enter_context(metered(stack, every=LOOK))
        tally = over.enter_context(written(stack, room, size))
        head = catch_up(room, near)
        slowed(row, far, head)
        healed(line, far)
        catch_up(room, far)
        judge(row, stack, room, tally, [*near, *far])
    undisturbed(row, near)
    measure_reading(row, size, tally, near, far)
    measure_ends(row, far, shut=stack.said("web").count(SHUT_OUT) - before)
    held = [sample.memory for sample in meter.samples["web"]]
    row.measure("web's memory grew by", max(held) - held[0], 50, "MiB")
    return row


def slowed(row: Row, far: Sequence[Browser], head: int) -> None:
    """They have not been sent everything: they are behind, or were shut out, or had to begin anew."""
    row.note(f"at the end the slow ones are {min(head - one.seq for one in far)} entries behind, or more")
    free = [one for one in far if one.seq >= head and one.begun == 1 and not one.ends]
    row.measure("slow ones not held back", len(free), 0, "of them")


def healed(line: FaultProxy, far: Sequence[Browser]) -> None:
    """The line is wide again: first everything comes that was on the way, then they go on."""
    for one in far:
        one.holds = True
    line.rate = 0
    began = time.time()
    until(lambda: all(one.rests(began) for one in far), seconds=60, what="the end of what was on the way")
    for one in far:
        one.let_go()


def measure_reading(row: Row, size: Size, tally: Tally, near: Sequence[Browser], far: Sequence[Browser]) -> None:
    """What T20 asks of the browsers."""
    measure_pace(row, size, tally)
    late = lateness(near, tally)
    row.note(f"the others after p50 {percentile(late, 0.5):.3f} s")
    row.measure("the others after, p99", percentile(late, 0.99), 1.5 * SLACK[size.name])
    for kind, window in WINDOW.items():
        of_kind = [one for one in far if isinstance(one, kind)]
        most = max(one.most_on_way for one in of_kind)
        row.measure(f"on the way to a slow {kind.__name__}, most", most, window, "entries")
        row.note(f"{len(of_kind)} slow {kind.__name__} began anew {sum(one.begun - 1 for one in of_kind)} times")


def measure_ends(row: Row, far: Sequence[Browser], *, shut: int) -> None:
    """A line of a slow one ends with 4413 only.

    The code stands behind all that is on the way, and the server does not wait until that is read: whoever is shut
    out sees a line that is cut off, so that the server's log must say of each that it was shut out.
    """
    ends = [int(code) for one in far for code in one.ends]
    row.note(f"{shut} times a slow one was shut out with {TOO_FAR_BEHIND}, as they saw it {dict(Counter(ends))}")
    strange = [code for code in ends if code not in (TOO_FAR_BEHIND, CUT_OFF)]
    row.measure("ends of another kind", max(len(strange), len(ends) - shut, 0), 0, "of them")


READERS: dict[str, Callable[[Stack, Size, int], Row]] = {"T03": appended, "T20": throttled}
