"""What an agent announces is remembered where it is news; so is each move of its breaker. Both histories are short."""

from __future__ import annotations

from typing import Any

import pytest

from agents.models import Agent, AgentKey, Announcement, BreakerMove
from agents.protocol.acp import parse_initialize
from clawgroups.core.errors import Invalid
from clawgroups.fragments.agents import changes_of, moves_of
from clawgroups.gateway.hello import announced
from clawgroups.services import agents, breakers, contact
from clawgroups.services.perform import perform
from tests.conftest import Team, quarantine

pytestmark = pytest.mark.django_db


def announce(team: Team, handle: str, /, **said: Any) -> None:
    """The agent's socket comes back, and its program says this."""
    agent, link = team.agents[handle], team.links[handle]
    opened = perform(contact.open_connection, agent.pk, key_id=agent.keys.get().pk, link=link, extensions=["link"])
    perform(contact.connection_ready, link, epoch=opened.answer["epoch"], announced=said)


def test_only_what_is_new_is_remembered(team: Team) -> None:
    for version in ("1", "1", "2", "2", "1"):
        announce(team, "scribe", name="scribe", version=version, load=version == "1")
    found = changes_of(team.agents["scribe"])
    said = [[(d.what, d.before, d.after) for d in one.differences] for one in found]
    assert said == [
        [("version", "2", "1"), ("load", "", "yes")],
        [("version", "1", "2"), ("load", "yes", "")],
    ]
    assert found[0].at > found[1].at


def test_a_login_that_is_due_is_no_news(team: Team) -> None:
    scribe, link = team.agents["scribe"], team.links["scribe"]
    epoch = scribe.connections.get().epoch
    perform(contact.login_needed, link, epoch=epoch, needed=True, message="Sign in")
    announce(team, "scribe", name="scribe")
    assert Announcement.objects.filter(agent=scribe).count() == 1


def test_an_agent_that_changes_all_the_time_is_remembered_for_a_while_only(team: Team) -> None:
    scribe = team.agents["scribe"]
    for number in range(contact.ANNOUNCEMENTS + 5):
        announce(team, "scribe", version=str(number))
    kept = [row.said["version"] for row in Announcement.objects.filter(agent=scribe)]
    assert kept == [str(n) for n in range(contact.ANNOUNCEMENTS + 4, 4, -1)]


def test_hostile_words_of_a_program_are_kept_as_data() -> None:
    snapshot = parse_initialize(
        {
            "protocolVersion": 1,
            "agentInfo": {"name": "<script>", "version": "1" * 5000, "title": {"x": 1}},
            "agentCapabilities": {
                "mcpCapabilities": {"sse": "yes", "http": True},
                "sessionCapabilities": {"list": {}, "close": None, "delete": False, "fork": {"_meta": {}}},
            },
        }
    )
    said = announced(snapshot)
    assert (said["mcp_sse"], said["mcp_http"]) == (False, True)
    assert [said[name] for name in ("list_sessions", "close", "delete", "fork")] == [True, False, False, True]
    assert len(said["version"]) == 80


def test_moves_of_the_breaker_say_why_and_by_whom(team: Team) -> None:
    scribe = team.agents["scribe"]
    quarantine(scribe)
    perform(breakers.clear_breaker, scribe.pk, actor=team.actor("ada"))
    move = moves_of(scribe)[0]
    assert (move.state, move.actor["kind"], move.actor["name"]) == ("closed", "person", "ada")
    assert not BreakerMove.objects.exclude(agent=scribe).exists()


def test_the_moves_are_remembered_for_a_while_only(team: Team) -> None:
    scribe = team.agents["scribe"]
    for _ in range(breakers.MOVES + 2):
        quarantine(scribe)
        perform(breakers.clear_breaker, scribe.pk, actor=team.actor("ada"))
    assert BreakerMove.objects.filter(agent=scribe).count() == breakers.MOVES


def test_a_key_notes_when_it_was_last_used_and_may_end_by_itself(team: Team) -> None:
    scribe, ada = team.agents["scribe"], team.actor("ada")
    assert scribe.keys.get().last_used_at is not None
    made = perform(agents.add_key, scribe.pk, key=agents.mint_key(), days=30, actor=ada)
    row = AgentKey.objects.get(pk=made.answer["id"])
    assert row.last_used_at is None
    assert row.expires_at is not None
    assert (row.expires_at - row.created_at).days == 30
    for days in (0, -1, 4000):
        with pytest.raises(Invalid):
            perform(agents.add_key, scribe.pk, key=agents.mint_key(), days=days, actor=ada)


@pytest.mark.parametrize(
    ("skill", "said"),
    [
        ({"name": "a", "title": "x" * 81}, "what it is shown as is 81 characters"),
        ({"name": "a", "description": "x" * 301}, "its description is 301 characters"),
        ({"name": "a", "tags": ["x" * 61]}, "a tag is 61 characters"),
        ({"name": "a", "examples": ["x"] * 3 + [str(n) for n in range(20)]}, "an example too many"),
    ],
)
def test_a_skill_with_too_much_in_it_is_refused_by_its_number(skill: dict[str, Any], said: str) -> None:
    with pytest.raises(Invalid) as refused:
        agents.clean_skills([{"name": "ok"}, skill])
    assert f"Skill 2 (a): {said}" in refused.value.message
    assert refused.value.fields["field"] == "skills"


def test_a_profile_keeps_the_titles_tags_and_examples_of_its_skills(team: Team) -> None:
    scribe = team.agents["scribe"]
    skill = {"name": "writing", "title": "Writing", "level": 5, "tags": ["text", "text"], "examples": ["A letter"]}
    perform(agents.set_profile, scribe.pk, name="Scribe", version="2", skills=[skill], actor=team.actor("ada"))
    found = Agent.objects.get(pk=scribe.pk)
    row = found.skills.get()
    assert (found.version, row.title, row.level, row.tags, row.examples) == ("2", "Writing", 5, ["text"], ["A letter"])
