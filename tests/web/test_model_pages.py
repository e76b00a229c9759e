"""Model servers, the coordinator's settings, and what the model was asked for a run, as people see them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.llm.base import Checked
from clawgroups import sealing
from clawgroups.fragments import rooms
from clawgroups.models import ModelCall, ModelServer, Run, Usage, Workspace
from clawgroups.services import endpoints, model_tests
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

TYPED = {
    "name": "sglang-1",
    "provider": "sglang",
    "url": "http://gpu-1:30000/v1",
    "model": "moonshotai/Kimi-K2.6",
    "key": "",
    "mode": "",
    "concurrency": "4",
}
SETTINGS = {"use_model": "yes", "start_at_once": "no"}
PLAN = [{"key": "a", "title": "Write it up", "skills": ["writing"]}]


def server(**said: Any) -> ModelServer:
    usual = {"name": "sglang-1", "provider": "sglang", "url": "http://gpu-1:30000/v1", "model": "moonshotai/Kimi-K2.6"}
    return ModelServer.objects.create(**{**usual, "created_at": timezone.now(), **said})


def call(run: Run, **said: Any) -> ModelCall:
    usual = {"kind": "plan", "subject": str(uuid4()), "state": "answered", "created_at": timezone.now()}
    return ModelCall.objects.create(workspace=run.workspace, run=run, **{**usual, **said})


def page(client: Client, name: str, *args: Any, status: int = 200) -> str:
    answer = client.get(reverse(name, args=args))
    assert answer.status_code == status
    return answer.content.decode()


# Model servers


def test_staff_are_led_to_the_model_servers_and_nobody_else(team: Team, sign_in: SignIn) -> None:
    there = reverse("model-servers")
    assert there in page(sign_in("sue"), "workspaces")
    assert there not in page(sign_in("ada"), "workspaces")
    assert sign_in("ada").get(there).status_code == 403
    assert there in sign_in("sue").get("/admin/").content.decode()


def test_without_a_server_the_page_says_what_a_model_adds_and_how_to_begin(team: Team, sign_in: SignIn) -> None:
    shown = page(sign_in("sue"), "model-servers")
    assert "needs no model" in shown
    assert "claw serve-model" in shown
    assert reverse("new-model-server") + "?provider=moonshot" in shown


def test_a_provider_fills_the_form_in(team: Team, sign_in: SignIn) -> None:
    shown = sign_in("sue").get(reverse("new-model-server") + "?provider=moonshot").content.decode()
    for value in ("https://api.moonshot.ai/v1", "kimi-k2.6", "0.95", "0.16"):
        assert f'value="{value}"' in shown
    assert 'name="provider" value="moonshot"' in shown


def test_a_server_is_added_with_a_key_that_no_page_shows_again(team: Team, sign_in: SignIn) -> None:
    sue = sign_in("sue")
    answer = sue.post(reverse("create-model-server"), {**TYPED, "key": "sk-s3cret", "prices_out": "4"})
    row = ModelServer.objects.get()
    assert (answer.status_code, answer["Location"]) == (303, reverse("model-server", args=[row.pk]))
    assert sealing.unseal(row.secret, purpose=endpoints.purpose(row.pk)) == "sk-s3cret"
    assert row.prices == {"out": 4.0}
    for shown in (page(sue, "model-server", row.pk), page(sue, "model-servers")):
        assert "sk-s3cret" not in shown
        assert "Never tested" in shown
    assert "One is kept, sealed, and not shown" in page(sue, "model-server", row.pk)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"url": "gpu-1"}, "An address is like"),
        ({"url": "https://a:b@gpu-1/v1"}, "holds no name or key"),
        ({"name": ""}, "This field is required."),
        ({"concurrency": "0"}, "greater than or equal to 1"),
        ({"extra": "{oops"}, "This is no JSON."),
        ({"extra": '{"messages": []}'}, "Every request says messages itself"),
        ({"timeouts_first": "0.1"}, "greater than or equal to 1"),
        ({"key": "two words"}, "A key is one word"),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_nothing_is_lost(
    team: Team, sign_in: SignIn, typed: dict[str, str], said: str
) -> None:
    answer = sign_in("sue").post(reverse("create-model-server"), {**TYPED, "timeouts_total": "99", **typed})
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert said in shown
    assert 'value="99"' in shown
    assert "two words" not in shown
    assert not ModelServer.objects.exists()


def test_a_server_is_changed_switched_off_and_forgotten(team: Team, sign_in: SignIn) -> None:
    sue, row = sign_in("sue"), server()
    sue.post(reverse("set-model-server", args=[row.pk]), {**TYPED, "name": "gpu", "mode": "instant"})
    row.refresh_from_db()
    assert (row.name, row.mode) == ("gpu", "instant")
    sue.post(reverse("enable-model-server", args=[row.pk]), {"enabled": "no"})
    assert "Switched off" in page(sue, "model-servers")
    answer = sue.post(reverse("remove-model-server", args=[row.pk]))
    assert answer["Location"] == reverse("model-servers")
    assert not ModelServer.objects.exists()


def test_the_list_says_how_each_server_stands_and_in_which_order(team: Team, sign_in: SignIn) -> None:
    until = timezone.now() + timedelta(minutes=4)
    well = {"ok": True, "works": {"schema": True, "cached": False}, "models": ["m"], "context": 262144, "latency": 0.4}
    server(name="first", position=1, checked=well, checked_at=timezone.now())
    second = server(name="second", position=2, breaker="open", breaker_until=until, health={"said": "It is <down>."})
    server(name="third", position=3, checked={"ok": False, "said": "Connection refused."}, checked_at=timezone.now())
    server(name="fourth", position=4, url="http://models.example.org/v1")
    sue = sign_in("sue")
    shown = page(sue, "model-servers")
    assert shown.index("first") < shown.index("second") < shown.index("third") < shown.index("fourth")
    for said in ("Well", "Resting", "it is &lt;down&gt;", "Failed its test", "Connection refused.", "Never tested"):
        assert said in shown
    assert until.isoformat(timespec="seconds") in shown
    assert "public and without TLS" in shown
    sue.post(reverse("move-model-server", args=[second.pk]), {"to": "earlier", "back": "list"})
    sue.post(reverse("clear-model-server", args=[second.pk]), {"back": "list"})
    assert [row.name for row in ModelServer.objects.all()][:2] == ["second", "first"]
    assert "Resting" not in page(sue, "model-servers")


def test_a_test_shows_models_to_choose_from_by_a_click(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    works = {"schema": True, "tools": False, "streaming": True, "cached": False}
    found = Checked(["kimi-k2.6", "kimi-k3"], 262144, 0.42, works, "")
    monkeypatch.setattr(model_tests, "check", lambda endpoint: found)
    sue, row = sign_in("sue"), server(model="", enabled=False)
    sue.post(reverse("test-model-server", args=[row.pk]))
    shown = page(sue, "model-server", row.pk)
    assert "Off: no model chosen" in shown
    assert "Choose the model" in shown
    sue.post(reverse("choose-model", args=[row.pk]), {"model": "kimi-k2.6"})
    sue.post(reverse("test-model-server", args=[row.pk]))
    shown = page(sue, "model-server", row.pk)
    for said in (
        "Well",
        "262\u202f144 tokens of context",
        "answered in 0.42 s",
        "1 other model there",
        "does not work",
    ):
        assert said in shown


def test_with_script_a_verb_leads_on_by_a_header(team: Team, sign_in: SignIn) -> None:
    row = server()
    answer = sign_in("sue", htmx=True).post(reverse("clear-model-server", args=[row.pk]))
    assert (answer.status_code, answer["HX-Redirect"]) == (204, reverse("model-server", args=[row.pk]))


def test_what_the_environment_set_is_looked_at_and_not_changed(team: Team, sign_in: SignIn) -> None:
    row = server(from_environment=True)
    sue = sign_in("sue")
    shown = page(sue, "model-server", row.pk)
    assert "CLAWGROUPS_COORDINATOR_URL" in shown
    assert reverse("set-model-server", args=[row.pk]) not in shown
    assert sue.post(reverse("set-model-server", args=[row.pk]), {**TYPED, "name": "mine"}).status_code == 422
    row.refresh_from_db()
    assert row.name == "sglang-1"


# The coordinator of a workspace


def test_members_see_how_the_coordinator_is_set_and_admins_set_it(team: Team, sign_in: SignIn) -> None:
    there = reverse("coordination", args=[team.workspace.pk])
    assert there in page(sign_in("gus"), "workspace", team.workspace.pk)
    seen = page(sign_in("bob"), "coordination", team.workspace.pk)
    assert "Owners and admins of the workspace can change it." in seen
    assert "<fieldset" in seen
    assert " disabled>" in seen
    assert "Save the settings" not in seen
    assert sign_in("bob").post(reverse("set-coordination", args=[team.workspace.pk]), SETTINGS).status_code == 403
    assert "Save the settings" in page(sign_in("carol"), "coordination", team.workspace.pk)
    assert sign_in("mallory").get(there).status_code == 404


def test_settings_are_saved_as_people_write_them_and_shown_again(team: Team, sign_in: SignIn) -> None:
    carol, there = sign_in("carol"), reverse("set-coordination", args=[team.workspace.pk])
    typed = {"use_model": "no", "start_at_once": "yes", "mode_plan": "preserve-thinking", "run_tokens": "500k"}
    typed |= {"run_seconds": "1h30m", "month_cost_micro": "$12.50"}
    assert carol.post(there, typed).status_code == 303
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == {
        "use_model": False,
        "start_at_once": True,
        "modes": {"plan": "preserve-thinking"},
        "run": {"tokens": 500_000, "seconds": 5400},
        "month": {"cost_micro": 12_500_000},
    }
    shown = page(carol, "coordination", team.workspace.pk)
    for value in ("500000", "1 h 30 min", "12.5"):
        assert f'value="{value}"' in shown
    assert "this workspace does without a model" in shown
    assert "The coordinator&#x27;s settings are saved." in shown
    assert team.journal()[-1] == "workspace.coordination_set"


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ({"run_tokens": "lots"}, "is no whole number"),
        ({"run_tokens": "0"}, "give a whole number above 0"),
        ({"month_cost_micro": "a fiver"}, "is no amount"),
        ({"run_seconds": "soon"}, "is no duration"),
        ({"mode_plan": "deep"}, "Select a valid choice"),
        ({"use_model": ""}, "This field is required."),
    ],
)
def test_a_setting_that_cannot_be_is_said_beside_its_field(
    team: Team, sign_in: SignIn, typed: dict[str, str], said: str
) -> None:
    answer = sign_in("carol").post(
        reverse("set-coordination", args=[team.workspace.pk]), {**SETTINGS, "run_steps": "4000", **typed}
    )
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert said in shown
    assert 'value="4000"' in shown
    assert Workspace.objects.get(pk=team.workspace.pk).coordination == {}


def test_the_page_says_which_model_plans_now_and_what_was_used_this_month(team: Team, sign_in: SignIn) -> None:
    bob = sign_in("bob")
    assert "no model is set up" in page(bob, "coordination", team.workspace.pk)
    health = {"kind": "quota", "said": "no balance"}
    made = server(breaker="open", breaker_until=timezone.now() + timedelta(hours=1), health=health)
    assert "no balance" in page(bob, "coordination", team.workspace.pk)
    guest = page(sign_in("gus"), "coordination", team.workspace.pk)
    assert ("no balance" in guest, f"{made.name}&#x27;s quota is used up" in guest) == (False, True)
    server(name="spare", model="kimi-k3", position=2)
    Workspace.objects.update(coordination={"month": {"cost_micro": 4_000_000}})
    now = timezone.now()
    common = {"workspace": team.workspace, "cost_micro": 1_700_000, "prompt_tokens": 900_000}
    Usage.objects.create(id=uuid4(), day=now.date(), **common)
    Usage.objects.create(id=uuid4(), day=now.date() - timedelta(days=32), **common)
    shown = page(bob, "coordination", team.workspace.pk)
    assert "<b>kimi-k3</b> on spare plans" in shown
    assert "$1.70" in shown
    assert "of $4.00" in shown
    assert "900k" in shown


# The model calls of a run


def test_a_run_says_who_plans_it(team: Team, sign_in: SignIn) -> None:
    run, bob = team.run(PLAN), sign_in("bob")
    assert "built-in coordinator</b> plans, because no model is set up" in page(bob, "run", team.workspace.pk, run.pk)
    call(run, server=server(), model="moonshotai/Kimi-K2.6")
    assert "<b>Kimi-K2.6</b> on sglang-1 plans" in page(bob, "run", team.workspace.pk, run.pk)
    Run.objects.update(fallback="sglang-1 <rests>.")
    shown = page(bob, "run", team.workspace.pk, run.pk)
    assert "stands in for the model: sglang-1 &lt;rests&gt;. The run goes on" in shown
    assert reverse("model-calls", args=[team.workspace.pk, run.pk]) in shown


def test_who_plans_a_run_is_looked_up_once_and_only_among_the_calls_that_plan(
    team: Team, django_assert_num_queries: Any
) -> None:
    run, here = team.run(PLAN), server()
    call(run, server=here, model="kimi-k2.6")
    call(run, server=here, model="small", kind="match", subject="1")
    (view,) = rooms.runs_of([run.pk])
    with django_assert_num_queries(1):
        assert [view.planner.model, view.planner.model] == ["kimi-k2.6"] * 2
    Run.objects.update(fallback="sglang-1 rests.")
    (view,) = rooms.runs_of([run.pk])
    with django_assert_num_queries(1):
        assert [view.stands_in, view.stands_in] == ["sglang-1 rests"] * 2


def test_a_run_says_that_a_limit_is_near_or_reached_and_what_to_do(team: Team, sign_in: SignIn) -> None:
    run, bob = team.run(PLAN), sign_in("bob")
    Run.objects.update(budget={"tokens": 1000}, spent_tokens=850, budget_warned="tokens of the run")
    shown = page(bob, "run", team.workspace.pk, run.pk)
    assert "Four fifths of a limit are used: tokens of the run" in shown
    assert "85 % used" in page(bob, "model-calls", team.workspace.pk, run.pk)
    Run.objects.update(spent_tokens=1000, budget_stop="The limit of the run of 1,000 tokens is used up.")
    shown = page(bob, "run", team.workspace.pk, run.pk)
    assert "Nothing new begins." in shown
    assert "Raise the limit" in shown
    assert "used up" in page(bob, "model-calls", team.workspace.pk, run.pk)


def test_the_calls_are_listed_with_their_sums(team: Team, sign_in: SignIn) -> None:
    run, row = team.run(PLAN), server()
    counted = {"prompt_tokens": 10_000, "cached_tokens": 4_000, "completion_tokens": 500, "reasoning_tokens": 300}
    call(
        run,
        server=row,
        model="moonshotai/Kimi-K2.6",
        mode="thinking",
        cost_micro=42_000,
        first_ms=1200,
        took_ms=9000,
        **counted,
    )
    call(run, kind="match", state="failed", fault="slow", said="No token came.")
    run.tasks.update(state="done")
    shown = page(sign_in("bob"), "model-calls", team.workspace.pk, run.pk)
    for said in ("10k", "40 <span", "$0.042", "$0.042 for each accepted task", "1.2 s / 9.0 s", "1 failed", "thinking"):
        assert said in shown
    assert "10\u202f000" in shown
    assert "(4\u202f000)" in shown


def test_a_call_opens_to_what_was_asked_and_read_and_its_thoughts_are_no_authority(team: Team, sign_in: SignIn) -> None:
    run = team.run(PLAN)
    one = call(
        run, digest="9f" * 32, decision={"member": "scribe"}, problems=["Task <b> is none."], reasoning="I think so.",
        raw={"id": "raw-1"}, text="the answer", request={"messages": [{"role": "user", "text": "the question"}]},
    )  # fmt: skip
    shown = page(sign_in("bob"), "model-call", team.workspace.pk, run.pk, one.pk)
    for said in ("9f9f", "scribe", "Task &lt;b&gt; is none.", "raw-1", "the answer", "the question", "I think so."):
        assert said in shown
    assert "Nothing is ever done because of them" in shown
    assert "I think so." not in page(sign_in("bob"), "model-calls", team.workspace.pk, run.pk)


def test_guests_see_the_sums_and_nothing_that_was_said(team: Team, sign_in: SignIn) -> None:
    run = team.run(PLAN)
    one = call(run, prompt_tokens=12_345, subject="a subject", model="m")
    gus = sign_in("gus")
    shown = page(gus, "model-calls", team.workspace.pk, run.pk)
    assert "12.3k" in shown
    assert "a subject" not in shown
    assert reverse("model-call", args=[team.workspace.pk, run.pk, one.pk]) not in shown
    assert reverse("set-budget", args=[team.workspace.pk, run.pk]) not in shown
    assert page(gus, "model-call", team.workspace.pk, run.pk, one.pk, status=403)


def test_a_call_of_another_run_is_not_found_under_this_one(team: Team, sign_in: SignIn) -> None:
    one = call(team.run(PLAN))
    assert page(sign_in("bob"), "model-call", team.workspace.pk, team.run(PLAN).pk, one.pk, status=404)


def test_many_calls_come_page_by_page_and_cost_the_same_queries(
    team: Team, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    run, row = team.run(PLAN), server()
    for _ in range(120):
        call(run, server=row, task=run.tasks.get(), kind="match", model="m")
    bob = sign_in("bob")
    with django_assert_max_num_queries(40):
        shown = page(bob, "model-calls", team.workspace.pk, run.pk)
    assert shown.count('class="call"') == 100
    assert "1 / 2" in shown


def test_a_runs_limits_are_set_as_people_write_them(team: Team, sign_in: SignIn) -> None:
    run, bob = team.run(PLAN), sign_in("bob")
    Workspace.objects.update(coordination={"run": {"tokens": 500_000}})
    there, shown = (
        reverse("set-budget", args=[team.workspace.pk, run.pk]),
        page(bob, "model-calls", team.workspace.pk, run.pk),
    )
    assert 'value="500000"' in shown
    assert bob.post(there, {"tokens": "2M", "cost_micro": "2.50", "seconds": "8 h"}).status_code == 303
    run.refresh_from_db()
    wanted = {"tokens": 2_000_000, "cost_micro": 2_500_000, "seconds": 28_800}
    assert {name: value for name, value in run.budget.items() if value} == wanted
    answer = bob.post(there, {"tokens": "plenty", "steps": "77"})
    assert answer.status_code == 422
    assert "is no whole number" in answer.content.decode()
    assert 'value="77"' in answer.content.decode()
    bob.post(there, {"tokens": "", "cost_micro": "", "steps": "", "seconds": ""})
    run.refresh_from_db()
    assert run.budget == {}
    assert sign_in("gus").post(there, {"tokens": "5"}).status_code == 403
