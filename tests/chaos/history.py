"""Judges a run that is over: nothing lost, nothing doubled, nothing done again, and everybody saw the same.

Reads the database directly, since a run of 4,000 tasks shown in full would take longer than the run.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from clawgroups.core.fold import digest, empty, fold
from tests.chaos.stacks import Stack
from tests.stories import checker
from tests.stories.script import Follower, Script
from tests.stories.waiting import until

Json = dict[str, Any]
OPEN = "state NOT IN ('done', 'failed', 'cancelled')"


@dataclass
class Verdict:
    """What was found. `lost`: tasks that are not done; `doubled`: results taken twice; `repeated`: work done again."""

    lost: int = 0
    doubled: int = 0
    repeated: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Verdict) -> None:
        """Take what was found in another run to this."""
        self.lost += other.lost
        self.doubled += other.doubled
        self.repeated += other.repeated
        self.faults += other.faults

    @property
    def good(self) -> bool:
        return not (self.lost or self.doubled or self.repeated or self.faults)


def hexed(pk: str) -> str:
    """A uuid as both databases compare it with a text literal: SQLite keeps 32 digits."""
    return pk.replace("-", "")


def judge(
    stack: Stack, script: Script, workspace: str, run: str, *, prompts: Counter[str] | None = None,
    followers: Sequence[Follower] = (),
) -> Verdict:  # fmt: skip
    """Judge one run. `prompts`: how often agents that survived were given each task."""
    verdict = Verdict()
    entries, snapshot = at_one_moment(stack, script, workspace)
    tasks = _tasks(stack, run)
    done = Counter(e["payload"]["task_id"] for e in entries if e["type"] == "task.done")
    verdict.lost = sum(1 for state in tasks.values() if state != "done")
    verdict.doubled = sum(n - 1 for n in done.values() if n > 1)
    accepted = _accepted(stack, run)
    verdict.doubled += sum(n - 1 for n in accepted.values() if n > 1)
    verdict.lost += sum(1 for task, state in tasks.items() if state == "done" and accepted[task] == 0)
    if prompts is not None:
        verdict.repeated = sum(n - 1 for task, n in prompts.items() if n > 1 and task in tasks)
        # A diary that does not know the tasks proves nothing.
        untold = tasks.keys() - prompts.keys()
        verdict.faults += [f"{len(untold)} tasks are in no agent's diary"] if untold else []
    verdict.faults += checker.gapless(entries) + checker.fenced(entries) + checker.ended_as_journaled(entries, [])
    verdict.faults += open_without_deadline(stack, workspace)
    verdict.faults += same_everywhere(snapshot, entries, followers)
    return verdict


def at_one_moment(stack: Stack, script: Script, workspace: str) -> tuple[list[Json], Json]:
    """The journal and what the server shows, of the same head: agents come and go while we look."""

    def look() -> tuple[list[Json], Json] | None:
        entries = journal(stack, workspace)
        snapshot = script.get(f"/api/v1/workspaces/{workspace}/snapshot")
        return (entries, snapshot) if snapshot["seq"] == entries[-1]["seq"] else None

    found = until(look, seconds=30, what="a journal that rests")
    assert found is not None
    return found


def journal(stack: Stack, workspace: str) -> list[Json]:
    """A workspace's journal as its rows stand."""
    rows = stack.rows(
        f"SELECT seq, at, type, payload FROM clawgroups_entry WHERE {is_('workspace_id', workspace)} ORDER BY seq"
    )
    return [
        {"seq": seq, "at": str(at), "type": type_, "payload": json.loads(said) if isinstance(said, str) else said}
        for seq, at, type_, said in rows
    ]


def moments(stack: Stack, workspace: str) -> dict[int, float]:
    """When each entry was written, in seconds since 1970, by its number."""
    rows = stack.rows(f"SELECT seq, at FROM clawgroups_entry WHERE {is_('workspace_id', workspace)}")
    return {seq: seconds_of(at) for seq, at in rows}


def seconds_of(at: Any) -> float:
    """A time of either database, in seconds since 1970; SQLite keeps text without a zone."""
    moment = datetime.fromisoformat(at).replace(tzinfo=UTC) if isinstance(at, str) else at
    return float(moment.timestamp())


def head_of(stack: Stack, workspace: str) -> int:
    """The number of the journal's last entry."""
    rows = stack.rows(f"SELECT head FROM clawgroups_workspace WHERE {is_('id', workspace)}")
    return int(rows[0][0])


def is_(column: str, pk: str) -> str:
    """SQL: this column holds this id."""
    return f"replace(CAST({column} AS text), '-', '') = '{hexed(pk)}'"


def _tasks(stack: Stack, run: str) -> dict[str, str]:
    rows = stack.rows(f"SELECT id, state FROM clawgroups_task WHERE {is_('run_id', run)}")
    return {_uuid(pk): state for pk, state in rows}


def _accepted(stack: Stack, run: str) -> Counter[str]:
    rows = stack.rows(
        "SELECT a.task_id FROM clawgroups_attempt a JOIN clawgroups_task t ON t.id = a.task_id "
        f"WHERE a.state = 'accepted' AND {is_('t.run_id', run)}"
    )
    return Counter(_uuid(pk) for (pk,) in rows)


def _uuid(pk: Any) -> str:
    plain = hexed(str(pk))
    return f"{plain[:8]}-{plain[8:12]}-{plain[12:16]}-{plain[16:20]}-{plain[20:]}"


def open_without_deadline(stack: Stack, workspace: str) -> list[str]:
    """Open tasks of a workspace that do not say whom they wait for, until when, and what happens then."""
    rows = stack.rows(
        f"SELECT key, state FROM clawgroups_task WHERE {OPEN} AND {is_('workspace_id', workspace)} "
        "AND (blocked_on = '' OR next_actor = '' OR deadline_at IS NULL OR deadline_effect = '')"
    )
    return [f"task {key} is {state} and says nothing of what comes next" for key, state in rows]


def same_everywhere(snapshot: Json, entries: Sequence[Json], followers: Sequence[Follower]) -> list[str]:
    """What each client heard, folded, is what the server shows; nothing missing, nothing twice."""
    found = []
    truth = _seen(snapshot["state"])
    for number, one in enumerate(followers):
        one.caught_up(entries[-1]["seq"])
        heard = [entry for entry in one.entries.all() if entry["seq"] <= entries[-1]["seq"]]
        seqs = [entry["seq"] for entry in heard]
        if seqs != list(range(1, len(entries) + 1)):
            found.append(
                f"client {number} heard {len(seqs)} entries, {len(set(seqs))} of them different, of {len(entries)}"
            )
        elif _seen(fold(empty(), heard)) != truth:
            found.append(f"client {number}: what it heard does not come to what the server shows")
    return found


def _seen(state: Json) -> str:
    """The digest of a state without what no entry carries."""
    return digest({**state, "workspace": {**state["workspace"], "goal": ""}})
