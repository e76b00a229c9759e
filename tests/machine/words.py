"""What people type, and what is offered to them: no word of it is lost, whatever comes after."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from clawgroups.models import Draft

STANDS = ("own", "offered")


class Words:
    """Remembers every version of every draft of a workspace."""

    def __init__(self, workspace_id: UUID) -> None:
        self._workspace_id = workspace_id
        self._before: dict[UUID, tuple[str, int, str]] = {}

    def check(self, taken: Sequence[str]) -> list[str]:
        """What is wrong after a step; `taken` are the texts that somebody was told are saved or kept."""
        rows = Draft.objects.filter(attempt__workspace=self._workspace_id)
        now = {row.pk: (row.kind, row.version, row.text) for row in rows}
        found = [f"draft {pk} was {was} and is {now.get(pk)}" for pk, was in self._before.items() if now.get(pk) != was]
        found += [f"draft {row.pk} is an agent's" for row in rows if row.kind == "own" and row.actor["kind"] == "agent"]
        self._before = {pk: row for pk, row in now.items() if row[0] in STANDS}
        texts = [text for _, _, text in now.values()]
        return found + [
            f"{one!r} was saved or kept, and stands nowhere" for one in taken if not any(one in text for text in texts)
        ]
