"""The workspace's tools in a session that a person steers."""

from __future__ import annotations

from datetime import timedelta

import pytest

from clawgroups.models import Approval, Artifact, Attempt, Entry, Session, Task
from clawgroups.services import handback, steering, takeover
from clawgroups.services.perform import perform, read_async
from tests.conftest import Team
from tests.gateway.mcp_support import Client, key_of

pytestmark = pytest.mark.django_db(transaction=True)


def steered(team: Team) -> Task:
    """Bob holds it and has asked Scribe, who is at it."""
    task = team.working()
    bob = team.actor("bob")
    perform(takeover.take_over, task.pk, actor=bob)
    team.send("scribe")
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(steering.steer, task.pk, text="Count the rows.", actor=bob)
    team.send("scribe")
    return Task.objects.get(pk=task.pk)


async def test_the_tools_work_for_the_holder_and_move_nothing_of_the_task(team: Team) -> None:
    task = await read_async(steered, team)
    client = Client(await read_async(key_of, task))
    before = await read_async(Attempt.objects.get, pk=task.attempt_id)
    board = await client.call("read_board")
    assert [(row["state"], row["who"]) for row in board["tasks"]] == [("held", "bob")]
    await client.call("remember", key="rows", text="There are 5200.")
    await client.call("report_progress", percent=40, note="Counting")
    given = await client.call("deliver_artifact", name="rows.csv", text="5200\n")
    asked = await client.call("ask_human", question="With the header?", wait_seconds=0)
    assert (given["stored"], asked["state"]) == (True, "open")
    file = await read_async(Artifact.objects.get, name="rows.csv")
    assert (file.kind, file.attempt_id) == ("draft", task.attempt_id)
    question = await read_async(Approval.objects.get)
    assert question.attempt_id == task.attempt_id
    after = await read_async(Attempt.objects.get, pk=task.attempt_id)
    assert (after.progress["percent"], after.state) == (40, "working")
    assert after.progress_at is not None
    assert before.progress_at is not None
    # A microsecond tells who decides at this moment that the draft moved; no clock does.
    assert after.progress_at - before.progress_at < timedelta(milliseconds=1)
    now = await read_async(Task.objects.get, pk=task.pk)
    assert (now.state, now.next_actor, now.deadline_at) == ("held", "bob", task.deadline_at)
    bob = team.users["bob"].pk
    facts = await read_async(
        lambda: list(Entry.objects.filter(type__in=["artifact.added", "attempt.progress_reported"]))
    )
    assert [entry.actor["on_behalf_of"] for entry in facts] == [bob, bob]
    await read_async(lambda: team.finish("scribe", "5200."))
    assert (await read_async(Approval.objects.get)).state == "void"


async def test_there_is_nothing_to_acknowledge_and_nothing_left_to_write_after_the_hold(team: Team) -> None:
    task = await read_async(steered, team)
    client = Client(await read_async(key_of, task))
    refused = await client.failing("acknowledge", text="Understood.")
    assert refused["code"] == "nothing_to_acknowledge"
    assert "bob holds this task" in refused["message"]
    await read_async(lambda: perform(handback.hand_back, task.pk, note="n", actor=team.actor("bob")))
    assert (await client.failing("report_progress", percent=50))["code"] == "stale_attempt"
    assert (await client.failing("deliver_artifact", name="late.md", text="x"))["code"] == "stale_attempt"
    assert (await read_async(Artifact.objects.get, name="late.md")).kind == "late"


async def test_until_it_is_asked_the_session_that_was_stopped_writes_nothing(team: Team) -> None:
    def stopped() -> str:
        task = team.working()
        perform(takeover.take_over, task.pk, actor=team.actor("bob"))
        perform(steering.steer, task.pk, text="Count the rows.", actor=team.actor("bob"))
        assert Session.objects.get().attempt_id != Task.objects.get().attempt_id
        return key_of(task)

    client = Client(await read_async(stopped))
    assert (await client.failing("report_progress", percent=50))["code"] == "stale_attempt"
