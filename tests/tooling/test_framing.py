"""What stands in for autobahn's own masks and validation does the same, whatever pieces a frame comes in."""

from __future__ import annotations

import random

import pytest
from autobahn.nvx import Utf8Validator
from autobahn.nvx._xormasker import create_xor_masker
from autobahn.websocket import protocol

from clawgroups.server import framing

TEXT = "a\u00fc\u2603\U0001f600" * 40


def pieces(data: bytes, dice: random.Random) -> list[bytes]:
    cuts = sorted(dice.choices(range(len(data) + 1), k=5))
    return [data[start:end] for start, end in zip([0, *cuts], [*cuts, len(data)], strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_a_mask_comes_off_piece_by_piece(seed: int) -> None:
    dice = random.Random(seed)
    data, mask = dice.randbytes(dice.randrange(1, 2000)), dice.randbytes(4)
    ours, theirs = framing.Masker(mask, len(data)), create_xor_masker(mask, len(data))
    for piece in pieces(data, dice):
        assert ours.process(piece) == theirs.process(piece)
        assert ours.pointer() == theirs.pointer()
    ours.reset()
    theirs.reset()
    assert ours.process(data) == theirs.process(data)


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("broken", [b"", b"\xff", b"\xed\xa0\x80", b"\xc0\xaf", b"\xf4\x90\x80\x80"])
def test_text_is_judged_piece_by_piece(seed: int, broken: bytes) -> None:
    dice = random.Random(seed)
    whole = TEXT.encode()
    at = dice.randrange(len(TEXT))
    data = TEXT[:at].encode() + broken + TEXT[at:].encode()
    ours, theirs = framing.Validator(), Utf8Validator()
    for piece in pieces(data, dice):
        said, wanted = ours.validate(piece)[:2], theirs.validate(piece)[:2]
        assert said == tuple(map(bool, wanted))
        if not said[0]:
            break
    assert said == (not broken, not broken)
    ours.reset()
    assert ours.validate(whole[:-1])[:2] == (True, False)
    assert ours.validate(whole[-1:])[:2] == (True, True)


def test_autobahn_is_given_them_by_their_names() -> None:
    framing.install()
    assert protocol.create_xor_masker is framing.Masker
    assert protocol.Utf8Validator is framing.Validator
