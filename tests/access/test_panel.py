"""The operator's pages: staff look, who may change acts, by verbs; each act is logged, and no secret is shown."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Permission, User
from django.contrib.sessions.models import Session as BrowserSession
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.models import Agent, Dial
from clawgroups.admin import health
from clawgroups.admin.settings_form import WORDS
from clawgroups.core.installation import SETTINGS
from clawgroups.models import AuditRow, Export, Letter, ModelCall, Run, Setting, Workspace
from clawgroups.services import audit_trail, exporting, installation
from clawgroups.services.trying_again import AGAIN, found
from tests.access.markup import INLINE
from tests.conftest import Team, quarantine
from tests.services.model_support import server

pytestmark = pytest.mark.django_db
PAGES = ("health", "failed", "settings", "retention", "exports")
ACTS = ("try-again", "set-settings", "set-retention", "prune", "export")
SEALED = "sealed-and-nobody-s-to-see"


def address(name: str, *args: Any) -> str:
    return reverse(f"admin:{name}", args=args)


@pytest.fixture(autouse=True)
def place(settings: Any, tmp_path: Path) -> None:
    settings.DATA_DIR = tmp_path


@pytest.fixture
def sue(team: Team, client: Client) -> Client:
    client.force_login(team.users["sue"])
    return client


@pytest.fixture
def broken(team: Team) -> Team:
    """Something of every kind that failed."""
    now = timezone.now()
    run = team.working().run
    Run.objects.filter(pk=run.pk).update(turn_crashes=2, turn_step="Review x")
    Workspace.objects.update(reacted=0)
    team.workspace.journal.update(at=now - timedelta(minutes=5))
    first = server("first", breaker="open", breaker_until=now + timedelta(minutes=1), health={"said": "no connection"})
    for n, state in enumerate(("failed", "answered", "answered")):
        ModelCall.objects.create(
            workspace=team.workspace, run=run, kind="replan", round=n, state=state, said="too slow", fault="slow",
            tries=2, server=first, created_at=now, ended_at=now, took_ms=1000 * (n + 1), prompt_tokens=100,
            cost_micro=500_000,
        )  # fmt: skip
    quarantine(team.agents["judge"])
    scribe = team.agents["scribe"]
    Dial.objects.create(
        id=scribe.pk, agent=scribe, address="wss://far.example/", secret=SEALED, state="refused", said="403", tries=4,
        since=now, next_at=now,
    )  # fmt: skip
    Letter.objects.create(user=team.users["ada"], subjects=["x"], made_at=now, tries=3, problem="550 no such box")
    Export.objects.create(workspace=team.workspace, asked_at=now, state="failed", said="OSError: full", tries=1)
    return team


def test_every_setting_has_its_words() -> None:
    assert set(WORDS) == set(SETTINGS)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_staff_s_and_stands_empty(team: Team, client: Client, page: str) -> None:
    client.force_login(team.users["ada"])
    assert client.get(address(page)).status_code == 403
    client.force_login(team.users["sue"])
    text = client.get(address(page)).content.decode()
    assert not INLINE.search(text)
    assert 'aria-current="page"' in text


def test_who_may_only_look_acts_on_nothing(broken: Team, client: Client) -> None:
    User.objects.create_user("tom", is_staff=True)
    client.force_login(User.objects.get(username="tom"))
    call = ModelCall.objects.get(state="failed")
    said = {"kind": "call", "pk": call.pk, "signup": "on", "workspace": broken.workspace.pk}
    for page in PAGES:
        text = client.get(address(page)).content.decode()
        assert "try-again" not in text
        assert 'value="Save"' not in text
    for act in ACTS:
        assert client.get(address(act)).status_code == 405
        assert client.post(address(act), said).status_code == 403, act
    assert client.get(address("download-export", Export.objects.get().pk)).status_code == 403
    assert not LogEntry.objects.exists()
    assert not Setting.objects.exists()


def test_what_failed_says_what_why_and_how_often(broken: Team, sue: Client) -> None:
    rows = found(timezone.now())
    assert {kind: len(of) for kind, of in rows.items()} == dict.fromkeys(AGAIN, 1)
    text = sue.get(address("failed")).content.decode()
    assert not INLINE.search(text)
    assert SEALED not in text
    for said in ("Review x", "too slow", "no connection", "403", "550 no such box", "OSError: full", "3 times"):
        assert said in text, said


@pytest.mark.parametrize("kind", AGAIN)
def test_what_failed_is_tried_again_and_that_is_logged(broken: Team, sue: Client, kind: str) -> None:
    (row,) = found(timezone.now())[kind]
    answer = sue.post(address("try-again"), {"kind": kind, "pk": row.pk}, follow=True)
    assert "It is tried again now" in answer.content.decode()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.get_change_message()) == (
        broken.users["sue"], str(row.pk), "Tried again",
    )  # fmt: skip
    assert AuditRow.objects.filter(who="sue").exists() or kind == "agent"
    # Workers look at a journal, and the post at a letter, when they come to it.
    assert kind in ("reaction", "letter") or not found(timezone.now())[kind]


def test_what_has_not_failed_is_not_tried_again(broken: Team, sue: Client) -> None:
    ModelCall.objects.update(state="answered")
    call = ModelCall.objects.first()
    assert call is not None
    text = sue.post(address("try-again"), {"kind": "call", "pk": call.pk}, follow=True).content.decode()
    assert "has not failed" in text
    for said in ({"kind": "call", "pk": "x"}, {"kind": "delete", "pk": call.pk}, {}):
        assert sue.post(address("try-again"), said).status_code == 404
    assert not LogEntry.objects.exists()


def test_a_paused_run_is_its_workspace_s_to_resume(broken: Team, sue: Client) -> None:
    Run.objects.update(paused=True)
    run = Run.objects.get()
    assert (
        "has to resume it"
        in sue.post(address("try-again"), {"kind": "turn", "pk": run.pk}, follow=True).content.decode()
    )


def test_health_tells_how_long_models_took_and_what_they_cost(broken: Team, sue: Client) -> None:
    whole = health.coordinator(timezone.now(), 24).all
    assert (whole.calls, whole.failed, whole.middle, whole.slow, whole.tokens) == (3, 1, 3.0, 3.0, 300)
    lanes = {lane.name: lane for lane in health.queues().lanes}
    assert lanes["Journals to react to"].waiting == 1
    assert lanes["Commands to agents"].in_hand == 1
    assert lanes["Letters"].oldest is not None
    for hours in ("24", "168", "nonsense"):
        text = sue.get(address("health"), {"hours": hours}).content.decode()
        assert not INLINE.search(text)
        assert "first" in text
        assert "$1.50" in text


def switches(**changed: str) -> dict[str, str]:
    said = {name: "on" for name, one in SETTINGS.items() if one.is_switch} | changed
    return {name: value for name, value in said.items() if value}


def test_switches_and_limits_hold_at_once_and_bad_input_loses_nothing(team: Team, sue: Client) -> None:
    said = {**switches(sharing=""), "agents_each": "12", "upload_mb": "20"}
    text = sue.post(address("set-settings"), said, follow=True).content.decode()
    assert "Changed: " in text
    assert not installation.is_on("sharing")
    assert (installation.limit("agents_each"), installation.limit("upload_mb")) == (12, 20)
    assert {entry.object_id for entry in LogEntry.objects.all()} >= {"sharing", "agents_each", "upload_mb"}
    answer = sue.post(address("set-settings"), {**said, "agents_each": "lots", "open_runs_each": "9"})
    assert answer.status_code == 422
    text = answer.content.decode()
    for kept in ('value="lots"', 'value="9"', 'aria-invalid="true"'):
        assert kept in text
    assert installation.limit("agents_each") == 12
    sue.post(address("set-settings"), {"unset": "agents_each"})
    assert installation.limit("agents_each") is None
    rows = AuditRow.objects.filter(action__startswith="setting.").order_by("number")
    assert {row.who for row in rows} == {"sue"}
    assert rows.last().action == "setting.unset"  # type: ignore[union-attr]


def test_sign_up_opens_without_a_restart(team: Team, sue: Client) -> None:
    stranger = Client()
    assert "signup" not in stranger.get(reverse("account_login")).content.decode()
    sue.post(address("set-settings"), switches())
    assert reverse("account_signup") in stranger.get(reverse("account_login")).content.decode()
    made = {"username": "nora", "password1": "a-long-pass-phrase", "password2": "a-long-pass-phrase"}
    stranger.post(reverse("account_signup"), made)
    assert User.objects.filter(username="nora").exists()


def test_a_look_at_what_would_go_saves_nothing_and_deleting_is_logged(team: Team, sue: Client) -> None:
    long_ago = timezone.now() - timedelta(days=90)
    Letter.objects.create(user=team.users["ada"], made_at=long_ago, sent_at=long_ago)
    text = sue.get(address("retention"), {"look": "1", "keep_letters": "30"}).content.decode()
    assert "1 row would be deleted by these numbers" in text
    assert not Setting.objects.exists()
    sue.post(address("set-retention"), {"keep_letters": "30"})
    assert Letter.objects.exists()
    assert "1 row deleted." in sue.post(address("prune"), follow=True).content.decode()
    assert not Letter.objects.exists()
    assert LogEntry.objects.filter(object_repr="Retention", change_message="keep_letters: 1").exists()
    assert sue.post(address("set-retention"), {"keep_letters": "1"}).status_code == 422


def test_an_archive_is_asked_for_made_and_downloaded(team: Team, sue: Client) -> None:
    sue.post(address("export"), {"workspace": team.workspace.pk})
    row = Export.objects.get()
    assert "waiting" in sue.get(address("exports")).content.decode()
    assert "not there" in sue.get(address("download-export", row.pk), follow=True).content.decode()
    exporting.make_due(timezone.now())
    answer = sue.get(address("download-export", row.pk))
    assert b"".join(answer.streaming_content)[:2] == b"PK"  # type: ignore[attr-defined]
    assert answer["Content-Disposition"].startswith('attachment; filename="sales-')
    assert "Choose a workspace" in sue.post(address("export"), {"workspace": "x"}, follow=True).content.decode()
    assert [entry.get_change_message() for entry in LogEntry.objects.order_by("pk")] == ["Asked for", "Downloaded"]


def act(client: Client, model: type[Model], action: str, *rows: Model) -> str:
    meta = model._meta
    page = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    said = {"action": action, "_selected_action": [row.pk for row in rows]}
    return client.post(page, said, follow=True).content.decode()


def test_an_account_is_closed_opened_again_and_signed_out(team: Team, sue: Client) -> None:
    bob, browser = team.users["bob"], Client()
    browser.force_login(bob)
    assert "Signed out: 1" in act(sue, User, "sign_out", bob)
    assert reverse("account_login") in browser.get(reverse("me"))["Location"]
    browser.force_login(bob)
    assert "Closed: 1" in act(sue, User, "close", bob)
    assert not User.objects.get(username="bob").is_active
    assert reverse("account_login") in browser.get(reverse("me"))["Location"]
    assert "closed already" in act(sue, User, "close", bob)
    act(sue, User, "reopen", bob)
    assert User.objects.get(username="bob").is_active
    assert "cannot close your own" in act(sue, User, "close", team.users["sue"])
    assert BrowserSession.objects.exists()
    told = {row.action: audit_trail.said(row)["detail"] for row in AuditRow.objects.all()}
    assert told["account.signed_out"]["sessions"] == 1
    assert told["panel.acted"]["said"] == "Opened"


def test_who_may_not_do_everything_does_nothing_to_who_may(team: Team, client: Client) -> None:
    tom = User.objects.create_user("tom", is_staff=True)
    tom.user_permissions.add(*Permission.objects.filter(codename__in=["view_user", "change_user"]))
    client.force_login(tom)
    assert "may do everything" in act(client, User, "close", team.users["sue"])
    assert User.objects.get(username="sue").is_active


def test_every_act_is_found_on_the_audit_trail(team: Team, sue: Client) -> None:
    act(sue, Agent, "retire", team.agents["judge"])
    act(sue, Workspace, "export", team.workspace)
    text = sue.get(reverse("installation-audit"), {"action": "panel.", "who": "sue"}).content.decode()
    assert "Retired" in text
    assert "Archives asked for" in text
    assert "agents.Agent" in text
