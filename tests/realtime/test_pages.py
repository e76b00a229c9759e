"""Frames of pages that follow upon each other, and the one that stands for several of them."""

from __future__ import annotations

import json
from uuid import uuid4

from clawgroups.realtime.kept import Piece
from clawgroups.realtime.pages import BETWEEN, Pages, joined, page_frame

WORKSPACE = uuid4()
READER = ("member", "en", frozenset({"cards"}))


def piece(after: int, *html: str) -> Piece:
    """The frame from `after` to the next entry."""
    return Piece(page_frame(WORKSPACE, 1, after + 1, html), after + 1, 1, after + 1)


def told(found: Piece | None) -> tuple[int, list[str]]:
    assert found is not None
    frame = json.loads(found.text)
    assert (frame["type"], frame["workspace"], frame["generation"]) == ("fragments", str(WORKSPACE), 1)
    assert frame["seq"] == found.seq
    return found.seq, frame["html"].split(BETWEEN)


def test_each_element_is_as_and_where_it_was_told_last() -> None:
    row = [
        piece(0, '<li id="message-1" data-ordinal="1">one</li>', '\n<a id="needs">1</a>'),
        piece(1, '<li id="message-2">two</li>', '<div id="seat-9" hx-swap-oob="delete"></div>'),
        piece(
            2,
            '<li id="message-1" data-ordinal="1">one, edited</li>',
            '<li id="seat-9">back</li>',
            '<a id="needs">2</a>',
        ),
    ]
    whole = joined(row)
    assert told(whole) == (
        3,
        [
            '<li id="message-2">two</li>',
            '<li id="message-1" data-ordinal="1">one, edited</li>',
            '<li id="seat-9">back</li>',
            '<a id="needs">2</a>',
        ],
    )
    assert (whole.count, whole.last_seen) == (3, 3)


def test_an_element_that_lies_in_another_is_not_set_back_by_an_older_one_of_that() -> None:
    room, head = (
        '<div id="room-current-1"><section id="run-head-1">runs</section></div>',
        '<section id="run-head-1">{}</section>',
    )
    row = [piece(0, head.format("runs"), room), piece(1, head.format("paused"))]
    assert told(joined(row)) == (2, [room, head.format("paused")])


def test_who_comes_late_is_given_all_that_follows_and_it_is_joined_once() -> None:
    pages = Pages()
    for after in range(3):
        pages.keep(READER, after, piece(after, f'<i id="mark">{after}</i>'))
    found = pages.find(READER, 0, 3, 100)
    assert told(found) == (3, ['<i id="mark">2</i>'])
    assert pages.find(READER, 0, 3, 100) is found
    assert told(pages.find(READER, 2, 3, 100)) == (3, ['<i id="mark">2</i>'])
    pages.keep(READER, 3, piece(3, "<b></b>"))
    assert told(pages.find(READER, 0, 4, 100)) == (4, ['<i id="mark">2</i>', "<b></b>"])


def test_one_frame_is_about_so_many_entries_and_ends_where_something_was_not_made() -> None:
    pages = Pages()
    for after in (0, 1, 2, 4):
        pages.keep(READER, after, piece(after, f"<p>{after}</p>"))
    assert told(pages.find(READER, 0, 5, 2)) == (2, ["<p>0</p>", "<p>1</p>"])
    assert told(pages.find(READER, 2, 5, 100)) == (3, ["<p>2</p>"])
    assert pages.find(READER, 3, 5, 100) is None
    assert told(pages.find(READER, 4, 5, 0)) == (5, ["<p>4</p>"])


def test_each_reader_has_frames_of_its_own_and_none_after_all_was_forgotten() -> None:
    pages = Pages()
    pages.keep(READER, 0, piece(0, "<p></p>"))
    assert pages.find(("guest", *READER[1:]), 0, 1, 100) is None
    pages.clear()
    assert pages.find(READER, 0, 1, 100) is None
