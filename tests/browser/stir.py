"""Things that happen in a crowd's workspace, one after another and at random, as if many were at it.

Run through `manage.py shell` beside a product that is up: `stir(workspace_id, seed, entries)`. Everything goes through
the verbs, so that the journal, and whoever follows it, hears of it.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any
from uuid import UUID

from clawgroups.auth import actor_of_user
from clawgroups.core.errors import ClawError
from clawgroups.models import Artifact, Message, Run, Task, Workspace
from clawgroups.services import (
    drafts,
    finishing,
    memories,
    message_changes,
    messages,
    pausing,
    pinning,
    runs,
    takeover,
    tasks,
    workspaces,
)
from clawgroups.services.perform import perform

WORDS = ("done", "see @ruth", "**why?**", "`units`", "half of it", "~~no~~ yes", "a\nb", "<b>bold</b>", "100 %", "…")


class Stirrer:
    """The owner of a workspace, who does something at random, again and again."""

    def __init__(self, workspace_id: UUID, seed: int) -> None:
        self._workspace = Workspace.objects.select_related("created_by").get(pk=workspace_id)
        self._run = Run.objects.filter(workspace=workspace_id).earliest("created_at")
        self._actor = actor_of_user(self._workspace.created_by)
        self._dice = random.Random(seed)
        self.done: dict[str, int] = {}
        self.refused: dict[str, int] = {}

    def step(self) -> None:
        """One verb; a refusal is an answer, too."""
        verb = self._dice.choices([self._say, self._change, self._sign, self._task, self._room, self._file],
                                  [5, 3, 4, 8, 1, 1])[0]  # fmt: skip
        try:
            name = verb()
        except ClawError as refusal:
            self.refused[refusal.code] = self.refused.get(refusal.code, 0) + 1
        else:
            self.done[name] = self.done.get(name, 0) + 1

    def _perform(self, verb: Callable[..., Any], *arguments: Any, **named: Any) -> str:
        perform(verb, *arguments, actor=self._actor, **named)
        return verb.__name__

    def _words(self) -> str:
        return " ".join(self._dice.choices(WORDS, k=self._dice.randint(1, 6)))

    def _message(self, *, own: bool) -> Any:
        found = Message.objects.filter(workspace=self._workspace, removed_at=None).order_by("-created_at")
        if own:
            found = found.filter(member__user=self._workspace.created_by)
        return self._dice.choice(list(found[:30]) or [None])

    def _any_task(self, **where: Any) -> Any:
        found = list(Task.objects.filter(workspace=self._workspace, **where).order_by("position"))
        return self._dice.choice(found) if found else None

    def _say(self) -> str:
        task = self._any_task() if self._dice.random() < 0.4 else None
        said = {"body": self._words(), "task_id": task.pk if task else None}
        return self._perform(messages.post_message, self._workspace.pk, **said)

    def _change(self) -> str:
        message = self._message(own=True)
        if message is None:
            return self._say()
        if self._dice.random() < 0.3:
            return self._perform(message_changes.remove_message, message.pk)
        version = message_changes.versioned(Message.objects.filter(pk=message.pk)).get().version
        return self._perform(message_changes.edit_message, message.pk, body=self._words(), version=version)

    def _sign(self) -> str:
        message = self._message(own=False)
        if message is None:
            return self._say()
        verb = self._dice.choice([message_changes.react, message_changes.react, message_changes.unreact])
        return self._perform(verb, message.pk, sign=self._dice.choice(["👍", "✅", "👀"]))

    def _task(self) -> str:
        held = self._any_task(state="held", holder__user=self._workspace.created_by)
        if held is not None and self._dice.random() < 0.7:
            if self._dice.random() < 0.5:
                return self._perform(drafts.save_draft, held.pk, text=self._words())
            return self._perform(finishing.submit_held, held.pk, result=self._words())
        verb = self._dice.choices(
            [takeover.take_over, pausing.pause_task, pausing.resume_task, tasks.cancel_task], [5, 4, 4, 0.3]
        )[0]
        where = {"paused__gt": ""} if verb is pausing.resume_task else {}
        task = self._any_task(**where)
        return self._say() if task is None else self._perform(verb, task.pk)

    def _room(self) -> str:
        what = self._dice.randrange(4)
        if what == 0:
            return self._perform(workspaces.set_goal, self._workspace.pk, goal=self._words())
        if what == 1:
            return self._perform(memories.remember, self._workspace.pk, key=f"k{what}", text=self._words())
        return self._perform(runs.pause_run if what == 2 else runs.resume_run, self._run.pk)

    def _file(self) -> str:
        files = list(Artifact.objects.filter(run=self._run, kind__in=("result", "deliverable")))
        if not files:
            return self._say()
        file = self._dice.choice(files)
        verb = pinning.unpin_artifact if file.pinned_at else pinning.pin_artifact
        return self._perform(verb, file.pk)


def stir(workspace_id: str, seed: int, entries: int) -> dict[str, dict[str, int]]:
    """Have things happen until the journal is longer by so many entries; what was done, and what was refused."""
    stirrer = Stirrer(UUID(workspace_id), seed)
    wanted = Workspace.objects.get(pk=workspace_id).head + entries
    while Workspace.objects.values_list("head", flat=True).get(pk=workspace_id) < wanted:
        stirrer.step()
    return {"done": stirrer.done, "refused": stirrer.refused}
