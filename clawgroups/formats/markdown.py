"""Markdown of people and agents as harmless HTML: no HTML, no images, links to http(s) and mailto only.

A picture of elsewhere is a link to it: nobody's page asks a foreign host for anything.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any

import nh3
from markdown_it import MarkdownIt
from markdown_it.common.utils import escapeHtml
from markdown_it.renderer import RendererHTML
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

from clawgroups.core.addressing import marked
from clawgroups.formats.highlight import CLASSES, in_language

LIMIT = 200_000
SHORT = 4_000
DEEPEST = 20
MENTION = "mention"
BELOW = 2
"""Levels that a page has for itself: its title and its parts."""
_TAGS = {
    "a", "blockquote", "br", "code", "del", "em", "h1", "h2", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre",
    "s", "span", "strong", "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
_ATTRIBUTES = {"a": {"href", "title"}, "ol": {"start"}}
# An address in plain text: without the full stop or bracket that ends the sentence it stands in.
_ADDRESS = re.compile(r"https?://[^\s<>\"“”]{1,1000}")
_CLOSING = ".,;:!?'’*_~"


def to_html(text: str, *, mentions: bool = False, top: int = 0) -> str:
    """Render and then clean; the cleaner has the last word. In a message, names after an @ are marked as mentions.

    `top`: the level that the highest of its headings gets; else they come below those that a page has for itself.
    """
    return _kept(text, mentions, top) if len(text) <= SHORT else _made(text, mentions, top)


@lru_cache(maxsize=1024)
def _kept(text: str, mentions: bool, top: int) -> str:
    # A page shows the same messages again and again, and rendering one costs more than reading it.
    return _made(text, mentions, top)


def _made(text: str, mentions: bool, top: int) -> str:
    return nh3.clean(
        _markdown.render(text[:LIMIT], {"mentions": mentions, "top": top}),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes={"span": {*CLASSES, MENTION}},
        url_schemes={"http", "https", "mailto"},
        link_rel="noopener noreferrer nofollow",
    )


def _picture(renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: Any) -> str:
    """A picture as a link to it."""
    token = tokens[at]
    source = str(token.attrGet("src") or "")
    words = renderer.renderInlineAsText(token.children or [], options, env) or source
    if not source.startswith(("http://", "https://")):
        return escapeHtml(words)
    return f'<a href="{escapeHtml(source)}">{escapeHtml(words)}</a>'


def _link_addresses(state: StateCore) -> None:
    """Addresses in plain text become links, outside of links and code."""
    for block in state.tokens:
        if block.type != "inline" or not block.children or "://" not in block.content:
            continue
        made: list[Token] = []
        inside = 0
        for token in block.children:
            inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            made += _linked(token) if token.type == "text" and not inside else [token]
        block.children = made


def _mark_mentions(state: StateCore) -> None:
    """Names after an @, outside of links and code."""
    for block in state.tokens if state.env.get("mentions") else ():
        made: list[Token] = []
        inside = 0
        for token in block.children or ():
            inside += {"link_open": 1, "link_close": -1}.get(token.type, 0)
            made += _mentioning(token) if token.type == "text" and not inside and "@" in token.content else [token]
        block.children = made if block.children else block.children


def _mentioning(token: Token) -> Iterator[Token]:
    for piece, is_mention in marked(token.content):
        opened = Token("mention_open", "span", 1, attrs={"class": MENTION}, level=token.level)
        text = _text(piece, token.level)
        yield from (opened, text, Token("mention_close", "span", -1, level=token.level)) if is_mention else (text,)


def _keep_shallow(state: StateCore) -> None:
    """Emphasis within emphasis within …: what is deeper than anybody means is words. A browser walks every level."""
    for block in state.tokens:
        depth, made = 0, list[Token]()
        for token in block.children or ():
            depth += token.nesting == 1
            if not token.nesting or depth <= DEEPEST:
                made.append(token)
            depth -= token.nesting == -1
        block.children = made if block.children else block.children


def _lower_headings(state: StateCore) -> None:
    """A text's headings come below those of the page that shows it, which has its own title and parts."""
    headings = [block for block in state.tokens if block.type in ("heading_open", "heading_close")]
    top = state.env.get("top")
    below = top - min((int(block.tag[1:]) for block in headings), default=1) if top else BELOW
    for block in headings:
        block.tag = f"h{min(6, int(block.tag[1:]) + below)}"


def _linked(token: Token) -> Iterator[Token]:
    at = 0
    for found in _ADDRESS.finditer(token.content):
        address = _without_end(found.group())
        if address.endswith("/") and address.count("/") < 3:
            continue
        yield _text(token.content[at : found.start()], token.level)
        opened = Token("link_open", "a", 1, attrs={"href": address}, level=token.level)
        yield from (opened, _text(address, token.level + 1), Token("link_close", "a", -1, level=token.level))
        at = found.start() + len(address)
    yield _text(token.content[at:], token.level)


def _without_end(address: str) -> str:
    """An address without what ends the sentence; a bracket belongs to it where it was opened in it."""
    address = address.rstrip(_CLOSING)
    while address.endswith(")") and address.count("(") < address.count(")"):
        address = address[:-1].rstrip(_CLOSING)
    return address


def _text(content: str, level: int) -> Token:
    return Token("text", "", 0, content=content, level=level)


def _highlight(content: str, language: str, _attributes: str) -> str:
    # What is empty is shown without colours.
    return in_language(content, language) if language else ""


_markdown = MarkdownIt("commonmark", {"html": False, "breaks": True, "linkify": False, "highlight": _highlight})
_markdown.enable(["table", "strikethrough"])
_markdown.core.ruler.push("addresses", _link_addresses)
_markdown.core.ruler.push("mentions", _mark_mentions)
_markdown.core.ruler.push("shallow", _keep_shallow)
_markdown.core.ruler.push("lower", _lower_headings)
_markdown.add_render_rule("image", _picture)
