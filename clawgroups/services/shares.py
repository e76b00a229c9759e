"""Links that show one run to anybody who has them: read-only, without an account, until a time, and revoked at once."""

from __future__ import annotations

from concurrent.futures import Future
from datetime import datetime
from uuid import UUID

from django.db.models import QuerySet
from django.utils import timezone

from agents import tokens
from agents.ids import new_id
from agents.tokens import MintedKey
from clawgroups import commit
from clawgroups.core.access_events import RunShared, RunUnshared
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Insert, Outcome, Update
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.lifetimes import USUAL, life
from clawgroups.models import Artifact, Share
from clawgroups.permissions import ACTIONS, get_run, require, seat_of
from clawgroups.services import installation

MOST_OPEN = 20
OFF = "An administrator has switched read-only links off on this installation."
MAY_SHARE = tuple(role.value for role in ACTIONS["run.share"].roles)
NONE = "No run is shown by this link: it was taken back, its time is over, or there never was one."


def share_run(
    run_id: UUID, *, code: MintedKey, seconds: int = USUAL, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Show a run to whoever has `code` (`tokens.mint_code`). Answer: {"id", "expires_at"}."""
    installation.require_on("sharing", OFF)
    run = get_run(actor, run_id, "run.share")
    expects, holds = require(actor, "run.share", run.workspace_id), life(seconds)
    if run.kind != "goal":
        raise Invalid("Only a run that carries a goal out can be shown.", field="run")
    now, pk, seat = timezone.now(), new_id(), seat_of(actor, run.workspace_id)
    until = now + holds
    if seat is None:
        raise Forbidden("Whoever shows a run has a seat in the workspace.")
    if open_ones(run_id, now).count() >= MOST_OPEN:
        raise Conflict(f"{MOST_OPEN} links of this run are open already. Revoke one first.", code="too_many_links")
    values = {
        "workspace_id": run.workspace_id,
        "run_id": run.pk,
        "digest": code.digest,
        "made_by_id": seat.pk,
        "made_at": now,
        "expires_at": until,
    }
    return commit.submit(
        Change(
            actor,
            run.workspace_id,
            expects,
            (Insert(Share._meta.label, pk, values),),
            (Fact(run.workspace_id, RunShared(run_id=run.pk, share_id=pk)),),
            operation,
            verb="run.share",
            answer={"id": str(pk), "expires_at": until.isoformat()},
        )
    )


def open_ones(run_id: UUID, now: datetime) -> QuerySet[Share]:
    """The links by which a run is seen now."""
    return Share.objects.filter(run=run_id, revoked_at=None, expires_at__gt=now).select_related("made_by__user")


def is_void(row: Share) -> bool:
    """Whether a link shows nothing: they are switched off, or whoever made it may not show runs any more.

    It is their right that is handed on.
    """
    if not installation.is_on("sharing"):
        return True
    maker = row.made_by
    return maker.left_at is not None or maker.role not in MAY_SHARE or not (maker.user and maker.user.is_active)


def get_share(actor: Actor, share_id: UUID) -> Share:
    """The link, for whoever may show its run. Raises `NotFound`, `Forbidden`."""
    row = Share.objects.filter(pk=share_id).first()
    if row is None:
        raise NotFound("There is no such thing here, or it is not yours to see.")
    require(actor, "run.share", row.workspace_id)
    return row


def unshare_run(share_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """The link shows nothing from now on. Raises `Conflict` for one that was taken back already."""
    row = get_share(actor, share_id)
    if row.revoked_at is not None:
        raise Conflict("This link was taken back already.", code="revoked")
    return _set(row, timezone.now(), RunUnshared(run_id=row.run_id, share_id=row.pk), actor, operation)


def share_again(share_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """A link that was taken back shows the run again, for as long as it was meant to."""
    row = get_share(actor, share_id)
    if row.revoked_at is None:
        raise Conflict("This link was not taken back.", code="not_revoked")
    return _set(row, None, RunShared(run_id=row.run_id, share_id=row.pk), actor, operation)


def _set(
    row: Share, revoked_at: datetime | None, event: RunShared | RunUnshared, actor: Actor, operation: str
) -> Future[Outcome]:
    return commit.submit(
        Change(
            actor,
            row.workspace_id,
            require(actor, "run.share", row.workspace_id),
            (Update(Share._meta.label, row.pk, {"revoked_at": revoked_at}, {"revoked_at": row.revoked_at}),),
            (Fact(row.workspace_id, event),),
            operation,
            verb=event.type,
            answer={"id": str(row.pk)},
        )
    )


def find(code: str) -> Share:
    """The link that a code means, while it shows something. Raises `NotFound`: what ended and what never was is one."""
    digest = tokens.digest(tokens.read_code(code))
    rows = Share.objects.select_related("run__workspace", "made_by__user")
    row = rows.filter(digest=digest, revoked_at=None, expires_at__gt=timezone.now()).first()
    if row is None or is_void(row):
        raise NotFound(NONE, code="unknown_code")
    return row


def files_of(share: Share) -> QuerySet[Artifact]:
    """What can be downloaded by a link: the deliverables of its run, and nothing that led to them."""
    return Artifact.objects.filter(run=share.run_id, kind="deliverable", removed_at=None).order_by(
        "name", "-created_at"
    )
