"""A task with everything on its page, laid straight into the database: what agents would need many minutes for.

`lay()` runs in a `manage.py shell` of an installation and prints the addresses. What it makes stays as it is under a
running coordinator: a task that is done, one in the owner's hands, one that waits, one that was given up. With
`all_states` others come to it, which only stay while no worker runs.
"""

from __future__ import annotations

import base64
import json
import struct
import zlib
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db.models import F
from django.utils import timezone

from agents.models import Agent
from clawgroups.auth import actor_of_user
from clawgroups.core.acceptance import Finding, Verdict
from clawgroups.core.actors import Actor
from clawgroups.models import Attempt, Member, Part, Run, Step, Task
from clawgroups.services import agents, files, finishing, members, review, runs, takeover, workspaces
from clawgroups.services.perform import perform
from clawgroups.services.tool_output import MOST_KEPT, Keeper

Json = dict[str, Any]
TEXT = """The north grew by **12 %**, the south by 3 %. Numbers come from `sales.csv`.

| Region | 2024 | 2025 |
|---|---|---|
| North | 410 | 459 |
| South | 388 | 400 |
"""
OLD = "\n".join(f'    row_{n} = load("sales.csv", {n})' for n in range(40))
NEW = OLD.replace("row_7 = load", "row_seven = read").replace(
    'row_30 = load("sales.csv", 30)', "row_30 = 0\n    row_31b = <script>alert(1)</script>"
)
COLOURS = "\x1b[32m12 passed\x1b[0m, \x1b[31m1 failed\x1b[0m in 3.1 s\n\x1b[1mreport.py\x1b[0m:14 AssertionError\n"
SKILL = "typesetting"
"""What nobody has who is at hand, so that nobody is given what is laid here."""
PLAN: list[Json] = [
    {
        "key": "look",
        "title": "Profile the sales file",
        "skills": [SKILL],
        "acceptance": ["not_empty", "contains: north"],
    },
    {
        "key": "write",
        "title": "Write the report",
        "skills": [SKILL],
        "depends_on": ["look"],
        "acceptance": ["not_empty", "min_words: 5", "It names the reason for the growth"],
        "instructions": "Two pages for the board.\n\n- every number names its source\n- no jargon",
    },
    {"key": "print", "title": "Lay it out for print", "skills": [SKILL], "depends_on": ["write"]},
    {"key": "drop", "title": "Translate it", "skills": [SKILL]},
]
MORE: list[Json] = [
    {"key": "work", "title": "Draw the charts", "skills": [SKILL]},
    {
        "key": "review",
        "title": "Check the numbers",
        "skills": [SKILL],
        "acceptance": ["not_empty", "It is convincing"],
    },
    {"key": "other", "title": "Write the summary", "skills": [SKILL]},
    {"key": "ready", "title": "Collect quotes", "skills": [SKILL]},
]


def picture(size: int = 96) -> str:
    """A PNG with a slope of colour, as agents send it."""
    rows = b"".join(b"\0" + bytes(v for x in range(size) for v in (40 + x, 90, 220 - y)) for y in range(size))
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", size, size, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(rows)),
        (b"IEND", b""),
    ]
    body = b"".join(struct.pack(">I", len(d)) + n + d + struct.pack(">I", zlib.crc32(n + d)) for n, d in chunks)
    return base64.b64encode(b"\x89PNG\r\n\x1a\n" + body).decode()


def lay(owner: str = "owner", *, all_states: bool = False) -> str:
    """Make it all; the addresses by name, as JSON."""
    user = User.objects.get(username=owner)
    actor = actor_of_user(user)
    room = UUID(
        perform(workspaces.create_workspace, name="Sales desk", goal="Know the numbers", actor=actor).answer["id"]
    )
    made = perform(
        agents.register_agent,
        name="Quill",
        handle=f"quill-{uuid4().hex[:6]}",
        skills=[{"name": SKILL, "level": 4}],
        model="kimi-k2.6",
        workspace_id=room,
        key=agents.mint_key(),
        actor=actor,
    )
    quill = Member.objects.get(workspace=room, agent=Agent.objects.get(pk=made.answer["id"]))
    stored = files.store([b"day,region,sum\nMon,north,3\n"], name="sales.csv", content_type="text/csv")
    plan = PLAN + (MORE if all_states else [])
    drafted = perform(
        runs.draft_run, room, goal="Understand the sales of 2025", inputs=[stored], plan=plan, actor=actor
    )
    run = UUID(drafted.answer["id"])
    perform(runs.start_run, run, actor=actor)
    tasks = {task.key: task for task in Task.objects.filter(run=run)}
    _done(tasks["look"], quill, actor)
    _held(tasks["write"], quill, actor)
    now = timezone.now()
    Task.objects.filter(pk=tasks["drop"].pk).update(
        state="failed",
        ended_at=now,
        reason="Three tries came to nothing: the model server refused each.",
        failure="error",
    )
    Run.objects.filter(pk=run).update(open_tasks=F("open_tasks") - 1)
    _attempt(tasks["drop"], quill, 1, "refused", now - timedelta(minutes=9), reason="The model server is away.")
    if all_states:
        _others(tasks, quill, room, actor)
    return json.dumps({key: f"/w/{room}/tasks/{task.pk}/" for key, task in tasks.items()})


def _attempt(task: Task, seat: Member, number: int, state: str, at: datetime, **extra: Any) -> Attempt:
    return Attempt.objects.create(
        workspace_id=task.workspace_id,
        task=task,
        member=seat,
        number=number,
        epoch=task.epoch + number,
        state=state,
        offered_at=at,
        begun_at=at,
        ended_at=None if state in ("working", "submitted") else at + timedelta(minutes=4),
        **extra,
    )


def _done(task: Task, quill: Member, actor: Actor) -> None:
    """Two tries of an agent, then by hand, accepted."""
    at = timezone.now() - timedelta(minutes=30)
    first = _attempt(
        task,
        quill,
        1,
        "returned",
        at,
        result="The north grew.\n",
        reason="returned: it names no numbers",
        submitted_at=at,
        verdicts=[
            {"line": "not_empty", "finding": "passed", "reason": "3 words", "by": "objective check"},
            {"line": "contains: north", "finding": "failed", "reason": "it names no numbers", "by": actor.name},
        ],
    )
    _words(first, at, many=12)
    perform(takeover.take_over, task.pk, actor=actor)
    report = files.store([b"region,sum\nnorth,459\n"], name="profile.csv", content_type="text/csv")
    perform(finishing.submit_held, task.pk, result=TEXT, files=[report], actor=actor)
    task.refresh_from_db()
    if task.state == "in_review":
        lines = [Verdict(line, Finding.PASSED, "accepted by a person", actor.name) for line in task.acceptance]
        perform(review.accept_task, task.pk, verdicts=lines, actor=actor)


def _held(task: Task, quill: Member, actor: Actor) -> None:
    """An agent's long try, taken over in the middle."""
    at = timezone.now() - timedelta(minutes=12)
    _attempt(task, quill, 1, "expired", at - timedelta(minutes=20), reason="It had ten minutes and did not deliver.")
    began = _attempt(task, quill, 2, "superseded", at, reason=f"taken over by {actor.name}", plan=_plan())
    _words(began, at, many=230)
    perform(takeover.take_over, task.pk, actor=actor)


def _plan() -> list[Json]:
    states = ("completed", "completed", "in_progress", "pending")
    words = ("Read the numbers", "Compare the regions", "Write the first page", "Check the sources")
    return [{"content": text, "priority": "medium", "status": state} for text, state in zip(words, states, strict=True)]


def _words(attempt: Attempt, at: datetime, *, many: int) -> None:
    """What was said and done: looks, edits, a picture, a terminal, a link, and something hostile."""
    rows: list[tuple[str, str, str, Json]] = [
        (f"Read part {n} of sales.csv", "read", "completed", {"content": [_text(f"part {n}\n" * 3)]})
        for n in range(many)
    ]
    rows += [
        (
            "Edit report.py",
            "edit",
            "completed",
            {
                "locations": [{"path": "/home/quill/reports/2025/report.py", "line": 14}],
                "raw_input": {"token": "secret-input"},
                "content": [{"type": "diff", "path": "reports/2025/report.py", "oldText": OLD, "newText": NEW}],
            },
        ),
        (
            "Write notes.md",
            "edit",
            "completed",
            {"content": [{"type": "diff", "path": "notes.md", "newText": "# Notes\nNorth is up.\n"}]},
        ),
        ("Run pytest", "execute", "failed", {"content": [_text(COLOURS)]}),
        (
            "Draw the regions",
            "other",
            "completed",
            {
                "content": [
                    {"type": "content", "content": {"type": "image", "mimeType": "image/png", "data": picture()}}
                ]
            },
        ),
        ("Print everything", "execute", "completed", {"content": [_text("line of output\n" * 30_000)]}),
        (
            "Fetch <img src=x onerror=alert(1)>\u202etxt.exe",
            "fetch",
            "completed",
            {
                "content": [
                    {
                        "type": "content",
                        "content": {
                            "type": "resource_link",
                            "name": "the source",
                            "uri": "https://example.org/sales",
                            "description": "public figures",
                        },
                    },
                    {
                        "type": "content",
                        "content": {"type": "resource_link", "name": "a trap", "uri": "javascript:alert(1)"},
                    },
                    {
                        "type": "content",
                        "content": {
                            "type": "image",
                            "mimeType": "image/svg+xml",
                            "data": base64.b64encode(b"<svg onload='alert(1)'/>").decode(),
                        },
                    },
                ]
            },
        ),
    ]
    Part.objects.create(id=uuid4(), attempt=attempt, ordinal=1, kind="text", text="I read the file first.", at=at)
    Part.objects.create(id=uuid4(), attempt=attempt, ordinal=2, kind="thought", text="The north looks *odd*.", at=at)
    for number, (title, kind, status, detail) in enumerate(rows, start=3):
        began = at + timedelta(seconds=2 * number)
        shown = {**detail, "content": Keeper(MOST_KEPT).content(detail["content"])}
        Step.objects.create(
            id=uuid4(),
            attempt=attempt,
            ordinal=number,
            tool_call_id=f"c{number}",
            title=title,
            kind=kind,
            status=status,
            detail=shown,
            started_at=began,
            ended_at=began + timedelta(seconds=number % 7),
        )
    Part.objects.create(id=uuid4(), attempt=attempt, ordinal=900, kind="text", text=TEXT, at=at)


def _text(text: str) -> Json:
    return {"type": "content", "content": {"type": "text", "text": text}}


def _others(tasks: dict[str, Task], quill: Member, room: UUID, actor: Actor) -> None:
    """States that a coordinator would move on from."""
    now = timezone.now()
    work = tasks["work"]
    live = _attempt(
        work,
        quill,
        1,
        "working",
        now - timedelta(minutes=3),
        plan=_plan(),
        progress={"percent": 55, "note": "Drawing the second chart", "at": now.isoformat()},
    )
    _words(live, now - timedelta(minutes=3), many=5)
    Step.objects.create(
        id=uuid4(),
        attempt=live,
        ordinal=950,
        tool_call_id="now",
        title="Render chart 2",
        kind="execute",
        status="in_progress",
        started_at=now,
    )
    Task.objects.filter(pk=work.pk).update(
        state="working",
        assignee=quill,
        attempt=live,
        epoch=live.epoch,
        next_actor="Quill",
        blocked_on="agent",
        deadline_at=now + timedelta(minutes=27),
        deadline_effect="it is given to another member",
        close_by=now + timedelta(hours=3),
    )
    perform(takeover.take_over, tasks["review"].pk, actor=actor)
    perform(finishing.submit_held, tasks["review"].pk, result=TEXT, actor=actor)
    Task.objects.filter(pk=tasks["review"].pk).update(
        blocked_on="person", next_actor="a member of the team", deadline_at=now + timedelta(hours=1)
    )
    bob, _ = User.objects.get_or_create(username="bob")
    perform(members.add_person, room, username="bob", role="member", actor=actor)
    perform(takeover.take_over, tasks["other"].pk, actor=actor_of_user(bob))
