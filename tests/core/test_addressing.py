"""Whom a message names."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.addressing import mentioned

ADA, BOB, DOT = (UUID(int=number) for number in (1, 2, 3))
HANDLES = {"ada": ADA, "Bob": BOB, "dot.com_x-1": DOT}


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("@ada please", (ADA,)),
        ("(@ada, @bob)!", (ADA, BOB)),
        ("@BOB then @Ada then @bob again", (BOB, ADA)),
        ("look, @ada.", (ADA,)),
        ("@ada's file", (ADA,)),
        ("@dot.com_x-1, and @dot.com_x-1.", (DOT,)),
        ("write to me@ada or ada@bob", ()),
        ("https://x/@ada", ()),
        ("@@ada", ()),
        ("@adam and @ad", ()),
        ("@ adam", ()),
        ("`@ada` and ```\n@bob\n```", ()),
        ("`code` @ada `more` @bob", (ADA, BOB)),
        ("an open ` tick @ada", (ADA,)),
        ("", ()),
    ],
)
def test_a_handle_after_an_at_sign_names_its_member(text: str, named: tuple[UUID, ...]) -> None:
    assert mentioned(text, HANDLES) == named


@given(st.text(alphabet="@adbo`. \n_", max_size=60))
def test_nobody_is_named_twice_or_without_an_at_sign(text: str) -> None:
    named = mentioned(text, HANDLES)
    assert len(set(named)) == len(named)
    assert "@" in text or not named
