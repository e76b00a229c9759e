"""Everything that can wait for a person, laid straight into the database; `lay()` runs in a `manage.py shell`.

What is laid stays under a running coordinator: its agents are connected to nobody, and their leases never end.
"""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from django.contrib.auth.models import User
from django.db import transaction
from django.utils import timezone

from agents.ids import new_id
from agents.models import Agent, Connection
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Attempt, Member, Rule, Run, Session, Task, Vote
from clawgroups.services import agents, control, members, putting, runs, takeover, workspaces
from clawgroups.services.perform import perform

Json = dict[str, Any]
ONCE = {"optionId": "once", "name": "Allow once", "kind": "allow_once"}
ALWAYS = {"optionId": "always", "name": "Always allow", "kind": "allow_always"}
NO = {"optionId": "no", "name": "Reject", "kind": "reject_once"}
OLD = "\n".join(f'    row_{n} = load("sales.csv", {n})' for n in range(40)) + "\n"
NEW = OLD.replace("row_7 = load", "row_seven = read").replace('row_30 = load("sales.csv", 30)', "row_30 = 0")
# What agents ask leave for, as they send it: name, call, the choices, seconds ago.
CALLS: list[tuple[str, Json, list[Json], int]] = [
    (
        "Scribe",
        {
            "title": "Push the branch",
            "kind": "execute",
            "raw_input": {
                "command": "git push --force-with-lease origin report/2025-q3",
                "cwd": "/srv/agents/scribe/sales",
                "description": "Publishes what was reviewed",
            },
        },
        [ONCE, ALWAYS, NO],
        1260,
    ),
    (
        "Quill",
        {
            "title": "Edit report.py",
            "kind": "edit",
            "locations": [{"path": "reports/2025/report.py", "line": 7}],
            "content": [{"type": "diff", "path": "reports/2025/report.py", "oldText": OLD, "newText": NEW}],
            "raw_input": {"file_path": "reports/2025/report.py"},
        },
        [ONCE, ALWAYS, NO],
        840,
    ),
    (
        "Ledger",
        {
            "title": "Fetch rates",
            "kind": "fetch",
            "raw_input": {"url": "https://api.exchange.example/v2/latest?base=EUR&symbols=USD,JPY", "timeout": 30},
        },
        [ONCE, NO],
        600,
    ),
    (
        "Atlas",
        {
            "title": "Remove old exports",
            "kind": "delete",
            "raw_input": {"paths": ["exports/2021.csv", "exports/2022.csv"]},
        },
        [ONCE, NO],
        420,
    ),
    ("Vibe", {"title": "May I look around a little?", "kind": "other"}, [ONCE, NO], 300),
    (
        "Courier",
        {
            "kind": "execute",
            "title": "Clean up",
            "raw_input": {"command": "rm -rf build \u202e# dliub ylno\u202c && npm publish", "env": {"NPM_TOKEN": "…"}},
        },
        [ONCE, NO],
        200,
    ),
]


class Desk:
    """A workspace of the owner's in which agents work and ask."""

    def __init__(self, owner: str, name: str) -> None:
        self.user = User.objects.get(username=owner)
        self.actor = actor_of_user(self.user)
        made = perform(workspaces.create_workspace, name=name, goal="Know the numbers", actor=self.actor)
        self.room = UUID(made.answer["id"])
        self.seats: dict[str, Member] = {}

    def agent(self, name: str) -> Member:
        """An agent with this name, connected for good."""
        if name not in self.seats:
            key = agents.mint_key()
            handle = f"{name.lower().replace(' ', '-')}-{uuid4().hex[:6]}"
            made = perform(
                agents.register_agent, name=name, handle=handle, workspace_id=self.room, key=key, actor=self.actor
            )
            agent = Agent.objects.get(pk=made.answer["id"])
            far = timezone.now() + timedelta(days=2)
            Connection.objects.create(
                agent=agent, key=agent.keys.get(), epoch=1, opened_at=far, ready_at=far, seen_at=far
            )
            self.seats[name] = Member.objects.get(workspace=self.room, agent=agent)
        return self.seats[name]

    def run(self, goal: str, titles: list[str], *, state: str = "running", **columns: Any) -> list[Task]:
        """A run with these tasks; nobody is told of it."""
        plan = [{"key": f"t{n}", "title": title, "skills": ["typesetting"]} for n, title in enumerate(titles)]
        made = perform(runs.draft_run, self.room, goal=goal, plan=plan, actor=self.actor)
        if state != "proposed":
            Run.objects.filter(pk=made.answer["id"]).update(state=state, started_at=timezone.now(), **columns)
        return list(Task.objects.filter(run=made.answer["id"]).order_by("position"))

    def at_work(self, task: Task, name: str, **columns: Any) -> Session:
        """The agent is in the middle of its turn."""
        seat, now = self.agent(name), timezone.now()
        attempt = Attempt.objects.create(
            workspace_id=self.room, task=task, member=seat, number=1, epoch=1, state="working", offered_at=now,
            begun_at=now, progress_at=now, close_by=now + timedelta(days=1),
        )  # fmt: skip
        later = {"deadline_at": now + timedelta(days=1), "deadline_effect": "it is given to another member"}
        Task.objects.filter(pk=task.pk).update(
            state="working", assignee=seat, attempt=attempt, epoch=1, blocked_on="agent", **later, **columns
        )
        assert seat.agent_id is not None
        return Session.objects.create(
            workspace_id=self.room, agent_id=seat.agent_id, task=task, attempt=attempt, acp_id=uuid4().hex,
            public_id=uuid4().hex[:16], digest=uuid4().hex, state="open", opened_at=now,
        )  # fmt: skip

    def ask(self, task: Task, name: str, call: Json, options: list[Json], ago: int = 0, **columns: Any) -> UUID:
        """Its agent asks for permission, so many seconds ago."""
        session = self.at_work(task, name)
        me = Actor(ActorKind.AGENT, name, agent_id=session.agent_id)
        given = {"toolCallId": "c1", **call}
        made = perform(putting.request_approval, session.pk, request_id=0, tool_call=given, options=options, actor=me)
        now = timezone.now()
        times = {"asked_at": now - timedelta(seconds=ago), "expires_at": now + timedelta(days=1)}
        Approval.objects.filter(pk=made.answer["id"]).update(**{**times, **columns})
        return UUID(made.answer["id"])


def lay(owner: str = "owner") -> str:
    """One of everything, in two workspaces; the addresses by name, as JSON."""
    desk, other = Desk(owner, "Sales desk"), Desk(owner, "Website")
    asked = [call[1]["title"] for call in CALLS]
    tasks = desk.run("Understand the sales of 2025", asked)
    made: dict[str, Any] = {"room": str(desk.room), "asks": []}
    for task, (name, call, options, ago) in zip(tasks, CALLS, strict=True):
        made["asks"].append(str(desk.ask(task, name, call, options, ago)))
    _critical(desk)
    made["alike"] = _alike(other, 5)
    _told(other)
    _tasks(desk)
    _runs(other)
    _people(desk)
    agent = desk.agent("Kimi").agent
    since = (timezone.now() - timedelta(minutes=50)).isoformat()
    methods = [{"id": "browser", "name": "with a browser", "description": ""}]
    told = {"needs_login": {"message": "Please run /login", "since": since}, "auth_methods": methods}
    assert agent is not None
    Agent.objects.filter(pk=agent.pk).update(announced=told)
    return json.dumps(made)


def _critical(desk: Desk) -> None:
    nina, _ = User.objects.get_or_create(username="nina")
    perform(members.add_person, desk.room, username="nina", role="member", actor=desk.actor)
    rule = Rule.objects.create(
        workspace_id=desk.room,
        answer="critical",
        needed=2,
        note="Production",
        commands=["kubectl *"],
        made_at=timezone.now(),
    )
    (task,) = desk.run("Ship it", ["Roll out the new prices"])
    call = {
        "title": "Roll out",
        "kind": "execute",
        "raw_input": {"command": ["kubectl", "--context", "production", "rollout", "restart", "deploy/prices"]},
    }
    pk = desk.ask(task, "Atlas", call, [ONCE, ALWAYS, NO], 95, rule=rule, needed=2)
    Vote.objects.create(
        approval_id=pk, member=Member.objects.get(workspace=desk.room, user=nina), option_id="once", at=timezone.now()
    )


def _alike(desk: Desk, number: int, ago: int = 480) -> list[str]:
    """So many agents that ask for the same."""
    tasks = desk.run("Translate the site", [f"Translate part {n + 1}" for n in range(number)])
    call = {"title": "Install", "kind": "execute", "raw_input": {"command": "npm install --save-dev prettier@3"}}
    same = uuid4().hex + uuid4().hex
    return [
        str(desk.ask(task, f"Hand {n + 1}", call, [ONCE, ALWAYS, NO], ago - n, sameness=same))
        for n, task in enumerate(tasks)
    ]


def _told(desk: Desk) -> None:
    """Questions to people: one with choices, one with a form."""
    first, second = desk.run("Write the newsletter", ["Write the opening", "Choose the picture"])
    choices = [
        {"optionId": str(n), "name": word, "kind": "allow_once"} for n, word in enumerate(("Formal", "Friendly"))
    ]
    title = "Which tone shall the opening have? The last one was **formal**, and twelve people complained."
    desk.ask(first, "Scribe", {"title": title}, choices, 370, kind="question")
    fields = {
        "where": {"type": "string", "title": "Where is it shown?", "enum": ["top", "bottom"]},
        "wide": {"type": "boolean", "title": "Over the whole width"},
    }
    form = {"type": "object", "properties": fields, "required": ["where"]}
    options = [dict(one) for one in putting.FORM_OPTIONS]
    desk.ask(second, "Quill", {"title": "How shall the picture stand?"}, options, 250, kind="form", form=form)


def _tasks(desk: Desk) -> None:
    """Tasks that only a person moves on: a verdict, and one that is stuck."""
    review, stuck = desk.run("Report for the board", ["Write the summary", "Collect quotes"])
    session = desk.at_work(review, "Quill")
    now = timezone.now()
    text = "The north grew by **12 %**, the south by 3 %. Numbers come from `sales.csv`.\n\nBoth had a slow spring."
    verdicts = [{"line": "not_empty", "finding": "passed", "reason": "24 words", "by": "objective check"}]
    Attempt.objects.filter(pk=session.attempt_id).update(
        state="submitted", result=text, verdicts=verdicts, submitted_at=now
    )
    lines = ["not_empty", "It is convincing for people who do not know the market"]
    waits = {"blocked_on": "person", "next_actor": "a member of the team", "deadline_at": now + timedelta(days=1)}
    Task.objects.filter(pk=review.pk).update(
        state="in_review", acceptance=lines, resting_since=now - timedelta(minutes=33), **waits
    )
    why = "Three agents have tried it, and none found a quote with a source. Say where to look, or do it by hand."
    Task.objects.filter(pk=stuck.pk).update(
        state="stuck", reason=why, resting_since=now - timedelta(hours=2), blocked_on="person", next_actor="owner"
    )


def _runs(desk: Desk) -> None:
    """A plan to start, a goal asked about, a limit that is used up."""
    desk.run("Move the shop to the new theme", ["Look", "Change", "Check"], state="proposed")
    question = "Which of the two price lists counts for customers in Switzerland?"
    desk.run("Send the price lists", ["Send"], state="planning", question=question)
    desk.run("Tag all pictures", ["Tag"], budget_stop="500,000 of 500,000 tokens are used.")
    Task.objects.filter(workspace=desk.room, title="Tag").update(
        state="ready", paused="owner", blocked_on="outside", next_actor="owner, who may let it go on"
    )


def _people(desk: Desk) -> None:
    """Somebody asks the owner for a task in hand."""
    nina = actor_of_user(User.objects.get(username="nina"))
    (task,) = desk.run("Answer the auditors", ["Answer question 14"])
    Task.objects.filter(pk=task.pk).update(state="ready", blocked_on="nobody", next_actor="coordinator")
    perform(takeover.take_over, task.pk, actor=desk.actor)
    perform(control.ask_for, task.pk, note="I have the contract open anyway.", actor=nina)


def crowd(number: int, owner: str = "owner") -> str:
    """A workspace in which so many agents ask, each for something else."""
    desk = Desk(owner, "A busy place")
    tasks = desk.run("Do a lot", [f"Step {n + 1}" for n in range(number)])
    call = {"title": "Run", "kind": "execute", "raw_input": {"command": "cat notes.md", "cwd": "/srv/run"}}
    first = Approval.objects.get(pk=desk.ask(tasks[0], "Runner", call, [ONCE, ALWAYS, NO], number))
    copy = {f.attname: getattr(first, f.attname) for f in Approval._meta.concrete_fields}
    now, rows = timezone.now(), []
    with transaction.atomic():
        for n, task in enumerate(tasks[1:], start=1):
            session = desk.at_work(task, "Runner")
            step = {**call, "raw_input": {"command": f"cat notes-{n}.md", "cwd": "/srv/run"}}
            own = {"id": new_id(), "task_id": task.pk, "attempt_id": session.attempt_id, "session_id": session.pk}
            asked = {"tool_call": step, "sameness": "", "asked_at": now - timedelta(seconds=number - n)}
            rows.append(Approval(**{**copy, **own, **asked}))
    Approval.objects.bulk_create(rows)
    waits = {"blocked_on": "person", "next_actor": owner}
    Task.objects.filter(workspace=desk.room, attempt__isnull=False).update(**waits)
    return json.dumps({"room": str(desk.room), "asks": [str(first.pk), *(str(row.pk) for row in rows)]})
