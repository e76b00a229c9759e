"""Commands written into the chat are carried out by the same verbs as a button; what came of it is said below them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from uuid import UUID

from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.addressing import named
from clawgroups.core.commands import Command
from clawgroups.core.errors import ClawError, Conflict, Invalid
from clawgroups.models import Member, Run, Task
from clawgroups.permissions import get_workspace
from clawgroups.services import messages, pausing, runs, stopping, workspaces
from clawgroups.services.perform import perform
from clawgroups.services.stop_all import stop_each

MOST_LISTED = 10
IN_HAND = ("assigned", "working")


def obey(workspace_id: UUID, text: str, command: Command, *, actor: Actor, task_id: UUID | None = None) -> UUID:
    """Carry a command out; the id of the message that it was. In a task's thread it is about that task.

    The message stands first, so that everybody sees who did it; a command that cannot be carried out is answered by
    what is wrong, and nothing has happened. Raises as `messages.post_message` does.
    """
    said = perform(messages.post_message, workspace_id, body=f"`{text.strip()}`", task_id=task_id, actor=actor)
    pk = UUID(said.answer["id"])
    try:
        answer = _DOES[command.name](workspace_id, command.rest, task_id, actor)
    except ClawError as refusal:
        answer = str(refusal)
    perform(messages.post_message, workspace_id, body=answer, task_id=task_id, reply_to=pk, actor=SYSTEM)
    return pk


def _stop(workspace_id: UUID, rest: str, task_id: UUID | None, actor: Actor) -> str:
    if names := named(rest):
        return _stop_agents(workspace_id, names, actor)
    if task_id is not None:
        perform(stopping.stop_task, task_id, actor=actor)
        return "Its agent is stopped. Say how the task goes on."
    if rest not in ("", "all"):
        raise Invalid("Name agents as @handle, or stop everything: /stop, /stop all.")
    asked = perform(stopping.stop_workspace, workspace_id, actor=actor).answer["runs"]

    def stop(run_id: UUID) -> None:
        perform(stopping.stop_run, run_id, actor=actor)

    progress = stop_each(map(UUID, asked), stop, actor=actor)
    if not progress.asked:
        return "Everything is paused; no agent was at work."
    return f"Asked to stop: {progress.asked}. Everything is paused; /resume lets it go on."


def _stop_agents(workspace_id: UUID, names: Iterable[str], actor: Actor) -> str:
    wanted = {name.casefold() for name in names}
    here = Member.objects.filter(workspace=workspace_id, left_at=None, agent__isnull=False)
    agents = [one for one in here if one.handle.casefold() in wanted]
    if not agents:
        raise Invalid("No agent here is called so.")
    lines = []
    for member in agents:
        stopped = _stop_tasks(Task.objects.filter(assignee=member, state__in=IN_HAND), actor)
        lines.append(
            f"{member.name}: stopped at {', '.join(stopped)}." if stopped else f"{member.name}: was at nothing."
        )
    return "\n".join(f"- {line}" for line in lines)


def _stop_tasks(tasks: Iterable[Task], actor: Actor) -> list[str]:
    stopped = []
    for task in tasks:
        try:
            perform(stopping.stop_task, task.pk, actor=actor)
        except Conflict:
            continue  # it has just ended by itself
        stopped.append(f"“{task.title}”")
    return stopped


def _pause(workspace_id: UUID, _rest: str, task_id: UUID | None, actor: Actor) -> str:
    if task_id is not None:
        perform(pausing.pause_task, task_id, actor=actor)
        return "It is paused; /resume lets it go on."
    number = _each_run(workspace_id, False, lambda run: perform(runs.pause_run, run, actor=actor))
    return (
        f"{_runs(number)} paused: what is in hand goes on, nothing new is given out." if number else "No run goes on."
    )


def _resume(workspace_id: UUID, _rest: str, task_id: UUID | None, actor: Actor) -> str:
    if task_id is not None:
        perform(pausing.resume_task, task_id, actor=actor)
        return "It goes on."
    number = _each_run(workspace_id, True, lambda run: perform(runs.resume_run, run, actor=actor))
    return f"{_runs(number)} going on." if number else "No run is paused."


def _each_run(workspace_id: UUID, paused: bool, verb: Callable[[UUID], object]) -> int:
    found = Run.objects.filter(workspace=workspace_id, state="running", paused=paused).order_by("created_at")
    for pk in (ids := list(found.values_list("pk", flat=True))):
        verb(pk)
    return len(ids)


def _runs(number: int) -> str:
    return "1 run is" if number == 1 else f"{number} runs are"


def _plan(workspace_id: UUID, rest: str, _task: UUID | None, actor: Actor) -> str:
    if not rest:
        raise Invalid("Say what is wanted: /plan a report on the sales of May")
    perform(runs.draft_run, workspace_id, goal=rest, actor=actor)
    return "The coordinator makes a plan of it."


def _status(workspace_id: UUID, _rest: str, task_id: UUID | None, actor: Actor) -> str:
    get_workspace(actor, workspace_id, "run.view")
    if task_id is not None:
        task = Task.objects.get(pk=task_id)
        return f"**{task.state.replace('_', ' ')}**, waits for {task.next_actor or 'nobody'}. {task.reason}".strip()
    going = Run.objects.filter(workspace=workspace_id, state__in=["planning", "proposed", "running", "consolidating"])
    lines = [_line(run) for run in going.order_by("created_at")[:MOST_LISTED]]
    if (more := going.count() - len(lines)) > 0:
        lines.append(f"and {more} more")
    return "\n".join(f"- {line}" for line in lines) or "Nothing goes on."


def _line(run: Run) -> str:
    tasks = Task.objects.filter(run=run)
    done, people = tasks.filter(state="done").count(), tasks.filter(blocked_on="person").exclude(state="done").count()
    stands = "paused" if run.paused else run.state
    waits = f", {people} wait for a person" if people else ""
    return f"“{' '.join(run.goal.split())[:80]}”: {stands}, {done} of {tasks.count()} tasks done{waits}"


def _rules(workspace_id: UUID, rest: str, _task: UUID | None, actor: Actor) -> str:
    rules = get_workspace(actor, workspace_id, "workspace.view").rules
    if not rest:
        return rules or "There are no rules yet."
    perform(workspaces.set_rules, workspace_id, rules=f"{rules}\n- {rest}".strip(), actor=actor)
    return f"A new rule, which agents read at their next turn:\n\n> {rest}"


_DOES: dict[str, Callable[[UUID, str, UUID | None, Actor], str]] = {
    "stop": _stop,
    "pause": _pause,
    "resume": _resume,
    "plan": _plan,
    "status": _status,
    "rules": _rules,
}
