"""The program of T21: `python -m tests.chaos.takeover_run [--each N] [--seed S]`; see `tests.chaos.takeover`."""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import tests.environment  # noqa: F401  before Django's settings are read

import django  # isort: skip

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from agents.models import Agent  # noqa: E402
from clawgroups import commit  # noqa: E402
from clawgroups.core.garbage import settle  # noqa: E402
from clawgroups.models import Approval, Attempt, Command, Draft, Entry  # noqa: E402
from tests.chaos.takeover import Report  # noqa: E402
from tests.chaos.takeover_judge import faults  # noqa: E402
from tests.chaos.takeover_phases import PHASES, RIVAL, TAKEOVER, WORK, Round, race  # noqa: E402
from tests.chaos.takeover_room import GATEWAY, OTHERS, PATIENCE, PEOPLE, Json, Room, furnished, sides_of  # noqa: E402
from tests.chaos.takeover_witness import watch  # noqa: E402
from tests.conftest import make_users  # noqa: E402
from tests.machine.engine import AT_ANY_TIME  # noqa: E402
from tests.stories import checker  # noqa: E402
from tests.stories.waiting import until  # noqa: E402

ROOMS = 4
RIVALS = 12  # rounds after which each phase has met all of its own
TOLD = 40
UNDERSTOOD = "I keep what was written."


@dataclass
class Found:
    """What came of some rounds."""

    rounds: int = 0
    again: int = 0  # takeovers that were decided a second time, since the other side was quicker
    refused: int = 0  # the other side's changes that came second and were not applied
    same: int = 0  # hand-backs that went on in the same session
    acknowledged: int = 0
    faults: list[str] = field(default_factory=list)


def play(room: Room, rounds: Sequence[tuple[str, int, str]], seed: int) -> Found:
    """Play these rounds in one room, one after the other, and judge them."""
    found = Found()
    for phase, number, first in rounds:
        at = Round(room, phase, number, first, random.Random(f"{seed}:{phase}:{number}"))
        try:
            one_round(at, found)
            found.faults += faults(at)
        except Exception as fault:  # noqa: BLE001  told with its round
            found.faults.append(
                f"{phase}, {at.variant}, {first} first, round {number}: {type(fault).__name__}: {fault}"
            )
            break  # the room is not in order any more
        found.rounds += 1
    found.faults += judged(room)
    return found


def one_round(at: Round, found: Found) -> None:
    for one in at.room.agents.values():
        if Agent.objects.get(pk=one["id"]).breaker != "closed":
            at.room.do(PEOPLE, "vouch", one["id"], "ada")
    at.begin()
    race(at)
    found.again += not at.met[TAKEOVER]
    found.refused += not at.met[RIVAL]
    held_by_one(at)
    questions(at)
    come_to_rest(at)
    hand_back(at, found)


def held_by_one(at: Round) -> None:
    """Somebody holds it now; who lost was told who does."""
    task = at.row()
    assert (task.state, task.holder is not None) == ("held", True), f"it is {task.state}: {at.taken}"
    lost = [one for one in (at.taken, at.met.get("answer")) if isinstance(one, dict) and one.get("refused") == "held"]
    assert task.holder is not None
    assert all(one["holder"] == task.holder.name for one in lost), f"{lost}, but {task.holder.name} holds it"
    if "refused" in at.taken:
        assert lost, f"the takeover was refused: {at.taken}"


def questions(at: Round) -> None:
    """Nobody lets the agent go on any more; whatever it asked is answered once, by the next sweep at the latest."""
    for one in Approval.objects.filter(task_id=at.task, state="open"):
        said = at.room.verb(OTHERS, "decide", one.pk, "ada", option_id="yes").result(PATIENCE)
        assert said.get("refused") == "not_open", f"a question was answered after the takeover: {said}"
    if Approval.objects.filter(task_id=at.task, state="open").exists():
        at.room.sides[OTHERS].ask("look")
    for one in Approval.objects.filter(task_id=at.task):
        told = at.room.agent("answered", at.worker, request=one.request_id)
        kind = told[0].get("result", {}).get("outcome", {}).get("outcome", "error")
        assert len(told) == 1, f"the question {one.request_id} was answered {len(told)} times"
        assert (kind == "selected") == (one.state == "decided"), f"a question that is {one.state} was answered {kind}"


def come_to_rest(at: Round) -> None:
    """Whoever was prompted hears that it shall stop, says some more, and ends its turn."""
    for command in Command.objects.filter(attempt__task_id=at.task, purpose="work").exclude(state__in=["open", "void"]):
        assert command.attempt is not None
        name = at.room.name_of(command.attempt.member_id)
        if at.phase == "agent offline" and not at.room.agent("is_up", name):
            at.room.connect(name)
        if at.prompt is None:
            at.worker, at.prompt = name, at.room.agent("heard", name, method=WORK, number=1)
        if command.attempt.stop == "asked":
            at.room.agent("heard", name, method="session/cancel", number=1)
        if not at.ended:
            at.say("These words came late.")
            at.end_turn("cancelled" if at.dice.random() < 0.5 else "end_turn")
        pk = command.pk
        answered = lambda pk=pk: Command.objects.filter(pk=pk, state__in=["answered", "failed"]).exists()  # noqa: E731
        until(answered, seconds=PATIENCE, what="the end of the turn that was stopped")


def hand_back(at: Round, found: Found) -> None:
    """The holder writes and gives it back; an agent says what changed, and goes on from there."""
    room, task = at.room, at.row()
    assert task.holder is not None
    assert task.attempt is not None
    tried = task.attempt.number
    given = give_back(at, room.name_of(task.holder.pk), task.attempt)
    before = {name: room.agent("count", name, method=WORK) for name in room.agents}
    room.turn(at.run)
    known = Attempt.objects.filter(task_id=at.task, number__gt=tried)
    attempt = until(known.first, seconds=PATIENCE, what="another try")
    assert attempt is not None
    name = room.name_of(attempt.member_id)
    told = room.agent("heard", name, method=WORK, number=before[name] + 1)
    assert _turn(told) == "acknowledge", f"the next prompt is {_turn(told)}"
    assert "Mind the total." in _text(told), "the note is not in the brief"
    found.same += at.prompt is not None and told["params"]["sessionId"] == at.session
    answer(room, name, told, UNDERSTOOD)
    work = room.agent("heard", name, method=WORK, number=before[name] + 2)
    assert _turn(work) == "work", f"the prompt after that is {_turn(work)}"
    for line in given.splitlines():
        assert f"> {line}" in _text(work), f"the agent was not given {line!r} of {given!r}"
    answer(room, name, work, f"{given} The end.")
    until(lambda: at.row().state == "in_review", seconds=PATIENCE, what="a result")
    room.do(PEOPLE, "accept", at.task, "ada")
    _in_order(at, attempt)
    found.acknowledged += 1


def give_back(at: Round, holder: str, attempt: Attempt) -> str:
    """Give the task back, with what stands in the editor, or while another window saves; the text that goes along."""
    room, first = at.room, Draft.objects.filter(attempt=attempt).latest("version").text
    text = f"{first}\nRound {at.number} as {holder} has it."
    room.do(PEOPLE, "save", at.task, holder, text=text)
    if at.dice.random() < 0.5:
        text += "\nAnd mind the coast."
        room.do(PEOPLE, "hand_back", at.task, holder, note="Mind the total.", text=text)
        return text
    sides = {"hand_back": room.sides[PEOPLE], "save": room.sides[OTHERS]}
    for name, verb in (("hand_back", "task.hand_back"), ("save", "draft.save")):
        sides[name].ask("keep", name=name + at.task, verb=verb, row=str(attempt.pk))
    last = f"{text}\nSaved in another window."
    giving = room.verb(PEOPLE, "hand_back", at.task, holder, note="Mind the total.")
    saving = room.verb(OTHERS, "save", at.task, holder, text=last)
    for name, side in sides.items():
        assert side.ask("decided", name=name + at.task), f"{name} is never decided"
    for name in ("save", "hand_back") if at.first == RIVAL else ("hand_back", "save"):
        sides[name].ask("release", name=name + at.task)
    given, saved = giving.result(PATIENCE), saving.result(PATIENCE)
    assert "refused" not in given, f"{holder} may not hand back: {given}"
    assert ("refused" in saved) == (at.first != RIVAL), f"what was saved meanwhile: {saved}"
    return text if "refused" in saved else last


def answer(room: Room, name: str, prompt: Json, text: str) -> None:
    room.agent("chunk", name, session=prompt["params"]["sessionId"], text=text)
    room.agent("end_turn", name, prompt=prompt["id"], reason="end_turn")


def _turn(prompt: Json) -> str:
    return str(prompt["params"]["_meta"]["clawgroups"]["turn"])


def _text(prompt: Json) -> str:
    return "\n".join(block.get("text", "") for block in prompt["params"]["prompt"])


def _in_order(at: Round, attempt: Attempt) -> None:
    """Handed back, given on, acknowledged, and only then submitted and done."""
    attempt.refresh_from_db()
    assert attempt.acknowledgement == UNDERSTOOD, f"acknowledged is {attempt.acknowledgement!r}"
    types = list(
        Entry.objects.filter(workspace=at.room.workspace, payload__task_id=at.task)
        .order_by("seq")
        .values_list("type", flat=True)
    )
    wanted = ["task.handed_back", "task.assigned", "task.begun", "attempt.acknowledged", "task.submitted", "task.done"]
    assert [one for one in types[types.index("task.handed_back") :] if one in wanted] == wanted, f"it went {types}"


def judged(room: Room) -> list[str]:
    """The room's journal and rows as a whole."""
    found = [one[-500:] for one in room.history.check(timezone.now(), AT_ANY_TIME)]
    entries = room.history.entries
    return [*found, *checker.fenced(entries), *checker.ended_as_journaled(entries, [])]


def chosen(phases: Sequence[str], each: int, seed: int) -> list[tuple[str, int, str]]:
    """So many rounds of each phase in both orders. Who plays few meets rivals that the seed chooses."""
    begin = random.Random(seed).randrange(RIVALS) if each < RIVALS else 0
    return [
        (phase, 2 * number + (first == TAKEOVER), first)
        for number in range(begin, begin + each)
        for phase in phases
        for first in (RIVAL, TAKEOVER)
    ]


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.takeover_run")
    options.add_argument("--each", type=int, default=25)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options.add_argument("--phases", nargs="*", default=list(PHASES))
    given = options.parse_args(arguments)
    started = time.monotonic()
    rounds = chosen(given.phases, given.each, given.seed)
    with sides_of(GATEWAY, PEOPLE, OTHERS) as sides:
        call_command("migrate", verbosity=0)
        settle()
        watch()
        for side in sides.values():
            side.wait()
        people = make_users()
        rooms = [furnished(sides, people, number) for number in range(ROOMS)]
        begun = time.monotonic()
        with ThreadPoolExecutor(ROOMS) as pool:
            every = list(pool.map(lambda n: play(rooms[n], rounds[n::ROOMS], given.seed), range(ROOMS)))
        sides[GATEWAY].ask("drain")
    commit.drain()
    done = sum(one.rounds for one in every)
    told = [fault for one in every for fault in one.faults]
    report = Report(
        rounds=done,
        wanted=len(rounds),
        again=sum(one.again for one in every),
        refused=sum(one.refused for one in every),
        same=sum(one.same for one in every),
        acknowledged=sum(one.acknowledged for one in every),
        seqs=Entry.objects.count(),
        seed=given.seed,
        seconds=round(time.monotonic() - begun, 1),
        in_all=round(time.monotonic() - started, 1),
        faults=tuple(told[:TOLD]),
        kinds=dict(Counter(fault.split(":")[0].split(", round")[0] for fault in told)),
    )
    print(json.dumps(asdict(report)), flush=True)
    return 0 if report.passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
