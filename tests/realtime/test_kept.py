"""Frames that are kept for the next who asks."""

from __future__ import annotations

from clawgroups.realtime.kept import Kept, Piece


def piece(text: str) -> Piece:
    return Piece(text, 1, 1, 1)


def test_what_was_asked_for_last_is_kept_the_longest() -> None:
    kept = Kept(2, 100)
    one, two, three = (kept.keep(name, piece(name)) for name in ("one", "two", "three"))
    assert [kept.get(name) for name in ("one", "two", "three")] == [None, two, three]
    assert kept.get("two") is two
    kept.keep("one", one)
    assert [kept.get(name) for name in ("one", "two", "three")] == [one, two, None]


def test_many_characters_are_kept_for_no_more_than_one_frame() -> None:
    kept = Kept(10, 6)
    kept.keep("a", piece("aaaa"))
    kept.keep("b", piece("bb"))
    assert kept.get("a") is not None
    kept.keep("c", piece("c"))
    assert [name for name in "abc" if kept.get(name)] == ["a", "c"]
    large = kept.keep("d", piece("d" * 50))
    assert [kept.get(name) for name in "acd"] == [None, None, large]


def test_the_same_place_is_kept_once() -> None:
    kept = Kept(10, 6)
    for text in ("aaaa", "bbbb", "cc"):
        kept.keep("here", piece(text))
    kept.keep("there", piece("dddd"))
    assert [kept.get(place) for place in ("here", "there")] == [piece("cc"), piece("dddd")]
    kept.clear()
    assert kept.get("here") is None
    kept.keep("here", piece("eeeeee"))
    assert kept.get("here") is not None


def test_what_nobody_has_asked_for_since_a_while_is_forgotten() -> None:
    now = [0.0]
    kept = Kept(10, 100, clock=lambda: now[0])
    for name in ("one", "two", "three"):
        kept.keep(name, piece(name))
        now[0] += 1
    assert kept.get("one") is not None
    kept.forget_before(2.0)
    assert [name for name in ("one", "two", "three") if kept.get(name)] == ["one", "three"]
