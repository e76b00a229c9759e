"""Kimi's own marks where a server's parser should have taken them out: calls are read from them, the rest goes.

All of it is linear in the length of the text, as such texts may be long and broken in any way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from agents.llm.base import ToolCall

_SECTION, _SECTION_END = "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>"
_CALL, _ARGUMENTS, _CALL_END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
_BEGIN = re.compile(f"{re.escape(_SECTION)}|{re.escape(_CALL)}")
_THINK, _THINK_END = "<think>", "</think>"
_MARK = re.compile(
    r"<\|(?:tool_calls?_(?:section_|argument_)?(?:begin|end)|im_(?:start|end|user|assistant|system|middle)|"
    r"media_(?:start|begin|content|end|pad))\|>|\[(?:BOS|EOS|EOT|PAD)\]"
)
_ID = re.compile(r"(?:functions\.)?([a-zA-Z_][a-zA-Z0-9_-]{0,63})(?::\d{1,9})?")
# What a model says as text is not gone through for more calls than that.
_MOST = 200
_NEAR = 300


def calls_in(text: str, names: Collection[str]) -> list[ToolCall]:
    """The whole calls that are written in a text, of tools of these names and with readable arguments."""
    found: list[ToolCall] = []
    for place, segment in enumerate(text.split(_CALL)):
        if not place or len(found) >= _MOST:
            continue
        own, mark, rest = segment.partition(_ARGUMENTS)
        arguments = rest.partition(_CALL_END)[0].partition(_SECTION_END)[0].strip()
        name = _ID.fullmatch(own.strip())
        if mark and name and name[1] in names and _is_object(arguments):
            found.append(ToolCall(own.strip(), name[1], arguments))
    return found


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except (ValueError, RecursionError):
        return False


def without_marks(text: str) -> str:
    """The text without sections of calls and without single marks."""
    if "<|" not in text and "[" not in text:
        return text
    return _MARK.sub("", "".join(_outside(text)))


def _outside(text: str) -> Iterator[str]:
    at = 0
    while begins := _BEGIN.search(text, at):
        yield text[at : begins.start()]
        ends = text.find(_SECTION_END if begins[0] == _SECTION else _CALL_END, begins.end())
        if ends < 0:
            rest = text[begins.end() : begins.end() + _NEAR]
            if _ARGUMENTS not in rest and not _ID.fullmatch(rest.removeprefix(_CALL).strip()):
                yield text[begins.start() :]  # A mark by itself, and no call that is cut.
            return
        at = text.index("|>", ends) + 2
    yield text[at:]


def thoughts_apart(text: str) -> tuple[str, str]:
    """(thoughts, answer) of a text whose thoughts the server has left in; the beginning's mark may be missing."""
    begins = text.lstrip()
    if not begins.startswith(_THINK) and (_THINK_END not in text or begins[:1] in ("{", "[")):
        return "", text
    before, _, after = text.partition(_THINK_END)
    return before.replace(_THINK, "").strip(), after.replace(_THINK_END, "").strip()
