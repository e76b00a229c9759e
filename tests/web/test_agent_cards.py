"""Cards on pages: taken along as a file, and forms filled in from one; nothing is saved before somebody says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from agents.models import Agent
from agents.protocol.card import LARGEST
from clawgroups.services import agents
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.test_verbs import post

pytestmark = pytest.mark.django_db

CARD: dict[str, Any] = {
    "name": "Kimi <on> Ana's laptop",
    "description": "Backend work",
    "version": "2.1.0",
    "url": "https://kimi.example",
    "skills": [
        {
            "id": "Django Models",
            "name": "Django",
            "description": "models & tests",
            "tags": ["python", "web"],
            "examples": ["Add a field", "Write a test"],
        },
        {"id": "数据", "name": "数据分析"},
    ],
}


def test_the_form_of_registration_is_filled_in_and_nothing_is_saved(team: Team, sign_in: SignIn) -> None:
    before = Agent.objects.count()
    answer = post(sign_in("bob"), "read-card", card=json.dumps(CARD), workspace=str(team.workspace.pk))
    said = answer.content.decode()
    assert answer.status_code == 200
    for value in (
        'value="Kimi &lt;on&gt; Ana&#x27;s laptop"',
        'value="2.1.0"',
        'value="django-models"',
        'value="Django"',
        'value="models &amp; tests"',
        'value="python, web"',
        "Add a field\nWrite a test",
        'value="skill-2"',
        'value="数据分析"',
        f'<option value="{team.workspace.pk}" selected>',
        "There is no place here for: url.",
        "nothing is saved yet",
    ):
        assert value in said, value
    assert Agent.objects.count() == before


def test_a_card_comes_as_a_file_too(sign_in: SignIn) -> None:
    upload = SimpleUploadedFile("agent-card.json", b"\xef\xbb\xbf" + json.dumps(CARD).encode(), "application/json")
    assert 'value="django-models"' in post(sign_in("bob"), "read-card", file=upload).content.decode()


BAD = [
    ({"card": ""}, "Paste a card or choose its file."),
    ({"card": "{oops"}, "The card is no JSON"),
    ({"card": '{"name": "x", "skills": 5}'}, "skills: a list was expected"),
    ({"card": "<script>alert(1)</script>"}, "The card is no JSON"),
    ({"file": b"\xff\xfe\x00"}, "no text in UTF-8"),
    ({"file": b" " * (LARGEST + 1)}, "The file is too large"),
]


@pytest.mark.parametrize(("sent", "said"), BAD, ids=[said for _, said in BAD])
@pytest.mark.parametrize("edit", [False, True])
def test_a_bad_card_is_refused_at_its_field_and_kept(
    team: Team, sign_in: SignIn, sent: dict[str, Any], said: str, edit: bool
) -> None:
    data = {k: SimpleUploadedFile("c.json", v) if isinstance(v, bytes) else v for k, v in sent.items()}
    args = [team.agents["scribe"].pk] if edit else []
    answer = post(sign_in("ada"), "read-card-for" if edit else "read-card", *args, **data)
    page = answer.content.decode()
    assert answer.status_code == 422
    assert said in page
    assert 'id="id_card_error"' in page
    assert "<script>alert" not in page
    if sent.get("card", "").startswith("<"):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;</textarea>" in page


def test_a_card_read_for_an_agent_changes_the_form_only_where_it_speaks(team: Team, sign_in: SignIn) -> None:
    client, scribe = sign_in("ada"), team.agents["scribe"]
    Agent.objects.filter(pk=scribe.pk).update(model="kimi-k2.6", description="Old words")
    card = {"name": "Scribe 2", "skills": [{"id": "writing", "description": "Letters"}]}
    said = post(client, "read-card-for", scribe.pk, card=json.dumps(card)).content.decode()
    assert 'value="Scribe 2"' in said
    assert 'value="kimi-k2.6"' in said
    assert "Old words</textarea>" in said
    assert 'value="Letters"' in said
    assert '<option value="4" selected>' in said
    scribe.refresh_from_db()
    assert scribe.name == "Scribe"


def test_what_was_downloaded_fills_the_same_profile_in_again(team: Team, sign_in: SignIn) -> None:
    client, ada = sign_in("ada"), team.actor("ada")
    profile: dict[str, Any] = {
        "name": "Kimi on Ana's laptop",
        "description": "Backend work.\n\n- Django",
        "version": "2.1",
        "model": "kimi-k2.6",
        "device": "laptop",
        "toolkits": ["files", "browser"],
        "max_sessions": 3,
        "skills": [
            {
                "name": "django",
                "title": "Django",
                "description": "d",
                "level": 5,
                "tags": ["a", "b"],
                "examples": ["x"],
            },
            {"name": "sql", "title": "", "description": "", "level": 1, "tags": [], "examples": []},
        ],
    }
    made = perform(agents.register_agent, key=agents.mint_key(), actor=ada, handle="kimi", **profile)
    answer = client.get(reverse("agent-card", args=[made.answer["id"]]))
    assert answer["Content-Disposition"] == 'attachment; filename="kimi.agent-card.json"'
    page = post(client, "read-card", card=answer.content.decode())
    form = page.context["form"]
    # The handle is a wish, and here it is taken.
    assert form.initial.get("handle") is None
    again = {name: form.initial[name] for name in profile if name not in ("skills", "toolkits")}
    assert again == {name: profile[name] for name in again}
    assert form.initial["toolkits"] == "files, browser"
    assert [row.said for row in form.skill_rows if row.name] == profile["skills"]


def test_the_rows_of_a_refused_form_keep_titles_tags_and_examples(sign_in: SignIn) -> None:
    typed = {
        "name": "",
        "max_sessions": "1",
        "skill": ["writing", ""],
        "skill_description": ["x" * 301, ""],
        "skill_level": ["4", "3"],
        "skill_title": ["Writing & more", ""],
        "skill_tags": ["a, b", ""],
        "skill_examples": ["One\nTwo", ""],
    }
    said = post(sign_in("bob"), "register-agent", **typed).content.decode()
    for value in ('value="Writing &amp; more"', 'value="a, b"', "One\nTwo</textarea>"):
        assert value in said
    named = post(sign_in("bob"), "register-agent", **{**typed, "name": "Kimi"})
    assert named.status_code == 422
    assert "Skill 1 (writing): its description is 301 characters long; at most 300 fit." in named.content.decode()


@pytest.mark.parametrize("name", ["agent-card", "read-card-for"])
def test_the_card_of_somebody_elses_agent_is_nobodys(team: Team, sign_in: SignIn, name: str) -> None:
    address = reverse(name, args=[team.agents["scribe"].pk])
    for who in ("bob", "mallory"):
        assert sign_in(who).get(address).status_code in (404, 405)
        assert sign_in(who).post(address, {"card": "{}"}).status_code in (404, 405)
