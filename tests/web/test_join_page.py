"""The short link of a line: what it tells to whom, that looking uses nothing up, and that nobody guesses."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
import segno
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import tokens
from agents.models import Agent, Enrolment
from clawgroups.services import enrolling
from clawgroups.services.perform import perform
from clawgroups.web.qr import QUIET, qr_svg
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def code(team: Team) -> str:
    """The code of a line for the scribe, of ada's."""
    minted = tokens.mint_code()
    perform(enrolling.offer, team.agents["scribe"].pk, code=minted, launcher="kimi", actor=team.actor("ada"))
    return minted.secret


def read(answer: Any) -> str:
    """A page, its lines in one piece."""
    return re.sub("</?span>", "", answer.content.decode())


def address(code: str) -> str:
    return reverse("join", args=[code])


def test_whoever_has_the_link_sees_the_name_and_the_line_and_nothing_else(team: Team, code: str) -> None:
    scribe = team.agents["scribe"]
    Agent.objects.filter(pk=scribe.pk).update(description="Knows all secrets", model="big-one", device="desk")
    answer = Client().get(address(code))
    page = read(answer)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    assert answer["X-Robots-Tag"] == "noindex, nofollow"
    assert f"Connect {scribe.name}" in page
    assert f"--code {code}" in page
    assert "kimi login" in page
    for hidden in (str(scribe.pk), "Knows all secrets", "big-one", "desk", "ada", team.workspace.name, "drawing"):
        assert hidden not in re.sub(r"<(script|link|meta)[^>]*>", "", page), hidden


def test_looking_uses_nothing_up(team: Team, code: str) -> None:
    for _ in range(3):
        assert Client().get(address(code)).status_code == 200
        assert Client().head(address(code)).status_code == 200
    assert Client().post(address(code)).status_code == 405
    key = tokens.mint(tokens.AGENT)
    assert perform(enrolling.enrol, code, secret=key.secret).answer["agent"] == str(team.agents["scribe"].pk)


def test_a_code_is_found_however_it_was_typed(code: str) -> None:
    page = read(Client().get(address(code.upper().replace("-", " "))))
    assert f"--code {code}" in page


@pytest.mark.parametrize(("state", "words"), [("used", "This line has been used"), ("over", "This line is over")])
def test_a_line_that_has_ended_is_told_without_the_name_and_its_owner_makes_another(
    team: Team, sign_in: SignIn, code: str, state: str, words: str
) -> None:
    if state == "used":
        perform(enrolling.enrol, code, secret=tokens.mint(tokens.AGENT).secret)
    else:
        Enrolment.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    scribe = team.agents["scribe"]
    for client in (Client(), sign_in("bob")):
        answer = client.get(address(code))
        page = read(answer)
        assert answer.status_code == 410
        assert words in page
        assert scribe.name not in page
        assert f"--code {code}" not in page
    own = sign_in("ada").get(address(code)).content.decode()
    assert f"A new line for {scribe.name}" in own
    assert reverse("connect-agent", args=[scribe.pk]) in own


def test_an_unknown_code_is_told_how_to_be_right(code: str) -> None:
    answer = Client().get(address("0000-0000-0000-0000"))
    assert answer.status_code == 404
    assert "No line is known by this code" in answer.content.decode()
    assert Client().get(address("\u00e9 <b>" * 40)).status_code == 404


def test_who_guesses_is_stopped_and_nobody_else(code: str) -> None:
    guesser = Client(REMOTE_ADDR="203.0.113.7")
    seen = {guesser.get(address(f"0000-0000-0000-{number:04}")).status_code for number in range(40)}
    assert seen == {404, 429}
    refused = guesser.get(address(code))
    assert refused.status_code == 429
    assert Client(REMOTE_ADDR="203.0.113.8").get(address(code)).status_code == 200


def test_the_owner_is_led_to_where_an_address_is_given_instead(team: Team, sign_in: SignIn, code: str) -> None:
    way = reverse("join-dial", args=[code])
    assert way in Client().get(address(code)).content.decode()
    assert reverse("account_login") in Client().get(way)["Location"]
    assert sign_in("bob").get(way).status_code == 404
    assert sign_in("ada").get(way)["Location"] == reverse("dial", args=[team.agents["scribe"].pk])


def test_the_picture_holds_the_link_and_no_style_of_its_own() -> None:
    text = "https://claw.example.org/join/abcd-efgh-jkmn-pqrs/"
    picture = qr_svg(text, 'The "link"')
    assert "style" not in picture
    assert 'aria-label="The &quot;link&quot;"' in picture
    dark = {
        (int(x) + at, int(y))
        for x, y, length in re.findall(r"M(\d+) (\d+)h(\d+)v1h-\d+z", picture)
        for at in range(int(length))
    }
    matrix = segno.make_qr(text, error="m").matrix
    assert dark == {(x + QUIET, y + QUIET) for y, row in enumerate(matrix) for x, module in enumerate(row) if module}
