"""Somebody's text as quoted data in a prompt: where it comes from, and an end that nobody can forge.

Each line of it begins with a bar, so that nothing in it can stand where an end of a quote, a heading or an instruction
would. The mark in the fence is made of the text itself: the same text is quoted in the same words.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata

BAR = "| "
MAX_SOURCE = 120
# Joiners that scripts and emoji need; every other invisible sign is left out.
_JOINERS = "\u200c\u200d"
# What tokenizers of chat models may read as more than text.
_MARKERS = (
    (re.compile(r"<(?=\|)"), "< "),
    (re.compile(r"(?<=\|)>"), " >"),
    (re.compile(r"<(/?)think>", re.IGNORECASE), r"< \1think>"),
    (re.compile(r"\[(BOS|EOS|PAD|UNK|INST|/INST)\]"), r"[ \1]"),
)
_MANY = re.compile(r"\n{3,}")


def quote(source: str, text: str, limit: int) -> str:
    """`text`, bounded to `limit` characters, between two lines that say where it comes from and where it ends."""
    clean = plain(text)
    kept = clean[:limit]
    body = "\n".join(BAR + line for line in kept.splitlines()) or BAR
    mark = hashlib.sha256(body.encode()).hexdigest()[:8]
    left = f"; {len(clean) - len(kept)} more characters are not shown" if len(clean) > len(kept) else ""
    return f"[quote {mark}: {label(source)}]\n{body}\n[end of quote {mark}{left}]"


def plain(text: str) -> str:
    """A text without invisible signs and without what a model's tokenizer would take for a marker."""
    lines = "\n".join(text.replace("\t", " ").splitlines())
    seen = "".join(sign for sign in lines if sign == "\n" or _is_visible(sign))
    for pattern, instead in _MARKERS:
        seen = pattern.sub(instead, seen)
    return _MANY.sub("\n\n", seen).strip("\n")


def line(text: str, limit: int) -> str:
    """A text on one line."""
    # A far longer text is cut before it is looked through.
    flat = " ".join(plain(text[: 8 * limit]).split())
    return flat if len(flat) <= limit else flat[: limit - 1] + "…"


def label(source: str) -> str:
    """Where a quote comes from, as a string in quotation marks: a name in it cannot end it."""
    return json.dumps(line(source, MAX_SOURCE), ensure_ascii=False).replace("]", ")").replace("[", "(")


def _is_visible(sign: str) -> bool:
    return sign in _JOINERS or unicodedata.category(sign) not in ("Cc", "Cf", "Cs", "Co", "Cn")
