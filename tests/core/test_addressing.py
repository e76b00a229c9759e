"""Whom a message names."""

from __future__ import annotations

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.addressing import Addressee, Reach, mentioned, named, reach

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


HERE = [
    Addressee("ada", "Ada", here=True),
    Addressee("Bob", "Bob"),
    Addressee("scribe", "Scribe", is_agent=True, here=True),
]


@pytest.mark.parametrize(
    ("text", "does"),
    [
        ("hello", Reach()),
        ("@ada look", Reach(told=("Ada",))),
        ("@BOB and @ada, @bob", Reach(told=("Ada",), later=("Bob",))),
        ("@scribe write", Reach(agents=("Scribe",))),
        ("@Coordinator, plan it", Reach(coordinator=True)),
        ("@kate, `@bob`", Reach(unknown=("kate",))),
        ("@ada @kate @Kate", Reach(told=("Ada",), unknown=("kate",))),
    ],
)
def test_what_a_text_does_is_said_by_the_rules_of_its_mentions(text: str, does: Reach) -> None:
    assert reach(text, HERE) == does
    assert reach(text, HERE).is_to_nobody == (
        not any((does.told, does.later, does.agents, does.agents_later, does.coordinator))
    )


def test_a_member_may_be_called_coordinator() -> None:
    seats = [Addressee("coordinator", "Cora", here=True)]
    assert reach("@coordinator", seats) == Reach(told=("Cora",))


@given(st.text(alphabet="@adbokte`. \n_", max_size=60))
def test_the_preview_names_exactly_those_whom_the_message_will_name(text: str) -> None:
    does = reach(text, HERE)
    told = {one.casefold() for one in (*does.told, *does.later, *does.agents)}
    assert {handle.casefold() for handle in ("ada", "Bob") if HANDLES[handle] in mentioned(text, HANDLES)} == told
    assert len(named(text)) == len(told) + len(does.unknown) + does.coordinator
