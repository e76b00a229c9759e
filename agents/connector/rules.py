"""The owner's rules and the file they are read from (`docs/policy.md` has the grammar)."""

from __future__ import annotations

import fnmatch
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from agents.connector.disk import DISK
from agents.policy.paths import Paths
from agents.policy.scope import Scope
from agents.policy.shell import CommandPattern
from agents.policy.wanted import KINDS

Answer = Literal["never", "ask-here", "ask", "allow"]
ANSWERS: tuple[Answer, ...] = ("never", "ask-here", "ask", "allow")
PATIENCE = 120.0
"""Seconds that a question waits at the terminal, where the file says nothing else."""
MOST_RULES = 200
MOST_TEXTS = 100
LARGEST = 256 * 1024
_KEYS = ("answer", "kind", "path", "command", "agent")


class BadPolicy(ValueError):
    """A file that is no policy; the text says where and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule(Scope):
    """What is answered to requests of these kinds, on these paths, or with these commands; all where none is named."""

    answer: Answer
    agents: tuple[str, ...] = ()
    said: Mapping[str, tuple[str, ...]] | None = None
    """Its conditions as they are written."""

    def __str__(self) -> str:
        texts = [f"{key} {', '.join(values)}" for key, values in (self.said or {}).items()]
        return f"{self.answer}: {'; '.join(texts) or 'everything'}"


@dataclass(frozen=True, slots=True)
class PolicyFile:
    """What a file says: its rules in their order, and what is answered where none of them speaks."""

    rules: tuple[Rule, ...] = ()
    otherwise: Answer = "ask"
    patience: float = PATIENCE

    def of(self, *names: str) -> PolicyFile:
        """The same with the rules that are for an agent of one of these names, or for all."""
        kept = [rule for rule in self.rules if not rule.agents or _named(rule.agents, names)]
        return PolicyFile(tuple(kept), self.otherwise, self.patience)


def _named(patterns: Sequence[str], names: Sequence[str]) -> bool:
    return any(fnmatch.fnmatchcase(name.lower(), one.lower()) for one in patterns for name in names if name)


def read_file(path: Path) -> PolicyFile:
    """Read a policy. Raises BadPolicy, also for a file that cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as problem:
        raise BadPolicy(f"the policy cannot be read: {problem}") from None
    if len(data) > LARGEST:
        raise BadPolicy(f"{path} is larger than {LARGEST // 1024} KiB, which is no policy")
    try:
        return read_text(data.decode("utf-8"))
    except (BadPolicy, UnicodeDecodeError) as problem:
        raise BadPolicy(f"{path}: {problem}") from None


def read_text(text: str) -> PolicyFile:
    """Read a policy from its text. Raises BadPolicy."""
    try:
        found = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as problem:
        raise BadPolicy(f"not TOML: {problem}") from None
    _only(found, ("otherwise", "patience", "rule"), "the file")
    rules = found.get("rule", [])
    if not isinstance(rules, list) or not all(isinstance(one, dict) for one in rules):
        raise BadPolicy("each rule begins with a line [[rule]]")
    if len(rules) > MOST_RULES:
        raise BadPolicy(f"more than {MOST_RULES} rules")
    return PolicyFile(
        tuple(_rule(one, f"rule {number}") for number, one in enumerate(rules, 1)),
        _answer(found.get("otherwise", "ask"), "otherwise"),
        _patience(found.get("patience", PATIENCE)),
    )


def _rule(given: Mapping[str, Any], where: str) -> Rule:
    _only(given, _KEYS, where)
    if "answer" not in given:
        raise BadPolicy(f"{where} has no answer; it is one of {', '.join(ANSWERS)}")
    texts = {key: _texts(given[key], f"{where}, {key}") for key in _KEYS[1:] if key in given}
    if "path" in texts and "command" in texts:
        raise BadPolicy(f"{where} is about paths and commands; write one rule for each")
    for kind in texts.get("kind", ()):
        if kind not in KINDS:
            raise BadPolicy(f"{where}: there is no kind {kind!r}; the kinds are {', '.join(KINDS)}")
    try:
        paths = Paths.read(texts["path"], DISK) if "path" in texts else None
        commands = tuple(CommandPattern.read(one) for one in texts.get("command", ()))
    except ValueError as problem:
        raise BadPolicy(f"{where}: {problem}") from None
    answer = _answer(given["answer"], where)
    return Rule(texts.get("kind", ()), paths, commands, answer=answer, agents=texts.get("agent", ()), said=texts)


def _only(given: Mapping[str, Any], known: Sequence[str], where: str) -> None:
    for key in given:
        if key not in known:
            raise BadPolicy(f"{where} has {key!r}, which is none of {', '.join(known)}")


def _texts(given: Any, where: str) -> tuple[str, ...]:
    texts = [given] if isinstance(given, str) else given
    if not isinstance(texts, list) or not texts or not all(isinstance(one, str) and one for one in texts):
        raise BadPolicy(f"{where} is a text, or a list of texts")
    if len(texts) > MOST_TEXTS:
        raise BadPolicy(f"{where} has more than {MOST_TEXTS} texts")
    return tuple(texts)


def _answer(given: Any, where: str) -> Answer:
    if given not in ANSWERS:
        raise BadPolicy(f"{where}: {given!r} is no answer; it is one of {', '.join(ANSWERS)}")
    return cast(Answer, given)


def _patience(given: Any) -> float:
    if isinstance(given, bool) or not isinstance(given, int | float) or not 1 <= given <= 3600:
        raise BadPolicy("patience is a number of seconds from 1 to 3600")
    return float(given)
