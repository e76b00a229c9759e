"""Commands in the chat do what the buttons do, and everybody sees who gave them and what came of them."""

from __future__ import annotations

import pytest

from clawgroups.core.commands import Command, command_of
from clawgroups.models import Message, Run, Task, Workspace
from clawgroups.services import commanding
from clawgroups.services.perform import perform
from clawgroups.services.workspaces import set_rules
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("text", "is_"),
    [
        ("/stop", Command("stop")),
        (" /stop @scribe ", Command("stop", "@scribe")),
        ("/plan a report\non May", Command("plan", "a report\non May")),
        ("/etc/passwd", None),
        ("/unknown", None),
        ("please /stop", None),
        ("/Stop", None),
        ("/", None),
    ],
)
def test_a_command_is_a_whole_message_that_begins_with_a_slash(text: str, is_: Command | None) -> None:
    assert command_of(text) == is_


def give(team: Team, text: str, by: str = "bob", task: Task | None = None) -> str:
    """What is answered."""
    command = command_of(text)
    assert command is not None
    actor = team.actor(by)
    pk = commanding.obey(team.workspace.pk, text, command, actor=actor, task_id=None if task is None else task.pk)
    assert Message.objects.get(pk=pk).member == team.seat(by)
    answer = Message.objects.get(reply_to=pk)
    assert answer.actor["kind"] == "system"
    return answer.body


def test_stop_stops_everything_and_resume_lets_it_go_on(team: Team) -> None:
    task = team.working()
    assert give(team, "/stop") == "Asked to stop: 1. Everything is paused; /resume lets it go on."
    task.refresh_from_db()
    assert task.state != "working"
    assert Run.objects.get().paused
    assert give(team, "/resume") == "1 run is going on."
    assert not Run.objects.get().paused


def test_stop_stops_those_that_are_named_and_nobody_else(team: Team) -> None:
    task = team.working()
    assert give(team, "/stop @counter") == "- Counter: was at nothing."
    assert give(team, "/stop @scribe") == "- Scribe: stopped at “Write it up”."
    task.refresh_from_db()
    assert task.state == "stuck"
    assert not Run.objects.get().paused
    assert give(team, "/stop @nobody") == "No agent here is called so."
    assert "Name agents" in give(team, "/stop please")


def test_in_a_thread_a_command_is_about_its_task(team: Team) -> None:
    task = team.working()
    assert "waits for" in give(team, "/status", task=task)
    assert give(team, "/pause", task=task) == "It is paused; /resume lets it go on."
    assert give(team, "/resume", task=task) == "It goes on."


def test_pause_plan_and_status(team: Team) -> None:
    assert give(team, "/status") == "Nothing goes on."
    assert give(team, "/pause") == "No run goes on."
    team.one_task()
    assert give(team, "/pause").startswith("1 run is paused")
    assert give(team, "/plan sum up May") == "The coordinator makes a plan of it."
    assert Run.objects.latest("created_at").goal == "sum up May"
    assert give(team, "/status").splitlines() == [
        "- “Understand the sales”: paused, 0 of 1 tasks done",
        "- “sum up May”: planning, 0 of 0 tasks done",
    ]
    assert "Say what is wanted" in give(team, "/plan")


def test_rules_are_shown_to_all_and_added_by_admins(team: Team) -> None:
    perform(set_rules, team.workspace.pk, rules="- Be kind", actor=team.actor("ada"))
    assert give(team, "/rules") == "- Be kind"
    assert "> Use metric units" in give(team, "/rules Use metric units", by="carol")
    assert Workspace.objects.get(pk=team.workspace.pk).rules == "- Be kind\n- Use metric units"
    assert "metric" not in give(team, "/rules Anything goes")
    assert Workspace.objects.get(pk=team.workspace.pk).rules == "- Be kind\n- Use metric units"


@pytest.mark.parametrize("text", ["/stop", "/pause", "/plan it"])
def test_a_guest_commands_nothing(team: Team, text: str) -> None:
    team.working()
    give(team, text, by="gus")
    run = Run.objects.get()
    assert (run.state, run.paused) == ("running", False)
