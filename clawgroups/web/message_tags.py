"""Template filters of messages and of what is found by words."""

from __future__ import annotations

import re

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import ngettext

from clawgroups.core.excerpts import excerpt
from clawgroups.core.pictures import Picture
from clawgroups.formats.highlight import of_file
from clawgroups.formats.markdown import to_html
from clawgroups.fragments.messages import Sign, asked_of, signs_on
from clawgroups.models import Message, MessageFile, Task
from clawgroups.services.pictures import picture_of
from clawgroups.web.tags import icon
from clawgroups.web.word_tags import words_of

register = template.Library()

# Drawn by us: a machine may have no font with these signs in it.
SHAPES = {
    "👍": "sign-agreed",
    "✅": "sign-done",
    "❤️": "sign-thanks",
    "😄": "sign-funny",
    "🎉": "sign-hooray",
    "👀": "sign-looking",
    "❓": "sign-question",
}
BOX = (384, 288)
LINE = 140
_MARKUP = re.compile(r"\*\*|__|~~|`{1,3}|^[ \t|:-]+$|\||^ {0,3}(?:#{1,6}|>)[ \t]", re.MULTILINE)
LONG = 3000
MANY_LINES = 40


@register.filter
def signs(message: Message) -> list[Sign]:
    """The signs on a message."""
    return signs_on(message)


@register.filter
def asked(message: Message) -> list[Task]:
    """The tasks of those who were asked to answer a message and have not done so."""
    return asked_of(message)


@register.simple_tag
def sign_icon(sign: str) -> SafeString:
    """A sign as a shape; always beside its word."""
    return icon(SHAPES[sign])


@register.filter
def picture(file: MessageFile) -> Picture | None:
    """The picture that a file is, where it may be shown in the page, in the size in which it is shown there."""
    found = picture_of(file.sha256, file.size)
    return None if found is None else found.within(*BOX)


@register.filter
def one_line(message: Message) -> str:
    """A message in one line, for whoever answers it."""
    said = " ".join(plain(words_of(message)[: 4 * LINE]).split())
    if said:
        return said if len(said) <= LINE else said[:LINE] + "…"
    number = len(message.files.all())
    return ngettext("%(n)d file", "%(n)d files", number) % {"n": number}


@register.filter
def plain(text: str) -> str:
    """Markdown without the signs that stand for nothing in one line of text."""
    return _MARKUP.sub("", text)


@register.filter
def spoken(message: Message) -> SafeString:
    """What a message says, as harmless HTML, with those it names marked."""
    return mark_safe(to_html(words_of(message), mentions=True))  # noqa: S308  cleaned by nh3


@register.filter
def is_long(message: Message) -> bool:
    """Whether it would fill the screen: it gets a box of its own to scroll in."""
    return len(message.body) > LONG or message.body.count("\n") > MANY_LINES


@register.simple_tag
def marked(text: str, words: tuple[str, ...]) -> SafeString:
    """A part of a text around the first word that was looked for, with all of them marked."""
    html = ((format_html("<mark>{}</mark>", part) if hit else part) for part, hit in excerpt(text, words))
    return format_html_join("", "{}", ((part,) for part in html))


@register.filter
def told_of(task: Task, words: tuple[str, ...]) -> str:
    """The text of a task in which the words stand: its instructions, or what came of it."""
    result = task.attempt.result if task.attempt is not None else ""
    texts = [text for text in (task.instructions, result) if text]
    has = (text for text in texts if any(word.casefold() in text.casefold() for word in words))
    return next(has, texts[0] if texts else "")


@register.filter
def coloured(text: str, name: str) -> str | SafeString:
    """A file's text in the colours of its language; as it is, where that is not known or the text is long."""
    return mark_safe(of_file(text, name)) or text  # noqa: S308  the highlighter has escaped every word
