"""The signs that one can put on a message: a small closed set, each with a word for those who hear the page."""

from __future__ import annotations

from clawgroups.core.errors import Invalid

SIGNS: dict[str, str] = {
    "👍": "Agreed",
    "✅": "Done",
    "❤️": "Thank you",
    "😄": "Funny",
    "🎉": "Hooray",
    "👀": "I am looking at it",
    "❓": "I have a question",
}


def clean_sign(given: str) -> str:
    """The sign, if it is one of ours. Raises `Invalid`."""
    if given not in SIGNS:
        raise Invalid(f"Choose one of: {' '.join(SIGNS)}", field="sign", code="unknown_sign")
    return given
