"""`manage.py swarm`: registered once, seated in one workspace, on the installation's model, without its secrets."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from agents.models import Agent
from clawgroups.management.commands import swarm
from clawgroups.models import Member
from tests.conftest import Team
from tests.services.model_support import server

pytestmark = pytest.mark.django_db


class Became(Exception):
    """The process would be another one from here on."""


@pytest.fixture
def became(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[list[str], dict[str, str]]]:
    found: list[tuple[list[str], dict[str, str]]] = []

    def become(_path: str, command: list[str], environment: dict[str, str]) -> None:
        found.append((command, environment))
        raise Became

    monkeypatch.setattr(os, "execve", become)
    monkeypatch.setattr(settings, "DATA_DIR", tmp_path)
    monkeypatch.setattr("clawgroups.commit.drain", lambda: None)
    return found


def start(*more: str, **options: Any) -> None:
    with pytest.raises(Became):
        call_command("swarm", *more, **options)


def test_it_is_registered_once_and_takes_as_many_tasks_as_it_is_told(
    team: Team, became: list[tuple[list[str], dict[str, str]]]
) -> None:
    server("K2")
    start(sessions=300)
    start("--", "--steps", "50", sessions=20)
    (agent,) = Agent.objects.filter(handle="swarm")
    assert (agent.max_sessions, agent.skills.count()) == (20, len(swarm.SKILLS))
    assert Member.objects.get(agent=agent).workspace == team.workspace
    command, environment = became[-1]
    assert command[1:3] == ["-m", "agents.swarm"]
    assert command[-4:] == ["--sessions", "20", "--steps", "50"]
    assert not [name for name in environment if name.startswith(("CLAWGROUPS_", "DATABASE_"))]


def test_keys_lie_in_files_that_only_this_account_can_read(
    team: Team, became: list[tuple[list[str], dict[str, str]]], tmp_path: Path
) -> None:
    server("K2")
    start(sessions=3)
    for name in ("swarm.key", "swarm-model.json"):
        assert (tmp_path / name).stat().st_mode & 0o077 == 0
        assert (tmp_path / name).read_text() not in " ".join(became[0][0])
    assert json.loads((tmp_path / "swarm-model.json").read_text())["provider"]


def test_without_a_model_server_nothing_is_started_and_it_says_why(
    team: Team, became: list[tuple[list[str], dict[str, str]]]
) -> None:
    with pytest.raises(CommandError, match="No model server is set up"):
        call_command("swarm")
    assert not became


def test_where_there_are_several_workspaces_one_has_to_be_named(
    team: Team, became: list[tuple[list[str], dict[str, str]]]
) -> None:
    server("K2")
    with pytest.raises(CommandError, match="--workspace"):
        call_command("swarm", workspace="Nowhere")
    start(workspace=team.workspace.name)
    start(workspace=str(team.workspace.pk))
    assert Member.objects.filter(agent__handle="swarm").count() == 1
