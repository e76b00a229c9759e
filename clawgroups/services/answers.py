"""An accepted answer is posted where it was asked for, and talk that was held up goes on when a person says so."""

from __future__ import annotations

from concurrent.futures import Future
from uuid import UUID

from clawgroups import commit
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.changes import Change, Fact, Outcome, Update
from clawgroups.core.errors import Conflict
from clawgroups.core.message_events import TalkLetOn
from clawgroups.models import Artifact, Attempt, Member, Message, Task
from clawgroups.permissions import get_message, require
from clawgroups.services import talking
from clawgroups.services.attempts import Decision
from clawgroups.services.files import StoredFile
from clawgroups.services.messages import MAX_MESSAGE, MOST_FILES, spoken


def answer_of(task: Task, attempt: Attempt) -> Decision:
    """The message that an accepted result is, as part of the change that accepts it; nothing where nobody asked.

    Of who was muted meanwhile it is on the task's page alone.
    """
    run = task.run
    if run.kind != talking.KIND or attempt.member.muted_at is not None:
        return Decision()
    asked, member = run.asked_in, attempt.member
    rows = Artifact.objects.filter(task=task, attempt=attempt, kind="result").order_by("created_at")
    newest = list({row.name: row for row in rows}.values())[:MOST_FILES]
    files = [StoredFile(row.name, row.size, row.sha256, row.content_type) for row in newest]
    text = attempt.result.strip()
    if len(text) > MAX_MESSAGE:
        text = f"{text[: MAX_MESSAGE - 60]}\n\n*(The whole answer is on its task's page.)*"
    return spoken(
        task.workspace_id,
        body=text,
        actor=_voice(member, run.created_by_id),
        speaker=talking.answering(run) if member.agent_id else talking.Speaker(member.user_id),
        task_id=None if asked is None else asked.task_id,
        reply_to=None if asked is None else asked.pk,
        files=files,
    )[0]


def _voice(member: Member, asked_by: int) -> Actor:
    if member.agent_id is None:
        return Actor(ActorKind.PERSON, member.name, user_id=member.user_id)
    return Actor(ActorKind.AGENT, member.name, agent_id=member.agent_id, on_behalf_of=asked_by)


def let_on(message_id: UUID, *, actor: Actor, operation: str = "") -> Future[Outcome]:
    """Have those asked whom a message named when talk among agents was held up: a person wants it to go on.

    It counts as if a person had said it. Raises `Conflict` where nothing is held up there (any more).
    """
    row: Message = get_message(actor, message_id, "run.draft")
    expects = require(actor, "run.draft", row.workspace_id)
    if not row.held_up:
        raise Conflict("Nothing is held up at this message.", code="not_held_up")
    said = talking.Said(row.pk, row.workspace_id, row.body, row.task_id, row.reply_to_id)
    mentions = [UUID(pk) for pk in row.held_up.get("members", ())]
    decision, _ = talking.wake(said, mentions, talking.Speaker(actor.user_id), _author(row))
    values = {"held_up": {}, "turn": 0}
    return commit.submit(
        Change(
            actor,
            row.workspace_id,
            expects,
            (Update("clawgroups.Message", row.pk, values, {"turn": row.turn}), *decision.writes),
            (Fact(row.workspace_id, TalkLetOn(message_id=row.pk)), *decision.facts),
            operation,
            verb="message.let_on",
            answer={"id": str(row.pk)},
        )
    )


def _author(row: Message) -> Actor:
    agent = row.member.agent_id if row.member is not None else None
    return Actor(ActorKind.AGENT if agent else ActorKind.PERSON, str(row.actor.get("name", "")), agent_id=agent)
