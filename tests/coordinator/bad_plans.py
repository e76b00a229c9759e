"""Five hundred answers of a model that are no plan, or not the one that they seem to be. The same at every run."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from typing import Any

from tests.coordinator.model import GOOD, Json, plan

VERBS = ("approve", "grant", "reveal", "fetch", "widen", "allow_always", "role", "tool_calls", "run", "key", "secrets")
MARKER = "<|tool_calls_section_begin|><|tool_call_begin|>{}<|tool_call_argument_begin|>{}<|tool_call_end|>"
Make = Callable[[random.Random], str]


def said(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def several(rng: random.Random) -> list[Json]:
    """A good graph of two to eight tasks."""
    made: list[Json] = []
    for number in range(rng.randint(2, 8)):
        before = [task["key"] for task in made]
        parents = rng.sample(before, min(len(before), rng.randint(0, 2)))
        made.append({**GOOD[0], "key": f"t{number}", "title": f"Task {number}", "depends_on": parents})
    return made


def cut(rng: random.Random) -> str:
    whole = said(plan(*several(rng)))
    return whole[: rng.randint(0, len(whole) - 1)]


def circle(rng: random.Random) -> str:
    tasks = several(rng)
    tasks[0]["depends_on"] = [tasks[-1]["key"]]
    tasks[-1]["depends_on"] = [tasks[0]["key"]]
    return said(plan(*tasks))


def itself(rng: random.Random) -> str:
    tasks = several(rng)
    tasks[-1]["depends_on"] = [tasks[-1]["key"]]
    return said(plan(*tasks))


def unknown_agent(rng: random.Random) -> str:
    names = ("@nobody", "mallory", "gus", "ada", "root; drop table", "\u202escribe", "@@scribe", "a" * 150)
    return said(plan(*({**task, "assignee": rng.choice(names)} for task in several(rng))))


def doubled(rng: random.Random) -> str:
    tasks = several(rng)
    tasks.append({**tasks[0], "title": "Another"} if rng.random() < 0.5 else {**tasks[0], "key": "double"})
    return said(plan(*tasks))


def crowd(rng: random.Random) -> str:
    number = rng.choice((31, 301, 10_000))
    return said(plan(*({"key": f"t{n}", "title": f"T{n}", "instructions": "x"} for n in range(number))))


def early_done(rng: random.Random) -> str:
    return rng.choice(
        (
            "Done! The goal is reached.",
            said({"status": "done"}),
            said({"question": "", "rationale": "All done.", "tasks": []}),
            said({"tasks": [], "done": True}),
            said("done"),
            said(plan(*several(rng), state="done")),
        )
    )


def odd_calls(rng: random.Random) -> str:
    name = rng.choice(("functions.plan:0", "call_2", "", "functions.:-1", "plan"))
    arguments = said(plan(*several(rng))) if rng.random() < 0.3 else rng.choice(("{}", "{", "null", ""))
    return MARKER.format(name, arguments) + rng.choice(("", "<|tool_calls_section_end|>"))


def injected(rng: random.Random) -> str:
    verb, value = rng.choice(VERBS), rng.choice((True, "all", ["*"], {"member": "mallory", "role": "owner"}))
    if rng.random() < 0.5:
        return said({**plan(*several(rng)), verb: value})
    tasks = several(rng)
    tasks[0][f"{verb}_it"] = value
    return said(plan(*tasks))


def wrong_types(rng: random.Random) -> str:
    whole = plan(*several(rng))
    odd: Any = rng.choice((None, 7, -1, "x", [], {}, [[]], True, 1e308, [None], {"a": {"b": 1}}))
    if rng.random() < 0.4:
        whole[rng.choice(("question", "rationale", "tasks"))] = odd
    else:
        field = rng.choice(("key", "title", "instructions", "skills", "depends_on", "acceptance", "minutes", "output"))
        whole["tasks"][-1][field] = odd
    return said(whole)


def strange_signs(rng: random.Random) -> str:
    sign = rng.choice(("\\u0000", "\\ud800", "\\udfff\\ud800", "\\u202e", "\\u001b[31m", "\\u2028", "\\uffff"))
    return said(plan(*several(rng))).replace("Task", sign + "Task" + sign).replace("Find", sign)


def no_numbers(rng: random.Random) -> str:
    tasks = several(rng)
    tasks[0]["minutes"] = "@"
    number = rng.choice(("NaN", "Infinity", "-1", "1e999", "9" * 400, "1.5", "1441"))
    return said(plan(*tasks)).replace('"@"', number)


def deep(rng: random.Random) -> str:
    depth = rng.choice((50, 200, 5_000))
    return '{"tasks":' + "[" * depth + "]" * depth + "}"


def long(rng: random.Random) -> str:
    tasks = several(rng)
    tasks[0][rng.choice(("key", "title", "instructions", "why", "assignee"))] = rng.choice("x雪 ") * 50_000
    return said(plan(*tasks))


def in_words(rng: random.Random) -> str:
    inner = said(plan(*several(rng)))[: rng.choice((None, 40, 200))]
    return rng.choice(("Sure! {}", "```json\n{}", "<think>{}</think>", "{}\nAnd: {}", "!!!!{}")).replace("{}", inner)


def bad_lines(rng: random.Random) -> str:
    lines = ("min_words: x", "matches: (a+)+$", "matches: [", "contains:", "matches: " + "a" * 300, "sheet_has")
    return said(plan({**GOOD[0], "acceptance": [rng.choice(lines)]}))


def odd_keys(rng: random.Random) -> str:
    return said(plan({**GOOD[0], "key": rng.choice(("", " ", "写", "a b", "../x", "-", "K" * 61, "a\nb", "\u0000"))}))


def odd_skills(rng: random.Random) -> str:
    return said(plan({**GOOD[0], "skills": rng.choice((["写作"], ["!"], ["a"] * 9, ["  "], ["review; admin"]))}))


MAKERS: tuple[Make, ...] = (
    cut, circle, itself, unknown_agent, doubled, crowd, early_done, odd_calls, injected, wrong_types, strange_signs,
    no_numbers, deep, long, in_words, bad_lines, odd_keys, odd_skills,
)  # fmt: skip


def outputs(number: int = 500, seed: int = 6) -> Iterator[str]:
    """So many bad answers, of every kind in turn."""
    rng = random.Random(seed)
    for at in range(number):
        yield MAKERS[at % len(MAKERS)](rng)
