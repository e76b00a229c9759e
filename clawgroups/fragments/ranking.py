"""A ranking as a page shows it: who comes first and why, part by part, and who is out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

LONGEST = 10.0  # the value of a part whose bar is as long as can be
WORDS: dict[str, Any] = {
    "skill": _("Skill"),
    "record": _("Record"),
    "load": _("Free hands"),
    "cost": _("Cost"),
    "before": _("Same task"),
    "warm": _("Context"),
    "proposed": _("Proposal"),
    "learned": _("Choices"),
    "failed before": _("Failed at it"),
    "failures": _("Failures"),
    "person": _("Person"),
}


@dataclass(frozen=True, slots=True)
class PartShown:
    """A part of a score with its bar: from the middle to the right where it helps, to the left where it harms."""

    word: Any
    value: float
    said: str

    @property
    def tone(self) -> str:
        return "done" if self.value > 0 else "bad"

    @property
    def length(self) -> str:
        """In hundredths of the bar, of which one half is for each side."""
        return f"{min(abs(self.value) / LONGEST, 1) * 50:.1f}"

    @property
    def start(self) -> str:
        return "50" if self.value >= 0 else f"{50 - float(self.length):.1f}"


@dataclass(frozen=True, slots=True)
class Ranked:
    """One member of a ranking."""

    member: str
    name: str
    score: float
    excluded: str
    reasons: tuple[str, ...]
    parts: tuple[PartShown, ...]
    is_person: bool
    chosen: bool = False


def ranked_of(said: Any, *, chosen: bool = False) -> Ranked | None:
    """A member of a stored ranking; None for what cannot be read."""
    if not isinstance(said, Mapping) or not said.get("name"):
        return None
    score = said.get("score")
    return Ranked(
        str(said.get("member") or ""),
        str(said["name"]),
        float(score) if isinstance(score, int | float) else 0.0,
        str(said.get("excluded") or ""),
        tuple(map(str, said.get("reasons") or ())),
        tuple(_parts(said.get("parts"))),
        said.get("person") is True,
        chosen,
    )


def _parts(said: Any) -> Iterable[PartShown]:
    for part in said if isinstance(said, list) else ():
        if isinstance(part, Mapping) and isinstance(value := part.get("value"), int | float):
            name = str(part.get("name", ""))
            yield PartShown(WORDS.get(name, name), float(value), str(part.get("said", "")))


def ranking_of(match: Any) -> tuple[Ranked, ...]:
    """The stored ranking, best first, those who are out at the end."""
    if not isinstance(match, Mapping):
        return ()
    rest = [*(match.get("runners_up") or ()), *(match.get("out") or ())]
    found = [ranked_of(match.get("chosen"), chosen=True), *(ranked_of(one) for one in rest)]
    return tuple(one for one in found if one is not None)
