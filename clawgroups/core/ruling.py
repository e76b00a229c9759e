"""Which rule of a workspace answers what an agent asks. Pure.

Judged by the arguments of the call, as its agent's owner judges them (`agents.policy`), but from afar: the disk of the
agent's machine is not here, no link can be followed, and nobody's home is known.
"""

from __future__ import annotations

import ntpath
import posixpath
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal
from uuid import UUID

from agents.policy import paths, wanted
from agents.policy.machine import Machine
from agents.policy.paths import Paths, Place, is_within
from agents.policy.scope import Scope, covering
from agents.policy.shell import CommandPattern
from agents.policy.wanted import Wanted
from clawgroups.core.shrinking import is_cut
from clawgroups.core.tool_content import MOST_BLOCKS

Answer = Literal["deny", "critical", "allow", "ask"]
ANSWERS: tuple[Answer, ...] = ("deny", "critical", "allow", "ask")
"""In this order the first kind that has a fitting rule counts."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """A machine that we do not see. `folder`: where the session works there, empty where nobody has told us."""

    folder: str = ""

    @property
    def windows(self) -> bool:
        """By how its folder is written."""
        return is_windows(self.folder)

    @property
    def posix_shell(self) -> bool:
        """Only where a folder says that it is no Windows."""
        return self.folder.startswith("/")

    @property
    def base(self) -> Place | None:
        """Its folder as a place; the root of a disk is nobody's work folder."""
        return _base_of(self)

    def expanded(self, path: str) -> str | None:
        """Nobody knows whose home is where."""
        return None

    def real(self, path: str) -> str:
        """As it is written, with `..` taken out: its links are not seen."""
        return ntpath.normpath(path) if self.windows else posixpath.normpath(path)

    def may_be_folder(self, path: str) -> bool:
        """It may."""
        return True


@lru_cache(maxsize=4096)
def is_windows(folder: str) -> bool:
    """Whether a folder is written as on Windows."""
    return re.match(r"[A-Za-z]:[\\/]|\\\\", folder) is not None


@lru_cache(maxsize=4096)
def _base_of(machine: Elsewhere) -> Place | None:
    if not (machine.windows or machine.posix_shell):
        return None
    place = paths.absolute(machine.folder, machine)
    return place if place is not None and re.sub("[A-Za-z]:", "", place.real).strip("/") else None


@dataclass(frozen=True, slots=True)
class Asked:
    """What an agent asks for. `sameness`: of exactly this, empty where it is not known whole."""

    wanted: Wanted
    sameness: str = ""


def read_call(call: Mapping[str, Any], sameness: str = "", folder: str = "") -> Asked:
    """A tool call as it is stored (`Approval.tool_call`, `Step.detail`), of a session that works in `folder`."""
    if _SAID.isdisjoint(call) and isinstance(kind := call.get("kind", ""), str):
        return Asked(_bare(kind, folder), sameness)
    machine = Elsewhere(folder)
    shown = {key: call[key] for key in ("kind", "locations", "content") if key in call}
    if "raw_input" in call:
        shown["rawInput"] = call["raw_input"]
    blocks = [one.get("path") for one in shown.get("content") or [] if isinstance(one, Mapping)]
    is_short = "cut" in call or len(blocks) >= MOST_BLOCKS
    if is_short or is_cut(blocks) or is_cut(shown.get("locations")) or is_cut(shown.get("rawInput")):
        shown[wanted.TOO_LARGE] = True
        sameness = ""
    return Asked(wanted.read(shown, machine.base, machine), sameness)


# Whatever of a call says more than its kind.
_SAID = frozenset({"locations", "content", "raw_input", "cut"})


@lru_cache(maxsize=4096)
def _bare(kind: str, folder: str) -> Wanted:
    """What a call wants that tells nothing but its kind."""
    machine = Elsewhere(folder)
    return wanted.read({"kind": kind}, machine.base, machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRule(Scope):
    """A rule in force for the agent and the run that ask. `exactly`: for what has this sameness, and nothing else."""

    id: UUID
    answer: Answer
    exactly: str = ""
    needed: int = 1

    def surely(self, kind: str, place: Place | None, wanted: Wanted) -> bool:
        """As any scope, but paths only within the work folder: beyond that, a link may lead anywhere."""
        if self.exactly or not Scope.surely(self, kind, place, wanted):
            return False
        return self.paths is None or all(is_within(one, wanted.base) for one in (place, *wanted.doubtful))

    def is_exactly(self, asked: Asked) -> bool:
        """Whether it was made for exactly this."""
        return bool(self.exactly) and self.exactly == asked.sameness

    def may_be(self, asked: Asked) -> bool:
        """Whether it is about any part of it, by any way to read that."""
        return self.is_exactly(asked) if self.exactly else self.maybe(asked.wanted)


@dataclass(frozen=True, slots=True)
class Ruling:
    """What is answered, and by which rule; `others`: those that it rests on, too, where it takes several.

    `doubt`: a rule would have allowed it, had it been clear that nothing denied or critical hides in it.
    """

    answer: Answer = "ask"
    rule: AnswerRule | None = None
    doubt: bool = False
    others: tuple[AnswerRule, ...] = ()


def judge(rules: Iterable[AnswerRule], asked: Asked) -> Ruling:
    """Deny wins over critical, critical over allow, allow over ask. What is not clear is asked, and never allowed."""
    by: dict[str, list[AnswerRule]] = {answer: [] for answer in ANSWERS}
    for rule in rules:
        by[rule.answer].append(rule)
    denying = next((one for one in by["deny"] if one.may_be(asked)), None)
    if denying is not None:
        return Ruling("deny", denying)
    critical = critical_of(by["critical"], asked)
    if critical is not None:
        return Ruling("critical", critical)
    exact = next((one for one in by["allow"] if one.is_exactly(asked)), None)
    if exact is not None:
        return Ruling("allow", exact)
    allowing = covering(by["allow"], asked.wanted)
    guarding = [one for one in (*by["deny"], *by["critical"]) if not one.exactly]
    doubt = any(one.may_be_hidden(asked.wanted) for one in guarding)
    if allowing and not doubt:
        return Ruling("allow", allowing[0], others=allowing[1:])
    return Ruling("ask", next((one for one in by["ask"] if one.may_be(asked)), None), bool(allowing))


def critical_of(rules: Iterable[AnswerRule], asked: Asked, *, surely: bool = False) -> AnswerRule | None:
    """The rule that calls this critical, the one that asks most people.

    Also where what is critical may hide in it, unread; not so with `surely`.
    """
    seen = asked.wanted
    fitting = [one for one in rules if one.may_be(asked) or (not surely and one.may_be_hidden(seen, in_legible=False))]
    return max(fitting, key=lambda one: one.needed, default=None)


@lru_cache(maxsize=1024)
def scope_of(kinds: tuple[str, ...], patterns: tuple[str, ...], commands: tuple[str, ...], windows: bool) -> Scope:
    """What a rule that is written so is about. Raises ValueError with what is wrong with it."""
    machine: Machine = Elsewhere("C:/" if windows else "/")
    return Scope(
        kinds,
        Paths.read(patterns, machine) if patterns else None,
        tuple(CommandPattern.read(one) for one in commands),
    )


def option_of(answer: Answer, options: Sequence[Mapping[str, str]]) -> Mapping[str, str] | None:
    """The option that says deny, or allow once; None where none says so beyond doubt.

    To allow is to allow once, or for good where an agent offers nothing else. Of several that allow, the agent means
    something else by each: a question to people, say.
    """
    kinds = ("reject_once", "reject_always") if answer == "deny" else ("allow_once", "allow_always")
    for kind in kinds:
        found = [one for one in options if one["kind"] == kind]
        if found:
            return found[0] if len(found) == 1 or answer == "deny" else None
    return None


def once_for(chosen: Mapping[str, str], options: Sequence[Mapping[str, str]]) -> Mapping[str, str]:
    """What an agent is told where a person chose an "always": to do it, or not, this once, if it offers that.

    So it asks again, and what was chosen is ours to keep, to let expire and to revoke.
    """
    kind = chosen["kind"].replace("_always", "_once")
    found = [one for one in options if one["kind"] == kind]
    return found[0] if len(found) == 1 else chosen
