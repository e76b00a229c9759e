"""What the access tests look at: a workspace with a row of every kind, another of a stranger's, and all who come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib.auth.models import User
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from agents import tokens
from agents.ids import new_id
from agents.models import AgentKey
from clawgroups import sealing
from clawgroups.auth import actor_of_user, session_key
from clawgroups.core.actors import Role, coordinator_for
from clawgroups.models import (
    Approval,
    Artifact,
    Attempt,
    Command,
    Draft,
    Message,
    MessageFile,
    ModelCall,
    ModelServer,
    Override,
    Overstep,
    Part,
    Session,
    Step,
    Task,
    Workspace,
)
from clawgroups.services import (
    agents,
    control,
    endpoints,
    enrolling,
    files,
    finishing,
    goal_questions,
    invitations,
    members,
    memories,
    messages,
    people,
    rules,
    runs,
    shares,
    takeover,
    workspaces,
)
from clawgroups.services import tasks as verbs
from clawgroups.services.perform import perform
from tests.conftest import Team, online_agent

PLAN = [{"key": key, "title": key.title(), "skills": ["writing"]} for key in ("work", "ready", "review", "held")]
MODEL_KEY = "sk-of-the-model-0123456789"
CSV = b"day,sum\nMon,3\n"
PIXEL = "R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"

# Who asks, and the role in the workspace that is asked about; None has no seat there.
CAST: dict[str, Role | None] = {
    "anonymous": None,
    "stranger": None,
    "guest": Role.GUEST,
    "member": Role.MEMBER,
    "admin": Role.ADMIN,
    "owner": Role.OWNER,
    "agent key": Role.AGENT,
    "revoked key": None,
    "staff": None,
}
NAMES = {"stranger": "mallory", "guest": "gus", "member": "bob", "admin": "carol", "owner": "ada", "staff": "sue"}
UNKNOWN = frozenset({"anonymous", "revoked key"})


@dataclass
class Room:
    """The ids of a workspace, of its rows, and what each address takes."""

    team: Team
    ids: dict[str, Any]
    tasks: dict[str, Task]
    secrets: list[str] = field(default_factory=list)


@dataclass
class World:
    """Two workspaces without a person in common, and the bearers of those who come in by one."""

    ours: Room
    foreign: Room
    bearers: dict[str, str]
    users: dict[str, User]
    session: str
    secrets: list[str]

    def user(self, who: str) -> User | None:
        return self.users.get(NAMES.get(who, ""))


def build(team: Team) -> World:
    """Both workspaces, and a key or token for everybody."""
    users = team.users
    ours = room(team, "ada")
    theirs = Team(_workspace(users["mallory"]), users, {})
    theirs.agents["other"] = online_agent_of(theirs, "mallory")
    foreign = room(theirs, "mallory")
    bearers = {who: people.create_token(users[name], name="access")[1] for who, name in NAMES.items()}
    scribe = team.agents["scribe"]
    for who in ("agent key", "revoked key"):
        key = agents.mint_key()
        perform(agents.add_key, scribe.pk, key=key, actor=team.actor("ada"))
        bearers[who] = key.secret
    # The newest one; revoked without its verb, which would end the agent's link.
    last = AgentKey.objects.filter(agent=scribe).latest("created_at")
    AgentKey.objects.filter(pk=last.pk).update(revoked_at=timezone.now())
    session = Session.objects.get(pk=ours.ids["session_id"])
    opened = session_key(session.pk).secret
    return World(ours, foreign, bearers, users, opened, [*bearers.values(), opened, MODEL_KEY])


def _workspace(user: User) -> Workspace:
    made = perform(workspaces.create_workspace, name="Elsewhere", actor=actor_of_user(user))
    return Workspace.objects.get(pk=made.answer["id"])


def online_agent_of(team: Team, owner: str) -> Any:
    """An online agent of somebody else than ada."""
    real = team.users["ada"]
    team.users = {**team.users, "ada": team.users[owner]}
    made = online_agent(team, "other", "writing")
    team.users = {**team.users, "ada": real}
    return made


def room(team: Team, owner: str) -> Room:
    """One row of every kind in this workspace, made by its owner."""
    actor = team.actor(owner)
    agent = next(iter(team.agents.values()))
    dora, _ = User.objects.get_or_create(username=f"dora-{owner}")
    perform(members.add_person, team.workspace.pk, username=dora.username, role="member", actor=actor)
    stored = files.store([CSV], name="sales.csv", content_type="text/csv")
    drafted = perform(runs.draft_run, team.workspace.pk, goal="Look", inputs=[stored], plan=PLAN, actor=actor)
    run_id = UUID(drafted.answer["id"])
    perform(runs.start_run, run_id, actor=actor)
    tasks = {task.key: task for task in Task.objects.filter(run=run_id)}
    ids = _begin(team, tasks, agent.handle, owner)
    seat = team.workspace.members.get(user=dora)
    proposed = perform(runs.draft_run, team.workspace.pk, goal="Later", plan=PLAN, actor=actor)
    asked = perform(runs.draft_run, team.workspace.pk, goal="Something", actor=actor)
    asked_id = UUID(asked.answer["id"])
    user = team.users[owner].pk
    perform(goal_questions.ask_about_goal, asked_id, question="What for?", actor=coordinator_for(user))
    token, _ = people.create_token(team.users[owner], name="own")
    said = perform(messages.post_message, team.workspace.pk, body="Look at this", files=[stored], actor=actor)
    server, call = _asked(team, run_id)
    code = tokens.mint_code()
    perform(enrolling.offer, agent.pk, code=code, actor=actor)
    ids |= {
        "workspace_id": team.workspace.pk,
        "run_id": run_id,
        "asked_id": asked_id,
        "proposed_id": UUID(proposed.answer["id"]),
        "member_id": seat.pk,
        "agent_id": agent.pk,
        "key_id": agent.keys.get().pk,
        "code": code.secret,
        **_links(team, run_id, owner),
        "artifact_id": Artifact.objects.get(run=run_id, kind="input").pk,
        "message_id": UUID(said.answer["id"]),
        "file_id": MessageFile.objects.get(message=said.answer["id"]).pk,
        "token_id": token.pk,
        "said_id": Message.objects.filter(workspace=team.workspace, task=None).earliest("created_at").pk,
        "server_id": server.pk,
        "call_id": call.pk,
        "assignee": team.workspace.members.get(agent=agent).pk,
    }
    return Room(team, ids, {task.key: task for task in Task.objects.filter(run=run_id)})


def _links(team: Team, run_id: UUID, owner: str) -> dict[str, Any]:
    """An invitation and a read-only link, with their codes."""
    actor, invite, share = team.actor(owner), tokens.mint_code(), tokens.mint_code()
    invited = perform(invitations.make_invitation, team.workspace.pk, code=invite, actor=actor)
    shared = perform(shares.share_run, run_id, code=share, actor=actor)
    return {
        "invitation_id": UUID(invited.answer["id"]),
        "invite_code": invite.secret,
        "share_id": UUID(shared.answer["id"]),
        "share_code": share.secret,
    }


def _asked(team: Team, run_id: UUID) -> tuple[ModelServer, ModelCall]:
    """A model server (of the whole installation) with a key, and what it was asked for this run."""
    now = timezone.now()
    pk = new_id()
    server = ModelServer.objects.create(
        pk=pk, name="sglang-1", provider="sglang", url="http://127.0.0.1:9/v1", model="m", created_at=now,
        secret=sealing.seal(MODEL_KEY, purpose=endpoints.purpose(pk)), checked={"models": ["m"], "ok": True},
    )  # fmt: skip
    call = ModelCall.objects.create(
        workspace=team.workspace, run_id=run_id, kind="plan", state="answered", server=server, model="m", created_at=now
    )
    return server, call


def _begin(team: Team, tasks: dict[str, Task], handle: str, owner: str) -> dict[str, Any]:
    """Bring the tasks to where their names say; a question and a step in the one that is worked on."""
    now = timezone.now()
    actor = team.actor(owner)
    perform(takeover.take_over, tasks["held"].pk, actor=actor)
    dora = User.objects.get(username=f"dora-{owner}")
    asked = perform(control.ask_for, tasks["held"].pk, actor=actor_of_user(dora))
    in_hand = _drafted(team, tasks["held"], owner)
    perform(takeover.take_over, tasks["review"].pk, actor=actor)
    perform(finishing.submit_held, tasks["review"].pk, result="Done.", actor=actor)
    from_hand = _assign(team, tasks["work"], handle, actor)
    attempt = Attempt.objects.get(pk=from_hand)
    session = Session.objects.get(attempt=attempt)
    Session.objects.filter(pk=session.pk).update(state="open")
    approval = Approval.objects.create(
        workspace=team.workspace, task=tasks["work"], attempt=attempt, session=session, epoch=attempt.epoch,
        request_id=1, options=[{"optionId": "yes", "name": "Yes", "kind": "allow_once"}], digest="d" * 64,
        asked_at=now, expires_at=now + timedelta(hours=1),
    )  # fmt: skip
    late = Attempt.objects.create(
        workspace=team.workspace, task=tasks["ready"], member=attempt.member, number=1, epoch=0, state="expired",
        late_result="Done after all.", late_at=now, offered_at=now, ended_at=now,
    )  # fmt: skip
    holding = Attempt.objects.get(task=tasks["held"])
    steered = Command.objects.create(
        agent=session.agent, session=session, attempt=holding, epoch=holding.epoch, purpose="steer",
        method="session/prompt", created_at=now,
    )  # fmt: skip
    Draft.objects.create(attempt=holding, version=90, kind="offered", text="Shorter.", actor={}, saved_at=now)
    shown = {"content": [{"type": "content", "content": {"type": "image", "data": PIXEL, "mimeType": "image/gif"}}]}
    step = Step.objects.create(
        pk=new_id(), attempt=attempt, ordinal=1, tool_call_id="t", title="Look", detail=shown, started_at=now
    )
    part = Part.objects.create(pk=new_id(), attempt=attempt, ordinal=2, kind="text", text="So far.", at=now)
    Draft.objects.create(attempt=attempt, version=1, text="So far.", actor=actor.as_json(), saved_at=now)
    rule = perform(rules.make_rule, team.workspace.pk, answer="critical", kinds=["fetch"], actor=actor)
    Overstep.objects.create(
        pk=step.pk, workspace=team.workspace, task=tasks["work"], attempt=attempt, step=step,
        rule_id=rule.answer["id"], at=now,
    )  # fmt: skip
    note = perform(memories.remember, team.workspace.pk, key="currency", text="Sums are in euros.", actor=actor)
    wrong = perform(memories.remember, team.workspace.pk, key="paper", text="Reports are A5.", actor=actor)
    perform(memories.strike_out, UUID(wrong.answer["id"]), actor=actor)
    chosen = Override.objects.create(
        workspace=team.workspace, task=tasks["ready"], skills=["writing"], proposed=attempt.member,
        chosen=team.workspace.members.get(user=team.users[owner]), actor=actor.as_json(), at=now,
    )  # fmt: skip
    return {
        "override_id": chosen.pk,
        "attempt_id": attempt.pk,
        "command_id": steered.pk,
        "memory_id": UUID(note.answer["id"]),
        "struck_id": UUID(wrong.answer["id"]),
        "late_id": late.pk,
        "session_id": session.pk,
        "approval_id": approval.pk,
        "step_id": step.pk,
        "rule_id": UUID(rule.answer["id"]),
        "overstep_id": step.pk,
        "part_id": part.pk,
        "request_id": UUID(asked.answer["id"]),
        **in_hand,
    }


def _drafted(team: Team, task: Task, owner: str) -> dict[str, Any]:
    """A text that was kept beside the held task's draft, a file of the draft, and one that was kept beside it."""
    attempt = Attempt.objects.get(task=task)
    row = {"attempt": attempt, "actor": team.actor(owner).as_json()}
    Draft.objects.create(version=2, kind="kept", text="Kept.", saved_at=timezone.now(), **row)
    stored = files.store([b"words"], name="words.md")
    file = {"run": task.run, "task": task, "workspace": team.workspace, "created_at": timezone.now(), **row}
    made = [
        Artifact.objects.create(kind=kind, name=stored.name, size=stored.size, sha256=stored.sha256, **file)
        for kind in ("draft", "kept")
    ]
    return {"held_attempt": attempt.pk, "draft_file": made[0].pk, "kept_file": made[1].pk}


def _assign(team: Team, task: Task, handle: str, actor: Any) -> UUID:
    seat = team.workspace.members.get(handle=handle)
    return UUID(perform(verbs.assign_task, task.pk, member_id=seat.pk, actor=actor).answer["attempt"])


def routes() -> Iterator[tuple[str, URLPattern]]:
    """Every address of the server, by the name that `reverse` takes; an unnamed one has no name."""
    yield from _walk(get_resolver().url_patterns, ())


def _walk(patterns: list[URLPattern | URLResolver], spaces: tuple[str, ...]) -> Iterator[tuple[str, URLPattern]]:
    for pattern in patterns:
        if isinstance(pattern, URLResolver):
            inside = (*spaces, pattern.namespace) if pattern.namespace else spaces
            yield from _walk(pattern.url_patterns, inside)
        else:
            yield ":".join((*spaces, pattern.name or "")), pattern
