"""How the coordinator works in a workspace: its model and modes, when a plan starts, and the limits."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any
from uuid import UUID

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.coordination_events import CoordinationSet
from clawgroups.core.coordination_settings import check_version, clean_coordination
from clawgroups.models import Workspace
from clawgroups.permissions import require


def set_coordination(
    workspace_id: UUID,
    *,
    coordination: Mapping[str, Any],
    actor: Actor,
    operation: str = "",
    keeps_rest: bool = False,
    shown: str | None = None,
) -> Future[Outcome]:
    """Replace the workspace's settings of the coordinator; what is not named is as usual.

    `keeps_rest`: what is not named stays as it is. `shown`: the version of the settings that are replaced. What has
    begun goes on as it was asked for; the next question follows the new ones. Raises `Invalid`, see
    `clean_coordination`, and `Conflict` where other settings than those shown stand by now.
    """
    expects = require(actor, "workspace.set_coordination", workspace_id)
    before = Workspace.objects.only("coordination").get(pk=workspace_id).coordination
    own = clean_coordination({**before, **coordination} if keeps_rest else coordination)
    check_version(shown, before, own)
    return commit.submit(
        Change(
            actor,
            workspace_id,
            expects=expects,
            writes=(Update("clawgroups.Workspace", workspace_id, {"coordination": own}, {"coordination": before}),),
            facts=(Fact(workspace_id, CoordinationSet()),),
            operation=operation,
            verb="workspace.set_coordination",
            answer={"id": str(workspace_id), "coordination": own},
        )
    )
