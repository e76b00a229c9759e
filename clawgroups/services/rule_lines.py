"""The rules of a workspace as pages and the API show them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Count, Q, QuerySet

from clawgroups.core.actors import Actor
from clawgroups.core.ruling import ANSWERS
from clawgroups.models import Approval, Rule
from clawgroups.services.rules import may_revoke
from clawgroups.services.ruling import in_force

PAST_DAYS = 30
MOST_PAST = 50


@dataclass(frozen=True, slots=True)
class RuleLine:
    """A rule, the question that it was made from, and whether the viewer may revoke it.

    `answered`: how often it answered, or put something to people as critical.
    """

    rule: Rule
    answered: int
    source: Approval | None = None
    mine: bool = False

    @property
    def is_open(self) -> bool:
        """Whether it is about everything that its kind of answer can be about."""
        one = self.rule
        return not (one.kinds or one.paths or one.commands or one.exactly)


def rules_of(workspace_id: UUID, now: datetime) -> QuerySet[Rule]:
    """Those in force, with how often each answered."""
    return counted(in_force(workspace_id, now)).order_by("made_at", "pk")


def past_rules(workspace_id: UUID, now: datetime) -> QuerySet[Rule]:
    """Those that counted lately and do no more, the last one first."""
    since = now - timedelta(days=PAST_DAYS)
    rows = Rule.objects.filter(workspace=workspace_id).exclude(pk__in=in_force(workspace_id, now).values("pk"))
    rows = rows.exclude(revoked_at__lt=since).exclude(expires_at__lt=since)
    return counted(rows).order_by("-made_at", "-pk")[:MOST_PAST]


def counted(rows: QuerySet[Rule]) -> QuerySet[Rule]:
    """With everything that a line shows."""
    by_itself = Q(answered__decided_by=None, answered__state="decided") | Q(answer="critical")
    rows = rows.select_related("agent", "run", "made_by", "revoked_by")
    return rows.annotate(times=Count("answered", filter=by_itself))


def lines_of(rows: QuerySet[Rule], actor: Actor, *, is_admin: bool) -> list[RuleLine]:
    """Rules as lines, of `counted` rows."""
    found = list(rows)
    sources = Approval.objects.filter(pk__in=[one.made_from for one in found if one.made_from])
    by_id = {one.pk: one for one in sources.select_related("task")}
    return [
        RuleLine(
            one,
            getattr(one, "times", 0),
            by_id.get(one.made_from) if one.made_from else None,
            is_admin or may_revoke(actor, one) == "rule.keep",
        )
        for one in found
    ]


def grouped(lines: list[RuleLine]) -> dict[str, list[RuleLine]]:
    """By what they answer, in the order in which that counts."""
    return {answer: [one for one in lines if one.rule.answer == answer] for answer in ANSWERS}
