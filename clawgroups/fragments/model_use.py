"""Who plans a run, what its model was asked, what was used against which limit, and how model servers stand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.utils import timezone
from django.utils.translation import gettext as _

from agents.llm.providers import PRESETS
from clawgroups.core import server_breaker
from clawgroups.core.amounts import say_count, say_dollars
from clawgroups.core.coordination import LIMITS, WARN_AT, Coordination, Limits, limits_in_force, read_coordination
from clawgroups.core.durations import say_duration
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.core.model_servers import is_exposed
from clawgroups.models import ModelCall, ModelServer, Run, Task, Usage, Workspace
from clawgroups.planned import Planned
from clawgroups.wording import say

# What a test looks at, in the order in which it is shown.
WORKS = ("schema", "tools", "streaming", "cached")

PLANS = ("plan", "replan")


@dataclass(frozen=True, slots=True)
class Planner:
    """Who plans: a model at a server, or the built-in coordinator and why."""

    model: str = ""
    server: str = ""
    why: str = ""

    @property
    def is_model(self) -> bool:
        return bool(self.model)


def short(model: str) -> str:
    """A model's name without the folder or the maker before it."""
    return model.rstrip("/").rpartition("/")[2] or model


def clause(sentence: str) -> str:
    """A reason as it stands after “because”."""
    said = sentence.strip().rstrip(".")
    return said[:1].lower() + said[1:] if said.startswith(("The ", "No ", "It ", "This ")) else said


def stands_in(run: Run) -> str:
    """Why the built-in coordinator plans instead of a model that there is; empty where it does not."""
    if not run.fallback or not read_coordination(run.workspace.coordination).use_model:
        return ""
    return clause(run.fallback) if _servers() else ""


def planner_of(run: Run) -> Planner:
    """Who plans this run now, or did last."""
    if run.fallback:
        return Planner(why=clause(run.fallback))
    last = _planned_by.first(run.pk)
    if last is not None and last.server is not None:
        return Planner(short(last.model), last.server.name)
    if run.state in RUN_TERMINAL:
        return Planner()
    return planner_here(run.workspace)


# The few calls that plan, and not the many about its tasks: a run is drawn at each step of each of them.
_planned_by: Planned[ModelCall] = Planned(
    lambda run_id: (
        ModelCall.objects.filter(run=run_id, kind__in=PLANS, state="answered", server__isnull=False)
        .select_related("server")
        .only("model", "server__name")
        .order_by("-created_at")[:1]
    )
)
_servers: Planned[ModelServer] = Planned(lambda: ModelServer.objects.filter(enabled=True))


def planner_here(workspace: Workspace) -> Planner:
    """Who would plan a new run in this workspace."""
    if not read_coordination(workspace.coordination).use_model:
        return Planner(why=_("this workspace does without a model"))
    servers = [ServerView(row) for row in _servers()]
    for view in servers:
        if view.state not in ("resting", "off"):
            return Planner(short(view.server.model), view.server.name)
    if not servers:
        return Planner(why=_("no model is set up"))
    now = timezone.now()
    return Planner(why=clause(" ".join(server_breaker.says(v.server.name, v.breaker, now) for v in servers)))


@dataclass(frozen=True, slots=True)
class Totals:
    """What the calls of a run came to."""

    calls: int = 0
    failed: int = 0
    open: int = 0
    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0
    cost_micro: int = 0
    accepted: int = 0

    @property
    def hit_percent(self) -> float | None:
        """The share of the input that was in the server's cache, in percent; None where nothing was asked."""
        return 100 * min(self.cached, self.prompt) / self.prompt if self.prompt else None

    @property
    def cost_per_task(self) -> int | None:
        """What the coordinator cost for each accepted task, in millionths of a dollar."""
        return round(self.cost_micro / self.accepted) if self.accepted else None


_SUMS: dict[str, Any] = {
    "calls": Count("pk"),
    "failed": Count("pk", filter=Q(state="failed")),
    "open": Count("pk", filter=Q(state__in=["waiting", "calling"])),
    "prompt": Sum("prompt_tokens", default=0),
    "cached": Sum("cached_tokens", default=0),
    "completion": Sum("completion_tokens", default=0),
    "reasoning": Sum("reasoning_tokens", default=0),
    "cost_micro": Sum("cost_micro", default=0),
}


def totals_of(run_id: UUID) -> Totals:
    """The sums over all calls of a run."""
    accepted = Task.objects.filter(run=run_id, state="done").count()
    return Totals(accepted=accepted, **ModelCall.objects.filter(run=run_id).order_by().aggregate(**_SUMS))


@dataclass(frozen=True, slots=True)
class Use:
    """How much of one limit is used up; `limit` None: there is none."""

    name: str
    used: int
    limit: int | None = None

    @property
    def word(self) -> str:
        return {"tokens": _("Tokens"), "cost_micro": _("Cost"), "steps": _("Steps"), "seconds": _("Time")}[self.name]

    @property
    def used_words(self) -> str:
        return say_use(self.name, self.used)

    @property
    def limit_words(self) -> str:
        return "" if self.limit is None else say_use(self.name, self.limit)

    @property
    def shown(self) -> int:
        """As much as fits into the bar."""
        return min(self.used, self.limit or 0)

    @property
    def warns_at(self) -> int:
        return int((self.limit or 0) * WARN_AT)

    @property
    def percent(self) -> int:
        return 100 * self.used // self.limit if self.limit else 0

    @property
    def is_reached(self) -> bool:
        return self.limit is not None and self.used >= self.limit

    @property
    def is_near(self) -> bool:
        return self.limit is not None and not self.is_reached and self.used >= self.warns_at


def say_use(name: str, amount: int) -> str:
    """So much of what a limit counts, in words."""
    if name == "cost_micro":
        return say(say_dollars(amount))
    return say(say_duration(amount)) if name == "seconds" else say_count(amount)


def _uses(used: Mapping[str, int], limits: Limits) -> list[Use]:
    return [Use(name, int(used.get(name) or 0), getattr(limits, name)) for name in LIMITS]


def uses_of(run: Run) -> list[Use]:
    """What a run has used, against its limits."""
    ended = run.ended_at or timezone.now()
    used = {
        "tokens": run.spent_tokens,
        "cost_micro": run.spent_micro,
        "steps": run.spent_steps,
        "seconds": int((ended - run.started_at).total_seconds()) if run.started_at else 0,
    }
    return _uses(used, limits_in_force(run.budget, run.workspace.coordination))


def month_of(workspace: Workspace, now: datetime) -> list[Use]:
    """What a workspace has used in this calendar month, against its limits; of time, only a limit is known."""
    here = Usage.objects.filter(workspace=workspace, day__gte=now.date().replace(day=1)).order_by()
    sums: dict[str, Any] = {
        "prompt": Sum("prompt_tokens", default=0),
        "completion": Sum("completion_tokens", default=0),
        "cost_micro": Sum("cost_micro", default=0),
        "steps": Sum("steps", default=0),
    }
    used = here.aggregate(**sums)
    settings: Coordination = read_coordination(workspace.coordination)
    said = _uses({**used, "tokens": used["prompt"] + used["completion"]}, settings.month)
    return [use for use in said if use.name != "seconds"]


@dataclass(frozen=True)
class ServerView:
    """A model server and how it stands."""

    server: ModelServer
    under_way: int = 0
    # Whether those beside it in the order are asked before and after it, and may change places with it.
    is_first: bool = True
    is_last: bool = True

    @cached_property
    def state(self) -> str:
        """`off`, `resting`, `trying` (one call), `failing` (its last test), `untested` or `well`."""
        row = self.server
        if not row.enabled or not row.model:
            return "off"
        if row.breaker == "probing":
            return "trying"
        if server_breaker.says(row.name, self.breaker, timezone.now()):
            return "resting"
        if row.checked and not row.checked.get("ok"):
            return "failing"
        # What was never tested but has answered is well.
        return "well" if row.checked or ModelCall.objects.filter(server=row, state="answered").exists() else "untested"

    @property
    def breaker(self) -> server_breaker.ServerBreaker:
        return server_breaker.read(self.server.breaker, self.server.breaker_until, self.server.health)

    @property
    def because(self) -> str:
        """What its last fault was, in the server's words or ours: for staff, and for those who may read calls."""
        return clause(self.breaker.said or self.breaker.kind or _("it does not answer"))

    @property
    def because_plainly(self) -> str:
        """What its last fault was, for those who may not read a server's own words."""
        return clause(server_breaker.plainly(self.server.name, self.breaker.kind))

    @property
    def provider(self) -> str:
        found = PRESETS.get(self.server.provider)
        return found.label if found else self.server.provider

    @property
    def is_exposed(self) -> bool:
        return is_exposed(self.server.url)

    @property
    def models(self) -> list[str]:
        """What the last test found there, but the one that is asked."""
        return [model for model in self.server.checked.get("models", ()) if model != self.server.model]

    @property
    def works(self) -> list[tuple[str, bool]]:
        """What was tried by the last test, and whether it works."""
        words = {
            "schema": _("JSON schema"),
            "tools": _("Tool calls"),
            "streaming": _("Streaming"),
            "cached": _("Cached counts"),
        }
        found = self.server.checked.get("works", {})
        known = [name for name in WORKS if name in found]
        return [(words.get(name, name), bool(found[name])) for name in [*known, *(n for n in found if n not in WORKS)]]


def servers() -> list[ServerView]:
    """All model servers in the order in which they are asked."""
    busy = ModelCall.objects.filter(state="calling").order_by().values_list("server").annotate(n=Count("pk"))
    counted: dict[UUID | None, int] = dict(busy)
    rows = list(ModelServer.objects.all())
    own = [row.pk for row in rows if not row.from_environment]
    return [ServerView(row, counted.get(row.pk, 0), row.pk in own[:1], row.pk in own[-1:]) for row in rows]
