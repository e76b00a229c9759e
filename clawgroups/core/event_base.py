"""What every event of the journal is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class JournalEvent(BaseModel):
    """A frozen fact; subclasses name it by a literal `type`."""

    # Built when the first of its kind is made: a process that starts makes few of them.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)
