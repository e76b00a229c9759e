"""Who gets in, what may be sent, and how soon a right that is gone is gone."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from clawgroups.core.errors import ClawError
from clawgroups.realtime.frames import Bucket, Malformed, decode
from clawgroups.realtime.hub import Hub, say_goodbye
from clawgroups.realtime.pace import Pace
from clawgroups.server.limits import Limits
from clawgroups.services import members, people
from clawgroups.services.perform import perform, read_async
from tests.realtime.conftest import ORIGIN, Client, Connect, Room


@pytest.mark.parametrize(
    "origin",
    [None, "null", "", "http://evil.example", ORIGIN.replace(":8000", ":9999"), ORIGIN.replace("http:", "https:")],
)
async def test_a_cookie_from_a_foreign_or_missing_origin_is_refused(
    room: Room, connect: Connect, origin: str | None
) -> None:
    headers = {"Cookie": room.ada.cookie["Cookie"]} | ({} if origin is None else {"Origin": origin})
    assert not await connect("/ws/", headers).open()
    assert not await connect(f"/ws/workspaces/{room.id}/", headers).open()


async def test_a_cookie_from_our_own_origin_comes_in(room: Room, connect: Connect) -> None:
    assert await connect(f"/ws/workspaces/{room.id}/?after=0", room.ada.cookie).open()


@pytest.mark.parametrize("origin", [None, "null", "http://evil.example"])
async def test_a_bearer_needs_no_origin(room: Room, connect: Connect, origin: str | None) -> None:
    headers = room.ada.bearer | ({} if origin is None else {"Origin": origin})
    client = connect(f"/ws/workspaces/{room.id}/?after=0", headers)
    assert await client.open()
    assert (await client.take())["type"] == "hello"


async def test_a_bad_bearer_is_not_helped_by_a_good_cookie(room: Room, connect: Connect) -> None:
    client = connect("/ws/", room.ada.cookie | {"Authorization": "Bearer ct_abcdefghjkmn_" + "0" * 64})
    await client.open()
    assert await client.closed() == 4401


async def test_nobody_is_closed_with_a_reason(room: Room, connect: Connect) -> None:
    client = connect("/ws/", {"Origin": ORIGIN})
    await client.open()
    assert await client.closed() == 4401


async def test_a_stranger_is_closed_as_if_there_were_nothing(room: Room, connect: Connect) -> None:
    client = connect(f"/ws/workspaces/{room.id}/", room.mallory.bearer)
    await client.open()
    assert await client.closed() == 4404


async def test_an_unknown_address_is_refused(room: Room, connect: Connect) -> None:
    assert not await connect("/ws/else/", room.ada.bearer).open()


async def opened(room: Room, connect: Connect, headers: dict[str, str]) -> Client:
    client = connect(f"/ws/workspaces/{room.id}/?generation=1&after=0", headers)
    await client.open()
    await client.until("entries")
    return client


async def closed_within(client: Client, seconds: float, code: int) -> None:
    began = time.monotonic()
    assert await client.closed(seconds + 2) == code
    assert time.monotonic() - began < seconds


async def test_a_removed_member_is_closed_within_a_second(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.standing = 60
    client = await opened(room, connect, room.bob.bearer)
    seat = await read_async(room.seat, room.bob)
    await read_async(lambda: perform(members.remove_member, seat, actor=room.ada.actor))
    await closed_within(client, 1, 4403)


async def test_a_revoked_token_is_found_by_looking(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.standing = 0.1
    client = await opened(room, connect, room.bob.bearer)
    token = await read_async(room.bob.user.access_tokens.get)
    await read_async(people.revoke_token, room.bob.user, token.pk)
    await closed_within(client, 1, 4401)


@pytest.mark.parametrize("ending", ["log out", "new password", "closed account"])
async def test_a_session_that_ended_is_found_by_looking(room: Room, connect: Connect, hub: Hub, ending: str) -> None:
    hub.pace.standing = 0.1
    client = await opened(room, connect, room.bob.cookie)

    def end() -> None:
        if ending == "log out":
            room.bob.session.flush()
        elif ending == "new password":
            room.bob.user.set_password("another-9371")
            room.bob.user.save()
        else:
            room.bob.user.is_active = False
            room.bob.user.save()

    await read_async(end)
    await closed_within(client, 1, 4401)


async def test_a_member_that_becomes_a_guest_sees_as_a_guest_at_once(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.standing = 60
    client = await opened(room, connect, room.bob.bearer)
    seat = await read_async(room.seat, room.bob)
    await read_async(lambda: perform(members.set_role, seat, role="guest", actor=room.ada.actor))
    async with asyncio.timeout(2):
        while next(iter(hub.peers)).followers[room.id].role != "guest":  # type: ignore[attr-defined]
            await asyncio.sleep(0.01)
    assert not client.wire.future.done()


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", "malformed"),
        ("[]", "malformed"),
        ('{"type": 1}', "malformed"),
        ('{"type":"ack","x":' + "[" * 40 + "]" * 40 + "}", "too_deep"),
        ("[" * 100_000, "malformed"),
        ('{"type":"sing"}', "unknown_type"),
        ('{"type":"ack","seq":"many"}', "invalid"),
        ('{"type":"ack","seq":-1}', "invalid"),
    ],
)
async def test_a_frame_that_cannot_be_taken_is_told(room: Room, connect: Connect, text: str, code: str) -> None:
    client = await opened(room, connect, room.bob.bearer)
    await client.wire.send_to(text_data=text)
    assert (await client.until("error"))["code"] == code


async def test_binary_and_oversized_frames_close_the_socket(room: Room, connect: Connect) -> None:
    binary, large = await opened(room, connect, room.bob.bearer), await opened(room, connect, room.bob.bearer)
    await binary.wire.send_to(bytes_data=b"x")
    await large.wire.send_to(text_data=json.dumps({"type": "x" * 1024 * 1024}))
    assert [await binary.closed(), await large.closed()] == [1003, 1009]


async def test_a_flood_is_told_first_and_then_closed(room: Room, connect: Connect, hub: Hub) -> None:
    hub.pace.rate, hub.pace.burst, hub.pace.excess = 1, 20, 30
    client = await opened(room, connect, room.bob.bearer)
    for _ in range(60):
        await client.send(type="ack", seq=1)
    assert (await client.until("error"))["code"] == "rate_limited"
    assert await client.closed() == 4429


def test_a_bucket_fills_with_time() -> None:
    now = [0.0]
    bucket = Bucket(50, 200, lambda: now[0])
    assert [bucket.take() for _ in range(201)].count(True) == 200
    now[0] = 1.0
    assert [bucket.take() for _ in range(60)].count(True) == 50


@pytest.mark.parametrize("depth", [31, 32, 33])
def test_nesting_is_limited_at_thirty_two(depth: int) -> None:
    value: Any = 1
    for _ in range(depth - 1):
        value = [value]
    text = json.dumps({"type": "x", "value": value})
    if depth <= 32:
        assert decode(text)["type"] == "x"
    else:
        with pytest.raises(Malformed, match="32"):
            decode(text)


async def test_draining_is_told_and_closes_with_1012(room: Room, connect: Connect) -> None:
    client = await opened(room, connect, room.bob.bearer)
    await say_goodbye(2.0)
    assert 0.5 <= (await client.until("draining"))["retry_after"] <= 2.0
    assert await client.closed() == 1012


def test_errors_of_ours_have_a_code_that_fits_a_close() -> None:
    assert all(4000 + kind.status < 5000 for kind in ClawError.__subclasses__())


def test_the_server_waits_for_longer_than_it_takes_to_say_why_nobody_may_come_in() -> None:
    # A line that is dropped says nothing, and whoever was dropped comes back with all others.
    assert Limits().handshake_seconds > Pace().handshake
