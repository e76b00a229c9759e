"""T22: many questions of agents open at once, while the server is killed, lines are cut, and agents change their minds.

Two people answer all of it at the same time, each from what they have read; agents try to answer, too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from tests.chaos import decided
from tests.chaos.asking import ASK, CHANGE, CHANGING, asks_nobody, parts
from tests.chaos.crew import Crew, Room
from tests.chaos.decided import Question, questions
from tests.chaos.deciders import Json, Person, Said, reading, tried_by_agents
from tests.chaos.faults import FaultProxy
from tests.chaos.plans import flat
from tests.chaos.rows import CI, FULL, Row, Size
from tests.chaos.scene import MINUTES, Scene, Stage, staged
from tests.chaos.seed import SECOND
from tests.chaos.stacks import Stack, running
from tests.stories.script import Script
from tests.stories.waiting import until

# `blows`: how often the web server is killed, and how often the agents' line is cut.
SIZES = {"T22": {FULL: Size(FULL, 300, 300, 5, 0.5), CI: Size(CI, 11, 11, 1, 0.1)}}
SCALE = {FULL: 0.2, CI: 0.1}
PATIENT = {
    "lost_contact": 1200.0,
    "grace": 1200.0,
    "soft_stall": 3000.0,
    "hard_stall": 4000.0,
    "start_to_close": 6000.0,
    "task_total": 20000.0,
    "escalate": 40.0,
}
# What is left alone expires after so long; everything else has time enough. In seconds before the clock scale.
SOON = {FULL: 900.0, CI: 80.0}
LATER = 15000.0
CUT = 0.5


def on_time(kind: str, size: str) -> AbstractContextManager[Stack]:
    """A stack on a quick clock: something has to expire."""
    return running(kind, CLAWGROUPS_CLOCK_SCALE=str(SCALE[size]))


def asked(stack: Stack, size: Size, seed: int) -> Row:
    """T22: each decision reaches its agent once, nobody answers for what they have not seen, and no agent decides."""
    row = Row("T22", f"{size.agents} agents ask, {size.blows} kills and cuts", stack.name, seed)
    with FaultProxy(stack.url) as line:

        def crew(stack: Stack, room: Room) -> Crew:
            roles = parts([one["name"] for one in room.agents])
            return Crew(stack, room.agents, seed=seed, work=size.work, roles=roles, url=line.url)

        def act(scene: Scene, row: Row) -> None:
            _played(scene, row, line)

        timers = {**PATIENT, "approval": SOON[size.name]}
        stage = Stage(plan=flat(size.tasks, seed), alike=True, timers=timers, crew=crew, second=True)
        staged(row, stack, size, act, stage)
    return row


def _played(scene: Scene, row: Row, line: FaultProxy) -> None:
    """Everybody asks; what was read is changed; then all answer at once, while things break."""
    roles = parts([one["name"] for one in scene.room.agents])
    changing = sum(role in {one.__name__ for one in CHANGING} for role in roles.values())
    alone = sum(role == asks_nobody.__name__ for role in roles.values())
    _all_ask(scene, alone)
    people = _people(scene)
    before = reading(scene.room.script, scene.room.workspace)
    row.note(f"{len(before) + alone} open at once")
    tries = _tried(scene, before)
    scene.crew.cue(CHANGE)
    until(lambda: len(_changed(scene)) == changing, seconds=MINUTES, what="everybody who changes it")
    changed = _changed(scene)
    _all_answer(scene, people, line, row)
    said = [one for person in people for one in person.said]
    scene.silent += [person.fault for person in people if person.fault]
    _measure_changed(row, changed, people)
    row.measure("answers that an agent gave", sum(one.status not in (401, 403) for one in tries), 0, "of them")
    row.note(f"{len(tries)} keys of agents tried")
    _measure_ends(scene, row, alone, said)


def _all_ask(scene: Scene, alone: int) -> None:
    """Those that are left alone ask first, as what they ask expires sooner."""
    stack, room = scene.stack, scene.room
    until(lambda: len(scene.crew.prompts()) == scene.size.agents, seconds=3 * MINUTES, what="everybody at work")
    until(lambda: len(questions(stack, room.workspace)) == alone, seconds=MINUTES, what="the first questions")
    room.set_timers({**PATIENT, "approval": LATER})
    scene.crew.cue(ASK)
    roles = parts([one["name"] for one in room.agents])
    wanted = sum(2 if role == "asks_two" else 1 for role in roles.values())
    until(lambda: len(questions(stack, room.workspace)) == wanted, seconds=2 * MINUTES, what=f"{wanted} questions")


def _people(scene: Scene) -> list[Person]:
    """Two who have read everything, and have not answered yet."""
    room, seed = scene.room, scene.dice.randrange(1_000_000)
    other = Script(room.script.url, scene.stack.manage("token", SECOND).split()[-1])
    return [Person("one", room.script, room.workspace, seed), Person("two", other, room.workspace, seed)]


def _tried(scene: Scene, open_ones: Sequence[Json]) -> list[Said]:
    """Agents try with their own keys, and with those of their sessions."""
    tools = [line for line in scene.crew.lines() if line["what"] == "tools"]
    headers = [header for line in tools for header in line["headers"] if header["name"] == "Authorization"]
    keys = [one["key"] for one in scene.room.agents] + [header["value"].split()[-1] for header in headers]
    return tried_by_agents(scene.room.script.url, keys, open_ones)


def _changed(scene: Scene) -> list[Question]:
    rows = questions(scene.stack, scene.room.workspace)
    return [row for row in rows if (row.state, row.why) == ("void", "changed")]


def _all_answer(scene: Scene, people: Sequence[Person], line: FaultProxy, row: Row) -> None:
    """Both answer; the server is killed and the line is cut meanwhile, until the run is over."""
    for person in people:
        person.start()
    wait: Callable[[float], bool] = people[0].over.wait
    killed_at = []
    for number in range(scene.size.blows):
        _given(scene, people, 2 * number + 1)
        killed_at.append(_answers(people))
        scene.stack.kill("web")
        scene.stack.back("web")
        # How long it takes to start is shown by T07: here 300 agents and both people wait at its door meanwhile.
        Script(scene.room.script.url, "").reachable(seconds=5 * MINUTES)
        _given(scene, people, 2 * number + 2)
        line.cut()
        wait(CUT)
        line.heal()
    whole = sum(person.begins_with for person in people)
    row.check(f"killed after {', '.join(map(str, killed_at))} of {whole} answers", all(n < whole for n in killed_at))
    scene.followers[0].ended(scene.run, seconds=10 * MINUTES)
    for person in people:
        person.over.set()
    for person in people:
        person.join(MINUTES)


def _given(scene: Scene, people: Sequence[Person], blow: int) -> None:
    """Wait until this blow's share of the answers is given: by a clock it would fall when all is over, or before."""
    share = (blow + scene.dice.uniform(-0.4, 0.4)) / (2 * scene.size.blows + 1)
    wanted = int(share * sum(person.begins_with for person in people))

    def enough() -> bool:
        return _answers(people) >= wanted or not all(person.is_alive() for person in people)

    until(enough, seconds=10 * MINUTES, what=f"{wanted} answers")


def _answers(people: Sequence[Person]) -> int:
    return sum(len(person.said) for person in people)


def _measure_changed(row: Row, changed: Sequence[Question], people: Sequence[Person]) -> None:
    """Both had read what was changed then, and each was refused."""
    old = {question.pk for question in changed}
    for person in people:
        mine = [one for one in person.said if one.approval.replace("-", "") in old]
        refused = {one.approval for one in mine if (one.status, one.code) == (409, "changed")}
        row.check(f"{len(refused)} of {len(old)} changed ones refused to {person.name}", len(refused) == len(old))


def _measure_ends(scene: Scene, row: Row, alone: int, said: Sequence[Said]) -> None:
    rows = questions(scene.stack, scene.room.workspace)
    expired = sum(one.state == "expired" for one in rows)
    row.check(f"{expired} of {alone} expired into a rejection", expired == alone)
    row.measure("questions left open", sum(one.state == "open" for one in rows), 0, "of them")
    by_rule = sum(one.state == "decided" and one.by is None for one in rows)
    row.note(f"{sum(one.state == 'decided' for one in rows)} decided, {by_rule} of them by a rule")
    row.note(f"{sum(one.code == 'not_open' for one in said)} times the other was quicker")
    faults = decided.faults(scene.stack, scene.room.workspace, scene.crew, said)
    row.measure("decisions that did not reach their agent once", len(faults), 0, "of them")
    scene.silent += faults


APPROVALS: dict[str, Callable[[Stack, Size, int], Row]] = {"T22": asked}
