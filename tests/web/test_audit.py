"""The audit trail on its page: for admins and staff, found, verified and exported."""

from __future__ import annotations

import json

import pytest
from django.test import Client
from django.urls import reverse

from clawgroups.models import AuditRow
from clawgroups.services import agents, takeover, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


def shown(client: Client, team: Team, query: str = "") -> str:
    answer = client.get(reverse("workspace-audit", args=[team.workspace.pk]) + query)
    assert answer.status_code == 200
    return str(answer.content.decode())


def test_an_admin_sees_who_did_what_and_finds_it_by_kind_name_and_day(team: Team, sign_in: SignIn) -> None:
    perform(takeover.take_over, team.working().pk, actor=team.actor("bob"))
    perform(workspaces.set_rules, team.workspace.pk, rules="<b>Numbers</b>", actor=team.actor("ada"))
    carol = sign_in("carol")
    page = shown(carol, team)
    assert "task taken over" in page
    assert "workspace rules set" in page
    assert "&lt;b&gt;Numbers" in page
    assert "workspace rules set" not in shown(carol, team, "?action=task.")
    assert "task taken over" in shown(carol, team, "?who=BOB&since=2020-01-01&until=2999-01-01")
    assert "No row is like that" in shown(carol, team, "?until=2020-01-01")
    assert "task taken over" in shown(carol, team, "?since=no-day")


def test_it_says_whether_all_rows_stand_as_they_were_written(team: Team, sign_in: SignIn) -> None:
    for rules in ("None yet", "One"):
        perform(workspaces.set_rules, team.workspace.pk, rules=rules, actor=team.actor("ada"))
    carol = sign_in("carol")
    assert "as they were written" in shown(carol, team, "?verify=1")
    row = AuditRow.objects.filter(chain=team.workspace.pk, action="workspace.rules_set").latest("number")
    AuditRow.objects.filter(pk=row.pk).update(told=row.told.replace("One", "Two"))
    page = shown(carol, team, "?verify=1")
    assert "The trail does not hold" in page
    assert f"At row {row.number}" in page


def test_what_is_shown_is_exported_as_lines_of_json(team: Team, sign_in: SignIn) -> None:
    perform(workspaces.set_rules, team.workspace.pk, rules="One", actor=team.actor("ada"))
    address = reverse("export-workspace-audit", args=[team.workspace.pk])
    answer = sign_in("carol").get(f"{address}?action=workspace.rules_set")
    assert "attachment" in answer["Content-Disposition"]
    (line,) = answer.getvalue().decode().splitlines()
    assert json.loads(line)["detail"]["rules"] == "One"


def test_staff_sees_the_installations_trail_and_nobody_else(team: Team, sign_in: SignIn) -> None:
    perform(agents.add_key, team.agents["scribe"].pk, key=agents.mint_key(), actor=team.actor("ada"))
    page = sign_in("sue").get(reverse("installation-audit"))
    assert "agent key made" in page.content.decode()
    assert sign_in("ada").get(reverse("installation-audit")).status_code == 403
    assert sign_in("bob").get(reverse("workspace-audit", args=[team.workspace.pk])).status_code == 403
