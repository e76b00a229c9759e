"""What can be said about a model server, by people and by the environment."""

from __future__ import annotations

from typing import Any

import pytest

from agents.llm.base import Mode
from agents.llm.providers import PRESETS
from clawgroups.core.coordination_settings import MODE_NAMES, clean_coordination
from clawgroups.core.errors import Invalid
from clawgroups.core.model_servers import PROVIDERS, clean_key, clean_server, is_exposed, read_environment, read_url

GOOD: dict[str, Any] = {"name": "sglang-1", "provider": "sglang", "url": "http://gpu-1:30000/v1", "model": "k"}
ENV = "CLAWGROUPS_COORDINATOR_"


def env(**said: str) -> dict[str, str]:
    return {ENV + name: value for name, value in said.items()}


def test_providers_and_modes_are_those_of_the_client() -> None:
    assert set(PROVIDERS) == set(PRESETS)
    assert tuple(mode.value for mode in Mode) == MODE_NAMES


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("gpu-1:30000", "An address is like"),
        ("ftp://gpu-1/v1", "An address is like"),
        ("http:///v1", "An address is like"),
        ("http://gpu-1:port/v1", "An address is like"),
        ("http://[::1", "An address is like"),
        ("https://me:key@gpu-1/v1", "holds no name or key"),
        ("https://gpu-1/v1?key=1", "leave out what follows"),
        ("https://gpu 1/v1", "without blanks"),
        ("https://api.example.org/accounts/{account_id}/v1", "in the place of {account_id}"),
    ],
)
def test_what_is_no_address_is_refused_with_what_to_do(typed: str, said: str) -> None:
    with pytest.raises(Invalid, match=said.replace("{", r"\{")) as refused:
        read_url(typed)
    assert refused.value.fields["field"] == "url"


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:30000/v1", "http://10.0.0.7/v1", "http://gpu-1/", "https://x.org/v1"]
)
def test_any_address_of_the_operators_own_will_do(url: str) -> None:
    assert read_url(f" {url}/ ") == url.rstrip("/")


@pytest.mark.parametrize(
    ("url", "exposed"),
    [
        ("http://api.example.org/v1", True),
        ("http://8.8.8.8/v1", True),
        ("http://[2606:4700::1111]/v1", True),
        ("https://api.example.org/v1", False),
        ("http://10.0.0.7/v1", False),
        ("http://[::1]:30000/v1", False),
        ("http://sglang:30000/v1", False),
        ("http://gpu.lan/v1", False),
        ("http://gpu.corp.internal/v1", False),
    ],
)
def test_plain_http_to_a_public_address_is_told_from_the_rest(url: str, exposed: bool) -> None:
    assert is_exposed(url) is exposed


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "<b>"}, "name"),
        ({"provider": "skynet"}, "provider"),
        ({"mode": "deep"}, "mode"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": True}, "concurrency"),
        ({"prices": {"miss": -1}}, "prices_miss"),
        ({"prices": {"miss": float("nan")}}, "prices_miss"),
        ({"prices": {"all": 1}}, "prices"),
        ({"timeouts": {"total": 1}}, "timeouts_total"),
        ({"extra": [1]}, "extra"),
        ({"extra": {"messages": []}}, "extra"),
        ({"extra": {"x": "y" * 5000}}, "extra"),
    ],
)
def test_what_cannot_be_names_its_field(wrong: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_server(GOOD | wrong)
    assert refused.value.fields["field"] == field


def test_a_key_is_one_word_and_bearer_may_stand_before_it() -> None:
    assert clean_key(" Bearer sk-1 ") == "sk-1"
    for wrong in ("two words", "line\nbreak", "k" * 5000):
        with pytest.raises(Invalid):
            clean_key(wrong)


def test_an_environment_without_the_variables_names_no_server() -> None:
    assert read_environment({}) is None
    assert read_environment(env(URL="", MODEL=" ")) is None


def test_the_environment_names_a_server_with_little() -> None:
    found = read_environment(env(URL="http://gpu-1:30000/v1/"))
    assert found is not None
    assert (found.provider, found.url, found.model) == ("sglang", "http://gpu-1:30000/v1", "moonshotai/Kimi-K2.6")
    hosted = read_environment(env(URL="https://api.moonshot.ai/v1", MODEL="kimi-k2.6", API_KEY="Bearer sk-1"))
    assert hosted is not None
    assert (hosted.provider, hosted.model, hosted.key) == ("moonshot", "kimi-k2.6", "sk-1")
    assert "sk-1" not in repr(hosted)


@pytest.mark.parametrize(
    ("said", "variable"),
    [
        ({"MODEL": "k"}, "URL is empty, but CLAWGROUPS_COORDINATOR_MODEL is set"),
        ({"URL": "gpu-1:30000"}, "URL: An address is like"),
        ({"URL": "https://u:p@gpu/v1"}, "URL: The address holds no name or key"),
        ({"URL": "http://gpu/v1", "PROVIDER": "skynet"}, "PROVIDER is 'skynet': choose one of sglang"),
        ({"URL": "http://gpu/v1", "MODE": "deep"}, "MODE is 'deep': choose one of thinking"),
        ({"URL": "http://gpu/v1", "PROVIDER": "vllm"}, "MODEL is empty: name the model as http://gpu/v1/models"),
        ({"URL": "http://gpu/v1", "API_KEY": "two words"}, "API_KEY: A key is one word"),
    ],
)
def test_a_wrong_variable_is_named_with_what_to_do(said: dict[str, str], variable: str) -> None:
    with pytest.raises(ValueError, match="CLAWGROUPS_COORDINATOR_") as refused:
        read_environment(env(**said))
    assert variable in str(refused.value)


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"model": True}, "coordination"),
        ({"use_model": "yes"}, "use_model"),
        ({"modes": ["plan"]}, "modes"),
        ({"modes": {"dance": "instant"}}, "modes"),
        ({"modes": {"plan": "deep"}}, "mode_plan"),
        ({"run": {"tokens": 0}}, "run_tokens"),
        ({"run": {"tokens": 1.5}}, "run_tokens"),
        ({"month": {"cost_micro": True}}, "month_cost_micro"),
        ({"month": {"cost_micro": 10**15}}, "month_cost_micro"),
        ({"month": {"wishes": 3}}, "month"),
        ({"month": {"seconds": 3}}, "month"),
        ({"run": 5}, "run"),
    ],
)
def test_settings_that_cannot_be_name_their_field(given: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as refused:
        clean_coordination(given)
    assert refused.value.fields["field"] == field


def test_of_the_settings_only_what_is_not_as_usual_is_kept() -> None:
    usual = {"use_model": True, "start_at_once": False, "modes": {"plan": ""}, "run": {"tokens": None}, "month": None}
    assert clean_coordination(usual) == {}
    own = {"use_model": False, "start_at_once": True, "modes": {"plan": "instant"}, "run": {"steps": 9}}
    assert clean_coordination(own) == own
