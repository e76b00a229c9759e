"""What agents ask, and the answers."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Query, Router, Schema

from clawgroups.api import schemas, shown
from clawgroups.api.access import actor_of, seats_of
from clawgroups.api.paging import Paging, page
from clawgroups.api.writing import Answer, write
from clawgroups.models import Approval
from clawgroups.permissions import ACTIONS, get_approval
from clawgroups.services import approvals

router = Router(tags=["approvals"])


class ApprovalQuery(Schema):
    """Which ones."""

    state: Literal["open", "decided", "expired", "void"] | None = None
    workspace: UUID | None = None


@router.get("/approvals")
def list_approvals(request: HttpRequest, paged: Paging, query: Query[ApprovalQuery]) -> Answer:
    """Questions in the workspaces where you may see them, newest first."""
    actor = actor_of(request)
    roles = [role.value for role in ACTIONS["approval.view"].roles]
    seats = seats_of(actor).filter(role__in=roles)
    rows = Approval.objects.filter(workspace_id__in=seats.values("workspace_id"))
    rows = rows.select_related("task", "attempt__member", "decided_by", "asked_of").prefetch_related("votes__member")
    if query.state is not None:
        rows = rows.filter(state=query.state)
    if query.workspace is not None:
        rows = rows.filter(workspace_id=query.workspace)
    return page(rows, paged, shown.approval, order="-asked_at")


@router.get("/approvals/{uuid:approval_id}")
def get_approval_(request: HttpRequest, approval_id: UUID) -> Answer:
    """One question, with its exact arguments.

    `digest` is of all that it shows; `sameness` is equal for questions that ask for the same thing (empty: nothing is
    known to be the same). `asked_of`: the one person it is put to until `escalates_at`; none: everybody who may answer.
    `votes`: who has agreed, of the `needed`. `rule`: the rule that answered it, or calls it critical. `why` a void one
    is void: changed, withdrawn, taken_over, over. `sent_option`: what the agent was told instead of `option_id`.
    """
    return shown.approval(get_approval(actor_of(request), approval_id, "approval.view"))


@router.post("/approvals/{uuid:approval_id}")
def decide_approval(
    request: HttpRequest, response: HttpResponse, approval_id: UUID, body: schemas.DecisionIn
) -> Answer:
    """Answer with one of the options that the agent offered; the first valid answer wins.

    A question (`kind`: "question") is answered in words as well: `text`; a form (`kind`: "form") by `answers`. Where
    several must agree (`needed`), each who chooses an option that allows it has agreed: `state` stays "open" (`have` of
    `needed`) until the last one, and a rejection decides at once. Agents' keys answer nothing (403).
    409 `not_open`: it is over, and `why`; 409 `changed`: the agent wants something else than what you looked at.
    """
    answers = {key: _texts(value) for key, value in body.answers.items()}
    said = {"option_id": body.option, "text": body.text, "digest": body.digest}
    return write(request, response, approvals.decide_approval, approval_id, answers=answers, **said)


def _texts(value: str | bool | float | list[str]) -> list[str]:
    """A value as a form would send it."""
    if isinstance(value, list):
        return value
    return [str(value).lower() if isinstance(value, bool) else str(value)]
