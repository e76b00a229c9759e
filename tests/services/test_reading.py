"""How far people have read, what is new to them, and who is here."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.errors import Forbidden, NotFound
from clawgroups.models import Entry, Message, ReadMark, Seen
from clawgroups.services import messages, presence, reading, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def say(team: Team, who: str, body: str, task: UUID | None = None) -> Message:
    said = perform(messages.post_message, team.workspace.pk, body=body, task_id=task, actor=team.actor(who))
    return Message.objects.get(pk=said.answer["id"])


def read(team: Team, who: str, message: Message) -> bool:
    """Whether a mark was written."""
    future = reading.mark_read(message.pk, actor=team.actor(who))
    return future is not None and commit.wait(future).applied


def chat(team: Team, who: str) -> tuple[int, int]:
    news = reading.news_of(team.users[who].pk)
    return news.number(team.workspace.pk), news.mentions(team.workspace.pk)


def test_what_others_say_is_new_until_it_is_read(team: Team) -> None:
    first, second = say(team, "ada", "one"), say(team, "ada", "two, @bob and @carol")
    assert (chat(team, "bob"), chat(team, "gus"), chat(team, "ada")) == ((2, 1), (2, 0), (0, 0))
    assert read(team, "bob", first)
    assert chat(team, "bob") == (1, 1)
    assert read(team, "bob", second)
    assert (chat(team, "bob"), chat(team, "gus")) == ((0, 0), (2, 0))


def test_a_mark_never_moves_back_and_is_not_written_twice(team: Team) -> None:
    first, second = say(team, "ada", "one"), say(team, "ada", "two")
    head = Entry.objects.count()
    assert [read(team, "bob", m) for m in (second, first, second)] == [True, False, False]
    assert ReadMark.objects.get().read_at == second.created_at
    assert Entry.objects.count() == head, "nobody else's business"


def test_a_mark_that_another_page_made_meanwhile_stands(team: Team) -> None:
    first, second = say(team, "ada", "one"), say(team, "ada", "two")
    late = reading.mark_read(first.pk, actor=team.actor("bob"))
    assert late is not None
    commit.wait(late)
    behind = ReadMark.objects.get()
    assert read(team, "bob", second)
    ReadMark.objects.filter(pk=behind.pk).update(read_at=first.created_at)
    assert read(team, "bob", second)
    assert ReadMark.objects.get().read_at == second.created_at


def test_what_was_taken_back_or_said_before_one_came_is_not_new(team: Team) -> None:
    gone = say(team, "ada", "oops @bob")
    Message.objects.filter(pk=gone.pk).update(removed_at=timezone.now(), body="")
    early = say(team, "ada", "long ago @bob")
    Message.objects.filter(pk=early.pk).update(created_at=team.seat("bob").joined_at - timedelta(days=1))
    assert chat(team, "bob") == (0, 0)


def test_a_thread_counts_for_those_whom_it_concerns(team: Team) -> None:
    task = team.one_task()
    say(team, "ada", "hello", task.pk)
    threads = {who: reading.news_of(team.users[who].pk).threads for who in ("bob", "carol")}
    assert threads == {"bob": [], "carol": []}
    read(team, "bob", say(team, "ada", "and you, @carol", task.pk))
    say(team, "ada", "more", task.pk)
    found = {who: reading.news_of(team.users[who].pk).threads for who in ("bob", "carol", "gus")}
    (bobs,), (carols,) = found["bob"], found["carol"]
    assert (bobs.unread, carols.unread) == (reading.Unread(1, 0), reading.Unread(3, 1))
    assert (carols.task_id, carols.title, found["gus"]) == (task.pk, task.title, [])
    assert (chat(team, "carol"), chat(team, "bob")) == ((1, 1), (1, 0)), "the goal's message in the chat"
    assert reading.unread_in(team.seat("gus"), task.pk) == 3


def test_counting_ends_at_a_hundred_and_takes_few_queries_however_many_workspaces(
    team: Team, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    now, seat = timezone.now(), team.seat("ada")
    Message.objects.bulk_create(
        Message(workspace=team.workspace, member=seat, actor={}, body="@bob", created_at=now) for _ in range(150)
    )
    for number in range(5):
        perform(workspaces.create_workspace, name=f"No {number}", actor=team.actor("bob"))
    with django_assert_max_num_queries(6):
        assert chat(team, "bob") == (reading.MOST + 1, reading.MOST + 1)
    assert reading.unread_in(team.seat("bob")) == reading.MOST + 1


def test_strangers_and_agents_mark_nothing(team: Team) -> None:
    said = say(team, "ada", "one")
    with pytest.raises(NotFound):
        reading.mark_read(said.pk, actor=team.actor("mallory"))
    scribe = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    with pytest.raises(Forbidden):
        reading.mark_read(said.pk, actor=scribe)


def test_a_person_is_here_while_the_lease_is_renewed(team: Team) -> None:
    head = Entry.objects.count()
    commit.wait(presence.renew([team.users["bob"].pk, team.users["mallory"].pk]))
    assert presence.here([team.workspace.pk]) == {team.workspace.pk: frozenset({team.seat("bob").pk})}
    Seen.objects.update(seen_at=timezone.now() - timedelta(seconds=31))
    assert presence.here([team.workspace.pk]) == {team.workspace.pk: frozenset()}
    commit.wait(presence.renew([team.users["bob"].pk]))
    assert presence.here([team.workspace.pk])[team.workspace.pk]
    assert Entry.objects.count() == head
