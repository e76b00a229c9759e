"""How much of a model's room a text takes."""

from __future__ import annotations


def tokens(text: str) -> int:
    """About how many tokens a text has: four ASCII signs to one, every other sign one by itself."""
    ascii_signs = sum(sign.isascii() for sign in text)
    return ascii_signs // 4 + (len(text) - ascii_signs) + 1
