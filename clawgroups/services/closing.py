"""Closing a workspace: what runs in it is cancelled, and it is read from then on until its owner opens it again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from datetime import datetime
from functools import partial
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.access_events import WorkspaceClosed, WorkspaceReopened
from clawgroups.core.actors import SYSTEM, Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Conflict
from clawgroups.core.lifecycle import RUN_TERMINAL
from clawgroups.models import Member, Run, Workspace
from clawgroups.permissions import get_workspace, require
from clawgroups.planned import Planned
from clawgroups.services import runs


def close_workspace(workspace_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Nothing is done here any more. Raises `Conflict` where it is closed already.

    What still runs is cancelled by the sweep after it (`left_running`): nothing new can begin meanwhile.
    """
    workspace = get_workspace(actor, workspace_id, "workspace.close")
    if workspace.closed_at is not None:
        raise Conflict("This workspace is closed already.", code="closed")
    return _set(workspace, timezone.now(), WorkspaceClosed(), actor, operation)


def reopen_workspace(workspace_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """All goes on as before; what was cancelled stays so. Raises `Conflict` where it is not closed."""
    workspace = get_workspace(actor, workspace_id, "workspace.close")
    if workspace.closed_at is None:
        raise Conflict("This workspace is not closed.", code="not_closed")
    return _set(workspace, None, WorkspaceReopened(), actor, operation)


def _set(
    workspace: Workspace,
    closed_at: datetime | None,
    event: WorkspaceClosed | WorkspaceReopened,
    actor: Actor,
    operation: str,
) -> Future[Outcome]:
    # Whatever is being written expects its seat as it was; pages that are open are loaded again.
    seats = Member.objects.filter(workspace=workspace, left_at=None).values_list("pk", "auth_version")
    values, expected = {"closed_at": closed_at}, {"closed_at": workspace.closed_at}
    return commit.submit(
        Change(
            actor,
            workspace.pk,
            require(actor, "workspace.close", workspace.pk),
            (
                Update(Workspace._meta.label, workspace.pk, values, expected),
                *(
                    Update(Member._meta.label, pk, {"auth_version": version + 1}, {"auth_version": version})
                    for pk, version in seats
                ),
            ),
            (Fact(workspace.pk, event),),
            operation,
            verb=event.type,
            answer={"id": str(workspace.pk), "closed": closed_at is not None},
        )
    )


def left_running(limit: int) -> list[Callable[[], Future[Outcome]]]:
    """A verb for each run of a closed workspace that is not over: it is cancelled, and its agents are let go."""
    return [partial(runs.cancel_run, pk, actor=SYSTEM) for pk in _running(most=limit)]


_running: Planned[UUID] = Planned(
    lambda most: (
        Run.objects.filter(workspace__closed_at__isnull=False)
        .exclude(state__in=RUN_TERMINAL)
        .values_list("pk", flat=True)[:most]
    )
)
