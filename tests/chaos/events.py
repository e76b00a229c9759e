"""`python -m tests.chaos.events WORKSPACE SEED`: makes things happen in a workspace, by the services, as it is told.

A command is a line of JSON on standard input, and so is its answer, {"head"}: ["write", N] makes N entries of all
kinds, ["say", N] makes N of messages alone, ["restore", SEQ] does what a restore from a backup does.
"""

from __future__ import annotations

import json
import os
import random
import sys
from dataclasses import replace
from itertools import groupby
from uuid import UUID

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
django.setup()

from django.db import transaction  # noqa: E402
from django.db.models import F  # noqa: E402
from django.db.models.functions import Least  # noqa: E402
from django.utils import timezone  # noqa: E402

from agents.ids import new_id  # noqa: E402
from agents.models import AgentKey  # noqa: E402
from clawgroups import commit  # noqa: E402
from clawgroups.auth import actor_of_user  # noqa: E402
from clawgroups.core.changes import Change, Insert  # noqa: E402
from clawgroups.core.events import MessagePosted  # noqa: E402
from clawgroups.journal import head_of  # noqa: E402
from clawgroups.models import Attempt, Entry, Member, Message, Task, Workspace  # noqa: E402
from clawgroups.services import contact, handback, members, people, takeover  # noqa: E402
from clawgroups.services.messages import message  # noqa: E402
from clawgroups.services.perform import perform  # noqa: E402

TOGETHER = 100  # messages that are one change
VISITS, MOVES = 10, 30  # at most so many in one go: each takes as long as a hundred messages
# A restore raises every epoch: somebody may hold one that the backup does not know.
FENCE = 1_000_000


class Pen:
    """The first person of the installation: writes, takes tasks, and lets agents come and go."""

    def __init__(self, workspace: UUID, seed: str) -> None:
        self._workspace = workspace
        self._dice = random.Random(seed)
        self._actor = actor_of_user(people.ensure_first_person())

    def head(self) -> int:
        return head_of(self._workspace).seq

    def write(self, count: int) -> None:
        """So many entries: messages, tasks taken over and handed back, agents that come, go, leave and return."""
        visits = min(count // 10, VISITS)
        moves = min(count // 4 + self._dice.randrange(2), MOVES, count - 2 * visits)
        plan = [self._visit] * visits + [self._move] * moves + [self.say] * (count - 2 * visits - moves)
        self._dice.shuffle(plan)
        for what, same in groupby(plan):
            what(len(list(same)))

    def say(self, count: int) -> None:
        """Messages, those that come together in one change."""
        while count > 0:
            first, fact = message(self._workspace, body=f"One of {count} words", actor=self._actor)
            writes, facts = [first], [fact]
            for _ in range(min(count, TOGETHER) - 1):
                pk = new_id()
                writes.append(Insert(first.model, pk, {**first.values, "created_at": timezone.now()}))
                facts.append(replace(fact, event=MessagePosted(message_id=pk)))
            change = Change(self._actor, self._workspace, (), tuple(writes), tuple(facts), verb="message.post")
            commit.wait(commit.submit(change))
            count -= len(writes)

    def _move(self, count: int) -> None:
        """Each changes a task's row or takes, or gives, a seat."""
        for _ in range(count):
            self._dice.choice((self._task, self._seat))()

    def _task(self) -> None:
        task = self._dice.choice(Task.objects.filter(workspace=self._workspace).order_by("position"))
        perform(handback.hand_back if task.holder_id else takeover.take_over, task.pk, actor=self._actor)

    def _seat(self) -> None:
        seat = self._dice.choice(self._agents())
        if seat.left_at is None:
            perform(members.remove_member, seat.pk, actor=self._actor)
        else:
            assert seat.agent_id is not None
            perform(members.add_agent, self._workspace, agent_id=seat.agent_id, actor=self._actor)

    def _visit(self, count: int) -> None:
        """Each time an agent comes online and goes: two entries."""
        for _ in range(count):
            here = [seat.agent_id for seat in self._agents() if seat.left_at is None and seat.agent_id]
            if not here:
                self.say(2)
                continue
            agent, link = self._dice.choice(here), new_id()
            key = AgentKey.objects.filter(agent=agent).values_list("pk", flat=True)[0]
            epoch = perform(contact.open_connection, agent, key_id=key, link=link).answer["epoch"]
            perform(contact.connection_ready, link, epoch=epoch, announced={})
            perform(contact.close_connection, link, epoch=epoch, reason="gone again")

    def _agents(self) -> list[Member]:
        return list(Member.objects.filter(workspace=self._workspace, agent__isnull=False).order_by("handle"))

    def restore(self, seq: int) -> None:
        """The workspace as a backup holds it that was taken at `seq`; since then nothing but messages came.

        Who has heard more must not take what comes from now on for what they have: another generation begins.
        """
        with transaction.atomic():
            lost = Entry.objects.filter(workspace=self._workspace, seq__gt=seq)
            said = [(entry.type, entry.payload["message_id"]) for entry in lost]
            assert {type_ for type_, _ in said} <= {"message.posted"}
            Message.objects.filter(pk__in=[pk for _, pk in said]).delete()
            lost.delete()
            for model in (Task, Attempt):
                model.objects.filter(workspace=self._workspace).update(epoch=F("epoch") + FENCE)
            Workspace.objects.filter(pk=self._workspace).update(
                generation=F("generation") + 1, head=seq, reacted=Least("reacted", seq)
            )


def main() -> None:
    pen = Pen(UUID(sys.argv[1]), sys.argv[2])
    verbs = {"write": pen.write, "say": pen.say, "restore": pen.restore}
    for line in sys.stdin:
        verb, number = json.loads(line)
        verbs[verb](number)
        print(json.dumps({"head": pen.head()}), flush=True)
    commit.drain()


if __name__ == "__main__":
    main()
