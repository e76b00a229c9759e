"""Model servers and questions as the tests of calls make them; the model itself is a list of what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.ids import new_id
from agents.llm.base import Endpoint, Fault, FaultKind, Message, Reply, Request, Usage
from clawgroups import sealing
from clawgroups.core.actors import coordinator_for
from clawgroups.models import Entry, ModelCall, ModelServer, Run
from clawgroups.services import consulting, endpoints, model_calls, runs
from clawgroups.services.perform import perform
from tests.conftest import Team

QUESTION = Request((Message("user", "Plan this."),))
USED = Usage(prompt=1000, cached=400, completion=200, reasoning=50)


def reply(text: str = '{"tasks": []}', **more: Any) -> Reply:
    return Reply(text, **{"usage": USED, "model": "kimi-k2.6", "took": 1.5, "first": 0.25, **more})


def away(kind: FaultKind = FaultKind.UNREACHABLE, said: str = "no connection", **more: Any) -> Fault:
    return Fault(kind, said, **more)


@dataclass
class Model:
    """What every server answers, one after the other; the last thing again and again. Faults are raised."""

    says: list[Reply | Fault | Callable[[Callable[[], bool]], Reply]] = field(default_factory=lambda: [reply()])
    asked: list[tuple[Endpoint, Request]] = field(default_factory=list)

    def __call__(
        self, endpoint: Endpoint, request: Request, *, wanted: Callable[[], bool] = lambda: True, streaming: bool = True
    ) -> Reply:
        self.asked.append((endpoint, request))
        said = self.says.pop(0) if len(self.says) > 1 else self.says[0]
        if isinstance(said, Fault):
            raise said
        return said if isinstance(said, Reply) else said(wanted)

    @property
    def servers(self) -> list[str]:
        """Which were asked, by their URL."""
        return [endpoint.url.rpartition("/")[2] for endpoint, _ in self.asked]


def model(monkeypatch: pytest.MonkeyPatch, *says: Any) -> Model:
    """From now on the models say this."""
    made = Model(list(says) or [reply()])
    monkeypatch.setattr(model_calls, "ask", made)
    return made


def server(name: str = "first", **values: Any) -> ModelServer:
    """A server that is set up; its URL ends in its name."""
    pk = new_id()
    secret = sealing.seal(values.pop("key", ""), purpose=endpoints.purpose(pk))
    made: dict[str, Any] = {
        "provider": "sglang",
        "model": "kimi-k2.6",
        "url": f"http://127.0.0.1:1/{name}",
        "secret": secret,
    }
    made |= {"created_at": timezone.now(), "position": ModelServer.objects.count(), **values}
    return ModelServer.objects.create(id=pk, name=name, **made)


def planning(team: Team) -> Run:
    """A run that has no plan yet."""
    outcome = perform(runs.draft_run, team.workspace.pk, goal="Understand the sales", actor=team.actor("ada"))
    return Run.objects.get(pk=outcome.answer["id"])


def ask(team: Team, run: Run, kind: str = "plan", **more: Any) -> ModelCall:
    """A question that is recorded and not asked yet."""
    by = coordinator_for(team.users["ada"].pk)
    said = {"request": QUESTION, "digest": "d" * 64, **more}
    outcome = perform(model_calls.record_call, run.pk, kind=kind, actor=by, **said)
    return ModelCall.objects.get(pk=outcome.answer["id"])


def carried_out(call: ModelCall) -> ModelCall:
    """The call after somebody has looked at it."""
    consulting.consult(call.pk)
    return now_of(call)


def now_of(call: ModelCall | UUID) -> ModelCall:
    return ModelCall.objects.get(pk=call.pk if isinstance(call, ModelCall) else call)


def told(team: Team, type_: str) -> list[dict[str, object]]:
    """What the journal says in entries of this type."""
    return [dict(entry.payload) for entry in Entry.objects.filter(workspace=team.workspace, type=type_).order_by("seq")]
