"""`manage.py seed_demo`: the built-in agents, their key file, and a first workspace to look at."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from agents import tokens
from agents.models import Agent
from clawgroups.auth import actor_of_user
from clawgroups.core.actors import Actor
from clawgroups.management.commands.login_link import local_url
from clawgroups.models import Workspace
from clawgroups.services import people
from clawgroups.services.agents import register_agent
from clawgroups.services.perform import perform
from clawgroups.services.workspaces import create_workspace


@dataclass(frozen=True)
class Builtin:
    """An agent that ships with the product."""

    handle: str
    description: str
    skills: tuple[tuple[str, str], ...]


BUILTINS = (
    Builtin(
        "analyst",
        description="Profiles and summarises tables (CSV, TSV, XLSX): types, gaps, aggregates, outliers, a chart, a"
        " workbook.",
        skills=(
            ("data-analysis", "Types, gaps, aggregates and outliers of a table"),
            ("spreadsheets", "Workbooks with live formulas and native charts"),
        ),
    ),
    Builtin(
        "writer",
        description="Composes a report from the results of other tasks; every figure names its source.",
        skills=(
            ("writing", "Clear prose from notes and figures"),
            ("reporting", "Reports whose figures name their source"),
        ),
    ),
    Builtin(
        "reviewer",
        description="Recomputes the figures of a report from the raw data and says which do not hold.",
        skills=(
            ("review", "Recomputing the numbers of a result from the data"),
            ("fact-checking", "Recomputing figures from their source"),
        ),
    ),
)
DEMO_NAME = "First workspace"


class Command(BaseCommand):
    help = "Make the built-in agents and a first workspace where they are missing; safe to repeat."

    def handle(self, *args: Any, **options: Any) -> None:
        actor = actor_of_user(people.ensure_first_person())
        for builtin in BUILTINS:
            register(builtin, actor)
        write_config(settings.DATA_DIR / "builtin.json")
        if not Workspace.objects.exists():
            perform(
                create_workspace,
                name=DEMO_NAME,
                goal="Turn a table into a report whose figures anybody can check.",
                rules="Every figure names its source. Say what is missing instead of guessing.",
                actor=actor,
                operation="seed:workspace",
            )


def key_of(builtin: Builtin) -> tokens.MintedKey:
    """Its first key. It follows from the installation's secret: a lost key file can be written again."""
    return tokens.derive(tokens.AGENT, f"builtin:{builtin.handle}")


def register(builtin: Builtin, actor: Actor) -> None:
    """Register the agent unless it is or was there: a retired one stays retired."""
    key = key_of(builtin)
    if Agent.objects.filter(keys__public_id=key.public_id).exists():
        return
    perform(
        register_agent,
        name=builtin.handle.capitalize(),
        handle="" if Agent.objects.filter(handle=builtin.handle).exists() else builtin.handle,
        description=builtin.description,
        skills=[{"name": name, "description": text, "level": 4} for name, text in builtin.skills],
        toolkits=["files"],
        model="none: computes by rules",
        device="this server",
        max_sessions=4,
        key=key,
        actor=actor,
        is_builtin=True,
        operation=f"seed:{builtin.handle}",
    )


def write_config(file: Path) -> None:
    """Write what `python -m agents.builtin --serve` reads. Keys that a person has put there are kept."""
    keys = {builtin.handle: {"key": key_of(builtin).secret} for builtin in BUILTINS}
    if file.exists():
        keys |= json.loads(file.read_text(encoding="utf-8"))["agents"]
    config = {
        "url": os.environ.get("CLAWGROUPS_BUILTIN_URL") or local_url(),
        "agents": keys,
        "dir": str(file.parent / "agents"),
    }
    draft = file.with_suffix(".new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with open(descriptor, "w", encoding="utf-8") as out:  # noqa: PTH123
        json.dump(config, out, indent=2)
    draft.replace(file)
