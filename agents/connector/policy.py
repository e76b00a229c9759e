"""What the owner of the agent's machine has decided in advance about permission requests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from agents.connector.disk import DISK
from agents.connector.keys import config_dir
from agents.connector.rules import PATIENCE, Answer, PolicyFile, Rule
from agents.policy import wanted
from agents.policy.paths import Paths, Place
from agents.policy.scope import covering
from agents.policy.wanted import Wanted

CHOICES = ("ask", "reads", "all")
HARMLESS = ("read", "search", "think")
TOLD = 16 * 1024


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is answered, and by which rule; None: no rule speaks of it. `doubt`: a rule would have allowed what is
    asked, had it been clear that no `never` is meant.
    """

    answer: Answer
    rule: Rule | None = None
    doubt: bool = False


@dataclass(frozen=True, slots=True)
class Policy:
    """Rules for one agent. `never` wins over `allow`, `allow` over asking; of those that ask, the first counts."""

    rules: tuple[Rule, ...] = ()
    otherwise: Answer = "ask"
    patience: float = PATIENCE

    @classmethod
    def of(cls, file: PolicyFile, allow: str = "ask") -> Self:
        """A file's rules for this agent, with what `--allow` adds to them: one of `CHOICES`."""
        added: dict[str, tuple[Rule, ...]] = {
            "ask": (),
            "reads": (Rule(HARMLESS, answer="allow", said={"kind": HARMLESS}),),
            "all": (Rule(answer="allow"),),
        }
        return cls((*file.rules, *added[allow]), file.otherwise, file.patience)

    @property
    def remembers(self) -> bool:
        """Whether an agent may be told to ask no more: only where nothing it will ever ask is answered otherwise."""
        return [replace(rule, said=None) for rule in self.rules] == [Rule(answer="allow")]

    def judge(self, asked: Wanted) -> Verdict:
        """What is answered to a request. What is not clear is asked, and never allowed by a pattern."""
        guard = _guard()
        for rule in (guard, *self._of("never")):
            if rule.maybe(asked):
                return Verdict("never", rule)
        doubt = any(rule.may_be_hidden(asked) for rule in self._of("never"))
        allowing = covering(self._of("allow"), asked)
        if allowing and not doubt:
            return Verdict("allow", allowing[0])
        for rule in self.rules:
            if rule.answer in ("ask", "ask-here") and rule.maybe(asked):
                return Verdict(rule.answer, rule, bool(allowing))
        if self.otherwise == "allow" and doubt:
            return Verdict("ask", None, True)
        return Verdict(self.otherwise, None, bool(allowing))

    def _of(self, answer: Answer) -> list[Rule]:
        return [rule for rule in self.rules if rule.answer == answer]

    def told(self) -> dict[str, Any]:
        """What the workspace is told of it: the rules as they are written, as many as go into one short message."""
        rules: list[dict[str, Any]] = []
        left = TOLD
        for rule in self.rules:
            said = {key: list(texts) for key, texts in (rule.said or {}).items() if key != "agent"}
            left -= len(json.dumps(said)) + 40
            if left < 0:
                break
            rules.append({"answer": rule.answer, **said})
        return {"rules": rules, "more": len(self.rules) - len(rules), "otherwise": self.otherwise}


def _guard() -> Rule:
    """The connector's own settings, keys among them, are nobody's to touch, whatever the rules say."""
    paths = Paths.read([str(config_dir().resolve())], DISK)
    return Rule(answer="never", paths=paths, said={"path": ("the connector's own settings",)})


def judge(policy: Policy, call: Mapping[str, Any], base: Place | None) -> Verdict:
    """What is answered to a tool call, as ACP writes it, of a session that works in `base`."""
    return policy.judge(wanted.read(call, base, DISK))


def chosen(answer: Answer, options: Any, *, remembers: bool = False) -> dict[str, str] | None:
    """The option that says `allow` or `never`; None where none does so beyond doubt.

    To allow is to allow once. Of several that do so, an agent means something else by each: a question to people, say.
    """
    listed = [one for one in options if isinstance(one, dict)] if isinstance(options, list) else []
    known = [one for one in listed if isinstance(one.get("optionId"), str) and isinstance(one.get("kind"), str)]
    names = Counter(one["optionId"] for one in known)
    for kind in _kinds(answer, remembers):
        found = [one for one in known if one["kind"] == kind]
        if found and names[found[0]["optionId"]] == 1 and (len(found) == 1 or answer == "never"):
            return {"optionId": found[0]["optionId"], "kind": kind}
        if found:
            return None
    return None


def _kinds(answer: Answer, remembers: bool) -> tuple[str, ...]:
    if answer == "never":
        return ("reject_once", "reject_always")
    return ("allow_once", "allow_always") if remembers else ("allow_once",)
