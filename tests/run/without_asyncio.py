"""A pytest plugin for the run without pytest-asyncio (`-p no:asyncio`): its settings are known, and mean nothing."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    for name in ("asyncio_mode", "asyncio_default_fixture_loop_scope"):
        parser.addini(name, "pytest-asyncio is off in this run")
