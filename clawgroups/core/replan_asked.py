"""What a run holds about a change of its plan: nothing, what the coordinator is asked for, or a proposal. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Asked:
    """A person's wish for a change of a running plan, which the coordinator thinks about."""

    id: str
    note: str
    by: Mapping[str, Any]
    at: str

    @property
    def name(self) -> str:
        """Who asks."""
        return str(self.by.get("name", ""))

    def as_json(self) -> dict[str, Any]:
        """The wish as it is stored."""
        return {"id": self.id, "note": self.note, "by": dict(self.by), "at": self.at}


def read_asked(replan: Mapping[str, Any]) -> Asked | None:
    """What the coordinator thinks about, of what a run holds; None where it is asked for nothing."""
    said = replan.get("asked")
    return _asked(said) if said else None


def read_wish(replan: Mapping[str, Any]) -> Asked | None:
    """What a proposal is the answer to; None where somebody made it of their own accord."""
    said = replan.get("wish")
    return _asked(said) if said else None


def id_of(replan: Mapping[str, Any]) -> str:
    """The id of what is asked for or proposed now; empty where nothing is."""
    return str((replan.get("asked") or replan).get("id", ""))


def _asked(said: Mapping[str, Any]) -> Asked:
    return Asked(str(said.get("id", "")), str(said.get("note", "")), said.get("by") or {}, str(said.get("at", "")))
