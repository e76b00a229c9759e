"""One answer to several questions that ask for the same: each is decided by itself, bound to its own arguments."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor
from clawgroups.core.answer_form import Posted
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import ClawError, Conflict, Invalid
from clawgroups.models import Approval
from clawgroups.permissions import get_approval, require, seat_of
from clawgroups.services.approvals import decide_approval
from clawgroups.services.keeping import may_keep, rule_from
from clawgroups.services.perform import begin

MOST = 200  # questions that one answer goes to
HOURS = 8.0  # that it holds for what is asked alike afterwards, where somebody wants it so
ANSWERS = {"allow": "allow", "reject": "deny"}


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one of the questions: answered, or why not."""

    approval_id: UUID
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What is answered to all of them: the option of this kind (permissions) or this name, a text, or a form."""

    kind: str = ""
    name: str = ""
    text: str = ""
    answers: Posted | None = None

    def option_of(self, approval: Approval) -> str:
        """The id of the option of this question that is meant; empty where the answer is a text alone."""
        if not self.kind and not self.name:
            return ""
        wanted = ("kind", self.kind) if self.kind else ("name", self.name)
        found = next((one for one in approval.options if one[wanted[0]] == wanted[1]), None)
        if found is None:
            raise Invalid("This one was not offered that answer.", field="option")
        return str(found["optionId"])


def answer_alike(picked: Mapping[UUID, str], answer: Answer, *, actor: Actor, operation: str = "") -> list[Told]:
    """Give this answer to each of these questions, whose arguments have these digests.

    Whoever was quicker with one of them, or one that has changed, keeps none of the others from being answered.
    Raises `Invalid` where nothing is picked.
    """
    if not picked:
        raise Invalid("Tick at least one of them.", field="pick")
    begun: list[tuple[UUID, Callable[[], Outcome] | ClawError]] = []
    for pk, digest in list(picked.items())[:MOST]:
        try:
            begun.append((pk, _begun(pk, digest, answer, actor, operation)))
        except ClawError as fault:
            begun.append((pk, fault))
    return [Told(pk, _finished(one)) for pk, one in begun]


def _begun(pk: UUID, digest: str, answer: Answer, actor: Actor, operation: str) -> Callable[[], Outcome]:
    approval = get_approval(actor, pk, "approval.decide")
    own = f"{operation}:{pk}" if operation else ""
    said = {"option_id": answer.option_of(approval), "text": answer.text, "digest": digest}
    return begin(decide_approval, pk, **said, answers=answer.answers, actor=actor, operation=own)


def _finished(one: Callable[[], Outcome] | ClawError) -> str:
    if isinstance(one, ClawError):
        return one.message
    try:
        one()
    except ClawError as fault:
        return fault.message
    return ""


def keep_answer(
    approval_id: UUID, *, kind: str, hours: float = HOURS, actor: Actor, operation: str = ""
) -> Future[Outcome]:
    """Have the answer of this kind given to whoever in the workspace asks for exactly the same, for so many hours.

    Raises `Conflict` for what is critical, which is always asked, and for what is not known as a whole.
    """
    approval = get_approval(actor, approval_id, "rule.keep")
    expects = require(actor, "rule.keep", approval.workspace_id)
    seat, answer, now = seat_of(actor, approval.workspace_id), ANSWERS.get(kind.partition("_")[0]), timezone.now()
    if seat is None or answer is None or not may_keep(approval, answer, now):
        raise Conflict("It is asked each time: this answer cannot hold for others.", code="not_kept")
    decision = rule_from(approval, answer, seat, now, seconds=3600 * hours, for_all=True)
    return commit.submit(
        Change(
            actor,
            approval.workspace_id,
            expects,
            tuple(decision.writes),
            tuple(decision.facts),
            operation,
            verb="rule.keep",
            answer={"id": str(approval.pk)},
        )
    )


def problems(told: Sequence[Told]) -> list[Told]:
    """Those that were not answered."""
    return [one for one in told if one.problem]
