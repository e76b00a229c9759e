"""Stories for `test_verify_action`: messages are answered, changed, marked with signs and taken back."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from django.utils import timezone

from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Message, ModelCall, Task
from clawgroups.services import answers, files, hearing, message_changes, messages
from clawgroups.services.perform import perform
from tests.conftest import Team


def said(team: Team, body: str, by: str = "bob", **more: object) -> UUID:
    made = perform(messages.post_message, team.workspace.pk, body=body, actor=team.actor(by), **more)  # type: ignore[arg-type]
    return UUID(made.answer["id"])


def answered_and_reworded(team: Team) -> None:
    first = said(team, "Look at this")
    answer = said(team, "I do", reply_to=first, files=[files.store([b"words"], name="words.txt")])
    perform(message_changes.edit_message, answer, body="@ada does", version=0, actor=team.actor("bob"))


def marked_with_signs(team: Team) -> None:
    task = team.one_task()
    one = said(team, "Is it ready?", task_id=task.pk)
    for verb in (message_changes.react, message_changes.unreact):
        perform(verb, one, sign="👍", actor=team.actor("ada"))
    perform(message_changes.react, one, sign="👀", actor=team.actor("gus"))


def taken_back(team: Team) -> None:
    one = said(team, "Oh no", files=[files.store([b"secret"], name="secret.txt")])
    perform(message_changes.edit_message, one, body="Oh yes", version=0, actor=team.actor("bob"))
    perform(message_changes.remove_message, one, actor=team.actor("carol"))
    assert Message.objects.get(pk=one).body == ""


def an_agent_is_asked(team: Team) -> None:
    said(team, "@scribe what is the title?")
    assert Task.objects.get().run.kind == "talk"


def let_on_after_it_was_held_up(team: Team) -> None:
    task = team.working()
    scribe = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    one = perform(messages.post_message, team.workspace.pk, body="@counter thanks", within=task.pk, actor=scribe).answer
    row = Message.objects.get(pk=one["id"])
    row.held_up = {"why": "Scribe says the same again.", "members": [str(team.seat("counter").pk)]}
    row.save()
    perform(answers.let_on, row.pk, actor=team.actor("ada"))


def the_coordinator_chooses_who_answers(team: Team) -> None:
    one = said(team, "How many?", unheard=True)
    now = timezone.now()
    call = ModelCall.objects.create(
        workspace=team.workspace, kind="hear", subject=str(one), state="answered", created_at=now
    )
    chosen = hearing.Verdict("ask", "It counts.", "K2", (team.seat("counter").pk,))
    commit.wait(hearing.decide(call, Message.objects.get(pk=one), chosen))
    assert Message.objects.get(pk=one).heard["did"] == "ask"


TOLD: list[Callable[[Team], None]] = [
    answered_and_reworded,
    marked_with_signs,
    taken_back,
    an_agent_is_asked,
    let_on_after_it_was_held_up,
    the_coordinator_chooses_who_answers,
]
