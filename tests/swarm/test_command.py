"""`clawgroups swarm`: its words, its model, and how it says what is missing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.connector.exits import Wrong
from agents.llm.base import Mode
from agents.swarm import program
from agents.swarm.command import engine_of, parser
from agents.swarm.model import from_environment, from_file


def test_the_program_has_all_the_connector_s_verbs_and_swarm(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        program.main(["--version"])
    assert ended.value.code == 0
    with pytest.raises(SystemExit) as ended:
        program.main(["swarm", "--help"])
    assert ended.value.code == 0
    assert "clawgroups swarm" in capsys.readouterr().out


@pytest.mark.parametrize("sessions", ["0", "301", "many"])
def test_more_sessions_than_there_may_be_are_refused(sessions: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as refused:
        parser().parse_args(["http://127.0.0.1:1", "--sessions", sessions])
    assert refused.value.code == 2
    assert "--sessions" in capsys.readouterr().err


def test_without_a_model_it_says_how_one_is_named(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    for name in ("URL", "PROVIDER", "MODEL", "API_KEY", "MODE"):
        monkeypatch.delenv(f"CLAWGROUPS_COORDINATOR_{name}", raising=False)
    assert program.main(["swarm", "http://127.0.0.1:1"]) != 0
    assert b"no model is named: set CLAWGROUPS_COORDINATOR_URL" in capfdbinary.readouterr().err


def test_without_what_it_needs_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(program, "_NEEDED", ("no_such_package",))
    assert program.main(["swarm", "http://127.0.0.1:1"]) != 0
    assert b"pip install 'clawgroups[swarm]'" in capfdbinary.readouterr().err


def test_the_model_is_the_coordinator_s(tmp_path: Path) -> None:
    chosen = from_environment(
        {
            "CLAWGROUPS_COORDINATOR_URL": "http://gpu:30000/v1",
            "CLAWGROUPS_COORDINATOR_PROVIDER": "sglang",
            "CLAWGROUPS_COORDINATOR_API_KEY": "secret",
            "CLAWGROUPS_COORDINATOR_MODE": "instant",
        }
    )
    assert (chosen.endpoint.url, chosen.endpoint.model, chosen.mode) == (
        "http://gpu:30000/v1",
        "moonshotai/Kimi-K2.6",
        Mode.INSTANT,
    )
    assert "secret" not in repr(chosen)
    hosted = from_environment({"CLAWGROUPS_COORDINATOR_PROVIDER": "moonshot"}).endpoint
    assert (hosted.url, hosted.prices.out) == ("https://api.moonshot.ai/v1", 4.0)


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ("no json", "is no JSON"),
        ("[]", "does not name a model"),
        ('{"provider": "nobody"}', "'nobody'"),
        ('{"provider": "openai", "url": "http://x/v1"}', "does not name the model"),
        ('{"provider": "sglang", "url": "gpu-host"}', "not complete"),
        ('{"provider": "sglang", "mode": "hasty"}', "'hasty'"),
    ],
)
def test_a_file_that_names_no_model_is_refused_in_words(tmp_path: Path, told: str, words: str) -> None:
    file = tmp_path / "model.json"
    file.write_text(told)
    with pytest.raises(Wrong, match=words):
        from_file(file)


def test_limits_and_prices_are_those_that_were_said(tmp_path: Path) -> None:
    file = tmp_path / "model.json"
    file.write_text(json.dumps({"provider": "sglang", "prices": {"miss": 1, "hit": "x"}, "timeouts": {"total": 9}}))
    options = parser().parse_args(
        ["http://h", "--model", str(file), "--steps", "7", "--minutes", "2", "--sessions", "9"]
    )
    engine = engine_of(options)
    assert (engine.limits.steps, engine.limits.seconds, engine.sessions, engine.at_once) == (7, 120.0, 9, 9)
    assert (engine.endpoint.prices.miss, engine.endpoint.timeouts.total) == (1.0, 9.0)
