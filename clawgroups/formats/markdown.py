"""Markdown of people and agents as harmless HTML: no HTML, no images, links to http(s) and mailto only."""

from __future__ import annotations

import nh3
from markdown_it import MarkdownIt

LIMIT = 200_000
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
_markdown = (
    MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False})
    .enable(["table", "strikethrough"])
    .disable("image")
)


def to_html(text: str) -> str:
    """Render and then clean; the cleaner has the last word."""
    return nh3.clean(
        _markdown.render(text[:LIMIT]),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )
