"""What a composer asks, and what a page says that is new to its viewer."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from clawgroups import commit
from clawgroups.models import Message, ReadMark
from clawgroups.realtime.feed import fragments
from clawgroups.services import messages, presence
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.services.model_support import server
from tests.web.conftest import SignIn
from tests.web.test_feed import entries

pytestmark = pytest.mark.django_db


def text(client: Client, name: str, *args: object, **said: str) -> str:
    address = reverse(name, args=args)
    answer = client.post(address, said) if said else client.get(address)
    return re.sub(r"\s+", " ", re.sub(r"<svg.*?</svg>|<[^>]*>", "", answer.content.decode())).strip()


def say(team: Team, who: str, body: str) -> Message:
    said = perform(messages.post_message, team.workspace.pk, body=body, actor=team.actor(who))
    return Message.objects.get(pk=said.answer["id"])


def test_everybody_else_can_be_named_and_who_is_here_comes_first(team: Team, sign_in: SignIn) -> None:
    commit.wait(presence.renew([team.users["gus"].pk]))
    html = sign_in("bob").get(reverse("handles", args=[team.workspace.pk])).content.decode()
    handles = re.findall(r'role="option"[^>]*data-handle="([^"]*)"', html)
    assert handles == ["coordinator", "gus", "counter", "judge", "scribe", "ada", "carol"]
    assert re.findall(r'data-here="([^"]*)">', html) == [str(team.seat("gus").pk)]


def test_the_preview_says_what_a_message_would_do(team: Team, sign_in: SignIn) -> None:
    commit.wait(presence.renew([team.users["ada"].pk]))
    bob, room = sign_in("bob"), team.workspace.pk
    said = text(bob, "wake-preview", room, body="@ada @carol @scribe @coordinator @kate")
    for line in (
        "Told at once: ada",
        "Not here, told when they are back: carol",
        "Asked to answer: Scribe",
        "The coordinator makes a plan of it",
        "Nobody here is called @kate.",
    ):
        assert line in said
    assert "nobody is told" in text(bob, "wake-preview", room, body="hello")
    assert text(bob, "wake-preview", room, body="  ") == ""
    assert "as a goal" not in text(sign_in("gus"), "wake-preview", room, body="@coordinator")


def test_the_preview_says_when_the_coordinator_decides(team: Team, sign_in: SignIn) -> None:
    server("K2")
    bob, room = sign_in("bob"), team.workspace.pk
    decides = "the coordinator decides who is asked, if anybody"
    assert decides in text(bob, "wake-preview", room, body="hello")
    in_thread = text(bob, "wake-preview", room, body="hello", task=str(team.one_task().pk))
    for said in (in_thread, text(sign_in("gus"), "wake-preview", room, body="hello")):
        assert decides not in said
        assert "nobody is told" in said
    assert decides not in text(bob, "wake-preview", room, body="@ada hello")


def test_a_room_says_where_what_is_new_begins_until_it_is_read(team: Team, sign_in: SignIn) -> None:
    bob, room = sign_in("bob"), reverse("workspace", args=[team.workspace.pk])
    first, second = say(team, "ada", "one"), say(team, "ada", "two, @bob")
    page = bob.get(room).content.decode()
    assert page.index('class="since"') < page.index(f"message-{first.pk}")
    assert bob.post(reverse("mark-read", args=[team.workspace.pk]), {"message": str(first.pk)}).status_code == 204
    page = bob.get(room).content.decode()
    assert page.index(f"message-{first.pk}") < page.index('class="since"') < page.index(f"message-{second.pk}")
    assert "you are named: @1unread: 1" in text(bob, "workspaces").replace(" @", " @")
    bob.post(reverse("mark-read", args=[team.workspace.pk]), {"message": str(second.pk)})
    page = bob.get(room).content.decode()
    assert ('class="since"' in page, "data-new" in page, 'class="count' in page) == (False, False, False)


def test_a_thread_says_what_is_new_in_it(team: Team, sign_in: SignIn) -> None:
    task, bob = team.one_task(), sign_in("bob")
    said = perform(messages.post_message, team.workspace.pk, body="hi", task_id=task.pk, actor=team.actor("ada"))
    page = bob.get(reverse("task", args=[team.workspace.pk, task.pk])).content.decode()
    assert ('class="since"' in page, 'class="count"' in page) == (True, True)
    bob.post(reverse("mark-read", args=[team.workspace.pk]), {"message": str(said.answer["id"])})
    assert 'class="since"' not in bob.get(reverse("task", args=[team.workspace.pk, task.pk])).content.decode()
    perform(messages.post_message, team.workspace.pk, body="more", task_id=task.pk, actor=team.actor("ada"))
    assert "New in threads" in text(bob, "count-unread")


def test_a_message_of_elsewhere_is_not_marked(team: Team, sign_in: SignIn) -> None:
    said = say(team, "ada", "one")
    bob = sign_in("bob")
    bob.raise_request_exception = False
    for message in (str(team.workspace.pk), "nothing", ""):
        assert bob.post(reverse("mark-read", args=[team.workspace.pk]), {"message": message}).status_code == 404
    assert bob.post(reverse("mark-read", args=[said.pk]), {"message": str(said.pk)}).status_code == 404
    assert not ReadMark.objects.exists()


def test_what_is_said_tells_pages_to_count_anew(team: Team) -> None:
    before = len(entries(team))
    say(team, "ada", "one")
    (piece,) = [p for p in fragments(entries(team, before), team.workspace.pk) if 'id="unread"' in p]
    assert "<a" not in piece


def test_goal_and_rules_stand_on_every_page_of_a_run(team: Team, sign_in: SignIn) -> None:
    task, bob = team.one_task(), sign_in("bob")
    for name, pk in (("run", task.run_id), ("task", task.pk)):
        page = bob.get(reverse(name, args=[team.workspace.pk, pk])).content.decode()
        assert f'id="aim-{team.workspace.pk}"' in page
        assert "Know the numbers" in page
