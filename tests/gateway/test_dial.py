"""Agents that we dial: how they are reached, what ends it, and that exactly one process is at each."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from agents.models import Connection, Dial
from clawgroups import sealing
from clawgroups.core.errors import Conflict, Forbidden, NotFound
from clawgroups.gateway.link import Link
from clawgroups.gateway.switchboard import switchboard
from clawgroups.gateway.worker import Worker
from clawgroups.services import agents, dials
from clawgroups.services.perform import perform, perform_async, read_async
from tests.conftest import Team
from tests.gateway.far import NAME, Make, dial_is, give, hosted
from tests.gateway.support import attempt_of, connected, new_key, task_state, until_row

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("opened")]


async def test_an_agent_is_dialled_with_its_key_and_does_its_work(nobody_here: Team, make: Make) -> None:
    team = nobody_here
    make()
    async with hosted() as host:
        scribe = await give(team, host)
        line = await host.line()
        assert line.headers["Authorization"] == "Bearer s3cret"
        assert line.headers["Host"] == f"{NAME}:{host.port}"
        assert "Sec-WebSocket-Protocol" not in line.headers
        assert "Sec-WebSocket-Extensions" not in line.headers
        await host.asked("initialize")
        assert line.heard[0]["method"] == "initialize"
        row = await dial_is(scribe, "connected")
        assert (row.process, row.said) == ("one", "")
        link = await until_row(lambda: Connection.objects.filter(agent=scribe).latest("epoch"), lambda r: r.ready_at)
        assert link.key_id is None
        assert link.client == {"address": f"{NAME}:{host.port}", "dialled": host.address, "id": "far-1"}
        task = await read_async(team.assigned)
        prompt = await host.asked("session/prompt")
        await line.chunk("far-1", "From far away")
        await line.say({"id": prompt["id"], "result": {"stopReason": "end_turn"}})
        await task_state(task, "in_review")
        assert (await read_async(attempt_of, task)).result == "From far away"


async def test_the_key_is_stored_sealed_and_for_this_agent_only(nobody_here: Team) -> None:
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        row = await read_async(Dial.objects.get, pk=scribe.pk)
        assert "s3cret" not in row.secret
        assert sealing.unseal(row.secret, purpose=dials.purpose(scribe.pk)) == "s3cret"
        with pytest.raises(sealing.Unreadable):
            sealing.unseal(row.secret, purpose=dials.purpose(nobody_here.agents["judge"].pk))


@pytest.mark.parametrize(
    ("status", "said"),
    [
        (401, "It refused us: 401. Correct its key, then try again."),
        (403, "It refused us: 403. Correct its key, then try again."),
        (404, "There is no agent at this address: 404. Correct it, then try again."),
        (302, "It sends us on to “https://elsewhere.test/” (302). We follow nobody: correct the address."),
        (400, "It answered 400; no agent's WebSocket is at this address."),
    ],
)
async def test_a_refusal_ends_the_dialling_until_somebody_does_something(
    nobody_here: Team, make: Make, status: int, said: str
) -> None:
    make()
    async with hosted(status=status, more={"Location": "https://elsewhere.test/"}) as host:
        scribe = await give(nobody_here, host)
        row = await dial_is(scribe, "refused")
        assert (row.said, row.process, row.until) == (said, "", None)
        host.status = 0
        await read_async(lambda: Dial.objects.update(next_at=row.since))
        ada = await read_async(nobody_here.actor, "ada")
        assert (len(host.knocks), host.lines) == (1, [])
        await perform_async(dials.retry_dial, scribe.pk, actor=ada)
        await host.asked("initialize")
        await dial_is(scribe, "connected")
        assert len(host.knocks) == 2
        with pytest.raises(Conflict):
            await perform_async(dials.retry_dial, scribe.pk, actor=ada)


async def test_a_host_that_is_out_of_order_is_tried_again(nobody_here: Team, make: Make) -> None:
    make()
    async with hosted(status=503, more={"Retry-After": "0"}) as host:
        scribe = await give(nobody_here, host)
        await host.until(lambda: len(host.knocks) > 1)
        row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.tries > 1)
        assert row.said == "It is out of order: it answered 503."
        host.status = 0
        await host.asked("initialize")


async def test_a_lost_connection_is_dialled_again_and_comes_with_the_cookies(nobody_here: Team, make: Make) -> None:
    make()
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await host.asked("initialize")
        task = await read_async(nobody_here.assigned)
        await host.asked("session/prompt")
        first = await host.line()
        assert "Cookie" not in first.headers
        await first.socket.close(1001, "going")
        second = await host.line(2)
        assert second.headers["Cookie"] == "machine=seven"
        await host.asked("initialize", 2)
        # A bare socket is its agent's end: what it was at is tried anew.
        await until_row(lambda: attempt_of(task), lambda row: row.state == "expired")
        rows = await read_async(lambda: list(Connection.objects.filter(agent=scribe, key=None).order_by("epoch")))
        assert [row.closed_at is None for row in rows] == [False, True]
        assert (await dial_is(scribe, "connected")).tries == 1


async def test_a_name_that_leads_nowhere_and_a_closed_port_are_told_apart(nobody_here: Team, make: Make) -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError(-2, "Name or service not known")

    async with hosted() as host:
        address = host.address
    lost = make(resolve=unknown)
    scribe = await give(nobody_here, host, address=address)
    row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.tries)
    assert row.said == f"The name {NAME} is not known ([Errno -2] Name or service not known)."
    await lost.rest()
    make("two")
    row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: "No connection" in row.said)
    assert row.state in ("waiting", "dialling")


async def test_what_speaks_another_version_is_not_dialled_again(nobody_here: Team, make: Make) -> None:
    make()
    async with hosted(protocol=2) as host:
        scribe = await give(nobody_here, host)
        row = await dial_is(scribe, "refused")
        assert row.said == "The agent does not speak ACP 1 (it says 2)."
        assert (await host.closed())[0] == 4403


async def test_a_host_that_never_answers_initialize_is_hung_up_on(
    nobody_here: Team, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clawgroups.gateway.link.INITIALIZE_DEADLINE", 1.0)
    make()
    async with hosted(answering=False) as host:
        scribe = await give(nobody_here, host)
        assert await host.closed() == (4408, "The agent did not answer initialize.")
        row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.said)
        assert row.said == "The agent did not answer initialize."


async def test_a_host_that_is_silent_on_the_wire_is_found_by_its_missing_pong(
    nobody_here: Team, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (("LOOK", 0.2), ("PING", 1.0), ("PONG", 2.0)):
        monkeypatch.setattr(f"clawgroups.gateway.dialled.{name}", value)
    make()
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await dial_is(scribe, "connected")
        line = await host.line()
        line.socket.transport.pause_reading()
        row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.said)
        assert row.said == "No answer to a ping."
        line.socket.transport.resume_reading()


# Who dials, and when not


async def test_of_two_processes_one_dials_and_the_other_goes_on_when_it_leaves(nobody_here: Team, make: Make) -> None:
    one, _two = make("one"), make("two")
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await host.asked("initialize")
        row = await dial_is(scribe, "connected")
        assert len(host.knocks) == 1
        first = row.process
        await (one if first == "one" else _two).rest()
        assert (await host.closed())[0] == 1012
        await host.asked("initialize", 2)
        row = await dial_is(scribe, "connected")
        assert row.process != first
        assert len(host.knocks) == 2


async def test_many_agents_are_shared_out_and_each_is_dialled_once(nobody_here: Team, make: Make) -> None:
    team = nobody_here
    ada = await read_async(team.actor, "ada")
    make("one", most=2), make("two", most=2)
    async with hosted() as host:
        for agent in team.agents.values():
            await perform_async(dials.set_dial, agent.pk, address=host.address, actor=ada)
        rows = await until_row(
            lambda: list(Dial.objects.all()), lambda rows: all(row.state == "connected" for row in rows)
        )
        assert len(rows) == len(host.knocks) == 3
        assert {row.process for row in rows} == {"one", "two"}


async def test_a_process_that_died_is_replaced_once_its_lease_has_run_out(nobody_here: Team, make: Make) -> None:
    team = nobody_here
    async with hosted() as host:
        scribe = await give(team, host)
        gone = {"state": "connected", "process": "dead", "epoch": 7}
        soon = (await read_async(Dial.objects.get, pk=scribe.pk)).next_at
        await read_async(lambda: Dial.objects.filter(pk=scribe.pk).update(until=soon, **gone))
        make()
        await host.asked("initialize")
        row = await dial_is(scribe, "connected")
        assert (row.process, row.epoch) == ("one", 8)


async def test_a_lease_is_renewed_for_as_long_as_it_is_held(nobody_here: Team, make: Make) -> None:
    make()
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        first = (await dial_is(scribe, "connected")).until
        assert first is not None
        later = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.until != first)
        assert later.until is not None
        assert later.until > first
        assert len(host.knocks) == 1


async def test_an_agent_that_has_come_in_by_itself_is_not_dialled_until_it_is_gone(
    nobody_here: Team, make: Make
) -> None:
    team = nobody_here
    key, _ = await read_async(new_key, team)
    make()
    async with hosted() as host:
        scribe = await give(team, host)
        await host.asked("initialize")
        async with connected(key) as agent:
            await agent.asked("initialize")
            assert (await host.closed())[0] == 4409
            row = await until_row(lambda: Dial.objects.get(pk=scribe.pk), lambda row: row.state == "waiting")
            assert row.said == "It has come in by a connection of its own."
            await read_async(lambda: Dial.objects.update(next_at=row.since))
            ada = await read_async(team.actor, "ada")
            await perform_async(dials.retry_dial, scribe.pk, actor=ada)
            assert (await read_async(Dial.objects.get, pk=scribe.pk)).state == "waiting"
            assert agent.closed is None
            assert len(host.knocks) == 1
        await host.asked("initialize", 2)


# The end


async def test_a_retired_agent_is_hung_up_on_within_a_second_and_never_dialled_again(
    nobody_here: Team, make: Make
) -> None:
    make()
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await dial_is(scribe, "connected")
        ada = await read_async(nobody_here.actor, "ada")
        await perform_async(agents.retire_agent, scribe.pk, actor=ada)
        async with asyncio.timeout(1):
            assert await host.closed() == (4401, "The agent was retired.")
        await dial_is(scribe, "refused")
        assert len(host.knocks) == 1


async def test_a_retired_agent_that_dialled_in_is_cut_off_within_a_second(nobody_here: Team) -> None:
    key, _ = await read_async(new_key, nobody_here)
    async with connected(key) as agent:
        await agent.asked("initialize")
        ada = await read_async(nobody_here.actor, "ada")
        await perform_async(agents.retire_agent, nobody_here.agents["scribe"].pk, actor=ada)
        async with asyncio.timeout(1):
            await agent.gone()
        assert agent.closed == 4401


async def test_another_address_is_dialled_at_once_and_gets_no_key_of_the_first(nobody_here: Team, make: Make) -> None:
    make()
    async with hosted() as first, hosted() as second:
        scribe = await give(nobody_here, first)
        await first.asked("initialize")
        await give(nobody_here, second, secret="")
        assert await first.closed() == (1000, "Its address was changed.")
        line = await second.line()
        assert "Authorization" not in line.headers
        assert "Cookie" not in line.headers
        ada = await read_async(nobody_here.actor, "ada")
        await perform_async(dials.remove_dial, scribe.pk, actor=ada)
        assert (await second.closed())[0] == 1000
        assert not await read_async(Dial.objects.filter(pk=scribe.pk).exists)


async def test_a_flood_waits_at_the_agents_end(nobody_here: Team, make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    stalled, go_on = asyncio.Event(), asyncio.Event()
    handle = Worker.handle

    async def slowly(worker: Worker, item: Any) -> None:
        stalled.set()
        await go_on.wait()
        await handle(worker, item)

    make()
    async with hosted() as host:
        scribe = await give(nobody_here, host)
        await dial_is(scribe, "connected")
        await until_row(lambda: Connection.objects.filter(agent=scribe).latest("epoch"), lambda row: row.ready_at)
        line = await host.line()
        monkeypatch.setattr(Worker, "handle", slowly)
        sent = 0

        async def flood() -> None:
            nonlocal sent
            while sent < 1000:
                await line.chunk("nobody's", "z" * 100_000)
                sent += 1

        flooding = asyncio.create_task(flood())
        await stalled.wait()
        link = next(one for one in switchboard().lines() if one.held.agent_id == scribe.pk)
        assert isinstance(link, Link)
        before = -1
        while before != sent:  # until the sender has to wait: neither side takes another byte
            before = sent
            await asyncio.wait([flooding], timeout=0.5)
        assert not flooding.done()
        backlog = link._backlog
        assert len(backlog._waiting) <= 256
        assert backlog._size <= 4 * 1024 * 1024 + 200_000
        assert sent < 300  # 30 MB: ours, and what the kernel keeps on both sides
        go_on.set()
        await asyncio.wait_for(flooding, 30)
        assert (await dial_is(scribe, "connected")).tries == 0


def test_only_who_may_change_a_profile_may_have_it_dialled(nobody_here: Team) -> None:
    scribe, bob = nobody_here.agents["scribe"], nobody_here.actor("bob")
    with pytest.raises(NotFound):
        perform(dials.set_dial, scribe.pk, address="wss://a.test/", actor=bob)
    for verb in (dials.remove_dial, dials.retry_dial):
        with pytest.raises(NotFound):
            perform(verb, scribe.pk, actor=bob)
    with pytest.raises(Forbidden):
        perform(dials.allow_private, scribe.pk, allowed=True, actor=nobody_here.actor("ada"))
