"""A workspace is closed: what runs is cancelled, all of it is read, nothing is done, until its owner opens it again."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import tokens
from clawgroups.core.actors import Role
from clawgroups.core.errors import Conflict, Forbidden
from clawgroups.models import Attempt, Command
from clawgroups.permissions import ACTIONS, require
from clawgroups.services import closing, invitations, members, messages, runs
from clawgroups.services.perform import perform
from clawgroups.services.sweep import sweep
from tests.conftest import Team

pytestmark = pytest.mark.django_db
# What stays to be done where nothing is done any more.
LEFT = {"workspace.close", "message.mark_read", "task.watch", "run.view_calls"}


def close(team: Team) -> None:
    perform(closing.close_workspace, team.workspace.pk, actor=team.actor("ada"))


def test_what_runs_is_cancelled_its_agents_stop_and_nothing_new_begins(team: Team) -> None:
    task = team.working()
    close(team)
    assert sweep(timezone.now(), quiet=False) >= 1
    task.refresh_from_db()
    assert (task.state, task.run.state) == ("cancelled", "cancelled")
    assert not Attempt.objects.filter(ended_at=None).exists()
    assert Command.objects.filter(purpose="cancel").exists()
    with pytest.raises(Conflict, match="is closed"):
        perform(runs.draft_run, team.workspace.pk, goal="More", actor=team.actor("ada"))


def test_a_closed_workspace_is_read_by_all_and_written_by_nobody(team: Team) -> None:
    close(team)
    for name in ("ada", "carol", "bob", "gus"):
        actor, seat = team.actor(name), team.seat(name)
        for action in (one for one in ACTIONS.values() if Role(seat.role) in one.roles):
            if action.name.endswith(".view") or action.name in LEFT:
                assert require(actor, action.name, team.workspace.pk)
                continue
            with pytest.raises(Conflict) as shut:
                require(actor, action.name, team.workspace.pk)
            assert shut.value.code == "workspace_closed"


def test_only_the_owner_closes_and_opens_and_each_once(team: Team) -> None:
    for verb in (closing.close_workspace, closing.reopen_workspace):
        with pytest.raises(Forbidden):
            perform(verb, team.workspace.pk, actor=team.actor("carol"))
    with pytest.raises(Conflict, match="not closed"):
        perform(closing.reopen_workspace, team.workspace.pk, actor=team.actor("ada"))
    close(team)
    with pytest.raises(Conflict, match="closed already"):
        close(team)
    perform(closing.reopen_workspace, team.workspace.pk, actor=team.actor("ada"))
    assert perform(messages.post_message, team.workspace.pk, body="Back", actor=team.actor("bob")).applied


def test_what_was_decided_before_does_not_come_through_and_who_was_invited_does_not_come_in(team: Team) -> None:
    code = tokens.mint_code()
    perform(invitations.make_invitation, team.workspace.pk, code=code, actor=team.actor("ada"))
    before = team.seat("bob").auth_version
    close(team)
    assert team.seat("bob").auth_version == before + 1
    with pytest.raises(Conflict):
        perform(invitations.join, code.digest, actor=team.actor("mallory"))
    # Leaving is always possible.
    perform(members.remove_member, team.seat("bob").pk, actor=team.actor("bob"))


def test_pages_say_that_it_is_closed_list_it_apart_and_offer_to_open_it(team: Team) -> None:
    close(team)
    for name, offered in (("ada", True), ("bob", False)):
        client = Client()
        client.force_login(team.users[name], backend="django.contrib.auth.backends.ModelBackend")
        for page in ("workspace", "members"):
            shown = client.get(reverse(page, args=[team.workspace.pk])).content.decode()
            assert "This workspace is closed" in shown
            assert ("Open it again" in shown) is offered
        assert "Closed workspaces" in client.get(reverse("workspaces")).content.decode()
        said = client.post(reverse("post-message", args=[team.workspace.pk]), {"body": "Hello?"})
        assert said.status_code == 409
