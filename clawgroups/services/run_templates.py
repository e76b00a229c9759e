"""Runs from templates: who is there to carry one out, and the verb that drafts it (as `runs.draft_run` does)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from uuid import UUID

from agents.models import Agent
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import Invalid
from clawgroups.core.plan import parse_plan
from clawgroups.core.run_templates.filling import Filled, Helper, fill
from clawgroups.core.run_templates.library import template_of
from clawgroups.core.run_templates.shape import Template
from clawgroups.fragments.roster import presences
from clawgroups.permissions import require
from clawgroups.queries import WITHOUT_MODEL, seats_by_rules, seats_with_words
from clawgroups.services import installation, template_inputs
from clawgroups.services.files import StoredFile
from clawgroups.services.runs import draft_run

OFF = "An administrator has switched templates off on this installation. Give a goal in your own words."

NOBODY = (
    "Nobody in this workspace can write this: the built-in agents work by rules. Connect an agent of yours and add it"
    " to the workspace, or have the plan made only; it waits until somebody is there."
)


@dataclass(frozen=True, slots=True)
class Hand:
    """An agent that could do a part of it."""

    handle: str
    name: str
    presence: str


@dataclass(frozen=True, slots=True)
class Standing:
    """Who is there for a template in a workspace: those that work by rules, and those that write freely."""

    template: Template
    by_rules: tuple[Hand, ...]
    writers: tuple[Hand, ...]

    @property
    def hands(self) -> tuple[Hand, ...]:
        """Those that can do it."""
        return self.writers if self.template.needs_writer else (*self.by_rules, *self.writers)

    @property
    def is_ready(self) -> bool:
        """Whether somebody can do it, be they connected at this moment or not."""
        return bool(self.hands)

    @property
    def is_here(self) -> bool:
        """Whether one of those is connected at this moment."""
        return any(hand.presence == "online" for hand in self.hands)


def standing_of(template: Template, workspace_id: UUID | None) -> Standing:
    """Who is there for it in a workspace; None: in a new one, where the built-in agents take their seats."""
    if workspace_id is None:
        fresh = Agent.objects.filter(is_builtin=True, retired_at=None).order_by("created_at")
        by_rules = _hands(fresh.filter(WITHOUT_MODEL).values_list("handle", "name", "pk"))
        return Standing(template, by_rules, _hands(fresh.exclude(WITHOUT_MODEL).values_list("handle", "name", "pk")))
    columns = ("handle", "name", "agent_id")
    return Standing(
        template,
        _hands(seats_by_rules(workspace_id).order_by("joined_at", "pk").values_list(*columns)),
        _hands(seats_with_words(workspace_id).order_by("joined_at", "pk").values_list(*columns)),
    )


def _hands(rows: Iterable[tuple[str, str, UUID | None]]) -> tuple[Hand, ...]:
    found = [(handle, name, agent_id) for handle, name, agent_id in rows if agent_id is not None]
    present = presences(agent_id for _, _, agent_id in found)
    return tuple(Hand(handle, name, present[agent_id]) for handle, name, agent_id in found)


@dataclass(frozen=True, slots=True)
class Ready:
    """A template that is filled in: what its run is drafted from, and by whom it can be carried out."""

    standing: Standing
    filled: Filled
    files: tuple[StoredFile, ...]


def fill_in(
    workspace_id: UUID | None,
    name: str,
    words: Mapping[str, str],
    files: Sequence[StoredFile],
    *,
    sample: bool,
    start: bool | None,
) -> Ready:
    """Fill a template in, in a workspace or (None) for a new one. `sample`: with its example data instead.

    Raises `NotFound` for a name that is not there, `Invalid` for what is missing, or to start what nobody could write.
    """
    template = template_of(name)
    standing = standing_of(template, workspace_id)
    if start and not standing.is_ready:
        raise Invalid(NOBODY, code="nobody_to_write", field="start")
    if sample:
        words, files = template_inputs.sample_of(template)
    taken = template_inputs.take(template, words, files)
    # Those who are here come first, so that the work begins at once.
    writers = sorted(standing.writers, key=lambda hand: hand.presence != "online")
    filled = fill(template, taken.given, [Helper(hand.handle, hand.name) for hand in writers])
    parse_plan(filled.tasks)
    return Ready(standing, filled, taken.files)


def use_template(
    workspace_id: UUID,
    *,
    name: str,
    words: Mapping[str, str],
    actor: Actor,
    files: Sequence[StoredFile] = (),
    sample: bool = False,
    start: bool | None = None,
    operation: str = "",
) -> Future[Outcome]:
    """Draft a run from a template that is filled in so; see `fill_in` and `runs.draft_run`."""
    installation.require_on("templates", OFF)
    require(actor, "run.draft", workspace_id)
    ready = fill_in(workspace_id, name, words, files, sample=sample, start=start)
    template = ready.standing.template
    return draft_run(
        workspace_id,
        goal=ready.filled.goal,
        inputs=ready.files,
        plan=ready.filled.tasks,
        planner=f"the template “{template.title}”",
        rationale=template.why,
        # A plan that nobody can carry out yet waits for a person, whatever the workspace says.
        start=start if ready.standing.is_ready else False,
        actor=actor,
        operation=operation,
    )
