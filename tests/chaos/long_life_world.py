"""The program of T04: `python -m tests.chaos.long_life_world --size full|ci --seed N`; see `tests.chaos.long_life`.

A step is 25 seconds: what is due happens to agents and people, the gateway's heartbeat is renewed, the sweeper
works, and then worker and gateway do what there is to do until there is nothing more. The last line is the report.
"""

from __future__ import annotations

import argparse
import heapq
import itertools
import json
import os
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any
from unittest import mock
from uuid import UUID

import tests.environment  # noqa: F401  before Django's settings are read

import django  # isort: skip

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
django.setup()

from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402

from agents.models import AgentKey  # noqa: E402
from clawgroups import bus, commit  # noqa: E402
from clawgroups.auth import actor_of_user  # noqa: E402
from clawgroups.coordinator import watchdog  # noqa: E402
from clawgroups.coordinator.loop import take_turn  # noqa: E402
from clawgroups.core.errors import Conflict, NotFound  # noqa: E402
from clawgroups.gateway import reads  # noqa: E402
from clawgroups.gateway.reads import Held  # noqa: E402
from clawgroups.jobs import Sweeper  # noqa: E402
from clawgroups.models import Run  # noqa: E402
from clawgroups.reactions import react  # noqa: E402
from clawgroups.services import agents, contact, members, runs, workspaces  # noqa: E402
from clawgroups.services.perform import perform  # noqa: E402
from clawgroups.services.sessions import command_sent, may_go_to, open_commands  # noqa: E402
from tests.chaos.long_life import LIVES, Life, Report  # noqa: E402
from tests.chaos.long_life_crew import FarAgent  # noqa: E402
from tests.chaos.long_life_ledger import Ledger  # noqa: E402
from tests.chaos.long_life_people import People  # noqa: E402
from tests.chaos.seed import SKILLS  # noqa: E402

BEGIN = datetime(2026, 5, 4, 8, tzinfo=UTC)
STEP = 25.0  # seconds: less than the gap that would be an outage of our own
HOUR = 3600.0
OVERTIME = 2 * HOUR  # after the hours that it shall live; then something stands still
AFTERWARDS = HOUR / 6  # until all that was asked to stop has stopped
THERE_AT_FIRST, RETIRE, REMOVED, FAILERS = 0.66, 0.1, 0.07, 0.02
ABSENCES = 4  # of an agent, at most
DAY = 86400.0


class Clock:
    """Time that passes by a millisecond whenever somebody looks, and by much more when it is told to."""

    def __init__(self) -> None:
        self._now = BEGIN
        # Whoever renews a turn looks from another thread.
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        return self.moves_on(timedelta(milliseconds=1))

    def moves_on(self, by: timedelta) -> datetime:
        with self._lock:
            self._now += by
            return self._now

    @property
    def elapsed(self) -> float:
        return (self._now - BEGIN).total_seconds()


class World:
    """A workspace with one run, its people, its agents, and everything that will happen to them."""

    def __init__(self, life: Life, seed: int, clock: Clock, ledger: Ledger) -> None:
        self.life, self.clock, self.ledger = life, clock, ledger
        self.dice = random.Random(seed)
        self.sessions_lost = self.joined = self.left = 0
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()
        self._sweeper = Sweeper()
        self.crew: dict[UUID, FarAgent] = {}
        self._room()
        self.people = People(self, self.run, {n: actor_of_user(u) for n, u in self._users.items()})
        chosen = self.dice.sample([f"t{n}" for n in range(life.tasks // 2, life.tasks)], life.takeovers)
        self.people.will_take_over(chosen)
        rest = [f"t{n}" for n in range(life.tasks) if f"t{n}" not in chosen]
        self._questions = set(self.dice.sample(rest, life.questions))
        for number in range(life.agents):
            self._will_live(number)

    # Setting out

    def _room(self) -> None:
        """The workspace, three people, and the run with its plan, begun."""
        self._users = {name: User.objects.create_user(name) for name in ("ada", "bob", "carol")}
        self.ada = actor_of_user(self._users["ada"])
        made = perform(workspaces.create_workspace, name="Long", goal="Outlive a day", actor=self.ada)
        self.workspace = UUID(made.answer["id"])
        for name in ("bob", "carol"):
            perform(members.add_person, self.workspace, username=name, role="admin", actor=self.ada)
        # The run's own deadline would be reached at the very end.
        perform(workspaces.set_timers, self.workspace, timers={"run_total": DAY}, actor=self.ada)
        drafted = perform(runs.draft_run, self.workspace, goal="Outlive a day", plan=self._plan(), actor=self.ada)
        self.run = UUID(drafted.answer["id"])
        perform(runs.start_run, self.run, actor=self.ada)

    def _plan(self) -> list[dict[str, Any]]:
        """Levels; each task needs one or two of the level before."""
        width = self.life.tasks // self.life.levels
        plan = []
        for number in range(self.life.tasks):
            level = self._level(number)
            before = {f"t{(level - 1) * width + self.dice.randrange(width)}" for _ in range(2)} if level else set()
            skills = [self.dice.choice(SKILLS)]
            plan.append({"key": f"t{number}", "title": f"t{number}", "skills": skills, "depends_on": sorted(before)})
        return plan

    def _level(self, number: int) -> int:
        return min(number // (self.life.tasks // self.life.levels), self.life.levels - 1)

    def _will_live(self, number: int) -> None:
        """One agent's life: when it joins, when it is away, whether it leaves, and whether it mostly fails."""
        whole, dice = self.life.hours * HOUR, self.dice
        joins = 0.0 if number < self.life.agents * THERE_AT_FIRST else dice.uniform(0, 0.8) * whole
        fails = 0.6 if dice.random() < FAILERS else 0.015
        self.later(joins, partial(self._joins, number, fails))
        leaves = dice.random()
        for _ in range(dice.randint(0, ABSENCES)):
            self.later(dice.uniform(joins, whole), partial(self._away, number, dice.random(), dice.random()))
        if leaves < RETIRE:
            self.later(dice.uniform(max(joins, 0.3 * whole), 0.9 * whole), partial(self._retires, number))
        elif leaves < RETIRE + REMOVED:
            self.later(dice.uniform(joins, 0.8 * whole), partial(self._is_removed, number))

    # What an agent asks of the world

    def later(self, seconds: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._events, (self.clock.elapsed + seconds, next(self._numbers), what))

    def time_for(self, title: str) -> float:
        """So long that its level is done when it is due; a few tasks take much longer."""
        if self.dice.random() < 0.01:
            return self.dice.uniform(600, 1100)
        share = (self._level(int(title[1:])) + 1) / self.life.levels
        due = share * (self.life.hours * HOUR - 900) + self.dice.uniform(-90, 90)
        return min(max(due - self.clock.elapsed, 60), 300)

    def begun(self, task_id: UUID, title: str) -> None:
        self.people.see_begun(task_id, title)

    def wants_to_ask(self, title: str) -> bool:
        return title in self._questions

    def asked(self, approval_id: UUID, title: str, withdraw: Callable[[], None]) -> None:
        self._questions.discard(title)
        self.people.are_asked(approval_id, withdraw)

    # What happens to agents

    def _agent(self, number: int) -> FarAgent | None:
        return next((one for one in self.crew.values() if one.name == f"Agent {number}"), None)

    def _joins(self, number: int, fails: float) -> None:
        skills = [{"name": SKILLS[(number + more) % len(SKILLS)], "level": 3} for more in (0, 1)]
        made = perform(
            agents.register_agent,
            name=f"Agent {number}",
            handle=f"agent-{number}",
            skills=skills,
            workspace_id=self.workspace,
            key=agents.mint_key(),
            actor=self.ada,
        )
        pk = UUID(made.answer["id"])
        key = AgentKey.objects.values_list("pk", flat=True).get(agent=pk)
        self.crew[pk] = FarAgent(self, pk, f"Agent {number}", key, fails=fails)
        self.crew[pk].comes()
        self.joined += 1

    def _away(self, number: int, length: float, manner: float) -> None:
        """It is away for ten seconds to three hours; half of the sockets just fall silent."""
        agent = self._agent(number)
        if agent is None or not agent.up:
            return
        agent.goes(silently=manner < 0.5)
        seconds = 10 * (3 * HOUR * self.life.hours / 12 / 10) ** length
        self.later(seconds, partial(agent.comes, same=manner % 0.5 < 0.25))

    def _retires(self, number: int) -> None:
        agent = self._agent(number)
        if agent is not None and not agent.retired:
            perform(agents.retire_agent, agent.pk, actor=self.ada)
            self.left += 1

    def _is_removed(self, number: int) -> None:
        """It loses its seat as soon as it has nothing in hand, and gets it back an hour later."""
        agent = self._agent(number)
        if agent is None or agent.retired:
            return
        try:
            self.people.remove(agent.pk)
        except Conflict:
            self.later(60, partial(self._is_removed, number))
            return
        self.left += 1
        self.later(HOUR, partial(self.people.bring_back, agent.pk))

    def everybody_leaves(self) -> None:
        for agent in self.crew.values():
            agent.goes()

    # Time

    def live(self) -> None:
        """Until the hours are over and the run is, and a while longer."""
        whole = self.life.hours * HOUR
        while self.clock.elapsed < whole or self._goes_on():
            assert self.clock.elapsed < whole + OVERTIME, self.people.stands_still()
            self.step()
        for agent in self.crew.values():
            agent.comes()
        until = self.clock.elapsed + AFTERWARDS
        while self.clock.elapsed < until:
            self.step()

    def _goes_on(self) -> bool:
        return Run.objects.filter(pk=self.run).exclude(state__in=["done", "failed", "cancelled"]).exists()

    def step(self) -> None:
        self.clock.moves_on(timedelta(seconds=STEP))
        while self._events and self._events[0][0] <= self.clock.elapsed:
            heapq.heappop(self._events)[2]()
        up = [agent for agent in self.crew.values() if agent.up]
        commit.wait(contact.renew_connections({agent.link: agent.epoch for agent in up}))
        self._sweeper.once(self.clock())
        self._close(up)
        while self._work() or self._serve():
            pass
        self.ledger.passes(self.clock.elapsed)

    def _work(self) -> bool:
        """What the worker does after a hint."""
        react(self.workspace)
        with self.ledger.turn():
            return take_turn(self.run)

    def _close(self, up: list[FarAgent]) -> None:
        """Sockets that must go, as the gateway finds them; who is still welcome is back soon."""
        held = {agent.pk: Held(agent.pk, agent.link, agent.epoch, agent.key) for agent in up}
        for pk, look in reads.look(held).items():
            if look.close:
                agent = self.crew[pk]
                agent.retired = "retired" in look.reason
                agent.goes(reason=look.reason)
                self.later(STEP, agent.comes)

    def _serve(self) -> bool:
        """Send agents what they are owed; whether there was anything."""
        sent = 0
        for command in open_commands([agent.pk for agent in self.crew.values() if agent.up]):
            agent = self.crew[command.agent_id]
            prompt = command.purpose in ("work", "acknowledge", "steer")
            if not may_go_to(command, agent.link) or (prompt and agent.is_busy_in(command.session_id)):
                continue
            try:
                perform(command_sent, command.pk, link=agent.link, epoch=agent.epoch)
            except (Conflict, NotFound):
                continue  # void meanwhile
            agent.hears(command)
            sent += 1
        return sent > 0


@contextmanager
def on_this_clock(clock: Clock) -> Iterator[None]:
    """Everybody's time is the injected clock's, the database's too; hints go nowhere."""
    with ExitStack() as stack:
        stack.enter_context(mock.patch("django.utils.timezone.now", clock))
        for place in ("clawgroups.services.contact", "clawgroups.jobs"):
            stack.enter_context(mock.patch(f"{place}.database_now", clock))
        # It reads everything that is open: at each second step, so that a proof is never stale.
        stack.enter_context(mock.patch.object(watchdog, "EVERY", timedelta(seconds=2 * STEP)))
        stack.enter_context(mock.patch.object(bus, "wake", return_value=None))
        stack.enter_context(mock.patch.object(bus, "enqueue", return_value=None))
        yield


def play(life: Life, seed: int) -> Report:
    """Live through it, and say what came of it."""
    clock = Clock()
    with on_this_clock(clock), commit.inline() as collected, Ledger(collected) as ledger:
        world = World(life, seed, clock, ledger)
        world.live()
        return ledger.report(world, clock())


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.chaos.long_life_world")
    options.add_argument("--size", choices=list(LIVES), required=True)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1_000_000))
    given = options.parse_args(arguments)
    if connection.vendor == "sqlite":
        # Nothing dies here.
        settings = connection.settings_dict["OPTIONS"]
        settings["init_command"] = settings["init_command"].replace("synchronous=FULL", "synchronous=OFF")
    call_command("migrate", verbosity=0)
    print(json.dumps(asdict(play(LIVES[given.size], given.seed))), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
