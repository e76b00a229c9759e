"""T06 to T10: processes and servers are killed in the middle of a run with many agents."""

from __future__ import annotations

import http.client
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence

from tests.chaos.behaviour import of_run, projection
from tests.chaos.crew import Crew, Room
from tests.chaos.history import is_, seconds_of
from tests.chaos.processes import children_of
from tests.chaos.roles import OBEDIENT_SAYS
from tests.chaos.rows import CI, FULL, Row, Size, percentile
from tests.chaos.scene import Scene, Stage, staged
from tests.chaos.stacks import LONGEST, Servers, Stack, gone
from tests.stories.installation import command_of
from tests.stories.waiting import until

SIZES = {
    "T06": {FULL: Size(FULL, 300, 4000, 20, 0.5), CI: Size(CI, 8, 18, 2, 0.4)},
    "T07": {FULL: Size(FULL, 300, 4000, 10, 12.0), CI: Size(CI, 8, 16, 1, 2.0)},
    "T08": {FULL: Size(FULL, 300, 4000, 10, 0.5), CI: Size(CI, 8, 16, 1, 0.4)},
    "T09": {FULL: Size(FULL, 300, 4000, 5, 0.5), CI: Size(CI, 8, 16, 1, 0.4)},
    "T10": {FULL: Size(FULL, 300, 4000, 5, 2.0), CI: Size(CI, 8, 16, 1, 0.5)},
}
UP = "-active-"  # in the title of a process of Celery's that has imported everything
# T07: how the waits of the agents' connectors are scaled.
WAITS = {FULL: 1.0, CI: 0.2}


def worker_killed(stack: Stack, size: Size, seed: int) -> Row:
    """T06: kill -9 a worker, parent or child, at random moments.

    In a test run, which shares its machine, a blow lasts until the worker has come up again.
    """
    stuck = [0.0]
    struck: list[float] = []

    def act(scene: Scene, row: Row) -> None:
        for blow in range(scene.size.blows):
            scene.reach((blow + scene.dice.random()) / (scene.size.blows + 1))
            struck.append(time.time())
            part = scene.dice.choice(list(stack.workers))
            _strike(stack, part, scene.dice)
            if size.name == CI and isinstance(stack, Servers):
                struck.append(_came_up(stack, part))
            stuck.append(scene.moves_again(60))

    row = Row("T06", f"kill -9 a worker {size.blows} times", stack.name, seed)
    scene = staged(row, stack, size, act)
    row.measure("moving again, worst", max(stuck), 15)
    row.measure("waiting for a verdict after a blow, worst", longest_review(stack, scene.run, struck), 15)
    return row


def _strike(stack: Stack, part: str, dice: random.Random) -> None:
    """Kill a prefork child alone, or the parent, whose children must go with it."""
    if isinstance(stack, Servers) and part == "worker" and dice.random() < 0.5:
        children = children_of(stack.parts["worker"].pid)
        if children:
            os.kill(dice.choice(children), signal.SIGKILL)
            return
    orphans = stack.kill(part)
    gone(orphans, seconds=5)
    stack.back(part)


def _came_up(stack: Servers, part: str) -> float:
    """Wait until a worker has imported everything; when that was."""
    until(lambda: UP in command_of(stack.parts[part].pid), seconds=LONGEST, what=f"a {part} that has come up")
    return time.time()


def longest_review(stack: Stack, run: str, struck: Sequence[float]) -> float:
    """The longest time from a result, or a blow that came after it, to its verdict: the workers' part of a task."""
    rows = stack.rows(
        "SELECT a.submitted_at, a.ended_at FROM clawgroups_attempt a JOIN clawgroups_task t ON t.id = a.task_id "
        f"WHERE a.state = 'accepted' AND a.submitted_at IS NOT NULL AND {of_run(run)}"
    )
    waits = ((seconds_of(submitted), seconds_of(ended)) for submitted, ended in rows)
    return max((end - max([begun, *(at for at in struck if at < end)]) for begun, end in waits), default=0.0)


def web_killed(stack: Stack, size: Size, seed: int) -> Row:
    """T07: kill -9 the web process while all agents are in a turn; it is started again a second later.

    In a test run, which shares its machine, agents have to be back in time once the server answers, and wait a fifth
    as long between two tries; at full size once they were cut off.
    """
    whole = size.name == FULL
    boots: list[float] = []
    returns: list[float] = []

    def crew(stack: Stack, room: Room) -> Crew:
        return Crew(stack, room.agents, seed=seed, work=size.work, scale=WAITS[size.name])

    def act(scene: Scene, row: Row) -> None:
        for blow in range(scene.size.blows):
            scene.reach((blow + 0.5) / (scene.size.blows + 2))
            killed = time.time()
            stack.kill("web")
            if isinstance(stack, Servers):
                time.sleep(1.0)  # As long as the test says that it is away.
            stack.back("web")
            scene.room.script.reachable(seconds=LONGEST)
            answers = time.time()
            boots.append(answers - killed)
            scene.moves_again(60)
            away = _until_all_are_back(scene, killed)
            returns.extend(back - (gone if whole else min(back, answers)) for gone, back in away)
        row.note(f"web back, worst {max(boots):.1f} s")
        since = "" if whole else " once it answers"
        row.measure(f"agents back{since}, p95", percentile(returns, 0.95), 15)
        row.measure(f"agents back{since}, worst", max(returns), 30)

    row = Row("T07", f"kill -9 web {size.blows} times, agents mid-turn", stack.name, seed)
    scene = staged(row, stack, size, act, Stage(crew=crew))
    row.measure("reassigned", released(stack, scene.room.workspace), 0, "tasks")
    row.measure("updates lost, doubled or out of order", len(told_otherwise(stack, scene)), 0, "tasks")
    return row


def _until_all_are_back(scene: Scene, killed: float) -> list[tuple[float, float]]:
    """When each agent lost its socket since then, and when it was back."""
    until(lambda: len(scene.crew.up(killed)) == scene.size.agents, seconds=LONGEST, what="everybody back")
    return scene.crew.away(killed)


def told_otherwise(stack: Stack, scene: Scene) -> list[str]:
    """Tasks whose rows are not exactly what their agent said: each word once, the tool call begun and ended once."""
    found = []
    for key, made in projection(stack, scene.run).items():
        results = [result for _, state, _, result, _ in made["attempts"] if state == "accepted"]
        if results != [OBEDIENT_SAYS] or [status for *_, status in made["steps"]] != ["completed"]:
            found.append(key)
    return found


def released(stack: Stack, workspace: str) -> int:
    """How many attempts of a workspace ended without a result."""
    ended = "state IN ('expired', 'refused', 'superseded', 'cancelled')"
    mine = f"{ended} AND {is_('workspace_id', workspace)}"
    return int(stack.rows(f"SELECT count(*) FROM clawgroups_attempt WHERE {mine}")[0][0])


def redis_killed(stack: Stack, size: Size, seed: int) -> Row:
    """T08: kill -9 Redis; it stays away for 2 to 20 seconds, again and again."""
    resumed = [0.0]

    def act(scene: Scene, row: Row) -> None:
        longest = 20 if scene.size.name == FULL else 4
        before = stack.pids()
        for blow in range(scene.size.blows):
            scene.reach((blow + 0.5) / (scene.size.blows + 1))
            if isinstance(stack, Servers):
                stack.redis.kill()
                time.sleep(scene.dice.uniform(2, longest))  # As long as the test says that it is away.
                stack.redis.start()
            else:
                stack.kill("valkey")
                stack.back("valkey")
            resumed.append(scene.moves_again(60))
        row.check("no process was started anew", stack.pids() == before)

    row = Row("T08", f"kill -9 Redis {size.blows} times, away 2-20 s", stack.name, seed)
    scene = staged(row, stack, size, act)
    row.measure("work resumes, worst", max(resumed), 15)
    row.measure("reassigned", released(stack, scene.room.workspace), 0, "tasks")
    return row


class Writes(threading.Thread):
    """Somebody who keeps writing, and remembers which writes were acknowledged and how others were refused."""

    def __init__(self, room: Room) -> None:
        super().__init__(daemon=True)
        self._room = room
        self._over = threading.Event()
        self.acknowledged: list[str] = []
        self.refusals: Counter[str] = Counter()

    def run(self) -> None:
        number = 0
        path = f"/api/v1/workspaces/{self._room.workspace}/messages"
        while not self._over.wait(0.2):
            number += 1
            try:
                answer = self._room.script.send("POST", path, {"body": f"word {number}"})
            except (OSError, http.client.HTTPException):
                self.refusals["no connection"] += 1
                continue
            if answer.status < 300:
                self.acknowledged.append(str(answer.json["id"]))
            else:
                told = "with" if "retry-after" in answer.headers else "without"
                self.refusals[f"{answer.status} {told} Retry-After"] += 1

    def end(self) -> None:
        self._over.set()
        self.join(60)


def postgres_stopped(stack: Stack, size: Size, seed: int) -> Row:
    """T09: PostgreSQL is stopped at once, as by a crash, and stays away for ten seconds."""
    assert isinstance(stack, Servers)
    resumed = [0.0]

    def act(scene: Scene, row: Row) -> None:
        writes = Writes(scene.room)
        writes.start()
        for blow in range(scene.size.blows):
            scene.reach((blow + 0.5) / (scene.size.blows + 1))
            stack.postgres.stop(signal.SIGQUIT)
            time.sleep(10)  # As long as the test says that it is away.
            stack.postgres.start()
            resumed.append(scene.moves_again(60))
        writes.end()
        stored = {str(pk) for (pk,) in stack.rows("SELECT id FROM clawgroups_message")}
        row.measure("acknowledged writes lost", len(set(writes.acknowledged) - stored), 0, "of them")
        row.note(f"{len(writes.acknowledged)} writes acknowledged")
        allowed = {"503 with Retry-After", "504 with Retry-After", "no connection"}
        row.check(f"refusals were {dict(writes.refusals)}", set(writes.refusals) <= allowed)

    row = Row("T09", f"PostgreSQL stopped hard {size.blows} times, away 10 s", stack.name, seed)
    scene = staged(row, stack, size, act)
    row.measure("work resumes, worst", max(resumed), 30)
    row.measure("reassigned", released(stack, scene.room.workspace), 0, "tasks")
    return row


def rolled(stack: Stack, size: Size, seed: int) -> Row:
    """T10: every process is told to stop and started again, one after the other, in the middle of the run."""
    assert isinstance(stack, Servers)
    took = [0.0]

    def act(scene: Scene, row: Row) -> None:
        for blow in range(scene.size.blows):
            scene.reach((blow + 0.5) / (scene.size.blows + 1))
            for part in ("web", *stack.workers):
                took.append(stack.stop(part))
                stack.back(part)
                if part == "web":
                    scene.room.script.reachable(seconds=LONGEST)
            scene.moves_again(60)
        lost = [line["why"] for line in scene.crew.lines() if line["what"] == "down"]
        row.measure(
            "sockets cut off without 1012", sum(1 for why in lost if why.startswith("connection lost")), 0, "of them"
        )
        told = {line["agent"] for line in scene.crew.lines() if line["what"] == "draining"}
        row.measure("agents not told that it drains", scene.size.agents - len(told), 0, "of them")

    row = Row("T10", f"rolling SIGTERM {size.blows} times", stack.name, seed)
    scene = staged(row, stack, size, act)
    row.measure("exit, worst", max(took), 20)
    row.measure("reassigned", released(stack, scene.room.workspace), 0, "tasks")
    return row


KILLS: dict[str, Callable[[Stack, Size, int], Row]] = {
    "T06": worker_killed,
    "T07": web_killed,
    "T08": redis_killed,
    "T09": postgres_stopped,
    "T10": rolled,
}
