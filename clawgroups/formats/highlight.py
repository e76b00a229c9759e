"""Source text in colours: words of the language, strings, numbers, comments, and names where they are made.

Six classes (`hl-k`, `hl-s`, `hl-n`, `hl-c`, `hl-f`, `hl-d`), whatever the language; the style sheet gives them the
page's own colours. Only as much text as a page lays out at once, since some languages' rules look back and forth.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from itertools import groupby
from operator import itemgetter
from typing import Any

from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name, get_lexer_for_filename
from pygments.token import Comment, Generic, Keyword, Literal, Name, Operator, _TokenType
from pygments.util import ClassNotFound

MOST = 40_000
CLASSES = frozenset(f"hl-{one}" for one in "ksncfd")
_CLASS_OF: dict[_TokenType, str] = {
    Keyword: "k",
    Operator.Word: "k",
    Name.Tag: "k",
    Literal.String: "s",
    Generic.Inserted: "s",
    Literal.Number: "n",
    Keyword.Constant: "n",
    Comment: "c",
    Name.Function: "f",
    Name.Class: "f",
    Name.Attribute: "f",
    Name.Decorator: "f",
    Generic.Heading: "f",
    Generic.Subheading: "f",
    Generic.Deleted: "d",
}


def in_language(text: str, language: str) -> str:
    """The text as HTML, in the colours of a language by one of its usual names; empty where that is not known."""
    try:
        return _coloured(text, get_lexer_by_name(language, **_AS_IT_STANDS)) if _is_short(text) else ""
    except ClassNotFound:
        return ""


def of_file(text: str, name: str) -> str:
    """The text as HTML, in the colours of what a file of this name holds; empty where that is not known."""
    try:
        return _coloured(text, get_lexer_for_filename(name, **_AS_IT_STANDS)) if _is_short(text) else ""
    except ClassNotFound:
        return ""


_AS_IT_STANDS: dict[str, Any] = {"stripnl": False, "stripall": False, "ensurenl": False}


def _is_short(text: str) -> bool:
    return len(text) <= MOST


def _coloured(text: str, lexer: Lexer) -> str:
    return "".join(_spans(text, lexer))


def _spans(text: str, lexer: Lexer) -> Iterator[str]:
    told = ((_class_of(kind), words) for kind, words in lexer.get_tokens(text))
    for found, parts in groupby(told, key=itemgetter(0)):
        said = escape("".join(words for _, words in parts))
        yield f'<span class="hl-{found}">{said}</span>' if found else said


def _class_of(kind: _TokenType | None) -> str:
    while kind is not None:
        if kind in _CLASS_OF:
            return _CLASS_OF[kind]
        kind = kind.parent
    return ""
