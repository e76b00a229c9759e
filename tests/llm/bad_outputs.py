"""Bad answers of models, made from a seed: the known ways of K2.6 and its servers, and every way JSON can be wrong.

`bad_texts` are contents of answers; `bad_messages` are (content, reasoning, calls, finish); `bad_completions` are whole
bodies that no client should have to read.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Random = random.Random
Text = Callable[[Random], str]


def plan(dice: Random, tasks: int | None = None) -> dict[str, Any]:
    """A plan as a model might write it."""
    many = tasks if tasks is not None else dice.randint(1, 6)
    return {
        "tasks": [
            {
                "key": f"t{number}",
                "title": dice.choice(["Count the rows", "Draw the chart", "写报告", "Prüfe die Zahlen", "Write it up"]),
                "skills": dice.sample(["writing", "data-analysis", "review"], dice.randint(0, 2)),
                "needs": [f"t{dice.randint(0, number - 1)}"] if number and dice.random() < 0.5 else [],
                "acceptance": ["Says where the numbers are from."],
            }
            for number in range(many)
        ]
    }


def _said(dice: Random) -> str:
    return json.dumps(plan(dice), ensure_ascii=dice.random() < 0.5, indent=dice.choice([None, None, 2]))


def _cut(dice: Random) -> str:
    text = _said(dice)
    return text[: dice.randint(1, len(text) - 1)]


def _fenced(dice: Random) -> str:
    fence = dice.choice(["```json", "```", "~~~", "```JSON"])
    ends = dice.choice(["```", "", "```\nI hope this helps!"])
    return f"{dice.choice(['', 'Here is the plan:', '好的，'])}\n{fence}\n{_said(dice)}\n{ends}"


def _marked(dice: Random) -> str:
    name = dice.choice(["assign_task", "create_subagent", "no_such_tool", "", "functions"])
    own = dice.choice(
        [f"functions.{name}:{dice.randint(0, 9)}", f"call_{dice.randint(0, 9)}", name, "functions.:0", ":"]
    )
    arguments = dice.choice(['{"agent": "a"}', '{"agent": ', "[]", "null", "", _said(dice)])
    text = f"<|tool_calls_section_begin|><|tool_call_begin|>{own}<|tool_call_argument_begin|>{arguments}"
    text += dice.choice(["<|tool_call_end|><|tool_calls_section_end|>", "<|tool_call_end|>", "", "<|im_end|>"])
    return dice.choice([text, f"I will do it.{text}", text * 3, f"<think>{text}</think>", text[: len(text) // 2]])


def _leaked(dice: Random) -> str:
    marks = [
        "<|im_end|>",
        "<|im_assistant|>",
        "<|tool_calls_section_end|>",
        "[EOS]",
        "</think>",
        "<think>",
        "<|tool_call_begin|>",
    ]
    return dice.choice(marks).join([_said(dice), dice.choice(["", "ok", _said(dice)]), ""])


def _white(dice: Random) -> str:
    blank = dice.choice([" ", "\n", "\t", "\u3000", "\r\n ", "\u200b"]) * dice.randint(1, 9000)
    return dice.choice([blank, '{"tasks": [' + blank, _said(dice) + blank, blank + _said(dice)])


def _nan(dice: Random) -> str:
    return "!" * dice.randint(4, 5000)


def _doubled(dice: Random) -> str:
    made = plan(dice, 4)
    for task in made["tasks"]:
        task["key"] = "t0"
    text = json.dumps(made)
    return dice.choice([text, text.replace('"title"', '"key": "t1", "title"'), text + text])


def _many(dice: Random) -> str:
    return json.dumps(plan(dice, dice.choice([100, 500])))


def _nulls(dice: Random) -> str:
    made = plan(dice, 3)
    task = dice.choice(made["tasks"])
    task[dice.choice(list(task))] = None
    return json.dumps(dice.choice([made, {"tasks": None}, {"tasks": [None]}, None, {None: None}, {}]))


def _deep(dice: Random) -> str:
    depth = dice.choice([50, 99, 101, 900, 5000, 200_000])
    opened, closed = dice.choice([("[", "]"), ('{"tasks":', "}"), ('{"a":[', "]}")])
    return opened * depth + "1" + closed * dice.choice([depth, depth, depth // 2, 0])


def _typed(dice: Random) -> str:
    wrong: list[Any] = ["text", 7, True, -1, 1e308, [], {}, [[]], "t0", 10**30, 0.1]
    made = plan(dice, 3)
    task = dice.choice(made["tasks"])
    task[dice.choice(list(task))] = dice.choice(wrong)
    return json.dumps(dice.choice([made, {"tasks": dice.choice(wrong)}, dice.choice(wrong), [made], {"plan": made}]))


def _numbers(dice: Random) -> str:
    wrong = ["NaN", "-Infinity", "1e999", "-" + "9" * 5000, "9" * 400, "0x10", "1_000", ".5", "01", "+1"]
    return '{"tasks": [{"key": "t0", "title": "a", "estimate": ' + dice.choice(wrong) + "}]}"


def _characters(dice: Random) -> str:
    bad = dice.choice(
        ["\x00", "\ud800", "\udfff\ud800", "\\u0000", "\\ud83d", "\x1b[2J", "\u202e", "\ufeff", "\x07", "\uffff"]
    )
    text = _said(dice)
    at = text.find("title") + 9
    return dice.choice([bad + text, text + bad, text[:at] + bad + text[at:], bad * dice.randint(1, 3000)])


def _cyclic(dice: Random) -> str:
    made = plan(dice, 3)
    made["tasks"][0]["needs"] = dice.choice([["t2"], ["t0"], ["t9"], ["t1", "t2"], "t1", [["t1"]]])
    return json.dumps(made)


def _repeating(dice: Random) -> str:
    piece = dice.choice(["I should plan. ", "ab", "é", "的", '{"key": "t0"}, ', "wait, "])
    return dice.choice(["", '{"tasks": [']) + piece * dice.randint(300, 3000)


def _prose(dice: Random) -> str:
    return dice.choice(
        [
            "",
            "I cannot help with that.",
            "The plan { is } simple: [do] it.",
            "tasks:\n  - key: t0\n    title: Count",
            "<plan><task key='t0'/></plan>",
            "{'tasks': [{'key': 't0'}]}",
            '{"tasks": [{"key": "t0",}],}',
            '// a plan\n{"tasks": []}',
            "Here: " + "{" * dice.randint(1, 5000),
            "[" * dice.randint(1, 500) + " and " + _said(dice),
            '"' * dice.randint(1, 50),
            "\\" * dice.randint(1, 50),
            "[1] As the source says, " + _said(dice),
        ]
    )


def _commanding(dice: Random) -> str:
    """Verbs that the schema does not have."""
    verb = dice.choice(["approve", "grant", "reveal", "fetch", "widen", "__proto__", "constructor"])
    return json.dumps({verb: "everything", **plan(dice)})


KINDS: tuple[Text, ...] = (
    _cut,
    _fenced,
    _marked,
    _leaked,
    _white,
    _nan,
    _doubled,
    _many,
    _nulls,
    _deep,
    _typed,
    _numbers,
    _characters,
    _cyclic,
    _repeating,
    _prose,
    _commanding,
)
_OF_EACH = 31


def bad_texts(seed: int) -> list[str]:
    """More than 500 bad answers, the same for the same seed; one of them has 10,000 tasks."""
    dice = Random(seed)
    texts = [kind(dice) for kind in KINDS for _ in range(_OF_EACH)]
    return [*texts, json.dumps(plan(dice, 10_000))]


Message = tuple[str | None, str, list[tuple[str, str, str]], str]


def bad_messages(seed: int) -> list[Message]:
    """The bad texts as content, in the reasoning, or as arguments of calls, with any finish."""
    dice = Random(seed)
    messages: list[Message] = []
    for text in bad_texts(seed):
        finish = dice.choice(["stop", "length", "tool_calls", "content_filter", "abort", ""])
        own = dice.choice(["functions.assign_task:0", "call_2", "", "0"])
        call = (own, dice.choice(["assign_task", "assign_task", "no_such_tool", "a b"]), text)
        messages.append(
            dice.choice(
                [
                    (text, "", [], finish),
                    (text, "", [], finish),
                    (None, text, [], finish),
                    ("", text, [], finish),
                    ("", "I think.", [call], finish),
                    (text, text, [call, call], finish),
                ]
            )
        )
    return messages


def bad_completions(seed: int, count: int = 300) -> list[Any]:
    """Completions with any part of them missing, null, or of another type."""
    dice = Random(seed)
    return [_spoilt(dice, _completion(dice), dice.randint(1, 3)) for _ in range(count)]


def _completion(dice: Random) -> dict[str, Any]:
    call = {
        "index": 0,
        "id": "functions.a_tool:0",
        "type": "function",
        "function": {"name": "a_tool", "arguments": "{}"},
    }
    message = {"role": "assistant", "content": _said(dice), "reasoning_content": "I think.", "tool_calls": [call]}
    usage = {
        "prompt_tokens": 10,
        "completion_tokens": 5,
        "cached_tokens": 2,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 2},
        "cost": 0.1,
    }
    choice = {"index": 0, "message": message, "finish_reason": "stop", "usage": dict(usage)}
    return {"id": "c1", "object": "chat.completion", "model": "kimi-k2.6", "choices": [choice], "usage": usage}


def _spoilt(dice: Random, value: Any, times: int) -> Any:
    for _ in range(times):
        holder: Any = value
        while isinstance(holder, dict | list) and holder:
            name = dice.choice(list(holder) if isinstance(holder, dict) else list(range(len(holder))))
            inner = holder[name]
            if not isinstance(inner, dict | list) or not inner or dice.random() < 0.3:
                holder[name] = dice.choice(
                    [None, [], {}, "text", -1, True, 10**30, [None], {"a": {}}, 1e308, "\x00\ud800"]
                )
                break
            holder = inner
    return dice.choice([value] * 30 + [None, [], "text", 7, [value]])
