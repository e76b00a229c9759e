"""An agent's page in each of its states, and what of other workspaces it does not tell."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, AgentKey, Connection
from clawgroups.core import machine_policy
from clawgroups.core.errors import Conflict
from clawgroups.core.record import ContextUse
from clawgroups.fragments.agents import Work, changes_of
from clawgroups.models import Attempt, Member, Session
from clawgroups.services import agents, breakers, contact
from clawgroups.services.perform import perform
from clawgroups.web.agent_page import CAPABILITY_WORDS, said
from tests.conftest import Team, quarantine
from tests.services.test_announcements import announce
from tests.web.conftest import SignIn
from tests.web.test_verbs import post

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script>"


def shown(client: Client, agent: Agent, name: str = "agent") -> str:
    answer = client.get(reverse(name, args=[agent.pk]))
    assert answer.status_code == 200
    return " ".join(answer.content.decode().split())


def ended(team: Team, state: str, failure: str = "", reason: str = "", *, days: int = 0, seconds: int = 60) -> Attempt:
    """An attempt of the scribe at a task that needs writing, which ended so."""
    task, now = team.one_task(), timezone.now() - timedelta(days=days)
    return Attempt.objects.create(
        workspace=team.workspace, task=task, member=team.seat("scribe"), number=1, epoch=1, state=state,
        failure=failure, reason=reason, offered_at=now, begun_at=now - timedelta(seconds=seconds), submitted_at=now,
        ended_at=now,
    )  # fmt: skip


def test_what_its_owner_allows_on_its_machine_is_shown_as_a_fact(team: Team, sign_in: SignIn) -> None:
    scribe, link = team.agents["scribe"], team.links["scribe"]
    client, title = sign_in("ada"), "What its owner allows on its machine</h2>"
    assert title not in shown(client, scribe)
    rules = [
        {"answer": "never", "path": ["~/.ssh", EVIL]},
        {"answer": "allow", "kind": ["read"], "path": ["**"]},
        {"answer": "ask-here", "command": ["git push *"]},
        {"answer": "allow"},
    ]
    told = machine_policy.kept({"rules": rules, "more": 3, "otherwise": "never"})
    epoch = scribe.connections.get().epoch
    perform(contact.policy_told, link, epoch=epoch, policy=told)
    for name in ("agent", "agent-presence"):
        page = shown(client, scribe, name)
        assert title in page
        assert EVIL not in page
        for words in ("<b>Never</b> <code><bdi>~/.ssh", "<b>Allowed</b> read <code>", "<b>Its owner is asked</b>"):
            assert words in page
        for words in ("<b>Allowed</b> everything", "and 3 more rules", "<b>Everything else</b> is rejected"):
            assert words in page
    assert client.get(f"/api/v1/agents/{scribe.pk}").json()["owner_allows"] == told
    # Its own words under an older socket count no more; and to ask for everything is said in a sentence.
    with pytest.raises(Conflict):
        perform(contact.policy_told, link, epoch=epoch + 1, policy={})
    perform(contact.policy_told, link, epoch=epoch, policy=machine_policy.kept({}))
    assert "Nothing in advance" in shown(client, scribe)


def test_an_agent_that_was_never_here_has_a_calm_page(team: Team, sign_in: SignIn) -> None:
    made = perform(agents.register_agent, name="New", key=agents.mint_key(), actor=team.actor("bob"))
    page = shown(sign_in("bob"), Agent.objects.get(pk=made.answer["id"]))
    for words in (
        "not yet here",
        "Waiting for its first connection",
        "nothing done yet",
        "Nothing done yet, so nothing",
    ):
        assert words in page
    assert "It only gets tasks" in page or "it only gets tasks" in page
    assert "What it announced anew" not in page
    assert "When it got no work" not in page


def test_success_is_counted_per_skill_and_failures_by_kind(team: Team, sign_in: SignIn) -> None:
    for _ in range(3):
        ended(team, "accepted", seconds=120)
    ended(team, "returned", "not_accepted", "too short")
    ended(team, "refused", "crashed", "segfault")
    ended(team, "cancelled", "released", "somebody else")
    ended(team, "refused", "stalled", "long ago", days=31)
    page = shown(sign_in("ada"), team.agents["scribe"])
    for words in ("3 accepted", "1 returned", "1 failed", "of 5 tries", "60<span", "2 min", "Its program crashed"):
        assert words in page, words
    assert "segfault" in page
    assert "somebody else" not in page
    assert "No progress" not in page


def test_the_numbers_take_the_same_few_questions_however_much_was_done(
    team: Team, django_assert_max_num_queries: object
) -> None:
    seats = Member.objects.filter(user=team.users["ada"], left_at=None)
    for _ in range(4):
        ended(team, "accepted")
        ended(team, "refused", "crashed")
    work = Work(Agent.objects.get(pk=team.agents["scribe"].pk), seats)
    with django_assert_max_num_queries(7):  # type: ignore[operator]
        assert len(work.last_failures) == 4
        assert (work.record.total.accepted, len(work.skills), work.typical) == (4, 1, 60)
        assert [line.seen for line in work.sessions] == []


def test_a_session_is_shown_with_its_task_while_it_works_and_after(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    page = shown(sign_in("ada"), team.agents["scribe"])
    assert reverse("task", args=[team.workspace.pk, task.pk]) in page
    assert "1 open, at most 1 at once" in page
    Attempt.objects.filter(task=task).update(contact="lost")
    assert "contact lost" in shown(sign_in("ada"), team.agents["scribe"])
    Session.objects.filter(task=task).update(state="closed", closed_at=timezone.now())
    page = shown(sign_in("ada"), team.agents["scribe"])
    assert "at most 1 at once" not in page
    assert "Write it up" in page


@pytest.mark.parametrize("who", ["ada", "sue"])
def test_of_a_workspace_without_a_seat_only_kinds_and_counts_are_told(team: Team, sign_in: SignIn, who: str) -> None:
    task = team.working(title="Secret merger")
    ended(team, "refused", "crashed", "secret reason")
    Member.objects.filter(pk=team.seat("ada").pk).update(left_at=timezone.now())
    page = shown(sign_in(who), team.agents["scribe"])
    assert "where you have no seat" in page
    assert "Its program crashed" in page
    for hidden in ("Secret merger", "secret reason", team.workspace.name, str(task.pk)):
        assert hidden not in page, hidden


def test_what_changed_since_the_last_announcement_is_told_in_words(team: Team, sign_in: SignIn) -> None:
    scribe = team.agents["scribe"]
    announce(team, "scribe", title="Gemini", version="0.60", load=True, image=False, auth_methods=[])
    announce(team, "scribe", title="Gemini", version="0.61", load=False, image=True, auth_methods=[{"id": EVIL}])
    page = shown(sign_in("ada"), scribe)
    for words in (
        "version 0.60 → 0.61",
        "images now",
        "no longer loads sessions",
        "ways to sign in: none → &lt;script",
    ):
        assert words in page, words
    assert EVIL not in page
    assert said(changes_of(scribe)[0].differences[0]) == "version 0.60 → 0.61"


def test_an_announcement_of_nonsense_is_shown_as_harmless_text(team: Team, sign_in: SignIn) -> None:
    scribe = team.agents["scribe"]
    wrong = {"title": [1], "version": {}, "needs_login": "soon", "auth_methods": {"a": 1}, "load": 1}
    announcements: list[Any] = [[], "x", wrong]
    for nonsense in announcements:
        Agent.objects.filter(pk=scribe.pk).update(announced=nonsense)
        assert "An ACP agent" in shown(sign_in("ada"), scribe)
    Agent.objects.filter(pk=scribe.pk).update(announced={"title": EVIL, "needs_login": {"message": EVIL}})
    page = shown(sign_in("ada"), scribe, "agent-presence")
    assert EVIL not in page
    assert "&lt;script&gt;" in page


def test_every_capability_is_named(team: Team, sign_in: SignIn) -> None:
    page = shown(sign_in("ada"), team.agents["scribe"])
    for words in CAPABILITY_WORDS.values():
        assert f'{words[0]}<span class="sr">: no</span>' in page


def test_the_way_through_quarantine_is_remembered(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    quarantine(scribe)
    page = shown(client, scribe)
    assert "Let it back in" in page
    assert "no work until you let it back in" in page
    post(client, "clear-breaker", scribe.pk)
    page = shown(client, scribe)
    assert "Let it back in" not in page
    assert "ada let it back in" in page


def test_a_pause_says_why_among_the_past_ones(team: Team, sign_in: SignIn) -> None:
    scribe = team.agents["scribe"]
    for _ in range(breakers.limits().violations):
        perform(breakers.violated, scribe.pk, reason="no JSON", actor=team.actor("ada"))
    page = shown(sign_in("ada"), scribe)
    assert "<b>A pause</b> · It broke the protocol 3 times" in page


def test_keys_say_when_they_end_and_which_are_over(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    assert "not by itself" in shown(client, scribe)
    made = post(client, "rotate-key", scribe.pk, days="30").content.decode()
    assert "CLAWGROUPS_KEY=cg_" in made
    key = AgentKey.objects.filter(agent=scribe).latest("created_at")
    assert key.expires_at is not None
    assert f'datetime="{key.expires_at.isoformat(timespec="seconds")}"' in shown(client, scribe)
    AgentKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - timedelta(days=1))
    page = shown(client, scribe)
    assert "Over</span>" in page
    assert reverse("revoke-key", args=[scribe.pk, key.pk]) not in page


@pytest.mark.parametrize("days", ["0", "-1", "many", "99999"])
def test_a_key_with_a_wrong_end_is_not_made(team: Team, sign_in: SignIn, days: str) -> None:
    scribe = team.agents["scribe"]
    answer = post(sign_in("ada"), "rotate-key", scribe.pk, days=days)
    assert answer.status_code == 422
    assert 'aria-invalid="true"' in answer.content.decode()
    assert AgentKey.objects.filter(agent=scribe).count() == 1


def test_an_agent_that_is_away_says_since_when_and_what_it_could_do(team: Team, sign_in: SignIn) -> None:
    scribe = team.agents["scribe"]
    announce(team, "scribe", title="Gemini", version="0.61", image=True)
    link = Connection.objects.get(agent=scribe)
    perform(contact.close_connection, link.pk, epoch=link.epoch, reason="The laptop sleeps.")
    page = shown(sign_in("ada"), scribe)
    for words in ("offline", "last seen", "What it could do when it was last here", "The laptop sleeps.", "0.61"):
        assert words in page


def test_how_full_a_context_is_has_its_place(db: None) -> None:
    said = render_to_string("agents/_context.html", {"use": ContextUse(50_000, 200_000, 0.5, "USD")})
    assert "25 % of its context" in said
    assert "0.50 USD" in said
    assert render_to_string("agents/_context.html", {"use": None}).strip() == ""


def test_what_changes_while_one_looks_comes_in_pieces_that_are_on_the_page(team: Team, sign_in: SignIn) -> None:
    scribe = team.agents["scribe"]
    page, live = shown(sign_in("ada"), scribe), shown(sign_in("ada"), scribe, "agent-presence")
    for name in (f"here-{scribe.pk}", f"standing-{scribe.pk}", f"presence-{scribe.pk}"):
        assert f'id="{name}"' in live
        assert page.count(f'id="{name}"') == 1


def test_a_retired_agent_keeps_its_page_without_buttons(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    quarantine(scribe)
    post(client, "retire-agent", scribe.pk)
    page = shown(client, scribe)
    assert "This agent was retired" in page
    for name in ("edit-agent", "rotate-key", "retire-agent", "clear-breaker"):
        assert reverse(name, args=[scribe.pk]) not in page
