"""The crowd's run as rows: tasks, what was tried at them, what was said, done, asked and delivered. Used by `crowd`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import cycle
from typing import Any

from django.db.models import Model

from agents.ids import new_id
from clawgroups.core.actors import COORDINATOR, SYSTEM, Actor, ActorKind
from clawgroups.core.timers import RUN_ENDS
from clawgroups.core.transcript import Standing
from clawgroups.models import (
    Approval,
    Artifact,
    Attempt,
    Command,
    ControlRequest,
    Dependency,
    Draft,
    Member,
    Message,
    Part,
    Run,
    Session,
    Step,
    Task,
    Usage,
)
from clawgroups.services.files import store
from clawgroups.services.usage import usage_id
from tests.browser.crowd_plan import IN_HAND, Planned
from tests.browser.crowd_team import LEASE, Team
from tests.browser.crowd_words import (
    ACCEPTANCE,
    CALLS,
    CHAT,
    NEWEST,
    PERMISSIONS,
    PLAN,
    QUESTIONS,
    RESULT,
    SAID,
    STUCK,
    THOUGHT,
    Speech,
)

TERMINAL = frozenset({"done", "failed", "cancelled"})
RESTS = frozenset({"asks", "held", "judge", "stuck", "stopped", "paused"})
OPTIONS = [
    {"optionId": "yes", "name": "Allow once", "kind": "allow_once"},
    {"optionId": "no", "name": "Do not", "kind": "reject_once"},
]
# As agents name what they change: no blank in it, and wider than any phone.
DEEP = "/home/ada/.local/state/clawgroups/tasks/01a223e5-8c1f-7720-b458-74abc286cef6/accounts.csv"
HOUR = timedelta(hours=1)
ORDER: tuple[type[Model], ...] = (
    Task, Dependency, Attempt, Session, Command, Step, Part, Draft, Approval, ControlRequest, Artifact, Message, Usage,
)  # fmt: skip


class Written:
    """Collects the rows of one run; `save` writes them, table by table."""

    def __init__(self, team: Team, run: Run, plan: list[Planned], speech: Speech, now: datetime) -> None:
        self.team, self.run, self.plan, self.speech, self.now = team, run, plan, speech, now
        self.rows: dict[type[Model], list[Any]] = {}
        self._hands: Iterator[Member] = iter(team.free)
        self._workers, self._people = cycle(team.seats), cycle(team.people)
        self._tasks: dict[int, Task] = {}
        for one in plan:
            self._tasks[one.number] = self._task(one)
        self._chat()

    def save(self) -> None:
        """Write everything: tasks at first without the attempts that are made of them."""
        attempts = [(task, task.attempt) for task in self._tasks.values() if task.attempt is not None]
        for task, _ in attempts:
            task.attempt = None
        for model in ORDER:
            model.objects.bulk_create(self.rows.get(model, ()), batch_size=400)  # type: ignore[attr-defined]
        for task, attempt in attempts:
            task.attempt = attempt
        Task.objects.bulk_update([task for task, _ in attempts], ["attempt"], batch_size=250)

    def _add(self, row: Any) -> Any:
        self.rows.setdefault(type(row), []).append(row)
        return row

    # A task and what became of it

    def _task(self, one: Planned) -> Task:
        ended = self._ago(5, 170) if one.state in TERMINAL else None
        task: Task = self._add(
            Task(
                pk=new_id(), workspace=self.team.workspace, run=self.run, key=f"t{one.number}", position=one.number,
                level=one.level, bottom_level=one.bottom, title=one.title, kind="work", skills=[one.skill],
                instructions=self.speech("Use only what is in the folder of {place}. Say what is missing."),
                acceptance=list(ACCEPTANCE), state=one.state, waiting_on=one.unfinished,
                minutes=5 + one.number % 20, created_at=self.now - 3 * HOUR, ended_at=ended,
                close_by=self.now + LEASE if one.stands != "waiting" and ended is None else None,
                resting_since=self._ago(1, 20) if one.stands in RESTS else None,
            )
        )  # fmt: skip
        for parent in one.parents:
            self._add(Dependency(task=task, parent=self._tasks[parent.number]))
        self._fate(one, task)
        return task

    def _fate(self, one: Planned, task: Task) -> None:
        """What each state brings along."""
        match one.stands:
            case "waiting":
                self._waits(task, "outside", "earlier tasks")
            case "ready":
                self._waits(task, "nobody", "coordinator", "a person is asked to assign it")
            case "paused":
                name = self.team.people[0].name
                task.paused = name
                self._waits(task, "outside", f"{name}, who may let it go on")
            case "held":
                self._held(task)
            case "stuck" | "stopped" | "failed":
                self._stuck(task, one.stands)
            case "in_review" | "judge" | "done":
                self._delivered(task, one.stands)
            case stands if stands in IN_HAND:
                self._in_hand(task, stands)

    def _waits(self, task: Task, blocked_on: str, who: str, effect: str = "") -> None:
        """Without an effect of its own only the run's deadline bounds it."""
        task.blocked_on, task.next_actor, task.deadline_effect = blocked_on, who, effect or RUN_ENDS
        task.deadline_at = self.now + LEASE if effect else self.run.deadline_at

    def _in_hand(self, task: Task, stands: str) -> None:
        seat = next(self._hands)
        begun = stands != "assigned"
        attempt = self._attempt(task, seat, "working" if begun else "offered", self._ago(1, 25))
        task.assignee, task.attempt, task.epoch, task.tries = seat, attempt, 1, 1
        self._waits(task, "agent", seat.name, "it is given to the next best member, with what was done so far")
        self._session(task, attempt, begun=begun)
        if not begun:
            return
        steps = self._work(attempt, self.speech.random.randrange(2, 9), ended=False)
        ticked = min(len(PLAN) - 1, steps // 2)
        status = ["completed"] * ticked + ["in_progress"] + ["pending"] * (len(PLAN) - ticked - 1)
        attempt.plan = [{"content": line, "status": how} for line, how in zip(PLAN, status, strict=True)]
        if self.speech.random.random() < 0.7:
            percent = min(95, 8 + steps * 10)
            attempt.progress = {"percent": percent, "note": self.speech(NEWEST), "at": self._ago(0, 2).isoformat()}
        attempt.progress_at = self._ago(0, 1)
        if stands == "quiet":
            attempt.quiet_since = attempt.progress_at = self._ago(3, 9)
        if stands == "lost":
            attempt.contact, attempt.back_by = "lost", self.now + LEASE
        if stands == "asks":
            self._ask(task, attempt)

    def _held(self, task: Task) -> None:
        before, person = self._attempt(task, next(self._workers), "superseded", self._ago(20, 50)), next(self._people)
        before.reason, before.ended_at, before.stop = "Taken over", self._ago(8, 15), "done"
        self._work(before, 4, ended=True)
        attempt = self._attempt(task, person, "working", self._ago(2, 8), number=2)
        task.assignee = task.holder = person
        task.attempt, task.epoch, task.tries = attempt, 2, 1
        self._waits(task, "person", person.name, f"{person.name} is reminded")
        actor = Actor(ActorKind.PERSON, person.name, user_id=person.user_id).as_json()
        text = self.speech(SAID)
        self._add(Draft(attempt=attempt, version=1, text=text, actor=actor, saved_at=self._ago(0, 2)))
        other = next(self._people)
        if other != person and task.position % 2:
            asked = {"note": "I know the branch there.", "asked_at": self._ago(0, 3)}
            self._add(ControlRequest(workspace=self.team.workspace, task=task, member=other, holder=person, **asked))

    def _stuck(self, task: Task, stands: str) -> None:
        failure, reason = STUCK[task.position % len(STUCK)]
        reason = self.speech(reason)
        if stands == "stopped":
            failure, reason = "halted", f"{self.team.people[0].name} had it stopped."
        attempt = self._attempt(task, next(self._workers), "expired", self._ago(20, 55))
        attempt.ended_at, attempt.failure, attempt.reason = self._ago(2, 15), failure, reason
        self._work(attempt, 3, ended=True)
        task.failure, task.reason, task.epoch, task.tries = failure, reason, 1, 3
        if stands != "failed":
            who = self.team.people[0].name
            self._waits(task, "person", who, f"{who} is reminded")

    def _delivered(self, task: Task, stands: str) -> None:
        state = "accepted" if stands == "done" else "submitted"
        seat = next(self._workers)
        attempt = self._attempt(task, seat, state, (task.ended_at or self._ago(1, 9)) - self._minutes(3, 30))
        attempt.submitted_at = (task.ended_at or self._ago(0, 1)) - timedelta(seconds=20)
        attempt.ended_at, attempt.result = task.ended_at, self.speech(RESULT)
        finding = "passed" if stands == "done" else "open"
        attempt.verdicts = [
            {"line": line, "finding": finding, "reason": "", "by": "coordinator"} for line in ACCEPTANCE
        ]
        task.assignee, task.epoch, task.tries = seat, 1, 1 + task.position % 13 // 12
        self._work(attempt, 3, ended=True)
        if task.position % 9 == 0:
            self._file(task, attempt)
        if stands == "judge":
            who = self.team.people[task.position % len(self.team.people)].name
            self._waits(task, "person", who, f"{who} is reminded")
        elif stands == "in_review":
            self._waits(task, "nobody", "coordinator", "the review is started again")
        if stands != "done":
            task.attempt = attempt
            self._session(task, attempt, begun=True)

    # What was tried, said and done

    def _attempt(self, task: Task, seat: Member, state: str, began: datetime, number: int = 1) -> Attempt:
        begun = None if state == "offered" else began
        attempt: Attempt = self._add(
            Attempt(
                pk=new_id(), workspace=self.team.workspace, task=task, member=seat, number=number, epoch=number,
                state=state, offered_at=began - timedelta(seconds=2), begun_at=begun, progress_at=begun,
                start_by=self.now + LEASE if begun is None else None, close_by=self.now + LEASE,
                brief={"instructions": task.instructions},
            )
        )  # fmt: skip
        return attempt

    def _session(self, task: Task, attempt: Attempt, *, begun: bool) -> None:
        link = self.team.links.get(attempt.member_id)
        if link is None:
            return
        one = new_id()
        used = 4000 + task.position * 97 % 90_000
        session = self._add(
            Session(
                pk=one, workspace=self.team.workspace, agent=link.agent, task=task, attempt=attempt, link=link.pk,
                acp_id=f"s-{one.hex[-12:]}", public_id=one.hex[-16:], digest="none", state="open",
                told={"usage": {"used": used, "size": 128_000}}, opened_at=attempt.offered_at,
            )
        )  # fmt: skip
        over = attempt.state == "submitted"
        self._add(
            Command(
                agent=link.agent, session=session, attempt=attempt, epoch=attempt.epoch, purpose="work",
                method="session/prompt", params={"sessionId": session.acp_id, "prompt": []}, link=link.pk,
                state="answered" if over else "sent", created_at=attempt.offered_at, sent_at=attempt.offered_at,
                answered_at=attempt.submitted_at if over else None,
            )
        )  # fmt: skip

    def _work(self, attempt: Attempt, count: int, *, ended: bool) -> int:
        """A transcript: words, then calls with a thought in between; the last call is under way. How many calls."""
        begun = attempt.begun_at or self.now
        gap = max((attempt.ended_at or attempt.submitted_at or self.now) - begun, timedelta(seconds=9)) / (count + 3)
        self._say(attempt, 1, "text", SAID, begun + gap)
        for number in range(count):
            kind, title = CALLS[(attempt.task.position + number) % len(CALLS)]
            status = "completed" if ended or number < count - 1 else "in_progress"
            at = begun + gap * (number + 2)
            self._add(
                Step(
                    pk=self._name(attempt, f"step:call-{number}"), attempt=attempt, ordinal=number + 2,
                    tool_call_id=f"call-{number}", title=self.speech(title), kind=kind, status=status,
                    detail={
                        "raw_input": {"path": self.speech("{place}/{month}.csv"), "lines": [1, 40 + number]},
                        "content": [{"type": "content", "content": {"type": "text", "text": self.speech(NEWEST)}}],
                    },
                    started_at=at, ended_at=at + gap / 2 if status == "completed" else None,
                )
            )  # fmt: skip
        self._say(attempt, count + 2, "thought", THOUGHT, begun + gap * (count + 1.5))
        if not ended:
            self._say(attempt, count + 3, "text", NEWEST, begun + gap * (count + 2))
        return count

    def _say(self, attempt: Attempt, ordinal: int, kind: str, text: str, at: datetime) -> None:
        pk = self._name(attempt, f"{kind}:#{ordinal}")
        self._add(Part(pk=pk, attempt=attempt, ordinal=ordinal, kind=kind, text=self.speech(text), at=at))

    @staticmethod
    def _name(attempt: Attempt, key: str) -> Any:
        # As the product names them, so that what agents say next is told from what they have said.
        at = Standing(attempt.pk, attempt.workspace_id, attempt.task_id, attempt.pk, attempt.epoch, live=True)
        return at.name(key)

    def _ask(self, task: Task, attempt: Attempt) -> None:
        number = task.position
        question = number % 2 == 0
        kind, title = ("", QUESTIONS[number % 3]) if question else PERMISSIONS[number % 3]
        who = self.team.people[number % len(self.team.people)].name
        call: dict[str, Any] = {"title": self.speech(title)}
        if not question:
            call |= {"kind": kind, "toolCallId": "call-0", "raw_input": {"command": "import --all", "dry": False}}
            call["content"] = [{"type": "diff", "path": DEEP, "newText": f"{title}\n"}]
        session = self.rows[Session][-1]
        self._add(
            Approval(
                workspace=self.team.workspace, task=task, attempt=attempt, session=session, epoch=1,
                kind="question" if question else "permission", request_id=number, tool_call=call,
                options=[] if question else OPTIONS, digest=sha256(str(number).encode()).hexdigest(),
                asked_at=self._ago(0, 4), expires_at=self.now + LEASE,
            )
        )  # fmt: skip
        effect = "it goes on without an answer" if question else "the answer will be “no”"
        self._waits(task, "person", who, effect)

    def _file(self, task: Task, attempt: Attempt) -> None:
        text = f"# {task.title}\n\n{attempt.result}\n\n{self.speech(SAID)}"
        kept = store([text.encode()], name=f"{task.key}.md")
        actor = Actor(ActorKind.AGENT, attempt.member.name, agent_id=attempt.member.agent_id).as_json()
        self._add(
            Artifact(
                workspace=self.team.workspace, run=self.run, task=task, attempt=attempt, kind="result", name=kept.name,
                size=kept.size, sha256=kept.sha256, content_type=kept.content_type, actor=actor,
                created_at=attempt.submitted_at or self.now,
            )
        )  # fmt: skip

    def _chat(self) -> None:
        """What people and agents said meanwhile, and what each agent used."""
        speakers = [*self.team.people, *self.team.seats[:6]]
        for number in range(40):
            seat = speakers[number % len(speakers)]
            kind = ActorKind.AGENT if seat.agent_id else ActorKind.PERSON
            actor = Actor(kind, seat.name, user_id=seat.user_id, agent_id=seat.agent_id)
            self._message(seat, actor, self.speech(CHAT[number % len(CHAT)]), self.now - HOUR + number * HOUR / 41)
        self._message(None, COORDINATOR, "The plan is under way.", self.now - 2 * HOUR)
        self._message(None, SYSTEM, "Two agents rest: they failed too often.", self.now - HOUR)
        for seat in self.team.seats:
            pk = usage_id(self.team.workspace.pk, self.run.pk, seat.agent_id, self.now.date())
            tokens = self.speech.random.randrange(2_000, 60_000)
            self._add(
                Usage(
                    pk=pk, workspace=self.team.workspace, run=self.run, agent=seat.agent, day=self.now.date(), steps=6,
                    prompt_tokens=tokens, completion_tokens=tokens // 9, cost_micro=tokens * 2,
                )
            )  # fmt: skip
            self.run.spent_tokens += tokens * 10 // 9
            self.run.spent_micro += tokens * 2
        self.run.spent_steps = len(self.rows.get(Step, ()))

    def _message(self, seat: Member | None, actor: Actor, body: str, at: datetime) -> None:
        self._add(Message(workspace=self.team.workspace, member=seat, actor=actor.as_json(), body=body, created_at=at))

    # Times

    def _minutes(self, least: float, most: float) -> timedelta:
        return timedelta(minutes=self.speech.random.uniform(least, most))

    def _ago(self, least: float, most: float) -> datetime:
        return self.now - self._minutes(least, most)
