from __future__ import annotations

import pytest

from agents.llm.base import Endpoint, Mode, Prices, Usage
from agents.llm.modes import Spelling, choose, family_of
from agents.llm.providers import PRESETS, mode_of


@pytest.mark.parametrize(
    ("model", "family"),
    [
        ("kimi-k2.6", "Kimi K2.6"),
        ("moonshotai/Kimi-K2.6", "Kimi K2.6"),
        ("@cf/moonshotai/kimi-k2.6", "Kimi K2.6"),
        ("/models/Kimi-K2_6-INT4", "Kimi K2.6"),
        ("moonshotai/kimi-k2.5", "Kimi K2.5"),
        ("kimi-k2.7-code", "Kimi K2.7 Code"),
        ("moonshotai/Kimi-K3-Instruct", "Kimi K3"),
        ("gpt-5", ""),
        ("kimi-latest", ""),
    ],
)
def test_the_family_is_read_from_the_name(model: str, family: str) -> None:
    assert family_of(model, own_server=False).name == family


def test_a_kimi_of_another_name_on_an_own_server_is_taken_for_a_k26() -> None:
    assert family_of("kimi-tiny", own_server=True).name == "Kimi K2.6"
    assert family_of("llama", own_server=True).name == ""


@pytest.mark.parametrize("mode", Mode)
def test_k26_is_asked_in_the_mode_that_is_wanted_and_nothing_is_said(mode: Mode) -> None:
    chosen = mode_of(Endpoint("moonshot", "https://api.moonshot.ai/v1", "kimi-k2.6"), mode)
    assert (chosen.mode, chosen.said) == (mode, "")


@pytest.mark.parametrize(
    ("model", "wanted", "mode", "words"),
    [
        ("kimi-k2.7-code", Mode.INSTANT, Mode.PRESERVE, "always thinks and keeps its thoughts"),
        ("kimi-k2.7-code", Mode.THINKING, Mode.PRESERVE, "always thinks"),
        ("kimi-k2.5", Mode.PRESERVE, Mode.THINKING, "cannot keep earlier thoughts"),
        ("kimi-k3", Mode.INSTANT, Mode.THINKING, "always thinks, more or less"),
    ],
)
def test_a_mode_that_a_model_has_not_becomes_the_nearest_and_is_said(
    model: str, wanted: Mode, mode: Mode, words: str
) -> None:
    chosen = choose(model, wanted, Spelling.THINKING, own_server=False)
    assert chosen.mode is mode
    assert words in chosen.said
    assert str(wanted) in chosen.said


def test_unknown_models_and_providers_without_words_are_asked_for_no_mode_and_it_is_said() -> None:
    unknown = choose("qwen3", Mode.INSTANT, Spelling.TEMPLATE, own_server=True)
    speechless = choose("kimi-k2.6", Mode.INSTANT, Spelling.NONE, own_server=False)
    assert (unknown.parameters, speechless.parameters) == ({}, {})
    assert "not known" in unknown.said
    assert "cannot be told" in speechless.said


def test_presets_say_what_a_page_needs() -> None:
    assert list(PRESETS) == ["sglang", "vllm", "ktransformers", "moonshot", "openrouter", "cloudflare", "openai"]
    assert all(preset.label and preset.url.startswith("http") and preset.docs for preset in PRESETS.values())
    assert {name for name, preset in PRESETS.items() if preset.needs_key} == {"moonshot", "openrouter", "cloudflare"}


def test_moonshots_prices_make_the_cost_of_a_call() -> None:
    prices = PRESETS["moonshot"].prices
    assert prices == Prices(miss=0.95, hit=0.16, out=4.0)
    assert Usage(prompt=1000, cached=400, completion=100, reasoning=60).micro_usd(prices) == round(
        600 * 0.95 + 400 * 0.16 + 100 * 4
    )
