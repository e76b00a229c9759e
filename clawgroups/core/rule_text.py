"""What a rule may say, as people write it: checked before it is kept, and what it may do that nobody meant. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from agents.policy.wanted import KINDS
from clawgroups.core.errors import Invalid
from clawgroups.core.ruling import ANSWERS, scope_of
from clawgroups.core.shrinking import shrunk_text

MOST_TEXTS = 100
LONGEST = 300
MOST_NEEDED = 9
SHORTEST_LIFE = 60
LONGEST_LIFE = 366 * 24 * 3600
LIFE = 30 * 24 * 3600
"""Seconds that an "always" of a person holds."""
TOUCHING = frozenset({"read", "edit", "delete", "move", "search"})

Said = Mapping[str, Any]


def clean_rule(
    answer: str, *, kinds: Sequence[str], paths: Sequence[str], commands: Sequence[str], needed: int, note: str
) -> dict[str, Any]:
    """The columns of a rule. Raises `Invalid` with the field that is wrong."""
    if answer not in ANSWERS:
        raise Invalid(f"The answer is one of {', '.join(ANSWERS)}.", field="answer")
    unknown = [one for one in kinds if one not in KINDS]
    if unknown:
        raise Invalid(
            f"There is no kind “{shrunk_text(unknown[0], 40)}”; the kinds are {', '.join(KINDS)}.", field="kinds"
        )
    said = {
        "answer": answer,
        "kinds": [one for one in KINDS if one in kinds],
        "paths": _patterns(paths, "paths"),
        "commands": _patterns(commands, "commands"),
        "needed": needed if answer == "critical" else 1,
        "note": _line(note, "note"),
    }
    _check_together(said)
    _check_patterns(said)
    return said


def _check_together(said: Said) -> None:
    if said["paths"] and said["commands"]:
        raise Invalid("A rule is about paths or about commands. Make one rule for each.", field="commands")
    if said["commands"] and said["kinds"] and "execute" not in said["kinds"]:
        raise Invalid("Commands are run: choose the kind “execute” with them, or none.", field="kinds")
    if said["answer"] in ("deny", "allow") and not (said["kinds"] or said["paths"] or said["commands"]):
        raise Invalid("Say what it is about: a kind, a path or a command.", field="kinds")
    if not 1 <= said["needed"] <= MOST_NEEDED:
        raise Invalid(f"From 1 to {MOST_NEEDED} people must agree.", field="needed")


def _check_patterns(said: Said) -> None:
    """Each is read by itself, so that the message says which one is wrong."""
    for field in ("paths", "commands"):
        for one in said[field]:
            try:
                if field == "paths":
                    scope_of((), (one.removeprefix("!"),), (), False)
                else:
                    scope_of((), (), (one,), False)
            except ValueError as problem:
                raise Invalid(f"{problem}.", field=field) from None
    if said["paths"] and all(one.startswith("!") for one in said["paths"]):
        raise Invalid("This only leaves paths out. Say first which ones it is about, for example “**”.", field="paths")
    outside = [one for one in said["paths"] if one[0] in "/~" or one[1:2] == ":"]
    if said["answer"] == "allow" and outside:
        raise Invalid(
            f"“{outside[0]}” lies outside of the work folder, where a link may lead anywhere. A rule allows only what"
            " is in that folder: write it without the beginning, for example “src/**”.",
            field="paths",
        )


def _patterns(given: Sequence[str], field: str) -> list[str]:
    found = list(dict.fromkeys(line for one in given if (line := _line(one, field))))
    if len(found) > MOST_TEXTS:
        raise Invalid(f"At most {MOST_TEXTS} lines fit here.", field=field)
    return found


def _line(text: str, field: str) -> str:
    line = " ".join(text.replace("\x00", "").split()) if field == "note" else text.replace("\x00", "").strip()
    if len(line) > LONGEST:
        raise Invalid(f"A line of {len(line)} characters is too long; at most {LONGEST} fit.", field=field)
    return line


def cautions(said: Said) -> Iterator[str]:
    """What whoever makes this rule may not have meant."""
    scope = scope_of(tuple(said["kinds"]), tuple(said["paths"]), tuple(said["commands"]), False)
    if said["answer"] == "allow":
        for one in scope.commands:
            if one.runs_anything:
                yield f"“{one.text}” runs whatever its arguments say."
        if not scope.commands and not scope.paths and "execute" in scope.kinds:
            yield "This allows every command that is nothing denied or critical."
        if "other" in scope.kinds:
            yield "“Anything else” may be anything: what its own tools do, nobody here can read."
        if not scope.paths and not TOUCHING.isdisjoint(scope.kinds):
            yield "This allows it everywhere on the agent's machine. The path “**” would keep it to the work folder."
    elif said["answer"] == "deny" and scope.commands:
        yield "An agent may do the same by another command. What is not clear is asked, and never allowed by a rule."


def life(seconds: float | None) -> float | None:
    """How long a rule holds; None: until somebody revokes it. Raises `Invalid`."""
    if seconds is not None and not SHORTEST_LIFE <= seconds <= LONGEST_LIFE:
        raise Invalid("A rule holds from one minute to one year, or until somebody revokes it.", field="expires")
    return seconds
