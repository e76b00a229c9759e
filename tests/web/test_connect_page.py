"""From registering an agent to its first task: the line, what becomes of it, the light, the skills, what then."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import tokens
from agents.ids import new_id
from agents.models import Agent, Enrolment
from agents.protocol.acp import parse_initialize
from clawgroups.fragments import roster
from clawgroups.gateway.hello import announced
from clawgroups.services import contact, enrolling
from clawgroups.services.perform import perform
from clawgroups.web.lines import Line
from tests.conftest import Team
from tests.services.test_announcements import announce
from tests.web.conftest import SignIn
from tests.web.test_verbs import PROFILE, post

pytestmark = pytest.mark.django_db

CODE = re.compile(r"--code ([0-9a-z]{4}(?:-[0-9a-z]{4}){3})")
ACTIVE = "<b>Evil</b>"


def registered(team: Team, client: Client, **more: Any) -> Agent:
    """An agent that ada or bob has just registered by the form."""
    post(client, "register-agent", **{**PROFILE, "name": "Newcomer", **more})
    return Agent.objects.get(name="Newcomer")


def shown(client: Client, agent: Agent, name: str = "connect-agent", query: str = "") -> str:
    answer = client.get(reverse(name, args=[agent.pk]) + query)
    assert answer.status_code == 200
    assert "no-store" in answer["Cache-Control"]
    return " ".join(re.sub("</?span>", "", answer.content.decode()).split())


def code_on(page: str) -> str:
    found = CODE.search(page)
    assert found is not None, page
    return found[1]


def let_in(agent: Agent, code: str) -> str:
    """A machine brings its key by the code; the key."""
    key = tokens.mint(tokens.AGENT)
    perform(enrolling.enrol, code, secret=key.secret)
    return key.secret


def test_after_registering_the_line_is_there_with_a_code_that_lets_this_agent_in(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    page = shown(client, agent)
    code = code_on(page)
    assert enrolling.find(code).agent == agent
    assert "curl -fsSL http://testserver/connect.pyz" in page or "/connect.pyz -o connect.pyz" in page
    assert reverse("join", args=[code]) in page
    assert 'class="qr"' in page
    assert "Waiting for its first connection" in page
    assert code_on(shown(client, agent)) == code
    assert code not in shown(sign_in("bob"), agent)


def test_a_code_is_kept_nowhere_in_clear(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    code = code_on(shown(client, registered(team, client)))
    assert code not in str(dict(client.session.items()))
    assert not Enrolment.objects.filter(digest__contains=code).exists()


def test_another_browser_is_told_that_there_is_a_line_and_can_make_its_own(team: Team, sign_in: SignIn) -> None:
    first, second = sign_in("bob"), sign_in("bob")
    agent = registered(team, first)
    code = code_on(shown(first, agent))
    assert "made in another browser" in shown(second, agent)
    post(second, "offer-line", agent.pk)
    newer = code_on(shown(second, agent))
    assert newer != code
    assert "made in another browser" in shown(first, agent)
    assert list(agent.enrolments.values_list("digest", flat=True)) == [tokens.digest(newer)]


def test_choosing_a_program_makes_a_line_that_starts_it(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob", htmx=True)
    agent = registered(team, client)
    pieces = re.sub("</?span>", "", post(client, "offer-line", agent.pk, launcher="kimi").content.decode())
    assert Enrolment.objects.get(agent=agent).launcher == "kimi"
    assert enrolling.find(code_on(pieces)).launcher == "kimi"
    assert "kimi login" in pieces
    assert f'id="light-{agent.pk}"' in pieces
    assert 'value="kimi" checked' in shown(client, agent)


@pytest.mark.parametrize(
    ("typed", "in_line"),
    [
        ("my-agent  acp\n--fast", "-- my-agent acp --fast"),
        ("", "-- YOUR-AGENT acp"),
        (ACTIVE, "-- &lt;b&gt;Evil&lt;/b&gt;"),
    ],
)
def test_a_command_of_ones_own_ends_the_line(team: Team, sign_in: SignIn, typed: str, in_line: str) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    post(client, "offer-line", agent.pk, launcher="own", command=typed)
    page = shown(client, agent)
    assert in_line in page
    assert ACTIVE not in page
    assert Enrolment.objects.get(agent=agent).launcher == ""


@pytest.mark.parametrize("given", [{"launcher": "rm"}, {"launcher": "own", "command": "x" * 301}])
def test_what_cannot_be_started_makes_no_line(team: Team, sign_in: SignIn, given: dict[str, str]) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    code = code_on(shown(client, agent))
    assert post(client, "offer-line", agent.pk, **given).status_code == 422
    assert code_on(shown(client, agent)) == code


def test_a_line_that_is_over_says_so_and_offers_another(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    code = code_on(shown(client, agent))
    Enrolment.objects.filter(agent=agent).update(expires_at=timezone.now() - timedelta(seconds=1))
    page = shown(client, agent)
    assert "The last line is over" in page
    assert code not in page
    assert "Make a new line" in page


def test_the_light_follows_the_machine_from_the_code_to_the_end(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    agent = registered(team, client, workspace=str(team.workspace.pk))
    secret = let_in(agent, code_on(shown(client, agent)))
    page = shown(client, agent)
    assert "The line was used" in page
    assert "lamp--soon" in page
    assert secret not in page
    key, link = agent.keys.get(), new_id()
    opened = perform(contact.open_connection, agent.pk, key_id=key.pk, link=link, extensions=["link"])
    assert "the agent is starting" in shown(client, agent, "connect-live")
    perform(
        contact.connection_ready, link, epoch=opened.answer["epoch"], announced={"title": "Kimi Code", "version": "2"}
    )
    live = shown(client, agent, "connect-live")
    assert "lamp--on" in live
    assert "Newcomer is online" in live
    assert "Kimi Code 2" in live
    assert reverse("workspace", args=[team.workspace.pk]) in live
    perform(contact.close_connection, link, epoch=opened.answer["epoch"], reason="The laptop sleeps.")
    assert "The laptop sleeps." in shown(client, agent, "connect-live")


def test_a_machine_that_comes_in_while_the_page_is_made_is_shown_whole(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    let_in(agent, code_on(shown(client, agent)))
    looked = roster.presences

    def come_in(pks: list[UUID]) -> dict[UUID, str]:
        if not agent.connections.exists():
            link = new_id()
            opened = perform(contact.open_connection, agent.pk, key_id=agent.keys.get().pk, link=link, extensions=[])
            perform(contact.connection_ready, link, epoch=opened.answer["epoch"], announced={})
        return looked(pks)

    monkeypatch.setattr(roster, "presences", come_in)
    assert "Newcomer is online" in shown(client, agent, "connect-live")


def test_while_one_looks_the_line_comes_again_only_where_it_has_changed(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    page = shown(client, agent)
    asks = re.search(rf'{re.escape(reverse("connect-live", args=[agent.pk]))}(\?line=[^"]+)"', page)
    assert asks is not None
    assert 'id="line"' not in shown(client, agent, "connect-live", asks[1])
    let_in(agent, code_on(page))
    assert 'id="line"' in shown(client, agent, "connect-live", asks[1])


def test_an_agent_without_a_seat_is_offered_one(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    team.seat("scribe").delete()
    page = shown(client, scribe)
    assert f"Add it to {team.workspace.name}" in page
    assert post(client, "add-agent", team.workspace.pk, agent=str(scribe.pk)).status_code == 303
    assert f"A goal in {team.workspace.name}" in shown(client, scribe)


def test_a_retired_agent_gets_no_line(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    post(client, "retire-agent", scribe.pk)
    assert "cannot be connected any more" in shown(client, scribe)
    assert post(client, "offer-line", scribe.pk).status_code == 409
    assert reverse("connect-agent", args=[scribe.pk]) not in shown_plain(client, scribe)


def shown_plain(client: Client, agent: Agent) -> str:
    return str(client.get(reverse("agent", args=[agent.pk])).content.decode())


def test_the_agents_page_and_the_list_lead_to_the_line(team: Team, sign_in: SignIn) -> None:
    client = sign_in("bob")
    agent = registered(team, client)
    address = reverse("connect-agent", args=[agent.pk])
    assert address in shown_plain(client, agent)
    assert address in client.get(reverse("agents")).content.decode()


def test_what_an_agent_says_it_can_is_suggested_and_taken_over_with_one_click(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    had = {skill.name: skill.level for skill in scribe.skills.all()}
    said = {
        "skills": ["Fact checking", "writing", {"id": "sql", "name": "SQL & co", "description": ACTIVE, "level": 5}]
    }
    told = announced(
        parse_initialize({"protocolVersion": 1, "agentInfo": {"name": "x"}, "_meta": {"clawgroups": said}})
    )
    announce(team, "scribe", **told)
    page = shown(client, scribe)
    assert "Fact checking" in page
    assert "SQL &amp; co" in page
    assert ACTIVE not in page
    assert 'name="suggested" value="writing"' not in page
    answer = post(
        client, "take-skills", scribe.pk, suggested=["fact-checking", "sql", "juggling"], **{"from": "connect"}
    )
    assert answer["Location"] == reverse("connect-agent", args=[scribe.pk])
    now = {skill.name: skill.level for skill in scribe.skills.all()}
    assert now == {**had, "fact-checking": 3, "sql": 3}
    assert "Skills for its profile" not in shown(client, scribe)


def test_a_known_program_that_says_nothing_is_suggested_what_its_kind_can(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    announce(team, "scribe", name="@agentclientprotocol/claude-agent-acp", image=True)
    page = shown_plain(client, scribe)
    for name in ("coding", "data-analysis", "review", "image-reading"):
        assert f'name="suggested" value="{name}"' in page
    assert post(client, "take-skills", scribe.pk).status_code == 422
    assert "coding" not in scribe.skills.values_list("name", flat=True)


@pytest.mark.parametrize("nonsense", [[], "x", {"skills": "all"}, {"skills": [7, {"name": {}}]}, {"skills": [""] * 90}])
def test_nonsense_suggests_nothing(team: Team, sign_in: SignIn, nonsense: Any) -> None:
    meta = {"_meta": {"clawgroups": nonsense}}
    assert announced(parse_initialize({"protocolVersion": 1, **meta}))["skills"] == []
    Agent.objects.filter(pk=team.agents["scribe"].pk).update(announced=nonsense)
    assert "Skills for its profile" not in shown_plain(sign_in("ada"), team.agents["scribe"])


def test_a_machine_with_spaces_in_its_servers_address_gets_a_line_that_a_shell_reads_right(settings: Any) -> None:
    settings.BASE_URL = "https://claw.example.org"
    line = Line("abcd-efgh-jkmn-pqrs", "kimi acp")
    assert line.anywhere == (
        "curl -fsSL https://claw.example.org/connect.pyz -o connect.pyz && python3 connect.pyz connect "
        "https://claw.example.org --code abcd-efgh-jkmn-pqrs -- kimi acp"
    )
    assert line.installed == "clawgroups connect https://claw.example.org --code abcd-efgh-jkmn-pqrs -- kimi acp"
    assert line.link == "https://claw.example.org/join/abcd-efgh-jkmn-pqrs/"
