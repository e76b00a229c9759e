"""What a rule is about, and whether a request is that: surely, maybe, or without saying so."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from agents.policy.paths import Paths, Place
from agents.policy.shell import CommandPattern
from agents.policy.wanted import Wanted

_TOUCHES = frozenset({"read", "edit", "delete", "move", "search", "other"})
_WHOLE_FOLDERS = frozenset({"delete", "move", "search"})


@dataclass(frozen=True, slots=True)
class Scope:
    """Requests of these kinds, on these paths, or with these commands; all where none is named."""

    kinds: tuple[str, ...] = ()
    paths: Paths | None = None
    commands: tuple[CommandPattern, ...] = ()

    def concerns(self, kind: str) -> bool:
        """Whether it speaks of this kind; one of commands speaks of those only."""
        return kind in self.kinds if self.kinds else not self.commands or kind == "execute"

    def surely(self, kind: str, place: Place | None, wanted: Wanted) -> bool:
        """Whether it covers this part of a request, beyond doubt. One of paths covers no commands."""
        if not (self.kinds or self.paths or self.commands):
            return True
        if not self.concerns(kind) or not wanted.whole:
            return False
        if self.commands:
            line = None if wanted.elsewhere else wanted.command
            return line is not None and any(one.surely(line) for one in self.commands)
        if self.paths is None:
            return True
        if place is None or wanted.unclear or wanted.command is not None or kind == "execute":
            return False
        return all(self.paths.surely(one, wanted.base) for one in (place, *wanted.doubtful))

    def maybe(self, wanted: Wanted) -> bool:
        """Whether it covers any part of a request, by any way to read that."""
        if not any(map(self.concerns, wanted.kinds)):
            return False
        if self.commands:
            return wanted.command is not None and any(one.maybe(wanted.command) for one in self.commands)
        if self.paths is None:
            return True
        return any(self.paths.maybe(one, wanted.base) for one in (*wanted.places, *wanted.words))

    def may_be_hidden(self, wanted: Wanted, *, in_legible: bool = True) -> bool:
        """Whether what it covers may be in a request that does not say so.

        `in_legible`: also in several commands that are all named.
        """
        kinds = [kind for kind in wanted.kinds if self.concerns(kind)]
        if not kinds:
            return False
        command = wanted.command
        is_seen = command is not None and (command.clear or (not in_legible and command.legible))
        # Where a command runs says what its paths mean, and nothing of which command it is.
        if "execute" in kinds and (
            (self.commands and not is_seen) or (self.paths and not (is_seen and not wanted.elsewhere))
        ):
            return True
        return self.paths is not None and self._may_be_meant(self.paths, kinds, wanted)

    def _may_be_meant(self, paths: Paths, kinds: Sequence[str], wanted: Wanted) -> bool:
        if wanted.unclear or any(paths.maybe(one, wanted.base) for one in wanted.doubtful):
            return True
        for kind in kinds:
            places = wanted.reached(kind)
            if not places and kind in _TOUCHES:
                return True
            folders = [one for one in places if kind in _WHOLE_FOLDERS and wanted.machine.may_be_folder(one.real)]
            if any(paths.reach_into(one, wanted.base) for one in folders):
                return True
        return False


_Scope = TypeVar("_Scope", bound=Scope)


def covering(scopes: Iterable[_Scope], wanted: Wanted) -> tuple[_Scope, ...]:
    """Those that together cover the whole of a request, where each kind on each place is covered by one, surely.

    None of them where a part is covered by none.
    """
    among = list(scopes)
    found: list[_Scope] = []
    for kind in sorted(wanted.kinds):
        for place in wanted.reached(kind) or (None,):
            if any(one.surely(kind, place, wanted) for one in found):
                continue
            scope = next((one for one in among if one.surely(kind, place, wanted)), None)
            if scope is None:
                return ()
            found.append(scope)
    return tuple(found)
