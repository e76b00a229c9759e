"""The administration: staff see all rows and write none; what they do goes through the verbs, in their own name."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.db import models
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents import tokens
from agents.models import Agent, AgentKey
from clawgroups.admin.overview import overview
from clawgroups.admin.proof import shown
from clawgroups.admin.reading import ReadOnlyAdmin
from clawgroups.admin.site import site
from clawgroups.coordinator.watchdog import watch
from clawgroups.models import (
    AccessToken,
    Approval,
    Artifact,
    Attempt,
    Command,
    Entry,
    Invitation,
    Lease,
    Member,
    Run,
    Session,
    Share,
    Task,
    Workspace,
)
from clawgroups.services import invitations, people, shares
from clawgroups.services.perform import perform
from tests.access.markup import INLINE
from tests.conftest import Team, quarantine

pytestmark = pytest.mark.django_db
OURS = [model for model, page in site._registry.items() if isinstance(page, ReadOnlyAdmin)]


@pytest.fixture
def full(team: Team) -> Team:
    """Something of every kind."""
    task = team.working()
    session = Session.objects.get(task=task)
    assert task.attempt is not None
    now = timezone.now()
    Approval.objects.create(
        workspace=team.workspace, task=task, attempt=task.attempt, session=session, epoch=1, request_id=1,
        digest="d" * 64, asked_at=now, expires_at=now,
    )  # fmt: skip
    Artifact.objects.create(
        workspace=team.workspace,
        run=task.run,
        kind="input",
        name="a.csv",
        size=1,
        sha256="0" * 64,
        actor={},
        created_at=now,
    )
    people.create_token(team.users["ada"], name="laptop")
    ada = team.actor("ada")
    perform(invitations.make_invitation, team.workspace.pk, code=tokens.mint_code(), role="member", actor=ada)
    perform(shares.share_run, task.run_id, code=tokens.mint_code(), actor=ada)
    return team


def address(model: type[models.Model], page: str, *args: Any) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=args)


def row_of(model: type[models.Model]) -> models.Model:
    row = model._default_manager.first()
    assert row is not None, f"the fixture has no {model.__name__}"
    return row


def test_every_kind_of_row_that_the_issue_names_is_registered() -> None:
    named = {Workspace, Member, Agent, AgentKey, Run, Task, Attempt, Approval, Artifact, Entry, AccessToken}
    named |= {Invitation, Share}
    assert set(OURS) == named


@pytest.mark.parametrize("model", OURS, ids=lambda model: model.__name__)
def test_rows_are_shown_and_cannot_be_added_changed_or_deleted(full: Team, client: Client, model: Any) -> None:
    client.force_login(full.users["sue"])
    row = row_of(model)
    before = list(model.objects.order_by("pk").values())
    for page in (address(model, "changelist"), address(model, "change", row.pk), address(model, "history", row.pk)):
        answer = client.get(page)
        assert answer.status_code == 200, page
        text = answer.content.decode()
        assert not INLINE.search(text), page
        assert not any(digest in text for digest in digests()), page
    assert client.get(address(model, "add")).status_code == 403
    assert client.get(address(model, "delete", row.pk)).status_code == 403
    assert client.post(address(model, "change", row.pk), {"name": "x"}).status_code == 403
    assert client.post(address(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    client.post(address(model, "changelist"), {"action": "delete_selected", "_selected_action": row.pk, "post": "yes"})
    assert list(model.objects.order_by("pk").values()) == before


def digests() -> list[str]:
    found = [*AgentKey.objects.values_list("digest", flat=True), *AccessToken.objects.values_list("digest", flat=True)]
    return [*found, *Session.objects.values_list("digest", flat=True), "d" * 64]


def test_only_staff_get_in_and_sign_in_is_where_it_is_for_everybody(full: Team, client: Client) -> None:
    for page in (reverse("admin:index"), address(Run, "changelist"), reverse("admin:jsi18n")):
        answer = client.get(page)
        assert answer.status_code == 302
        assert answer["Location"].startswith(reverse("admin:login"))
        assert client.get(answer["Location"])["Location"].startswith(reverse("account_login"))
        client.force_login(full.users["ada"])
        assert client.get(page).status_code == 403
        assert client.get(reverse("admin:login")).status_code == 403
        client.logout()
    assert client.get("/admin/password_change/").status_code in (302, 404)


def do(client: Client, model: type[models.Model], verb: str, *rows: models.Model) -> str:
    answer = client.post(
        address(model, "changelist"), {"action": verb, "_selected_action": [row.pk for row in rows]}, follow=True
    )
    assert answer.status_code == 200
    return answer.content.decode()


def test_a_key_is_revoked_by_the_verb_and_logged_after(full: Team, client: Client) -> None:
    client.force_login(full.users["sue"])
    key = full.agents["scribe"].keys.get()
    assert "Revoked: 1" in do(client, AgentKey, "revoke", key)
    key.refresh_from_db()
    assert key.revoked_at is not None
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.get_change_message()) == (
        full.users["sue"],
        str(key.pk),
        "Revoked",
    )
    assert "Somebody else was quicker" in do(client, AgentKey, "revoke", key)
    assert LogEntry.objects.count() == 1


def test_an_agent_is_retired_and_its_workspaces_hear_of_it(full: Team, client: Client) -> None:
    client.force_login(full.users["sue"])
    do(client, Agent, "retire", full.agents["judge"])
    assert Agent.objects.get(handle="judge").retired_at is not None
    fact = Entry.objects.get(type="agent.retired")
    assert fact.actor["user"] == full.users["sue"].pk


def test_staff_give_an_agent_in_quarantine_work_again(full: Team, client: Client) -> None:
    client.force_login(full.users["sue"])
    quarantine(full.agents["judge"])
    assert "Cleared: 1" in do(client, Agent, "clear", full.agents["judge"])
    assert Agent.objects.get(handle="judge").breaker == "closed"
    assert Entry.objects.get(type="agent.breaker_set").payload["state"] == "closed"


def test_a_token_is_revoked_for_its_owner(full: Team, client: Client) -> None:
    client.force_login(full.users["sue"])
    do(client, AccessToken, "revoke", AccessToken.objects.get())
    assert AccessToken.objects.get().revoked_at is not None


def test_staff_without_a_seat_are_told_that_a_run_is_not_theirs_to_cancel(full: Team, client: Client) -> None:
    client.force_login(full.users["sue"])
    assert "you have no seat where this belongs" in do(client, Run, "cancel", Run.objects.get())
    assert Run.objects.get().state == "running"
    assert not LogEntry.objects.exists()


def test_staff_with_a_seat_pause_resume_and_cancel_in_their_own_name(full: Team, client: Client) -> None:
    User.objects.filter(username="ada").update(is_staff=True, is_superuser=True)
    client.force_login(full.users["ada"])
    run = Run.objects.get()
    for verb, said in (("pause", "Paused"), ("resume", "Resumed"), ("cancel", "Cancelled")):
        assert f"{said}: 1" in do(client, Run, verb, run)
    assert Run.objects.get().state == "cancelled"
    assert [type_ for type_ in full.journal() if type_ in ("run.paused", "run.resumed")] == [
        "run.paused",
        "run.resumed",
    ]
    assert full.journal()[-1] == "run.cancelled"
    assert Entry.objects.latest("id").actor["name"] == "ada"


@pytest.mark.django_db(transaction=True)
def test_a_verb_of_the_administration_runs_outside_of_a_transaction(full: Team, client: Client) -> None:
    client.force_login(full.users["sue"])
    assert "Revoked: 3" in do(client, AgentKey, "revoke", *AgentKey.objects.all())


def test_staff_who_may_only_look_get_no_verbs(full: Team, client: Client) -> None:
    tom = User.objects.create_user("tom", is_staff=True)
    tom.user_permissions.add(Permission.objects.get(codename="view_agentkey"))
    client.force_login(tom)
    assert client.get(address(AgentKey, "changelist")).status_code == 200
    assert client.get(address(Run, "changelist")).status_code == 403
    do(client, AgentKey, "revoke", full.agents["scribe"].keys.get())
    assert not AgentKey.objects.exclude(revoked_at=None).exists()


def test_the_overview_shows_what_goes_on_and_what_is_stuck(full: Team, client: Client) -> None:
    now = timezone.now()
    stuck = full.run([{"key": "a", "title": "Nobody can"}, {"key": "b", "title": "Forgotten"}])
    Task.objects.filter(run=stuck, key="a").update(state="stuck", reason="No agent has sql.", next_actor="the team")
    Task.objects.filter(run=stuck, key="b").update(deadline_at=now - timedelta(hours=1), next_actor="")
    Command.objects.filter(state="sent").update(created_at=now - timedelta(minutes=7))
    Lease.objects.create(name="sweep", owner="w", until=now, done_at=now - timedelta(minutes=5))
    found = overview()
    assert dict(found.runs)["running"] == 2
    assert (found.online, found.registered) == (3, 3)
    assert [task.title for task in found.stuck.rows] == ["Nobody can"]
    assert [task.title for task in found.overdue.rows] == ["Forgotten"]
    assert [task.title for task in found.unexplained.rows] == ["Forgotten"]
    assert [(owed.agent.handle, owed.unsent, owed.unanswered) for owed in found.owed] == [("scribe", 0, 1)]
    assert [(room.name, room.lag) for room in found.behind.rows] == [("Sales", Workspace.objects.get().head)]
    assert found.approvals.count == 1
    assert {part.name: part.ok for part in found.parts} == {
        "Writer": True,
        "Redis": True,
        "Worker": False,
        "Watchdog": False,
    }
    client.force_login(full.users["sue"])
    text = client.get(reverse("admin:index")).content.decode()
    assert not INLINE.search(text)
    for said in ("Nobody can", "No agent has sql.", "Forgotten", "3 of 3 online", "7\xa0minutes"):
        assert said in text
    assert re.search(r"\b30\d s ago", text)
    assert client.get(reverse("admin:app_list", args=["clawgroups"])).status_code == 200


def test_an_empty_installation_has_an_overview(users: dict[str, User], client: Client) -> None:
    client.force_login(users["sue"])
    assert client.get(reverse("admin:index")).status_code == 200
    assert overview().stuck.count == 0


def test_the_proof_lists_what_is_open_and_the_exceptions_first(full: Team, client: Client) -> None:
    page = reverse("admin:proof")
    client.force_login(full.users["ada"])
    assert client.get(page).status_code == 403
    client.force_login(full.users["sue"])
    full.run([{"key": "a", "title": "Nobody is named"}, {"key": "b", "title": "Fine", "depends_on": ["a"]}])
    Task.objects.filter(title="Nobody is named").update(next_actor="")
    Approval.objects.update(expires_at=timezone.now() + timedelta(minutes=5))
    found = shown()
    assert [(one.breach.title, one.since) for one in found.exceptions] == [("Nobody is named", None)]
    assert found.said == "1 open task without a next step"
    assert {line.task.title for line in found.lines} == {"Nobody is named", "Fine", "Write it up"}
    watch(timezone.now())
    text = client.get(page).content.decode()
    assert not INLINE.search(text)
    for said in ("does not say who acts next", "first seen", "earlier tasks", "Write it up", "Scribe"):
        assert said in text
    assert text.index("Nobody is named") < text.index("earlier tasks")
    assert "1 open task without a next step" in client.get(reverse("admin:index")).content.decode()


def test_an_empty_proof_says_that_it_holds(users: dict[str, User], client: Client) -> None:
    client.force_login(users["sue"])
    text = client.get(reverse("admin:proof")).content.decode()
    assert "None: the proof holds." in text
    assert "Nothing is open." in text


def test_a_name_with_markup_stays_text(full: Team, client: Client) -> None:
    evil = "<script>alert(1)</script>"
    Agent.objects.update(name=evil)
    Workspace.objects.update(name=evil)
    Task.objects.update(title=evil, state="stuck")
    client.force_login(full.users["sue"])
    pages = (reverse("admin:index"), reverse("admin:proof"), address(Agent, "changelist"), address(Task, "changelist"))
    for page in pages:
        assert evil not in client.get(page).content.decode()
