"""`manage.py swarm --sessions 300`: sub-agents on this installation's model, as an agent of it, in one process."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from agents import tokens
from agents.models import Agent
from agents.protocol.card import MOST_SESSIONS
from clawgroups import commit, sealing
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.core.errors import ClawError
from clawgroups.management.commands.login_link import local_url
from clawgroups.models import Member, Workspace
from clawgroups.services import endpoints, members, people
from clawgroups.services.agents import register_agent, set_profile
from clawgroups.services.perform import perform

HANDLE = "swarm"
DESCRIPTION = "Sub-agents on a model: each works on one task, with files and the workspace's tools."
SKILLS = (
    ("research", "Finds out what is known, and says from where"),
    ("writing", "Clear prose from notes and figures"),
    ("analysis", "Takes a question apart and answers it piece by piece"),
    ("drafting", "First versions of documents and plans"),
)


class Command(BaseCommand):
    help = (
        "Start the installation's own sub-agents: registered once, seated in a workspace, on the coordinator's model."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--sessions", type=int, default=MOST_SESSIONS, help="sub-agents at once")
        parser.add_argument("--workspace", default="", help="id or name of the workspace where they are to work")
        parser.add_argument("more", nargs="*", help="after two dashes: options of `clawgroups swarm`")

    def handle(self, *args: Any, sessions: int, workspace: str, more: list[str], **options: Any) -> None:
        actor = actor_of_user(people.ensure_first_person())
        try:
            agent = registered(actor, sessions)
            place = seated(actor, agent, workspace)
            model = model_file(settings.DATA_DIR / "swarm-model.json")
        except (ClawError, sealing.Unreadable) as fault:
            raise CommandError(str(fault)) from None
        key = written(settings.DATA_DIR / "swarm.key", key_of().secret)
        commit.drain()
        self.stderr.write(f"@{agent.handle} works in “{place.name}”. Ctrl-C ends it.")
        url = os.environ.get("CLAWGROUPS_BUILTIN_URL") or local_url()
        folder = settings.DATA_DIR / "agents" / HANDLE
        command = [sys.executable, "-m", "agents.swarm", url, "--key-file", str(key), "--model", str(model)]
        command += ["--dir", str(folder), "--sessions", str(sessions), *more]
        # Without Django, and without this installation's secrets: none of them is an agent's business.
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("CLAWGROUPS_", "DATABASE_"))}
        scale = {name: os.environ[name] for name in ("CLAWGROUPS_CLOCK_SCALE",) if name in os.environ}
        os.execve(sys.executable, command, {**kept, **scale})  # noqa: S606


def key_of() -> tokens.MintedKey:
    """Its first key. It follows from the installation's secret, so that a lost file can be written again."""
    return tokens.derive(tokens.AGENT, f"builtin:{HANDLE}")


def registered(actor: Actor, sessions: int) -> Agent:
    """The agent, registered at the first time; it takes so many tasks at once from now on."""
    key = key_of()
    agent = Agent.objects.filter(keys__public_id=key.public_id).first()
    profile: dict[str, Any] = {
        "name": HANDLE.capitalize(),
        "description": DESCRIPTION,
        "skills": [{"name": name, "description": text, "level": 3} for name, text in SKILLS],
        "toolkits": ["files", "workspace"],
        "device": "this server",
        "max_sessions": sessions,
    }
    if agent is None:
        free = "" if Agent.objects.filter(handle=HANDLE).exists() else HANDLE
        outcome = perform(register_agent, **profile, handle=free, key=key, is_builtin=True, actor=actor)
        return Agent.objects.get(pk=outcome.answer["id"])
    if agent.retired_at is not None:
        raise CommandError(f"@{agent.handle} was retired. Connect another agent with `clawgroups swarm URL --code`.")
    if agent.max_sessions != sessions:
        kept = {name: getattr(agent, name) for name in ("name", "description", "version", "toolkits", "device", "cwd")}
        skills = [{"name": one.name, "description": one.description, "level": one.level} for one in agent.skills.all()]
        perform(set_profile, agent.pk, **kept, model=agent.model, skills=skills, max_sessions=sessions, actor=actor)
    return agent


def seated(actor: Actor, agent: Agent, named: str) -> Workspace:
    """The workspace where it works: the one that is named, else where it sits, else the only one there is."""
    sits = Member.objects.filter(agent=agent, left_at=None)
    if not named and (found := sits.select_related("workspace").first()) is not None:
        return found.workspace
    open_ones = list(Workspace.objects.order_by("created_at"))
    fitting = [one for one in open_ones if not named or named in (str(one.pk), one.name)]
    if len(fitting) != 1:
        names = ", ".join(one.name for one in open_ones[:10]) or "none"
        raise CommandError(f"Say in which workspace they are to work, with --workspace. There are: {names}.")
    if not sits.filter(workspace=fitting[0]).exists():
        perform(members.add_agent, fitting[0].pk, agent_id=agent.pk, actor=actor)
    return fitting[0]


def model_file(file: Path) -> Path:
    """The model that may be asked now, for this account only."""
    server = endpoints.choose_server(timezone.now())
    if server is None:
        why = endpoints.why_none(timezone.now()) or "All model servers are busy."
        raise CommandError(f"{why} Sub-agents need one: see docs/model-server.md.")
    endpoint = endpoints.endpoint_of(server)
    told = {**asdict(endpoint), "mode": server.mode, "extra": dict(endpoint.extra)}
    return written(file, json.dumps(told))


def written(file: Path, content: str) -> Path:
    """A file that only this account can read."""
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
        out.write(content)
    return draft.replace(file)
