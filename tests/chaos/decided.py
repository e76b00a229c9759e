"""Judges T22 by the rows of the questions, the journal, and what the agents noted of the answers that they got."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.chaos.crew import Crew
from tests.chaos.deciders import Said
from tests.chaos.history import hexed
from tests.chaos.stacks import Stack

Json = dict[str, Any]
Asked = tuple[str, int]
"""An agent's name and the id of its request."""
ENDS = {"decided": "approval.decided", "expired": "approval.expired", "void": "approval.voided"}


@dataclass(frozen=True)
class Question:
    """A row; `by` is the user whose seat decided it, none where a rule did."""

    pk: str
    agent: str
    request: int
    call: str
    state: str
    why: str
    option: str
    sent: str
    offered: tuple[str, ...]
    rejections: tuple[str, ...]
    by: int | None
    rule: str | None

    @property
    def told(self) -> tuple[str, ...]:
        """What its agent may have been told."""
        return (self.sent or self.option,) if self.state == "decided" else self.rejections


def questions(stack: Stack, workspace: str) -> list[Question]:
    """Every question of a workspace, in the order in which they came."""
    rows = stack.rows(
        "SELECT p.id, m.name, p.request_id, p.tool_call, p.state, p.why, p.option_id, p.sent_option, p.options, "
        "d.user_id, p.rule_id FROM clawgroups_approval p JOIN clawgroups_attempt a ON a.id = p.attempt_id "
        "JOIN clawgroups_member m ON m.id = a.member_id LEFT JOIN clawgroups_member d ON d.id = p.decided_by_id "
        f"WHERE {_of(workspace, 'p.')} ORDER BY p.asked_at, p.id"
    )
    found = []
    for pk, name, request, call, state, why, option, sent, given, by, rule in rows:
        options = _json(given)
        offered = tuple(one["optionId"] for one in options)
        rejections = tuple(one["optionId"] for one in options if one["kind"].startswith("reject"))
        agent, request_id = name.lower().replace(" ", "-"), int(_json(request))
        about = (
            hexed(str(pk)),
            agent,
            request_id,
            _json(call)["toolCallId"],
            state,
            why,
            option,
            sent,
            offered,
            rejections,
        )
        found.append(Question(*about, by, rule))
    return found


def faults(stack: Stack, workspace: str, crew: Crew, said: Sequence[Said]) -> list[str]:
    """Everything that is wrong with how questions were answered, as sentences."""
    rows = questions(stack, workspace)
    return [*_told(rows, crew), *_journaled(stack, workspace, rows), *_answered(rows, said)]


def _told(rows: Sequence[Question], crew: Crew) -> Iterator[str]:
    """Each request of an agent got one answer: that of the last question that stood for it."""
    heard: dict[Asked, list[str]] = defaultdict(list)
    asked: set[Asked] = set()
    for line in crew.lines():
        if line["what"] == "answered":
            heard[line["agent"], line["id"]].append(line["option"])
        elif line["what"] == "asked":
            asked.add((line["agent"], line["id"]))
    last = {(row.agent, row.request): row for row in rows}
    if asked != last.keys():
        yield f"{len(asked ^ last.keys())} requests of agents are no question, or the other way round"
    for key, row in last.items():
        if len(heard[key]) != 1:
            yield f"{key} was answered {heard[key]}, and is {row.state} {row.why}"
        elif heard[key][0] not in row.told:
            yield f"{key} was told {heard[key][0]}, and is {row.state} {row.why}: {row.told}"
        elif heard[key][0] not in row.offered:
            yield f"{key} was told {heard[key][0]}, which it did not offer"


def _journaled(stack: Stack, workspace: str, rows: Sequence[Question]) -> Iterator[str]:
    """Each came to one end, and what a person decided was decided by a person."""
    ends: dict[str, list[str]] = defaultdict(list)
    types = ", ".join(f"'{one}'" for one in ENDS.values())
    entries = stack.rows(
        f"SELECT type, actor, payload FROM clawgroups_entry WHERE type IN ({types}) AND {_of(workspace)} ORDER BY seq"
    )
    for type_, actor, payload in entries:
        ends[hexed(_json(payload)["approval_id"])].append(type_)
        if type_ == ENDS["decided"] and _json(actor)["kind"] != "person" and not _json(payload).get("rule_id"):
            yield f"question {_json(payload)['approval_id']} was decided by {actor}"
    for row in rows:
        if ends[row.pk] != [ENDS.get(row.state, "open")]:
            yield f"question {row.pk} is {row.state}, and the journal says {ends[row.pk]}"
        if row.state == "decided" and row.by is None and row.rule is None:
            yield f"question {row.pk} of {row.agent} was decided by no person"


def _answered(rows: Sequence[Question], said: Sequence[Said]) -> Iterator[str]:
    """Of those who answered the same, one was told that it counts, and it is what counts."""
    took = Counter(hexed(one.approval) for one in said if one.decided)
    what = {hexed(one.approval): one.option for one in said if one.decided}
    for row in rows:
        wanted = int(row.state == "decided" and row.by is not None)
        if took[row.pk] != wanted:
            yield f"question {row.pk} is {row.state}, and {took[row.pk]} people were told that they decided it"
        elif wanted and what[row.pk] != row.option:
            yield f"question {row.pk}: {what[row.pk]} was taken, and {row.option} stands there"
    for status, code in {(one.status, one.code) for one in said}:
        if status not in (200, 409):
            yield f"somebody's answer was refused with {status} {code}"


def _of(workspace: str, table: str = "") -> str:
    return f"replace(CAST({table}workspace_id AS text), '-', '') = '{hexed(workspace)}'"


def _json(value: Any) -> Any:
    return json.loads(value) if isinstance(value, str) else value
