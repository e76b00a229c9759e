"""Writing a task anew after its last try: by the model where it can be asked, else by the built-in coordinator."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from uuid import UUID

from clawgroups.coordinator import builtin
from clawgroups.coordinator.briefing import brief_of
from clawgroups.coordinator.builtin import Anew
from clawgroups.coordinator.consult import Ask, Decided, Waiting, consult
from clawgroups.coordinator.decide import anew_subject
from clawgroups.coordinator.decisions import AnewDecision, read_as, schema_of
from clawgroups.coordinator.prompt import Prompt, prompt_of
from clawgroups.coordinator.quoting import quote
from clawgroups.coordinator.review import nothing_more
from clawgroups.coordinator.situation import Situation, TaskView
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid
from clawgroups.models import Run
from clawgroups.services.perform import begin
from clawgroups.services.regenerate import regenerate_task

SCHEMA = schema_of(AnewDecision)
MAX_INSTRUCTIONS = 12_000
MAX_FAILED = 4_000


def write_anew(task_id: UUID, situation: Situation, actor: Actor) -> Callable[[], object]:
    """Give a task new instructions or cut it into parts; nothing yet while the model is asked for them."""
    task = next(task for task in situation.tasks if task.id == task_id)
    run = Run.objects.select_related("workspace").get(pk=situation.run_id)
    match consult(run, _ask(run, task), actor):
        case Waiting():
            return nothing_more
        case Decided(decision=said):
            parts = tuple(part.model_dump() for part in said.parts)
            anew = Anew(said.instructions, parts)
        case _:
            anew = builtin.anew(task)
    write = partial(regenerate_task, task_id, epoch=task.epoch, actor=actor)
    try:
        return begin(write, instructions=anew.instructions, parts=anew.parts)
    except Invalid:
        if not anew.parts:
            raise
        # The run has no room for more tasks.
        return begin(write, instructions=builtin.rephrased(task))


def _ask(run: Run, task: TaskView) -> Ask[AnewDecision]:
    brief = brief_of(run, members=False, files=False)

    def build(problems: Sequence[str]) -> Prompt:
        return prompt_of(brief, [_asked(task)], problems)

    return Ask(
        kind="anew",
        subject=anew_subject(task),
        build=build,
        read=lambda text: read_as(AnewDecision, text),
        as_json=lambda anew: anew.model_dump(),
        schema=SCHEMA,
        task_id=task.id,
    )


def _asked(task: TaskView) -> str:
    ends = [str(end.get("reason", "")) for end in task.brief.get("dead_ends", [])[-3:]]
    failed = "\n".join([*map(str, task.brief.get("feedback", [])), *ends])
    return "\n".join(
        [
            "# What to do now",
            "All tries of one task of the plan failed. Write it anew, as JSON with `instructions` and `parts`: either"
            " better instructions that avoid what failed and no parts; or 2 to 8 parts, each to be done by one member"
            " alone and side by side, and then `instructions` say how to put their results together. What it is"
            " accepted by stays as it is.",
            quote("the task's title", task.title, 300),
            quote("its instructions", task.instructions, MAX_INSTRUCTIONS),
            quote("how its tries ended, in the words of agents and checks", failed, MAX_FAILED),
        ]
    )
