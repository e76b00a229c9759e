"""The breaker of an agent as rows: decided in the change that ends an attempt, kept in the agent's own columns.

A change expects only these columns as it read them, and nothing where they stay as they are: an agent that
does its work is not written, and what else happens to its row is in nobody's way.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from uuid import UUID

from django.conf import settings
from django.utils import timezone

from agents.models import Agent, BreakerMove
from clawgroups import commit
from clawgroups.core import breaker
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.breaker import NO_WORK, Breaker, BreakerState, Limits
from clawgroups.core.changes import Change, Expect, Fact, Outcome, Put, Update, Write, one_of
from clawgroups.core.errors import Conflict
from clawgroups.core.events import BreakerSet
from clawgroups.core.failures import Failure, consequence
from clawgroups.models import Attempt
from clawgroups.permissions import get_agent
from clawgroups.planned import Planned
from clawgroups.services.agents import everywhere, next_row

Moved = tuple[list[Write], list[Fact]]
MAX_REASON = 300
MOVES = 20  # of a breaker that are remembered


def breaker_of(agent: Agent) -> Breaker:
    """Where an agent stands."""
    return breaker.read(agent.breaker, agent.breaker_until, agent.health)


def limits() -> Limits:
    """When breakers open, on this installation's clock scale."""
    return Limits().scaled(settings.CLOCK_SCALE)


def after_failure(attempt: Attempt, failure: Failure, reason: str, now: datetime) -> Moved:
    """What an attempt's failure does to its agent: nothing, where it is not the agent's fault."""
    agent = _agent_of(attempt)
    if agent is None or not consequence(failure).against_agent:
        return [], []
    before = breaker_of(agent)
    return _moved(agent, before, breaker.failed(before, now, limits(), reason[:MAX_REASON]), now)


def after_success(attempt: Attempt) -> Moved:
    """What an accepted result does to its agent."""
    agent = _agent_of(attempt)
    if agent is None:
        return [], []
    before = breaker_of(agent)
    return _moved(agent, before, breaker.succeeded(before, limits()), timezone.now())


def may_be_offered(agent: Agent, attempt: UUID) -> tuple[list[Expect], list[Write]]:
    """What an offer to this agent must expect and write. Raises `Conflict` while it gets no work.

    Of two offers to an agent that is on trial, only one is made.
    """
    before = breaker_of(agent)
    if before.state in NO_WORK:
        raise Conflict(f"{agent.name} gets no work now. {says(before)}", code="breaker_open")
    if before.state is BreakerState.PROBING and _in_hand(agent):
        raise Conflict(f"{agent.name} is on trial with one task after failing; wait for its end.", code="breaker_open")
    expects = [Expect("agents.Agent", agent.pk, {"breaker": one_of(BreakerState.CLOSED, BreakerState.PROBING)})]
    return expects, _moved(agent, before, breaker.offered(before, str(attempt)), timezone.now())[0]


def _in_hand(agent: Agent) -> bool:
    return Attempt.objects.filter(member__agent=agent, state__in=["offered", "working"]).exists()


def says(found: Breaker) -> str:
    """Why an agent gets no work, and what ends that; empty while it gets some.

    Told in every workspace where it sits, so without what was said about its work in one of them.
    """
    match found.state:
        case BreakerState.OPEN:
            at = f" at {found.until:%H:%M:%S} UTC" if found.until else ""
            return f"{_sentence(found.reason)} One task is tried with it{at}."
        case BreakerState.QUARANTINED:
            return f"{_sentence(found.reason)} It keeps failing: its owner must look at it and clear it."
        case BreakerState.PROBING:
            return "It is on trial with one task after failing."
        case _:
            return ""


def _sentence(text: str) -> str:
    return f"{text.rstrip('.')}."


def violated(agent_id: UUID, *, reason: str, actor: Actor) -> Future[Outcome]:
    """The agent sent something that breaks the protocol."""
    agent = Agent.objects.get(pk=agent_id)
    before = breaker_of(agent)
    after = breaker.violated(before, timezone.now(), limits(), reason[:MAX_REASON])
    return _submit(actor, agent, before, after, "agent.violated")


def due(now: datetime, limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each agent whose pause is over: one task may be tried with it."""
    return [partial(_probe, agent, now) for agent in _rested(now, most=limit)]


_rested: Planned[Agent] = Planned(
    lambda now, most: Agent.objects.filter(
        breaker=BreakerState.OPEN.value, breaker_until__lte=now, retired_at=None
    ).order_by("breaker_until")[:most]
)


def _probe(agent: Agent, now: datetime) -> Future[Outcome]:
    before = breaker_of(agent)
    return _submit(SYSTEM, agent, before, breaker.probed(before, now), "agent.probe")


def clear_breaker(agent_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Its owner (or staff) vouches for an agent: it gets work again at once, whatever it did before."""
    agent = get_agent(actor, agent_id)
    return _submit(actor, agent, breaker_of(agent), breaker.cleared(), "agent.clear", operation)


def _submit(
    actor: Actor, agent: Agent, before: Breaker, after: Breaker, verb: str, operation: str = ""
) -> Future[Outcome]:
    writes, facts = _moved(agent, before, after, timezone.now(), actor)
    answer = {"id": str(agent.pk), "state": after.state.value}
    change = Change(actor, writes=tuple(writes), facts=tuple(facts), operation=operation, verb=verb, answer=answer)
    return commit.submit(change)


def _moved(agent: Agent, before: Breaker, after: Breaker, now: datetime, actor: Actor = SYSTEM) -> Moved:
    if before == after:
        return [], []
    values = {"breaker": after.state.value, "breaker_until": after.until, "health": after.health}
    update = Update("agents.Agent", agent.pk, values, {"breaker": agent.breaker, "health": agent.health})
    if after.state is before.state:
        return [update], []
    event = BreakerSet(agent_id=agent.pk, state=after.state.value, reason=says(after))
    return [update, _remembered(agent, after, now, actor)], list(everywhere(agent.pk, event))


def _remembered(agent: Agent, after: Breaker, now: datetime, actor: Actor) -> Put:
    row = next_row(BreakerMove.objects.filter(agent=agent), MOVES)
    said = {"reason": after.reason[:400], "detail": after.detail[:400], "actor": actor.as_json()}
    return Put("agents.BreakerMove", row, {"at": now, "state": after.state.value, **said}, {"agent_id": agent.pk})


def _agent_of(attempt: Attempt) -> Agent | None:
    # As it was read with the attempt: where its breaker has moved since, the change says so and is decided anew.
    return attempt.member.agent
