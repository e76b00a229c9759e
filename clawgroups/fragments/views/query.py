"""The query of a page of a view: what was chosen on it travels in its address."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.http import urlencode

LONGEST = 200


def query_of(said: Mapping[str, str], **changed: str) -> str:
    """The query with some of it changed; what is empty is left out."""
    kept = {**said, **changed}
    return urlencode({name: value[:LONGEST] for name, value in kept.items() if value})
