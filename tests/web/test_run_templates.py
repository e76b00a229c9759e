"""The first minutes: three ways to begin, the forms of templates, and an example to look around in."""

from __future__ import annotations

import re

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from agents.models import Agent
from clawgroups.core.run_templates.library import TEMPLATES
from clawgroups.models import Artifact, Run, Workspace
from clawgroups.services.agents import register_agent
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.test_go import found

pytestmark = pytest.mark.django_db

SHOPS = b"name,city\nAurora,Porto\nFarol,Porto\n"


@pytest.fixture
def rules(team: Team) -> Agent:
    """A built-in agent, which takes its seat in every new workspace."""
    outcome = perform(
        register_agent,
        name="Writer",
        skills=[{"name": "writing", "level": 4}],
        model="none: computes by rules",
        is_builtin=True,
        actor=team.actor("sue"),
    )
    return Agent.objects.get(pk=outcome.answer["id"])


def shops() -> SimpleUploadedFile:
    return SimpleUploadedFile("shops.csv", SHOPS, content_type="text/csv")


def test_who_has_no_workspace_is_led_to_an_example_a_template_or_an_agent_of_their_own(
    team: Team, sign_in: SignIn
) -> None:
    mallory = sign_in("mallory")
    page = mallory.get("/").content.decode()
    for address in ("try-example", "templates", "new-agent", "create-workspace"):
        assert f'"{reverse(address)}"' in page
    assert page.count("<h1") == 1
    perform(register_agent, name="Kimi", actor=team.actor("mallory"))
    page = mallory.get("/").content.decode()
    assert "Waiting for its first connection" in page
    assert reverse("connect-agent", args=[Agent.objects.get(name="Kimi").pk]) in page


def test_the_ways_to_begin_stay_until_something_was_done(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    assert reverse("try-example") in ada.get("/").content.decode()
    team.one_task()
    assert reverse("try-example") not in ada.get("/").content.decode()


def test_the_example_is_a_run_that_has_begun_in_a_workspace_of_ones_own(
    team: Team, sign_in: SignIn, rules: Agent
) -> None:
    mallory = sign_in("mallory")
    for _ in range(2):
        answer = mallory.post(reverse("try-example"), {"operation": "pressed-twice"})
    room = Workspace.objects.get(members__user=team.users["mallory"])
    assert answer.status_code == 303
    assert answer["Location"] == reverse("workspace", args=[room.pk])
    run = Run.objects.get(workspace=room)
    assert (run.state, run.start_when_planned) == ("proposed", True)
    assert room.goal == run.goal
    assert [file.name for file in Artifact.objects.filter(run=run)] == ["coffee-sales.csv"]


def test_without_built_in_agents_the_example_says_why_it_cannot_be_carried_out(team: Team, sign_in: SignIn) -> None:
    answer = sign_in("mallory").post(reverse("try-example"))
    assert answer.status_code == 422
    assert not Workspace.objects.filter(members__user=team.users["mallory"]).exists()


def test_each_form_says_its_inputs_its_plan_what_comes_out_and_who_is_missing(
    team: Team, sign_in: SignIn, rules: Agent
) -> None:
    mallory = sign_in("mallory")
    for one in TEMPLATES:
        page = mallory.get(reverse("template", args=[one.name])).content.decode()
        shown = re.sub(r"\s+", " ", page)
        for said in (one.title, *(i.label for i in one.inputs), *(s.about for s in one.steps), *one.deliverables):
            assert said.replace("'", "&#x27;") in shown, one.name
        assert ("Nobody is here yet who can write this." in page) is one.needs_writer, one.name
        assert ('value="yes"' in page) is not one.needs_writer, one.name
        assert (reverse("new-agent") in page) is one.needs_writer, one.name


def test_a_template_with_a_file_is_started_in_a_workspace_that_is_opened_for_it(
    team: Team, sign_in: SignIn, rules: Agent
) -> None:
    body = {"title": "Old town", "workspace_name": "Shops", "start": "yes", "files": shops()}
    answer = sign_in("mallory").post(reverse("open-template", args=["landing-pages"]), body)
    run = Run.objects.get(workspace__name="Shops")
    assert answer["Location"] == reverse("run", args=[run.workspace_id, run.pk])
    assert run.start_when_planned
    assert run.tasks.count() == 3


def test_nothing_is_opened_before_all_is_there_and_the_file_need_not_be_sent_again(
    team: Team, sign_in: SignIn, rules: Agent
) -> None:
    mallory, address = sign_in("mallory"), reverse("open-template", args=["landing-pages"])
    answer = mallory.post(address, {"button": "Come by", "workspace_name": "Shops", "start": "yes", "files": shops()})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Name of the website is empty" in page
    assert 'value="Come by"' in page
    assert not Workspace.objects.filter(name="Shops").exists()
    kept = re.search(r'name="kept" value="([^"]+)"', page)
    assert kept is not None
    body = {"title": "Old town", "workspace_name": "Shops", "start": "no", "kept": kept[1]}
    assert mallory.post(address, body).status_code == 303
    run = Run.objects.get(workspace__name="Shops")
    assert (run.tasks.count(), run.start_when_planned) == (3, False)


def test_in_a_workspace_the_form_is_for_who_may_draft_runs_there(team: Team, sign_in: SignIn) -> None:
    here = f"?w={team.workspace.pk}"
    address = reverse("use-template", args=[team.workspace.pk, "perspectives"])
    assert address in sign_in("bob").get(reverse("template", args=["perspectives"]) + here).content.decode()
    assert address not in sign_in("gus").get(reverse("template", args=["perspectives"]) + here).content.decode()
    assert sign_in("mallory").get(reverse("templates") + here).status_code == 404
    body = {"question": "Rent or buy?", "sides": "Tenant\nOwner", "start": "yes"}
    assert sign_in("gus").post(address, body).status_code == 403
    answer = sign_in("bob").post(address, body)
    run = Run.objects.get(workspace=team.workspace)
    assert answer["Location"] == reverse("run", args=[team.workspace.pk, run.pk])
    assert run.created_by == team.users["bob"]
    assert run.start_when_planned


def test_what_is_wrong_stands_at_its_field_with_what_was_typed(team: Team, sign_in: SignIn) -> None:
    address = reverse("use-template", args=[team.workspace.pk, "perspectives"])
    answer = sign_in("ada").post(address, {"question": "Rent <b>or</b> buy?", "sides": " ", "start": "yes"})
    page = answer.content.decode()
    assert answer.status_code == 422
    assert "Rent &lt;b&gt;or&lt;/b&gt; buy?" in page
    assert re.search(r'id="id_sides_error" role="alert"><li>Perspectives: there is none yet', page)
    assert not Run.objects.exists()


def test_templates_are_found_by_their_names_and_offered_where_nothing_runs_yet(team: Team, sign_in: SignIn) -> None:
    ada, room = sign_in("ada"), reverse("workspace", args=[team.workspace.pk])
    assert found(ada, "landing pages", room) == ["Landing pages for a list of shops"]
    assert "Start from a template" in found(ada, "", room)
    assert "Start from a template" not in found(sign_in("gus"), "", room)
    assert f"{reverse('templates')}?w={team.workspace.pk}" in ada.get(room).content.decode()
