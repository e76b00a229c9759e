"""From a goal to a plan before the people: the model's where there is one, else the built-in coordinator's.

Where none of the model's answers could be used, the built-in plan is only proposed: a person decides about it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.conf import settings

from clawgroups.coordinator import builtin
from clawgroups.coordinator.briefing import brief_of
from clawgroups.coordinator.consult import Ask, Decided, Unavailable, Unusable, Waiting, consult, is_expected
from clawgroups.coordinator.decisions import MAX_PLAN, PlanDecision, read_as, schema_of
from clawgroups.coordinator.planned import Checked, Frame, checked, fitting
from clawgroups.coordinator.prompt import Brief, Prompt, prompt_of
from clawgroups.coordinator.quoting import line
from clawgroups.coordinator.review import nothing_more
from clawgroups.coordinator.shortlists import with_members
from clawgroups.coordinator.situation import Situation
from clawgroups.core.actors import Actor
from clawgroups.core.coordination import Limits
from clawgroups.core.plan import handle_of
from clawgroups.models import Run
from clawgroups.services import budgets, goal_questions, runs
from clawgroups.services.perform import begin

Wait = Callable[[], object]
SCHEMA = schema_of(PlanDecision)
MAX_AWAY = 20


def plan_run(situation: Situation, actor: Actor) -> Wait:
    """Take the next step toward a plan: ask the model, ask the person, or propose. What is returned waits for it."""
    run = Run.objects.select_related("workspace").get(pk=situation.run_id)
    brief = brief_of(run)
    frame = frame_of(run, brief)
    match consult(run, _ask(run, brief, frame, situation), actor):
        case Waiting():
            return nothing_more
        case Decided(decision=plan, model=model):
            return _propose(run, plan, model, situation, actor)
        case Unusable(problems=problems):
            return _built_in(situation, actor, run, _unusable(problems), as_asked=False)
        case Unavailable(reason=reason):
            return _built_in(situation, actor, run, _stands_in(run, reason), as_asked=True)


def subject_of(run: Run) -> str:
    """What a question about a run's plan is called: anew after each answer of the person."""
    return f"answer-{len(run.answers)}" if run.answers else ""


def frame_of(run: Run, brief: Brief) -> Frame:
    """What a plan of this run has to keep to."""
    members = {handle_of(p.handle): p for p in brief.profiles}
    most = fitting(run.goal, len(members), len(brief.inputs), min(settings.MAX_TASKS, MAX_PLAN))
    return Frame(members, most, budgets.limits_of(run), may_ask=len(run.answers) < goal_questions.MAX_QUESTIONS)


def _ask(run: Run, brief: Brief, frame: Frame, situation: Situation) -> Ask[Checked]:
    asked = [_asked(frame, away_of(brief, situation))]

    def build(problems: Sequence[str]) -> Prompt:
        return prompt_of(brief, asked, problems)

    return Ask(
        kind="plan",
        subject=subject_of(run),
        build=build,
        read=lambda text: checked(read_as(PlanDecision, text), frame),
        as_json=lambda plan: {"question": plan.question, "tasks": list(plan.tasks), "rationale": plan.why},
        schema=SCHEMA,
        max_output=32_000,
    )


def _asked(frame: Frame, away: Sequence[str]) -> str:
    said = ["# What to do now", "Make the plan for the goal, as JSON with `question`, `rationale` and `tasks`."]
    if frame.may_ask:
        said.append("Leave `question` empty and give the tasks; or ask one question and give no tasks.")
    else:
        said.append("You have asked enough: leave `question` empty, and say in `rationale` what you take for granted.")
    said.append(f"At most {frame.most} tasks.")
    limits = limits_said(frame.limits)
    if limits:
        said.append(f"The run may use at most {limits}.")
    if away:
        said.append(f"Not there at the moment: {', '.join(away)}.")
    return "\n".join(said)


def limits_said(limits: Limits) -> str:
    """What a run may use, in words; empty where nothing limits it."""
    said = [f"{limits.seconds // 60} minutes"] if limits.seconds else []
    said += [f"{limits.steps} steps"] if limits.steps else []
    return " and ".join(said)


def away_of(brief: Brief, situation: Situation) -> list[str]:
    """Members, by handle, that could not take work now. A name is not unique, so only those that are told apart."""
    there = {c.name for c in situation.candidates if c.is_there}
    known = {c.name for c in situation.candidates}
    away = [p.handle for p in brief.profiles if p.name in known and p.name not in there]
    return [f"@{line(handle, 60)}" for handle in sorted(away)[:MAX_AWAY]]


def _propose(run: Run, plan: Checked, model: str, situation: Situation, actor: Actor) -> Wait:
    if plan.question:
        return begin(goal_questions.ask_about_goal, run.pk, question=plan.question, actor=actor)
    tasks = with_members(run, plan.tasks, f"{subject_of(run)}", situation, actor)
    if tasks is None:
        return nothing_more
    return begin(runs.propose_run, run.pk, plan=tasks, planner=model, rationale=plan.why, actor=actor)


def _built_in(situation: Situation, actor: Actor, run: Run, because: str, *, as_asked: bool) -> Wait:
    """What the built-in coordinator makes of it, saying why it was not the model."""
    planned = builtin.plan(situation)
    if planned.question:
        return begin(goal_questions.ask_about_goal, run.pk, question=planned.question, actor=actor)
    if not planned.tasks:
        return begin(runs.fail_run, run.pk, reason=planned.rationale, actor=actor)
    return begin(
        runs.propose_run,
        run.pk,
        plan=planned.tasks,
        planner=builtin.NAME,
        rationale="\n\n".join(part for part in (planned.rationale, because) if part),
        actor=actor,
        as_asked=as_asked,
    )


def _unusable(problems: Sequence[str]) -> str:
    listed = "; ".join(line(problem, 160) for problem in problems[:3])
    return (
        f"The model was asked three times, and none of its plans could be used ({listed}). This is the built-in"
        " coordinator's plan; it does not start by itself. Check it, then start it."
    )


def _stands_in(run: Run, reason: str) -> str:
    """Why the model did not plan this, where one was expected to."""
    if not is_expected(run):
        return ""
    return f"The built-in coordinator made this plan, as the model could not be asked: {reason.rstrip('.')}."
