"""Model servers: added, ordered, tested and forgotten by staff, and set by the environment."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
from django.contrib.auth.models import User
from django.db import connections
from django.test import override_settings
from django.utils import timezone

from agents.llm.base import Checked, Endpoint, Fault, FaultKind
from clawgroups import sealing
from clawgroups.core.errors import Conflict, Forbidden, Invalid, NotFound
from clawgroups.core.model_servers import FromEnvironment
from clawgroups.models import ModelCall, ModelServer, Operation
from clawgroups.services import endpoints, model_servers, model_tests
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.llm.fake_server import FakeServer

pytestmark = pytest.mark.django_db

SAID = {"name": "sglang-1", "provider": "sglang", "url": "http://gpu-1:30000/v1", "model": "Kimi-K2.6"}


def add(team: Team, key: str = "", **more: Any) -> ModelServer:
    outcome = perform(model_servers.create_server, said=SAID | more, key=key, actor=team.actor("sue"))
    return ModelServer.objects.get(pk=outcome.answer["id"])


def change(team: Team, server: ModelServer, *, key: str | None = None, **more: Any) -> ModelServer:
    perform(model_servers.set_server, server.pk, said=SAID | more, key=key, actor=team.actor("sue"))
    server.refresh_from_db()
    return server


def key_of(server: ModelServer) -> str:
    return sealing.unseal(server.secret, purpose=f"model server {server.pk}")


def test_only_staff_look_after_model_servers(team: Team) -> None:
    server = add(team)
    verbs: list[Callable[[Any], Any]] = [
        lambda who: model_servers.create_server(said=SAID, actor=who),
        lambda who: model_servers.set_server(server.pk, said=SAID, actor=who),
        lambda who: model_servers.move_server(server.pk, up=True, actor=who),
        lambda who: model_servers.enable_server(server.pk, enabled=False, actor=who),
        lambda who: model_servers.clear_server(server.pk, actor=who),
        lambda who: model_servers.remove_server(server.pk, actor=who),
        lambda who: model_tests.test_server(server.pk, actor=who),
    ]
    for verb in verbs:
        with pytest.raises(Forbidden):
            verb(team.actor("ada"))
    assert ModelServer.objects.count() == 1


def test_who_lost_the_right_meanwhile_changes_nothing(team: Team) -> None:
    sue = team.actor("sue")
    User.objects.filter(username="sue").update(is_staff=False)
    with pytest.raises(Conflict):
        perform(model_servers.create_server, said=SAID, actor=sue)
    assert not ModelServer.objects.exists()


def test_a_key_is_sealed_for_its_server_and_kept_until_it_is_replaced_or_dropped(team: Team) -> None:
    server = add(team, key="Bearer sk-first")
    assert key_of(server) == "sk-first"
    assert "sk-first" not in str(list(Operation.objects.values())) + str(list(ModelServer.objects.values()))
    assert key_of(change(team, server, model="other")) == "sk-first"
    assert key_of(change(team, server, key="sk-second")) == "sk-second"
    assert change(team, server, key="").secret == ""


def test_a_key_is_never_taken_along_to_another_machine(team: Team) -> None:
    server = add(team, key="sk-first")
    with pytest.raises(Invalid, match="another machine"):
        change(team, server, url="http://elsewhere:30000/v1")
    assert key_of(change(team, server, url="http://gpu-1:30000/v2")) == "sk-first"
    assert key_of(change(team, server, url="http://elsewhere:30000/v1", key="sk-new")) == "sk-new"


def test_a_server_without_a_model_is_off_until_one_that_was_found_is_chosen(team: Team) -> None:
    server = add(team, model="")
    assert not server.enabled
    with pytest.raises(Conflict, match="no model yet"):
        perform(model_servers.enable_server, server.pk, enabled=True, actor=team.actor("sue"))
    ModelServer.objects.update(checked={"models": ["kimi-k2.6", "kimi-k3"]})
    with pytest.raises(Invalid, match="did not find"):
        perform(model_servers.choose_model, server.pk, model="gpt", actor=team.actor("sue"))
    perform(model_servers.choose_model, server.pk, model="kimi-k2.6", actor=team.actor("sue"))
    server.refresh_from_db()
    assert (server.model, server.enabled) == ("kimi-k2.6", True)


def test_servers_change_places_one_by_one_and_stay_at_the_ends(team: Team) -> None:
    for name in ("one", "two", "three"):
        add(team, name=name)

    def move(name: str, *, up: bool) -> list[str]:
        server = ModelServer.objects.get(name=name)
        perform(model_servers.move_server, server.pk, up=up, actor=team.actor("sue"))
        return list(ModelServer.objects.values_list("name", flat=True))

    assert move("three", up=True) == ["one", "three", "two"]
    assert move("three", up=True) == ["three", "one", "two"]
    assert move("three", up=True) == ["three", "one", "two"]
    assert move("one", up=False) == ["three", "two", "one"]


def test_a_server_is_not_removed_while_it_answers_and_its_calls_stay(team: Team) -> None:
    server = add(team)
    run = team.run([{"key": "a", "title": "A", "skills": ["writing"]}])
    call = ModelCall.objects.create(
        workspace=team.workspace, run=run, kind="plan", state="calling", server=server, created_at=timezone.now()
    )
    with pytest.raises(Conflict, match="A call is under way there"):
        perform(model_servers.remove_server, server.pk, actor=team.actor("sue"))
    ModelCall.objects.update(state="answered")
    perform(model_servers.remove_server, server.pk, actor=team.actor("sue"))
    call.refresh_from_db()
    assert call.server is None
    with pytest.raises(NotFound):
        model_servers.get_server(team.actor("sue"), server.pk)


def test_what_was_found_out_is_forgotten_with_the_address(team: Team) -> None:
    server = add(team)
    found = {"checked": {"models": ["Kimi-K2.6"], "ok": True}, "breaker": "open", "health": {"said": "no"}}
    ModelServer.objects.update(**found)
    same = change(team, server, name="renamed")
    assert (same.breaker, same.checked) == ("open", found["checked"])
    other = change(team, server, model="other")
    assert (other.breaker, other.health, other.checked) == ("closed", {}, found["checked"])
    assert change(team, server, model="other", url="http://gpu-2:30000/v1").checked == {}


def test_a_public_address_without_tls_is_taken_with_a_warning(team: Team) -> None:
    said = SAID | {"url": "http://models.example.org/v1"}
    outcome = perform(model_servers.create_server, said=said, actor=team.actor("sue"))
    assert "without TLS" in outcome.answer["warning"]
    assert "warning" not in perform(model_servers.create_server, said=SAID, actor=team.actor("sue")).answer


# Tests of the connection


def after_test(team: Team, server: ModelServer) -> ModelServer:
    checked = model_tests.test_server(server.pk, actor=team.actor("sue"))
    perform(model_servers.note_check, server.pk, checked=checked, actor=team.actor("sue"))
    server.refresh_from_db()
    return server


def test_a_test_of_a_real_server_shows_what_it_has_and_what_works(team: Team) -> None:
    with FakeServer("sglang") as fake:
        server = add(team, url=fake.url, model="")
        assert after_test(team, server).checked["works"] == {}
        model = server.checked["models"][0]
        assert not server.checked["ok"]
        perform(model_servers.choose_model, server.pk, model=model, actor=team.actor("sue"))
        ModelServer.objects.update(breaker="open", health={"said": "no connection"})
        found = after_test(team, ModelServer.objects.get()).checked
    server.refresh_from_db()
    assert found["ok"]
    assert found["works"].keys() == {"streaming", "schema", "tools", "cached"}
    assert found["works"]["schema"]
    assert (server.breaker, server.health) == ("closed", {})
    assert server.checked_at is not None


def test_a_server_that_is_not_there_fails_its_test_and_says_so(team: Team) -> None:
    fake = FakeServer("sglang").start()
    url = fake.url
    fake.kill()
    server = after_test(team, add(team, url=url))
    assert not server.checked["ok"]
    assert server.checked["said"]
    assert server.checked["models"] == []


@pytest.mark.parametrize(
    ("fault", "said"),
    [(Fault(FaultKind.KEY, "It refuses the key."), "It refuses the key."), (ValueError("x"), "the log of the server")],
)
def test_whatever_happens_in_a_test_is_its_result(
    team: Team, monkeypatch: pytest.MonkeyPatch, fault: Exception, said: str
) -> None:
    def check(endpoint: Endpoint) -> Checked:
        raise fault

    monkeypatch.setattr(model_tests, "check", check)
    assert said in after_test(team, add(team)).checked["said"]


def test_a_test_that_hangs_is_left_after_its_time(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    go = threading.Event()

    def check(endpoint: Endpoint) -> Checked:
        go.wait(30)
        return Checked()

    monkeypatch.setattr(model_tests, "check", check)
    monkeypatch.setattr(model_tests, "LIMIT", 0.05)
    assert "not done with the test within" in after_test(team, add(team)).checked["said"]
    go.set()


def test_a_result_for_what_the_server_was_before_is_refused(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model_tests, "check", lambda endpoint: Checked(["m"], None, 0.1, {"schema": True}))
    server = add(team)
    checked = model_tests.test_server(server.pk, actor=team.actor("sue"))
    change(team, server, model="other")
    with pytest.raises(Conflict, match="changed while it was tested"):
        perform(model_servers.note_check, server.pk, checked=checked, actor=team.actor("sue"))


def test_a_key_that_no_longer_opens_is_said_and_nothing_is_asked(team: Team) -> None:
    server = add(team, key="sk-1")
    ModelServer.objects.update(secret=sealing.seal("sk-1", purpose="something else"))
    assert "Enter it again" in after_test(team, server).checked["said"]


# The environment

ENV = FromEnvironment("sglang", "http://gpu-9:30000/v1", "default", "", "sk-env")


def adopted(wanted: FromEnvironment | None) -> bool:
    with override_settings(COORDINATOR=wanted):
        return model_servers.adopt_environment() is not None


def test_the_environments_server_comes_first_and_follows_it_at_each_start(team: Team) -> None:
    add(team)
    assert adopted(ENV)
    assert not adopted(ENV)
    server = ModelServer.objects.all()[0]
    assert (server.from_environment, server.enabled, key_of(server)) == (True, True, "sk-env")
    ModelServer.objects.filter(pk=server.pk).update(breaker="open", checked={"ok": True})
    assert adopted(FromEnvironment("vllm", ENV.url, "kimi", "instant", "sk-env"))
    server.refresh_from_db()
    assert (server.provider, server.model, server.mode) == ("vllm", "kimi", "instant")
    assert (server.breaker, server.checked) == ("closed", {})
    assert adopted(FromEnvironment("vllm", ENV.url, "kimi", "instant", "sk-other"))
    assert adopted(None)
    assert not adopted(None)
    server.refresh_from_db()
    assert not server.enabled
    assert adopted(ENV)
    assert ModelServer.objects.filter(from_environment=True, enabled=True).count() == 1


def test_the_environments_server_is_not_changed_in_the_page_but_tested_there(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    adopted(ENV)
    server, sue = ModelServer.objects.get(), team.actor("sue")
    verbs: list[Callable[[], Any]] = [
        lambda: model_servers.set_server(server.pk, said=SAID, actor=sue),
        lambda: model_servers.enable_server(server.pk, enabled=False, actor=sue),
        lambda: model_servers.move_server(server.pk, up=False, actor=sue),
        lambda: model_servers.remove_server(server.pk, actor=sue),
    ]
    for verb in verbs:
        with pytest.raises(Conflict, match="CLAWGROUPS_COORDINATOR_URL"):
            verb()
    monkeypatch.setattr(model_tests, "check", lambda endpoint: Checked(["m"], None, 0.1, {"schema": True}))
    assert after_test(team, server).checked["ok"]
    ModelServer.objects.update(breaker="open")
    perform(model_servers.clear_server, server.pk, actor=sue)
    server.refresh_from_db()
    assert server.breaker == "closed"


def test_others_stay_behind_the_environments_when_they_move(team: Team) -> None:
    adopted(ENV)
    for name in ("one", "two"):
        add(team, name=name)
    two = ModelServer.objects.get(name="two")
    for _ in range(3):
        perform(model_servers.move_server, two.pk, up=True, actor=team.actor("sue"))
    assert list(ModelServer.objects.values_list("name", flat=True)) == ["SGLang", "two", "one"]


@pytest.mark.django_db(transaction=True)
def test_several_processes_that_start_at_once_adopt_one_server() -> None:
    together = threading.Barrier(4)

    def start() -> None:
        together.wait(10)
        try:
            model_servers.adopt_environment()
        finally:
            connections.close_all()

    with override_settings(COORDINATOR=ENV), ThreadPoolExecutor(4) as processes:
        for started in [processes.submit(start) for _ in range(4)]:
            started.result(30)
    assert [row.pk for row in ModelServer.objects.all()] == [model_servers.FROM_ENVIRONMENT]


def test_a_server_is_handed_to_the_client_with_its_key_and_prices(team: Team) -> None:
    server = add(team, key="sk-1", prices={"miss": 0.95, "out": 4}, timeouts={"first": 20}, extra={"top_k": 5})
    endpoint = endpoints.endpoint_of(server)
    assert (endpoint.key, endpoint.prices.miss, endpoint.prices.hit) == ("sk-1", 0.95, 0.0)
    assert (endpoint.timeouts.first, endpoint.timeouts.between, endpoint.extra) == (20.0, 90.0, {"top_k": 5})
    assert "sk-1" not in repr(endpoint)


def test_a_repeated_addition_adds_one(team: Team) -> None:
    for _ in range(2):
        perform(model_servers.create_server, said=SAID, actor=team.actor("sue"), operation="once")
    assert ModelServer.objects.count() == 1
    assert UUID(str(ModelServer.objects.get().pk))
