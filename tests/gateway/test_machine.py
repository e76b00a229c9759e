"""What a connector says of its machine: what its owner allows, and what was decided there. Facts, and nothing more."""

from __future__ import annotations

from typing import Any

import pytest
from django.template.loader import render_to_string

from agents.models import Agent, Connection
from clawgroups.core import machine_policy
from clawgroups.gateway import machine
from clawgroups.gateway.machine import read_decision
from clawgroups.models import Approval, Part, Step, Task
from clawgroups.services import contact
from clawgroups.services.perform import perform_async, read_async
from clawgroups.services.takeover import take_over
from tests.conftest import Team
from tests.gateway.support import Socket, connected, new_key, steps, texts, until_row

pytestmark = pytest.mark.django_db(transaction=True)

POLICY = {"rules": [{"answer": "never", "path": ["~/.ssh"]}], "more": 0, "otherwise": "ask"}


def announce(agent: Socket, policy: Any) -> None:
    agent.say({"method": "_clawgroups/policy", "params": policy})


def decide(agent: Socket, session: str, call: str = "c1", **more: Any) -> None:
    asked = {"toolCallId": call, "title": "Edit a.py", "kind": "edit", "locations": [{"path": "a.py"}]}
    said = {"answer": "allowed", "by": "rule", "rule": "allow: path **", "option": "allow_once", **more}
    agent.say({"method": "_clawgroups/decided", "params": {"sessionId": session, "toolCall": asked, **said}})


def allowed(agent: Agent) -> Any:
    return Connection.objects.filter(agent=agent).order_by("-epoch")[0].client.get("policy")


async def test_what_the_owner_allows_is_kept_with_the_link_and_over_its_next_sockets(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    scribe = team.agents["scribe"]
    async with connected(key) as agent:
        announce(agent, POLICY)
        await until_row(lambda: allowed(scribe), lambda found: found == POLICY)
        link = agent.link
    async with connected(key, link=link, answering=False) as agent:
        await agent.asked("initialize")
        assert await read_async(allowed, scribe) == POLICY
    # Another program is another owner's word, or none.
    async with connected(key, extensions="link,workdir") as agent:
        announce(agent, POLICY)
        await agent.asked("initialize")
        await until_row(lambda: Connection.objects.filter(pk=agent.link).exclude(ready_at=None).exists())
        assert await read_async(allowed, scribe) is None


async def test_a_decision_stands_in_the_transcript_once_where_it_fell(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.chunk(session, "I edit a file.")
        decide(agent, session)
        agent.chunk(session, "Done.")
        frames = len(agent.said)
        await agent.acked(frames)
        await agent.hang_up()
        link = agent.link
    assert await read_async(steps, task) == [("c1", "pending")]
    said = [("Allowed by its owner's rules: Edit a.py (allow: path **)\n", False)]
    assert await read_async(texts, task, "machine") == said
    # It is counted: what comes after it is not taken for it, nor it for that.
    async with connected(key, link=link) as agent:
        resume = await agent.asked("_clawgroups/resume")
        assert resume["params"]["received"] == frames
        decide(agent, session, "c2", answer="rejected", by="owner", option="reject_always")
        await agent.acked(frames + 2)
    found = await read_async(texts, task, "machine")
    assert found[1:] == [("Rejected by its owner, at the machine for good: Edit a.py (allow: path **)\n", False)]
    order = await read_async(lambda: list(Part.objects.filter(attempt__task=task).values_list("kind", flat=True)))
    assert [kind for kind in order if kind != "prompt"] == ["text", "machine", "text", "machine"]


async def test_a_decision_there_decides_nothing_here(team: Team) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        agent.ask(session, 0)
        await until_row(lambda: Approval.objects.filter(task=task).first())
        decide(agent, session, requestId=0)
        await until_row(lambda: texts(task, "machine"))
        # It told more of the call: what is asked is put anew, as it is now, and stays open.
        (asked,) = await read_async(lambda: list(Approval.objects.filter(task=task, state="open")))
        assert asked.tool_call["title"] == "Edit a.py"
        # After the task was taken over it is evidence like everything else.
        await perform_async(take_over, task.pk, actor=await read_async(team.actor, "bob"))
        decide(agent, session, "late")
        found = await until_row(lambda: texts(task, "machine"), lambda found: len(found) == 2)
        assert [late for _, late in found] == [False, True]
        assert not await read_async(Step.objects.filter(tool_call_id="late").exists)


async def test_a_hostile_connector_gets_nothing_but_bounded_words(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = await read_async(new_key, team)
    task = await read_async(team.assigned)
    writes: list[Any] = []
    told = contact.policy_told

    def counted(*args: Any, **kwargs: Any) -> Any:
        writes.append(kwargs)
        return told(*args, **kwargs)

    monkeypatch.setattr(contact, "policy_told", counted)
    async with connected(key) as agent:
        session = (await agent.asked("session/prompt"))["params"]["sessionId"]
        for number in range(100):
            rules = [{"answer": "allow", "path": [f"{number}" * 150] * 30, "kind": 7, "evil": "y" * 500}] * 60
            announce(agent, {"rules": rules if number < 9 else [], "more": 10**30, "otherwise": number})
        strange: tuple[Any, ...] = (None, [], {"rules": {"a": 1}}, {"rules": [None, "x", {"answer": ["never"]}]})
        for odd in strange:
            announce(agent, odd)
        decide(agent, session, answer="adopted")
        decide(agent, "no such session")
        decide(agent, session, "c2", rule="r\u0000" * 9000)
        await until_row(lambda: texts(task, "machine"))
    assert len(writes) == machine.MOST_POLICIES
    kept = await read_async(allowed, team.agents["scribe"])
    assert len(str(kept)) < 2 * machine_policy.MOST_SAID
    ((text, _),) = await read_async(texts, task, "machine")
    assert len(text) < 800


def test_only_known_words_are_decisions() -> None:
    assert read_decision({}) is None
    assert read_decision({"answer": "allowed", "by": "you", "sessionId": "s"}) is None
    found = read_decision({"answer": "asked", "by": "owner", "sessionId": 7, "toolCall": "x"})
    assert found is not None
    assert (found[0], found[1], found[2].text) == ("", None, "Its owner is asked, at the machine:\n")


@pytest.mark.parametrize("viewer", [True, False])
async def test_a_decision_is_shown_as_one_to_the_team(team: Team, viewer: bool) -> None:
    task: Task = await read_async(team.assigned)

    def page() -> str:
        part = Part(attempt=task.attempt, kind="machine", text="Allowed by its owner's rules: <b>\n", ordinal=1)
        return render_to_string("tasks/_part.html", {"part": part, "viewer": {"can": {"approval_view": viewer}}})

    shown = await read_async(page)
    assert ("&lt;b&gt;" in shown) is viewer
    assert "decided on its machine" in shown.lower()
