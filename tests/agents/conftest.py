"""A session's work folder, beside a store that keeps what is sent of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from agents.connector.files import Store
from agents.connector.workdir import Workdir
from agents.connector.workplace import Workplace
from tests.agents.folders import SESSION
from tests.agents.support import FileStore, file_store


@pytest.fixture
def store() -> Iterator[FileStore]:
    with file_store() as running:
        yield running


@pytest.fixture
def workdir(tmp_path: Path, store: FileStore) -> Workdir:
    return Workplace(tmp_path).open(SESSION, "", Store(store.url, "session-key"))
