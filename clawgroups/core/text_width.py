"""About how wide a line of text is, where nothing can measure it: a server that draws. Pure.

Widths are shares of the font's size, a little on the wide side of the usual sans-serif faces.
"""

from __future__ import annotations

import unicodedata

_NARROW = dict.fromkeys("ijl|!'.,:;`", 0.27) | dict.fromkeys('ftrI()[]{}/\\-" ', 0.36)
_WIDE = dict.fromkeys("mM", 0.87) | dict.fromkeys("wW@%&", 0.82) | dict.fromkeys("…—", 0.9)
_KNOWN = _NARROW | _WIDE


def width_of(text: str, size: float) -> float:
    """The width of a line in the unit of `size`, which is the font's."""
    return size * sum(_share(char) for char in text)


def _share(char: str) -> float:
    if char in _KNOWN:
        return _KNOWN[char]
    if char < "\x7f":
        return 0.66 if char.isupper() else 0.57
    if unicodedata.combining(char) or unicodedata.category(char) in ("Cf", "Mn"):
        return 0.0
    return 1.05 if unicodedata.east_asian_width(char) in "WF" else 0.66


def clipped(text: str, width: float, size: float) -> str:
    """As much of a text as fits into this width, with an ellipsis where something is left out."""
    if width_of(text, size) <= width:
        return text
    room, kept = width - width_of("…", size), 0
    for char in text:
        room -= size * _share(char)
        if room < 0:
            break
        kept += 1
    return text[:kept].rstrip() + "…"


def shortened(text: str, width: float, size: float) -> str:
    """A text in one line of this width: where it is too long its middle goes, for alike titles differ at the end."""
    if width_of(text, size) <= width:
        return text
    room = (width - width_of("…", size)) * 0.45
    kept = len(text)
    while kept > 0 and room >= size * _share(text[kept - 1]):
        kept -= 1
        room -= size * _share(text[kept])
    end = text[kept:].lstrip()
    whole = end.partition(" ")[2] if kept and text[kept - 1] != " " else ""
    end = whole if len(whole) > 3 else end
    return clipped(text, width - width_of(end, size), size) + end


def wrapped(text: str, width: float, size: float, lines: int) -> list[str]:
    """A text in at most so many lines, broken between words, the last one shortened."""
    words, found = text.split(), list[str]()
    while words and len(found) < lines - 1:
        line = words[0]
        number = 1
        while number < len(words) and width_of(f"{line} {words[number]}", size) <= width:
            line = f"{line} {words[number]}"
            number += 1
        if width_of(line, size) > width:
            break
        found.append(line)
        words = words[number:]
    return [*found, shortened(" ".join(words), width, size)] if words else found
