"""Claw Groups: the web process is killed (-9) while 150 agents are in a turn each, and started again.

Counts until the last agent is back on its socket; nobody may have been given another one's task, or a task twice.
"""

from __future__ import annotations

import time
from typing import Any

from bench.swarm import arguments, begun, tell
from tests.chaos.crew import Crew, furnish, working
from tests.chaos.kills import released
from tests.chaos.plans import flat
from tests.chaos.stacks import Servers, running
from tests.stories.script import Follower
from tests.stories.waiting import until

AGENTS = 150
WORK = 60.0  # seconds a task takes: all of it is spent in one turn, which outlives the blow
PATIENCE = 120.0


def main() -> None:
    told = arguments(__doc__)
    # A small run makes it small, too.
    count = min(AGENTS, told.steps // 4)
    with running("servers") as stack:
        assert isinstance(stack, Servers)
        room = furnish(stack, count, alike=True)
        crew = Crew(stack, room.agents, seed=told.seed, work=WORK if count == AGENTS else 10.0)
        with working(crew), Follower(room.script, room.workspace) as follower:
            run = room.start_run(flat(count, told.seed))
            until(lambda: len(crew.prompts()) == count, seconds=PATIENCE, what="everybody at work")
            before = _epochs(stack)
            begun()
            killed = time.time()
            stack.kill("web")
            stack.back("web")
            until(lambda: len(crew.absences(killed)) == count, seconds=PATIENCE, what="everybody back")
            absences = crew.absences(killed)
            kept = sum(1 for task, epoch in _epochs(stack).items() if before[task] == epoch)
            ended = follower.ended(run, seconds=PATIENCE)
        assert ended == "done", ended
        tell(
            steps=count,
            seconds=max(absences),
            other_epoch=count - kept,
            reassigned=released(stack, room.workspace),
            doubled=sum(times - 1 for times in crew.prompts().values()),
        )


def _epochs(stack: Servers) -> dict[str, Any]:
    return {str(pk): epoch for pk, epoch in stack.rows("SELECT id, epoch FROM clawgroups_task")}


if __name__ == "__main__":
    main()
