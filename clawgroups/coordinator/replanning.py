"""From a person's wish to a proposed change of a running plan, or to the reason why there is none.

The model is shown the plan as it is and says what shall be otherwise. Nothing of that is carried out: it waits for a
person like every proposal. There is no built-in answer to a wish in words; people can always change the plan by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from clawgroups.coordinator.briefing import brief_of
from clawgroups.coordinator.consult import Ask, Decided, Unavailable, Unusable, Waiting, consult
from clawgroups.coordinator.decisions import ReplanDecision, read_as, schema_of
from clawgroups.coordinator.planning import away_of, frame_of, limits_said
from clawgroups.coordinator.prompt import Prompt, prompt_of
from clawgroups.coordinator.quoting import line, quote
from clawgroups.coordinator.replanned import Changing, changing
from clawgroups.coordinator.review import nothing_more
from clawgroups.coordinator.situation import Situation
from clawgroups.coordinator.standing_plan import told_plan
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid
from clawgroups.core.replan_asked import Asked, read_asked
from clawgroups.models import Run
from clawgroups.services import replan, replan_asks
from clawgroups.services.perform import begin, perform
from clawgroups.services.plan_changes import read_plan

Wait = Callable[[], object]
SCHEMA = schema_of(ReplanDecision)
BY_HAND = "You can change the plan by hand."


def replan_run(situation: Situation, actor: Actor) -> Wait:
    """Take the next step toward a change of the plan: ask the model, propose, or say why not."""
    run = Run.objects.select_related("workspace").get(pk=situation.run_id)
    wish = read_asked(run.replan)
    if wish is None or run.state != "running":
        return nothing_more
    match consult(run, _ask(run, wish, situation), actor):
        case Waiting():
            return nothing_more
        case Decided(decision=change):
            return _propose(run, wish, change, actor)
        case Unusable(problems=problems):
            return _decline(run, wish, _unusable(problems), actor)
        case Unavailable(reason=reason):
            said = f"The model could not be asked: {reason.rstrip('.')}. {BY_HAND}"
            return _decline(run, wish, said, actor)


def _ask(run: Run, wish: Asked, situation: Situation) -> Ask[Changing]:
    brief = brief_of(run)
    frame = frame_of(run, brief)
    rows = read_plan(run)
    now = replan.standing(rows)
    asked = [told_plan(rows), _asked(wish, frame.most, limits_said(frame.limits), away_of(brief, situation))]

    def build(problems: Sequence[str]) -> Prompt:
        return prompt_of(brief, asked, problems)

    return Ask(
        kind="replan",
        subject=wish.id,
        build=build,
        read=lambda text: changing(read_as(ReplanDecision, text), now, frame),
        as_json=lambda change: {"rationale": change.why, "tasks": _shown(change)},
        schema=SCHEMA,
        max_output=32_000,
    )


def _shown(change: Changing) -> list[dict[str, object]] | None:
    return None if change.tasks is None else list(change.tasks)


def _asked(wish: Asked, most: int, limits: str, away: Sequence[str]) -> str:
    said = [
        "# What to do now",
        "The run is under way, and a member asks for a change of its plan. Say what shall change, as JSON with"
        " `rationale`, `tasks` and `cancel`. People see it as a difference, and it waits until one of them accepts.",
        quote("what a member asks for", wish.note, replan_asks.MAX_NOTE),
        "- `tasks` holds new tasks, in full, and open tasks that shall be otherwise, by their key. Of an open one leave"
        ' empty ("", [], 0) what stays as it is, but say all of `depends_on`.',
        "- `cancel` holds keys of open tasks to take away. No task may wait for them then: say what does otherwise.",
        "- What you do not name stays as it is. Name no task that is done or in somebody's hands, except in"
        " `depends_on`.",
        "- Change as little as the wish needs. If nothing should change, leave both empty and say why in `rationale`.",
        f"At most {most} new tasks.",
    ]
    if limits:
        said.append(f"The whole run may use at most {limits}.")
    if away:
        said.append(f"Not there at the moment: {', '.join(away)}.")
    return "\n".join(said)


def _propose(run: Run, wish: Asked, change: Changing, actor: Actor) -> Wait:
    tasks = change.tasks
    if tasks is None:
        said = f"It proposes to leave the plan as it is: {line(change.rationale, 1_000)}"
        return _decline(run, wish, said, actor)

    def proposed() -> object:
        try:
            return perform(replan.propose_replan, run.pk, tasks=tasks, rationale=change.why, asked=wish.id, actor=actor)
        except Invalid as wrong:
            # The plan moved on between the look at it and this.
            said = f"Its change does not fit any more. {line(wrong.message, 600)} {BY_HAND}"
            return _decline(run, wish, said, actor)()

    return proposed


def _decline(run: Run, wish: Asked, because: str, actor: Actor) -> Wait:
    who = wish.name or "Somebody"
    body = f"{who} asked the coordinator for a change of the plan (“{line(wish.note, 200)}”). {because}"
    return begin(replan_asks.decline_ask, run.pk, asked=wish.id, said=body, actor=actor)


def _unusable(problems: Sequence[str]) -> str:
    listed = "; ".join(line(problem, 160) for problem in problems[:3])
    return f"The model was asked three times, and none of its answers could be used ({listed}). {BY_HAND}"
