"""`make test-agents` says in one line what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.rig.__main__ import find_rig


def test_a_missing_rig_is_said_in_plain_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ACP_RIG", raising=False)
    with pytest.raises(SystemExit, match=r"^ACP_RIG is not set\. It names a folder with agents\.py"):
        find_rig()
    (tmp_path / "agents.py").touch()
    monkeypatch.setenv("ACP_RIG", str(tmp_path))
    with pytest.raises(SystemExit, match=r"has no stub_llm\.py\."):
        find_rig()
    (tmp_path / "stub_llm.py").touch()
    assert find_rig() == tmp_path.resolve()
