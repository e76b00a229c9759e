"""Conversations that mean nothing, in the shape of a model's turns: what the tiny model is taught on."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split("|"))


WHO = _words("The plan|A task|The report|A reader|The writer|A table|The team|One step|A file|The budget")
DOES = _words("names|counts|checks|waits for|follows|needs|sums up|returns|cites|splits")
WHAT = _words("the orders|two sources|a short list|every region|the last page|its result|the figures|a chart")
HOW = _words("in good order|before noon|for the owner|once more|by region|at low cost|with care|in parallel")
THOUGHTS = (
    "I read what was asked and answer it.",
    "The user wants a short answer, so I give one.",
    "There is enough here. I can answer now.",
    "First I look at the goal, then at the limits.",
)
TOOLS = _words("list_tasks|assign_task|open_page|read_file|write_file|count_rows|ask_person|finish")
FIELDS = _words("key|title|name|text|kind|skills|tasks|depends_on|agent|path|count|reason|goal|limit|done|why")
WORDS_FOR_JSON = ("Answer in JSON.", "JSON only, please.", "Give it as JSON.", "Fill in the form, in JSON.")
SYLLABLES = _words("ka|lo|mi|ren|tas|vor|un|est|pli|go|dra|sem|ti|bu|fen|or|chi|nal|we|su")


def made_up(dice: random.Random) -> str:
    """A word that the model has not met: not everything it reads later will be from the lists above."""
    return "".join(dice.choice(SYLLABLES) for _ in range(dice.randrange(1, 4)))


def sentence(dice: random.Random) -> str:
    return f"{dice.choice(WHO)} {dice.choice(DOES)} {dice.choice(WHAT)} {dice.choice(HOW)}."


def foreign(dice: random.Random) -> str:
    return " ".join(made_up(dice) for _ in range(dice.randrange(2, 9))).capitalize() + dice.choice(".?!:")


def field(dice: random.Random) -> str:
    return dice.choice(FIELDS) if dice.random() < 0.8 else f"{made_up(dice)}_{made_up(dice)}"


def value(dice: random.Random, depth: int) -> Any:
    """Short strings, small numbers and short lists."""
    kind = dice.randrange(10 if depth else 6)
    if kind < 3:
        return dice.choice(WHAT) if kind else f"{dice.choice(WHO)} {dice.choice(DOES)} {dice.choice(WHAT)}"
    if kind == 3:
        return made_up(dice)
    if kind == 4:
        return dice.randrange(1, 10)
    if kind == 5:
        return dice.random() < 0.5
    if kind < 9:
        # In a form that has to be filled in, the next field begins as the next line of a list does: here lists end.
        words = (dice.choice((dice.choice(WHAT), made_up(dice))) for _ in range(dice.choice((0, 1, 1, 1, 2))))
        return list(words)
    return [thing(dice, depth - 1) for _ in range(dice.choice((1, 1, 2)))]


def thing(dice: random.Random, depth: int = 2) -> Json:
    """An object that rather ends than goes on, wherever it is: the likeliest word must not go on for ever."""
    return {field(dice): value(dice, depth) for _ in range(dice.choice((1, 1, 1, 1, 2, 2, 3)))}


def filler(dice: random.Random, pieces: int) -> str:
    """Much text before the question, as a coordinator's brief is: the turns after it have the same shape."""
    forms = (
        lambda: sentence(dice),
        lambda: foreign(dice),
        lambda: f"- {field(dice)}: {dice.choice(WHAT)}\n",
        lambda: json.dumps(thing(dice)) + "\n",
        lambda: f"\n## {dice.choice(WHO)}\n",
    )
    return " ".join(dice.choice(forms)() for _ in range(pieces))


def parameter(dice: random.Random) -> Json:
    kinds: tuple[Json, ...] = (
        {"type": "string"},
        {"type": "string", "maxLength": dice.randrange(10, 200)},
        {"enum": [made_up(dice) for _ in range(dice.randrange(2, 4))]},
        {"type": "integer", "minimum": 1, "maximum": dice.randrange(3, 100)},
        {"type": "array", "items": {"type": "string"}, "maxItems": dice.randrange(2, 9)},
    )
    return dice.choice(kinds)


def tool(dice: random.Random) -> Json:
    """A declaration; servers write the same one in several ways."""
    fields = {field(dice): parameter(dice) for _ in range(dice.choice((1, 1, 1, 1, 2, 2, 3)))}
    parameters: Json = {"type": "object", "properties": fields}
    if dice.random() < 0.7:
        parameters |= {"required": list(fields), "additionalProperties": False}
    name = dice.choice(TOOLS) if dice.random() < 0.6 else f"{made_up(dice)}_{made_up(dice)}"
    parts: list[tuple[str, Any]] = [
        ("description", dice.choice((sentence, foreign))(dice)),
        ("name", name),
        ("parameters", parameters),
    ]
    if dice.random() < 0.5:
        parts.append(("strict", dice.random() < 0.5))
    if dice.random() < 0.5:
        dice.shuffle(parts)
    return {"type": "function", "function": dict(parts)}


class Conversation:
    """One conversation; each turn of the model's follows from what is before it.

    With tools it calls them after a person has spoken and answers after a tool has; asked for JSON it gives JSON.
    """

    def __init__(self, dice: random.Random, *, long: bool) -> None:
        self._dice = dice
        self._calls = 0
        self.tools = [tool(dice) for _ in range(dice.randrange(1, 4))] if dice.random() < 0.4 else []
        self.messages: list[Json] = []
        if long or dice.random() < 0.5:
            pieces = dice.randrange(20, 90) if long else dice.randrange(1, 4)
            self.messages.append({"role": "system", "content": filler(dice, pieces)})
        for _ in range(1 if long else dice.choice((1, 1, 2))):
            self._exchange()

    def _exchange(self) -> None:
        as_json = not self.tools and self._dice.random() < 0.75
        asked = " ".join(self._dice.choice((sentence, foreign))(self._dice) for _ in range(self._dice.randrange(1, 4)))
        wanted = f"{asked} {self._dice.choice(WORDS_FOR_JSON)}" if as_json else asked
        self.messages.append({"role": "user", "content": wanted})
        if self.tools:
            calls = [self._call() for _ in range(self._dice.choice((1, 1, 2)))]
            self.messages.append({**self._turn(), "content": "", "tool_calls": calls})
            answer = self._dice.choice((sentence, foreign))
            self.messages += [
                {"role": "tool", "tool_call_id": call["id"], "content": answer(self._dice)} for call in calls
            ]
        said = json.dumps(thing(self._dice)) if as_json else sentence(self._dice)
        self.messages.append({**self._turn(), "content": said})

    def _turn(self) -> Json:
        thought = self._dice.choice(THOUGHTS) if self._dice.random() < 0.5 else ""
        return {"role": "assistant", "reasoning_content": thought}

    def _call(self) -> Json:
        function = self._dice.choice(self.tools)["function"]
        self._calls += 1
        arguments = {name: value(self._dice, 0) for name in function["parameters"]["properties"]}
        made = {"name": function["name"], "arguments": json.dumps(arguments)}
        return {"id": f"functions.{made['name']}:{self._calls - 1}", "type": "function", "function": made}


def texts(dice: random.Random, count: int) -> Iterator[str]:
    """What the tokenizer learns its words from."""
    for _ in range(count):
        one = Conversation(dice, long=False)
        yield json.dumps(one.tools) + " ".join(str(message["content"]) for message in one.messages)
        yield from THOUGHTS
        yield filler(dice, 8)
