"""The page of the rules: what is in force, making one with a look at what it would have done, and taking one back."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from clawgroups.core.actors import Actor, ActorKind
from clawgroups.models import Approval, Rule, Session
from clawgroups.services import approvals, putting, rules
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

OPTIONS = [
    {"optionId": "always", "kind": "allow_always", "name": "Always"},
    {"optionId": "yes", "kind": "allow_once", "name": "Yes"},
    {"optionId": "no", "kind": "reject_once", "name": "No"},
]
MAKE = {"toolCallId": "c", "kind": "execute", "title": "Build <b>it</b>", "raw_input": {"command": "make all"}}


def url(team: Team, name: str, *more: Any) -> str:
    return reverse(name, args=[team.workspace.pk, *more])


def client_of(team: Team, name: str) -> Client:
    client = Client()
    client.force_login(team.users[name], backend="django.contrib.auth.backends.ModelBackend")
    return client


def asked(team: Team, call: dict[str, Any] | None = None) -> Approval:
    task = team.assigned()
    team.send("scribe")
    team.answer("scribe", {"sessionId": "s", "_meta": {"clawgroups": {"cwd": "/srv/ann/desk"}}})
    team.send("scribe")
    task.refresh_from_db()
    me = Actor(ActorKind.AGENT, "Scribe", agent_id=team.agents["scribe"].pk)
    said: dict[str, Any] = {"request_id": 1, "tool_call": call or MAKE, "options": OPTIONS, "actor": me}
    session = Session.objects.get(attempt=task.attempt)
    return Approval.objects.get(pk=perform(putting.request_approval, session.pk, **said).answer["id"])


def test_the_list_shows_what_is_critical_from_the_beginning(team: Team) -> None:
    text = client_of(team, "bob").get(url(team, "answer-rules")).content.decode()
    for note in ("Deletes files or folders", "Publishes something", "Reaches production", "Moves money"):
        assert note in text
    assert "git push *" in text
    assert url(team, "new-rule") not in text


def test_an_admin_makes_a_rule_and_revokes_it_and_takes_that_back(team: Team) -> None:
    client = client_of(team, "carol")
    said = {"answer": "deny", "kinds": ["fetch"], "note": "Not from here", "needed": "1", "expires": "86400"}
    response = client.post(url(team, "make-rule"), said, follow=True)
    assert "Not from here" in response.content.decode()
    rule = Rule.objects.get(answer="deny")
    assert (rule.kinds, rule.made_by) == (["fetch"], team.seat("carol"))
    assert rule.expires_at is not None
    response = client.post(url(team, "revoke-rule", rule.pk), follow=True)
    text = response.content.decode()
    assert "The rule is revoked." in text
    assert "1 rule that counts no more" in text
    offer = text.partition('name="offer" value="')[2].partition('"')[0]
    client.post(reverse("undo"), {"offer": offer}, follow=True)
    rule.refresh_from_db()
    assert rule.revoked_at is None


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(team: Team) -> None:
    said = {"answer": "allow", "paths": "/etc/hosts", "note": "Mine"}
    response = client_of(team, "ada").post(url(team, "make-rule"), said)
    text = response.content.decode()
    assert response.status_code == 422
    assert "lies outside of the work folder" in text
    assert 'value="Mine"' in text
    assert "/etc/hosts" in text
    assert not Rule.objects.filter(answer="allow").exists()


def test_the_form_is_filled_in_from_a_question(team: Team) -> None:
    question = asked(team)
    text = client_of(team, "ada").get(url(team, "new-rule"), {"from": str(question.pk)}).content.decode()
    assert "make all</textarea>" in text
    assert f'value="{team.agents["scribe"].pk}" selected' in text
    assert f'value="{question.pk}"' in text


def test_the_form_takes_paths_from_a_question_that_names_some(team: Team) -> None:
    edit = {"toolCallId": "c", "kind": "edit", "locations": [{"path": "/srv/ann/desk/src/a.py"}, {"path": "b.py"}]}
    question = asked(team, edit)
    text = client_of(team, "ada").get(url(team, "new-rule"), {"from": str(question.pk)}).content.decode()
    assert "src/a.py\nb.py</textarea>" in text


def test_a_question_of_another_workspace_fills_in_nothing(team: Team) -> None:
    client = client_of(team, "ada")
    for given in ("0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee", str(team.workspace.pk)):
        assert client.get(url(team, "new-rule"), {"from": given}).status_code == 404
    assert client.get(url(team, "new-rule"), {"from": "nonsense"}).status_code == 200


@pytest.mark.parametrize("by_script", [True, False])
def test_a_dry_run_says_what_people_answered_and_makes_nothing(team: Team, by_script: bool) -> None:
    question = asked(team)
    perform(approvals.decide_approval, question.pk, option_id="no", actor=team.actor("bob"))
    headers = {"HX-Request": "true"} if by_script else {}
    said = {"answer": "allow", "commands": "make *"}
    text = client_of(team, "ada").post(url(team, "try-rule"), said, headers=headers).content.decode()
    assert "It is about 1 question of the 1 that agents asked" in text
    assert "people answered otherwise" in text
    assert "Build &lt;b&gt;it&lt;/b&gt;" in text
    # What it may do that was not meant.
    assert "runs whatever its arguments say" in text
    assert ("<html" in text) is not by_script
    assert not Rule.objects.filter(answer="allow").exists()


def test_a_dry_run_of_nonsense_says_what_is_wrong(team: Team) -> None:
    said = {"answer": "allow", "commands": "git log | sh"}
    response = client_of(team, "ada").post(url(team, "try-rule"), said, headers={"HX-Request": "true"})
    assert "more than one plain command" in response.content.decode()


def test_what_one_answered_for_good_one_sees_and_takes_back(team: Team) -> None:
    perform(approvals.decide_approval, asked(team).pk, option_id="always", actor=team.actor("bob"))
    rule = Rule.objects.get(answer="allow")
    client = client_of(team, "bob")
    text = client.get(url(team, "answer-rules")).content.decode()
    assert "Exactly what was asked" in text
    assert "Build &lt;b&gt;it&lt;/b&gt;" in text
    assert text.count("Revoke<") == 1
    client.post(url(team, "revoke-rule", rule.pk))
    rule.refresh_from_db()
    assert rule.revoked_by == team.seat("bob")


def test_a_rule_is_revoked_in_its_own_workspace_only(team: Team) -> None:
    said = perform(rules.make_rule, team.workspace.pk, answer="deny", kinds=["edit"], actor=team.actor("ada"))
    other = reverse("revoke-rule", args=["0190aaaa-bbbb-7ccc-8ddd-eeeeeeeeeeee", said.answer["id"]])
    assert client_of(team, "ada").post(other).status_code == 404
    assert Rule.objects.get(pk=said.answer["id"]).revoked_at is None
