"""Which revision of a file is the final one: of a name within a task, or within a run beside its tasks, at most one."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Conflict
from clawgroups.core.message_events import ArtifactPinned, ArtifactUnpinned
from clawgroups.models import Artifact
from clawgroups.permissions import get_artifact, require

# What a run holds of its own accord. A draft is in somebody's hands, and what came late was not accepted.
PINNABLE = ("input", "result", "deliverable")
ARTIFACT = "clawgroups.Artifact"


def pin_artifact(artifact_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Make this revision the final one, instead of whichever was before. Answer: {"id", "name", "revision", "before"}.

    Pinning it again changes nothing. Raises `Conflict` for a draft and for what came late. Two who pin at one moment:
    the second one's change takes the first one's revision away, or is answered with `Conflict`.
    """
    row = get_artifact(actor, artifact_id, "artifact.pin")
    expects = require(actor, "artifact.pin", row.workspace_id)
    if row.kind not in PINNABLE or row.removed_at is not None:
        raise Conflict("Only what a task or a run holds can be final, not a draft or what came late.", code="not_final")
    same = Artifact.objects.filter(run=row.run_id, task=row.task_id, name=row.name)
    others = same.filter(pinned_at__isnull=False).exclude(pk=row.pk)
    before = others.first()
    answer = {"id": str(row.pk), "name": row.name, "revision": row.revision, "before": before and str(before.pk)}
    if row.pinned_at is not None:
        return commit.submit(Change(actor, row.workspace_id, expects, operation=operation, verb="pin", answer=answer))
    writes, facts = [], []
    if before is not None:
        writes.append(Update(ARTIFACT, before.pk, {"pinned_at": None}, {"pinned_at": before.pinned_at}))
        facts.append(Fact(row.workspace_id, ArtifactUnpinned(**_said(before))))
    # With a second column it is another statement than the one before, and comes after it: in one statement the
    # database might see the new final revision before the old one has gone.
    pin = {"pinned_at": timezone.now(), "removed_at": None}
    writes.append(Update(ARTIFACT, row.pk, pin, {"pinned_at": None, "removed_at": None, "kind": row.kind}))
    facts.append(Fact(row.workspace_id, ArtifactPinned(**_said(row))))
    return commit.submit(
        Change(actor, row.workspace_id, expects, tuple(writes), tuple(facts), operation, verb="pin", answer=answer)
    )


def unpin_artifact(artifact_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """No revision of this file is final any more. Answer: {"id", "name", "revision"}. Else nothing changes."""
    row = get_artifact(actor, artifact_id, "artifact.pin")
    expects = require(actor, "artifact.pin", row.workspace_id)
    answer = {"id": str(row.pk), "name": row.name, "revision": row.revision}
    writes: tuple[Update, ...] = ()
    facts: tuple[Fact, ...] = ()
    if row.pinned_at is not None:
        writes = (Update(ARTIFACT, row.pk, {"pinned_at": None}, {"pinned_at": row.pinned_at}),)
        facts = (Fact(row.workspace_id, ArtifactUnpinned(**_said(row))),)
    return commit.submit(
        Change(actor, row.workspace_id, expects, writes, facts, operation, verb="unpin", answer=answer)
    )


def _said(row: Artifact) -> dict[str, object]:
    return {
        "artifact_id": row.pk,
        "run_id": row.run_id,
        "task_id": row.task_id,
        "name": row.name,
        "revision": row.revision,
    }
