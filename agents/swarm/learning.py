"""What a prompt says that must survive, from the metadata that the server attaches and the rules' own tool."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from agents.builtin.brief import Brief, read_brief
from agents.swarm.facts import Facts, Kind

# How the server begins the rules in the text of a prompt.
_RULES = re.compile(r"^Standing rules of the workspace[^\n]*:\n((?:>[^\n]*\n?)+)", re.MULTILINE)


@dataclass(frozen=True)
class Prompt:
    """One turn as it was asked for. `said` and `sender` are a person's own words and who they are."""

    text: str
    brief: Brief
    task: str = ""
    said: str = ""
    sender: str = ""

    @property
    def kind(self) -> str:
        """work, acknowledge or steer."""
        return self.brief.turn or "work"


def read_prompt(text: str, meta: object) -> Prompt:
    """The prompt of a turn from its text and `_meta.clawgroups`; what is missing is left out, never guessed."""
    ours: Mapping[str, Any] = meta if isinstance(meta, Mapping) else {}
    task = ours.get("task")
    task_id = task.get("id") if isinstance(task, Mapping) else ""
    said, sender = (str(ours.get(name) or "").strip() for name in ("said", "from"))
    return Prompt(text, read_brief(text, meta), str(task_id or ""), said, sender)


def learn(facts: Facts, prompt: Prompt) -> None:
    """Keep what this prompt says of the task, its acceptance, its rules, and what people want."""
    brief = prompt.brief
    if brief.told:
        facts.put(Kind.TASK, filter(None, (brief.title, brief.instructions, brief.goal and f"Part of: {brief.goal}")))
        facts.put(Kind.ACCEPTANCE, brief.acceptance)
    elif prompt.text.strip():
        facts.add(Kind.TASK, prompt.text[:4000])
    for reason in brief.feedback:
        facts.add(Kind.INSTRUCTION, f"It was returned: {reason}")
    if brief.note:
        facts.add(Kind.INSTRUCTION, f"Note with the task handed back: {brief.note}")
    if prompt.said:
        facts.add(Kind.INSTRUCTION, f"{prompt.sender or 'A person'}: {prompt.said}")
    # What comes below the first heading is the task's own text.
    if found := _RULES.search(prompt.text.partition("\n## ")[0]):
        facts.put(Kind.RULE, [found[1]])


def learn_rules(facts: Facts, answer: str) -> None:
    """Keep the rules as the tool `read_rules` gives them: they may have changed since the prompt."""
    rules = _object(answer).get("rules")
    if isinstance(rules, str):
        facts.put(Kind.RULE, [rules])


def learn_answer(facts: Facts, answer: str, asked: str) -> str:
    """Keep what a person has answered to a question of ours, whose author the server names; the question's id."""
    said = _object(answer)
    if said.get("state") == "decided" and said.get("answer"):
        who, what = said.get("by") or "A person", asked or "a question"
        facts.add(Kind.INSTRUCTION, f"{who} answered “{what}”: {said['answer']}")
    return str(said.get("question_id") or "")


def _object(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
