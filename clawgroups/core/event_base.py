"""What every event of the journal is."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class JournalEvent(BaseModel):
    """A frozen fact; subclasses name it by a literal `type`."""

    model_config = ConfigDict(frozen=True, extra="forbid")
