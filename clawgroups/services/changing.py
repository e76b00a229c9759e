"""An agent tells otherwise what it asked about: nobody's answer may count for what they have not seen."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from clawgroups.core.sameness import contradicts, says_else
from clawgroups.models import Approval
from clawgroups.services.attempts import Decision
from clawgroups.services.putting import outdated, put_anew

RELATED = ("session__agent", "session__attempt__member", "task__workspace", "task__run", "attempt")


def told_otherwise(
    attempt_id: UUID, call_id: str, before: Mapping[str, Any], after: Mapping[str, Any], now: datetime
) -> Decision:
    """What becomes of the open questions about a call, as part of the change that records what is told of it now.

    Where it takes back what it said, the agent is told a rejection, and may ask again. Where it says more, or the same
    in other words, its request is put to people anew, as it is now.
    """
    decision = Decision()
    if not says_else(before, after):
        return decision
    asking = Approval.objects.filter(attempt=attempt_id, state="open", kind="permission").order_by()
    # Most calls are asked about by nobody: only for those that are, all that belongs to them is read.
    calls = asking.values_list("pk", "tool_call")
    about = [pk for pk, call in calls if str(call.get("toolCallId", ""))[:200] == call_id]
    for approval in asking.filter(pk__in=about).select_related(*RELATED) if about else ():
        if contradicts(before, after):
            decision.add(outdated(approval, now))
        else:
            new = {key: value for key, value in after.items() if before.get(key) != value}
            decision.add(put_anew(approval, new, now))
    return decision
