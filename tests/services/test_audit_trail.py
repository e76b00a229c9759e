"""The audit trail: what is on it, and that no row can be changed, taken out or put in unnoticed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from agents import tokens
from clawgroups.core.audit import INSTALLATION
from clawgroups.models import AuditHead, AuditRow
from clawgroups.services import agents, audit_trail, enrolling, members, people, takeover, workspaces
from clawgroups.services.audit_trail import Wanted
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def actions(chain: Any) -> list[str]:
    return [row.action for row in audit_trail.rows_of(chain)]


def test_takeovers_roles_and_rules_are_on_the_trail_of_their_workspace(team: Team) -> None:
    task = team.working()
    before = len(actions(team.workspace.pk))
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(members.set_role, team.seat("gus").pk, role="member", actor=team.actor("ada"))
    perform(workspaces.set_rules, team.workspace.pk, rules="Numbers before words.", actor=team.actor("carol"))
    assert actions(team.workspace.pk)[before:] == ["task.taken_over", "member.role_set", "workspace.rules_set"]
    row = audit_trail.rows_of(team.workspace.pk, Wanted(action="task.taken_over")).get()
    said = audit_trail.said(row)
    assert (row.who, said["actor"]["user"]) == (team.actor("bob").name, team.users["bob"].pk)
    assert said["detail"]["task_id"] == str(task.pk)


def test_keys_codes_and_tokens_are_on_the_installations_trail_and_no_secret_is(team: Team) -> None:
    ada, scribe = team.actor("ada"), team.agents["scribe"]
    key, code = agents.mint_key(), tokens.mint_code()
    perform(agents.add_key, scribe.pk, key=key, actor=ada)
    perform(agents.revoke_key, scribe.keys.get(public_id=key.public_id).pk, actor=ada)
    perform(enrolling.offer, scribe.pk, code=code, actor=ada)
    brought = agents.mint_key()
    perform(enrolling.enrol, code.secret, secret=brought.secret)
    token, secret = people.create_token(team.users["ada"], name="laptop")
    people.revoke_token(team.users["ada"], token.pk)
    assert actions(INSTALLATION)[-6:] == [
        "agent.key_made", "agent.key_revoked", "agent.code_made", "agent.enrolled", "token.made", "token.revoked",
    ]  # fmt: skip
    told = "".join(row.told for row in audit_trail.rows_of(INSTALLATION))
    assert not [one for one in (key.secret, code.secret, brought.secret, secret) if one in told]


def a_trail(team: Team) -> Any:
    for text in ("One", "Two", "Three"):
        perform(workspaces.set_rules, team.workspace.pk, rules=text, actor=team.actor("ada"))
    assert audit_trail.verify(team.workspace.pk) is None
    return team.workspace.pk


def last(chain: Any, back: int = 0) -> AuditRow:
    return AuditRow.objects.filter(chain=chain).order_by("-number")[back]


def changed(chain: Any) -> None:
    row = last(chain, 1)
    AuditRow.objects.filter(pk=row.pk).update(told=row.told.replace("Two", "2nd"))


def renamed(chain: Any) -> None:
    AuditRow.objects.filter(pk=last(chain, 1).pk).update(who="Somebody else")


def moved(chain: Any) -> None:
    AuditRow.objects.filter(pk=last(chain, 1).pk).update(at=timezone.now())


def taken_out(chain: Any) -> None:
    last(chain, 1).delete()


def cut_off(chain: Any) -> None:
    last(chain).delete()


def cut_off_with_its_head(chain: Any) -> None:
    last(chain).delete()
    AuditHead.objects.filter(pk=chain).update(number=last(chain).number)


def swapped(chain: Any) -> None:
    one, two = last(chain, 1), last(chain, 2)
    AuditRow.objects.filter(pk=one.pk).update(number=999)
    AuditRow.objects.filter(pk=two.pk).update(number=one.number)
    AuditRow.objects.filter(pk=one.pk).update(number=two.number)


def put_in(chain: Any) -> None:
    row = last(chain)
    row.pk, row.number = None, row.number + 1
    row.save(force_insert=True)
    AuditHead.objects.filter(pk=chain).update(number=row.number)


TAMPERED = (changed, renamed, moved, taken_out, cut_off, cut_off_with_its_head, swapped, put_in)


@pytest.mark.parametrize("tamper", TAMPERED, ids=lambda one: one.__name__)
def test_what_was_tampered_with_is_found_by_the_verify_command(team: Team, tamper: Callable[[Any], None]) -> None:
    chain = a_trail(team)
    tamper(chain)
    said = io.StringIO()
    with pytest.raises(CommandError, match="1 of the chains do not hold"):
        call_command("audit", "verify", stdout=said)
    assert f"workspace {chain}: BROKEN at row" in said.getvalue()


def test_a_trail_that_was_cut_back_together_with_its_head_is_found_by_a_head_that_was_kept(team: Team) -> None:
    chain = a_trail(team)
    number, digest = audit_trail.head_of(chain)
    call_command("audit", "verify", workspace=chain, head=f"{number}:{digest}", stdout=io.StringIO())
    last(chain).delete()
    AuditHead.objects.filter(pk=chain).update(number=last(chain).number, digest=last(chain).digest)
    assert audit_trail.verify(chain) is None
    with pytest.raises(CommandError, match="not in this chain any more"):
        call_command("audit", "verify", workspace=chain, head=f"{number}:{digest}", stdout=io.StringIO())


def test_another_secret_of_the_installation_makes_no_row_hold(team: Team, settings: Any) -> None:
    chain = a_trail(team)
    settings.SECRET_KEY = "another-secret-of-fifty-characters-and-more-0123456789"
    fault = audit_trail.verify(chain)
    assert fault is not None
    assert fault.number == 1


def test_rows_are_found_by_kind_name_and_time_and_told_as_lines_of_json(team: Team) -> None:
    chain = a_trail(team)
    middle = last(chain, 1)
    assert [row.number for row in audit_trail.rows_of(chain, Wanted(since=middle.at))][-2:] == [
        middle.number, middle.number + 1,
    ]  # fmt: skip
    assert not audit_trail.rows_of(chain, Wanted(until=last(chain, 2).at, action="workspace.rules_set")).exists()
    assert not audit_trail.rows_of(chain, Wanted(who="nobody of this name")).exists()
    told = [json.loads(line) for line in audit_trail.lines(chain, Wanted(action="workspace.rules"))]
    assert [one["detail"]["rules"] for one in told] == ["One", "Two", "Three"]
    assert told[-1]["digest"] == audit_trail.head_of(chain)[1]
