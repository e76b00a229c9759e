"""A text as a QR code: an inline SVG without styles of its own, in the colour of the text around it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

import segno
from django.utils.html import format_html
from django.utils.safestring import SafeString

QUIET = 4  # modules around it that stay light, else it is not found


def qr_svg(text: str, label: str) -> SafeString:
    """The picture; `label` is what a screen reader says instead."""
    # A lost corner or a scratch on a projector's wall is made good.
    rows = [bytes(row) for row in segno.make_qr(text, error="m").matrix]
    return format_html(
        '<svg class="qr" viewBox="0 0 {0} {0}" role="img" aria-label="{1}" focusable="false">'
        '<path fill="currentColor" shape-rendering="crispEdges" d="{2}"/></svg>',
        len(rows) + 2 * QUIET,
        label,
        "".join(_bars(rows)),
    )


def _bars(rows: list[bytes]) -> Iterator[str]:
    """Dark modules side by side as one bar each."""
    for y, row in enumerate(rows, QUIET):
        x = QUIET
        for dark, run in groupby(row):
            length = len(list(run))
            if dark:
                yield f"M{x} {y}h{length}v1h-{length}z"
            x += length
