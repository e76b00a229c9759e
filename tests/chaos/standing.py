"""T28: what becomes of a pass or a seat counts on 300 open sockets within a second, and on no other.

People's pages and scripts, and agents, are in one workspace. Then one person after the other is muted, lowered,
removed, closed out, signed out, given another password, or loses a token, and agents lose their keys: by the doors that
people use. Each time: how soon the sockets that it is about were closed or began anew, whether any other was closed or
missed what came next, whether those were told anything more, and whether they come in again.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from tests.chaos.doors import Line, come, go, posted, until
from tests.chaos.rows import CI, FULL, Row, Size, percentile
from tests.chaos.stacks import Servers, Stack
from tests.chaos.standing_seed import ANOTHER, AWAY, PASSWORD, RENEWED, call
from tests.stories.script import Script

Json = dict[str, Any]
Began = dict[str, float]
# `tasks` are the sockets of whom it is about, `agents` the agents of each group, `blows` the sockets of somebody else.
SIZES = {"T28": {FULL: Size(FULL, 12, 180, 24, 0.0), CI: Size(CI, 1, 12, 4, 0.0)}}
AT_ONCE = 1.0
WITHOUT_REDIS = 5.0
# Other tests have the machine meanwhile in a test run: there only what is far too slow is a fault.
SLACK = {FULL: 1.0, CI: 5.0}
SOON = 2.5  # seconds until what is to end by itself does: longer than it takes to be noticed
PULSES = 6  # things that guests are not told, a tenth of a second apart
KINDS = (
    ("page", "elsewhere"), ("journal", "token"), ("page", "token"), ("page", "here"), ("journal", "other"),
    ("page", "other"),
)  # fmt: skip
BROWSERS = ("here", "elsewhere")
GROUPS = ("revoked", "expired", "retired", "away", "staying")
BY_KEY = ("revoked", "expired", "retired")  # these follow the journal by their keys, too


@dataclass
class Stage:
    """Where it is played: all sockets that were opened, and what guests were not to be told."""

    stack: Stack
    row: Row
    size: Size
    made: Json
    script: Script
    lines: list[Line] = field(default_factory=list)
    hidden: list[str] = field(default_factory=list)

    @property
    def workspace(self) -> str:
        return str(self.made["workspace"])

    def path(self, more: str) -> str:
        return f"/api/v1/workspaces/{self.workspace}{more}"

    def group(self, name: str) -> list[Json]:
        return [one for one in self.made["agents"] if one["group"] == name]

    def passes(self, who: str) -> dict[str, str]:
        found: dict[str, str] = (self.made["owner"] if who == "owner" else self.made["people"][who])["passes"]
        return found

    def alive(self) -> list[Line]:
        return [line for line in self.lines if not line.ended]

    async def come(self, lines: list[Line]) -> None:
        await come(lines, self.script, self.workspace)
        self.lines += lines

    def none(self, deed: Deed, what: str, number: int) -> None:
        """That it is true of none of the sockets."""
        if number:
            self.row.check(f"{deed.name}: {number} {what}, none of them", ok=False)

    async def message(self) -> str:
        """Something that everybody who is there is told."""
        return str((await asyncio.to_thread(self.script.post, self.path("/messages"), {"body": "Still here?"}))["id"])


@dataclass(frozen=True)
class Deed:
    """One thing that is done to a person, or to the agents of a group. `act` says when it began, by whose it was.

    `much`: what most of the person's sockets come in by; `hits`: what those came in by that it is about.
    `code`: what those are closed with; without one, pages begin anew.
    """

    name: str
    act: Callable[[Stage, str], Began]
    code: int = 0
    much: str = ""
    hits: Sequence[str] = ("here", "elsewhere", "token", "other")
    limit: float = AT_ONCE


# What is done, and by which door


def _by_script(method: str, more: str, body: Json | None = None) -> Callable[[Stage, str], Began]:
    def act(stage: Stage, who: str) -> Began:
        began, member = time.time(), stage.made["people"][who]["member"]
        answer = stage.script.send(method, stage.path(f"/members/{member}{more}"), body)
        assert answer.status < 300, answer.bytes
        return {who: began}

    return act


def lowered(stage: Stage, who: str) -> Began:
    """What guests are not told goes on being made, so that it shows until when they were told it."""
    began = _by_script("PATCH", "", {"role": "guest"})(stage, who)
    for _ in range(PULSES):
        stage.hidden.append(stage.script.post(stage.path("/invitations"), {})["id"])
        time.sleep(0.1)
    return began


def renewed(stage: Stage, who: str) -> Began:
    """From when it is told that there is another password: it takes longer to check the old one and to hash the new."""
    _on_a_page("/accounts/password/change/", oldpassword=PASSWORD, password1=ANOTHER, password2=ANOTHER)(stage, who)
    sql = "SELECT at FROM clawgroups_auditrow WHERE action = 'account.password_set' ORDER BY id DESC LIMIT 1"
    at = stage.stack.rows(sql)[0][0]
    at = at if isinstance(at, datetime) else datetime.fromisoformat(at).replace(tzinfo=UTC)
    return {who: at.timestamp()}


def _on_a_page(path: str, **fields: str) -> Callable[[Stage, str], Began]:
    """The person does it, in the browser that is `here`."""

    def act(stage: Stage, who: str) -> Began:
        began, person = time.time(), stage.made["people"][who]
        posted(stage.script, stage.passes(who)["here"], path.format(**person), fields)
        return {who: began}

    return act


def closed_out(stage: Stage, who: str) -> Began:
    """By the administration's list of accounts."""
    fields = {"action": "close", "_selected_action": stage.made["people"][who]["pk"]}
    began = time.time()
    posted(stage.script, stage.passes("owner")["here"], "/admin/auth/user/", fields)
    return {who: began}


def ended_by_itself(stage: Stage, who: str) -> Began:
    """A token whose time is over; keys of agents are over with it."""
    agents = stage.group("expired")
    given = {"tokens": [stage.made["people"][who]["token_id"]], "agents": [one["id"] for one in agents]}
    at = float(stage.stack.manage("shell", "-c", call("end_soon", {**given, "seconds": SOON})).splitlines()[-1])
    return {who: at, **{one["name"]: at for one in agents}}


def revoked_elsewhere(stage: Stage, who: str) -> Began:
    """By another process, while Redis is away: nobody is told, all have to look by themselves."""
    assert isinstance(stage.stack, Servers)
    person = stage.made["people"][who]
    stage.stack.redis.kill()
    try:
        given = {"user": person["pk"], "token": person["token_id"]}
        began = float(stage.stack.manage("shell", "-c", call("revoke", given)).splitlines()[-1])
        time.sleep(WITHOUT_REDIS - 1)  # Redis is away for as long as it takes.
        return {who: began}
    finally:
        stage.stack.redis.start()


def _of_agents(more: str) -> Callable[[Stage, str], Began]:
    """One agent after the other loses its keys, or is retired."""

    def act(stage: Stage, group: str) -> Began:
        began = {}
        for one in stage.group(group):
            path = f"/api/v1/agents/{one['id']}"
            keys = stage.script.get(path)["keys"] if more else []
            began[one["name"]] = time.time()
            answer = stage.script.send("DELETE", path + (f"/keys/{keys[0]['id']}" if keys else ""))
            assert answer.status < 300, answer.bytes
        return began

    return act


OF_PEOPLE = (
    Deed("muted", _by_script("POST", "/mute")),
    Deed("lowered", lowered),
    Deed(AWAY, _by_script("DELETE", ""), 4403),
    Deed("token revoked", _on_a_page("/me/tokens/{token_id}/revoke/"), 4401, "token", ("token",)),
    Deed("time over", ended_by_itself, 4401, "token", ("token",)),
    Deed(
        "one signed out", _on_a_page("/me/security/sessions/{session_pk}/end/"), 4401, "elsewhere", ("elsewhere",)
    ),
    Deed(
        "others signed out", _on_a_page("/me/security/sessions/end-others/"), 4401, "elsewhere", ("elsewhere",)
    ),
    Deed("closed out", closed_out, 4401),
)  # fmt: skip
# It takes seconds to hash passwords, and test_seats_live.py has it as well.
AT_FULL_SIZE = (Deed(RENEWED, renewed, 4401, "here", BROWSERS),)
WITH_REDIS_AWAY = Deed("revoked with Redis away", revoked_elsewhere, 4401, "token", ("token",), WITHOUT_REDIS)
OF_AGENTS = (Deed("revoked", _of_agents("keys"), 4401, "key"), Deed("retired", _of_agents(""), 4401, "key"))


# How it is played


def lines_of(stage: Stage, who: str, count: int, much: str = "") -> list[Line]:
    """Sockets of a person: three of four by one of their passes, the others by all of them in turn."""
    favoured = [kind for kind in KINDS if kind[1] == much]
    kinds = [(favoured if favoured and number % 4 else KINDS) for number in range(count)]
    passes = stage.passes(who)
    chosen = [of[number % len(of)] for number, of in enumerate(kinds)]
    return [Line(kind, who, by, passes[by]) for kind, by in chosen]


def lines_of_agents(stage: Stage) -> list[Line]:
    agents = [Line("agent", one["name"], "key", one["key"]) for one in stage.made["agents"]]
    follow = [one for group in BY_KEY for one in stage.group(group)]
    return agents + [Line("journal", one["name"], "key", one["key"]) for one in follow]


async def measured(stage: Stage, deed: Deed, who: str) -> None:
    """Do it, and look what becomes of whom; `who` is a person, or a group of agents."""
    names = {who, *(one["name"] for one in stage.group("expired" if deed.act is ended_by_itself else who))}
    own = [line for line in stage.alive() if line.whose in names]
    hit = [line for line in own if (deed.code or line.kind == "page") and line.by in (*deed.hits, "key")]
    rest = [line for line in stage.alive() if line not in hit]
    count = len(hit) + len(rest)
    began = await asyncio.to_thread(deed.act, stage, who)
    await until(lambda: all(line.knows() for line in hit), f"{deed.name}: the end of {hit[0]} and others")
    took = [line.knows() - began[line.whose] for line in hit]
    row = stage.row
    limit = deed.limit * SLACK[stage.size.name]
    half = 1000 * percentile(took, 0.5)
    row.measure(f"{deed.name} ({len(hit)} of {count}): half after {half:.0f} ms, all after", max(took), limit)
    stage.none(deed, "before it was done", sum(one < 0 for one in took))
    stage.none(deed, "closed otherwise", sum(bool(deed.code) and line.code != deed.code for line in hit))
    await undisturbed(stage, deed, hit, rest)
    await AFTERWARDS.get(deed.name, shut_out)(stage, deed, hit)
    await go(line for line in own if line.kind != "agent" and line.whose == who)


async def undisturbed(stage: Stage, deed: Deed, hit: Sequence[Line], rest: Sequence[Line]) -> None:
    """Everybody else is told what comes next, and who was closed out is not."""
    pk = await stage.message()
    told = [line for line in rest if line.kind != "agent"]
    await until(lambda: all(pk in line.heard or line.ended for line in told), f"{deed.name}: a message at all others")
    stage.none(deed, "closed besides", sum(bool(line.ended) for line in rest))
    stage.none(deed, "told afterwards", sum(pk in line.heard for line in hit if deed.code))


async def shut_out(stage: Stage, deed: Deed, hit: Sequence[Line]) -> None:
    """Nobody comes in again by what they have lost: one of each kind tries."""
    again = {(line.kind, line.by): Line(line.kind, line.whose, line.by, line.secret) for line in hit}
    await asyncio.gather(*(line.open(stage.script, stage.workspace, 0) for line in again.values()))
    stage.none(deed, "let in again", sum(line.is_in for line in again.values()))
    await go(again.values())


async def silent(stage: Stage, deed: Deed, hit: Sequence[Line]) -> None:
    """Who is muted is not even seen typing."""
    for line in hit:
        line.errors.clear()
        await line.types()
    await until(lambda: all("unknown_type" in line.errors for line in hit), "an answer to everybody who types")
    stage.none(deed, "seen typing afterwards", sum("muted" not in line.errors for line in hit))


async def kept_apart(stage: Stage, deed: Deed, hit: Sequence[Line]) -> None:
    """A guest is not told what guests are not, neither on a page nor by a script."""
    mine = [line for line in stage.alive() if line.whose == deed.name]
    others = [line for line in stage.alive() if line.kind == "journal" and line not in mine]
    first = max(line.resets[0] for line in hit)
    last = max((line.heard[pk] for line in mine for pk in stage.hidden if pk in line.heard), default=0.0)
    stage.row.measure("told of invitations for", max(0.0, last - first), AT_ONCE * SLACK[stage.size.name])
    pk = (await asyncio.to_thread(stage.script.post, stage.path("/invitations"), {}))["id"]
    await until(lambda: all(pk in line.heard for line in others), "an invitation at all others")
    # What is said later is told after it.
    said = await stage.message()
    await until(lambda: all(said in line.heard for line in mine), "a message at the guest's")
    stage.none(deed, "told what guests are not", sum(pk in line.heard for line in mine))


async def gone_with_them(stage: Stage, deed: Deed, hit: Sequence[Line]) -> None:
    """Agents of whoever was removed stay connected, and are given nothing of this workspace any more."""
    await shut_out(stage, deed, hit)
    agents = [line for line in stage.alive() if line.kind == "agent"]
    groups = {one["name"]: one["group"] for one in stage.made["agents"]}
    away = [line for line in agents if groups[line.whose] == "away"]
    plan = [{"key": skill, "title": skill, "skills": [skill]} for skill in ("folding", "sorting")]
    given = {"goal": "Sort", "plan": plan, "start": True}
    run = (await asyncio.to_thread(stage.script.post, stage.path("/runs"), given))["id"]
    await until(lambda: any("session/new" in line.heard for line in agents if line not in away), "work for who stays")
    stage.none(deed, "agents closed", len(stage.group("away")) - len(away))
    stage.none(deed, "agents given work", sum("session/new" in line.heard for line in away))
    await asyncio.to_thread(stage.script.post, f"/api/v1/runs/{run}/cancel", {})


AFTERWARDS = {"muted": silent, "lowered": kept_apart, AWAY: gone_with_them}


async def play(stage: Stage, deeds: Sequence[Deed]) -> None:
    """One after the other, beside everybody else."""
    try:
        await stage.come(lines_of(stage, "owner", stage.size.blows))
        await stage.come(lines_of_agents(stage))
        for deed in deeds:
            await stage.come(lines_of(stage, deed.name, stage.size.tasks, deed.much))
            await measured(stage, deed, deed.name)
        for deed in OF_AGENTS:
            await measured(stage, deed, deed.name)
    finally:
        await go(stage.lines)


def narrowed(stack: Stack, size: Size, seed: int) -> Row:
    """T28 on this stack. On servers, at full size, also with Redis away."""
    deeds = list(OF_PEOPLE)
    if size.name == FULL:
        deeds += [*AT_FULL_SIZE, *([WITH_REDIS_AWAY] if isinstance(stack, Servers) else [])]
    given = json.dumps([[deed.name for deed in deeds], GROUPS, size.agents])
    made = json.loads(stack.manage("shell", "-c", call("say", {"told": given})).splitlines()[-1])
    sockets = size.tasks + size.blows + (len(GROUPS) + len(BY_KEY)) * size.agents
    row = Row("T28", f"passes and seats lost while {sockets} sockets are open", stack.name, seed)
    began = time.monotonic()
    script = Script(stack.url, made["owner"]["passes"]["other"])
    asyncio.run(play(Stage(stack, row, size, made, script), deeds))
    if row.passed:
        row.note("no other was closed; nothing was told or taken afterwards; nobody came in again")
    row.note(f"{time.monotonic() - began:.0f} s in all")
    return row


STANDING: dict[str, Callable[[Stack, Size, int], Row]] = {"T28": narrowed}
