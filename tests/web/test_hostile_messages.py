"""A hundred and more messages that would do harm: nothing of them runs, loads or breaks out of its place."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest

from clawgroups.formats.highlight import CLASSES
from clawgroups.formats.markdown import to_html
from clawgroups.models import Message, Workspace
from clawgroups.services import messages
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.hostile import HOSTILE

TAGS_ALLOWED = frozenset(
    {
        "a",
        "blockquote",
        "br",
        "code",
        "del",
        "em",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "hr",
        "li",
        "ol",
        "p",
        "pre",
        "s",
        "strong",
        "table",
        "tbody",
        "td",
        "th",
        "thead",
        "tr",
        "ul",
    }
)
ATTRIBUTES_ALLOWED = frozenset({"href", "title", "rel", "start"})


class Harm(HTMLParser):
    """What of a piece of HTML is not among the few things that words may become."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self.deepest = self.depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.depth += tag not in ("br", "hr")
        self.deepest = max(self.deepest, self.depth)
        if tag == "span" and all(name == "class" and value in CLASSES for name, value in attrs):
            return  # a colour of source text
        self.found += [] if tag in TAGS_ALLOWED else [f"<{tag}>"]
        for name, value in attrs:
            target = (value or "").strip().lower()
            if name not in ATTRIBUTES_ALLOWED or (
                name == "href" and ":" in target.split("/")[0] and not _known(target)
            ):
                self.found.append(f"{name}={value}")

    def handle_endtag(self, tag: str) -> None:
        self.depth -= 1


def _known(target: str) -> bool:
    return target.startswith(("http://", "https://", "mailto:"))


def test_there_are_enough_of_them() -> None:
    assert len(HOSTILE) >= 120


@pytest.mark.parametrize("number", range(len(HOSTILE)))
def test_nothing_of_a_hostile_message_is_more_than_words(number: int) -> None:
    harm = Harm()
    harm.feed(to_html(HOSTILE[number][:20_000]))
    harm.close()
    assert harm.found == []
    assert harm.depth == 0
    assert harm.deepest < 60


@pytest.mark.django_db
def test_a_room_full_of_them_is_whole(team: Team, sign_in: SignIn) -> None:
    for text in HOSTILE[:: len(HOSTILE) // 30]:
        perform(messages.post_message, team.workspace.pk, body=f"x\n\n{text}"[:20_000], actor=team.actor("bob"))
    Workspace.objects.filter(pk=team.workspace.pk).update(name="\u202e<b>Sales</b>")
    Message.objects.update(actor={"kind": "person", "name": "\u202e<img src=x onerror=alert(1)>"})
    said = sign_in("ada").get(f"/w/{team.workspace.pk}/").content.decode()
    assert said.count('<li id="message-') == Message.objects.count()
    assert "<img" not in said.partition('<ol class="talk"')[2].partition("</ol>")[0]
    assert said.count("<main") == said.count("</main>") == 1
    # A name that turns the reading order round turns nothing but itself.
    assert said.count("<bdi>\u202e&lt;img") == Message.objects.count()
    for script in said.split("<script")[1:]:
        assert script.startswith(' src="/static/')
