"""A real `up` on a free port with a folder of its own, and the machine's Chromium to look at it."""

from __future__ import annotations

import os
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.run import browser
from tests.run.servers import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
OURS = ("CLAWGROUPS_", "DATABASE_URL", "REDIS_URL", "DJANGO_")


@dataclass
class Site:
    """A running installation. `link` signs the first person in, once."""

    url: str
    link: str
    data: Path
    process: subprocess.Popen[str]

    def manage(self, *arguments: str) -> str:
        """Run a management command on the same installation and give what it printed."""
        environment = environment_of(self.data, self.url.rpartition(":")[2])
        command = [sys.executable, "manage.py", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True, timeout=60
        ).stdout.strip()


def environment_of(data: Path, port: str) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(OURS)}
    return {**kept, "CLAWGROUPS_DATA": str(data), "PORT": port}


@pytest.fixture(scope="session")
def site() -> Iterator[Site]:
    """One installation for the whole browser run; a test that breaks things starts its own."""
    data = Path(tempfile.mkdtemp(prefix="claw-web-"))
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, "manage.py", "up"],
        cwd=ROOT,
        env=environment_of(data, str(port)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        link = ready_line(process).removeprefix("Ready: ")
        yield Site(f"http://127.0.0.1:{port}", link, data, process)
        process.terminate()
        assert process.wait(20) == 0, "`up` did not end cleanly"
    finally:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        shutil.rmtree(data, ignore_errors=True)


def ready_line(process: subprocess.Popen[str], *, seconds: float = 120) -> str:
    """The line with the sign-in link; whatever else `up` says instead is the failure's text."""
    assert process.stdout is not None
    said: list[str] = []
    until = time.monotonic() + seconds
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while time.monotonic() < until and selector.select(until - time.monotonic()):
            line = process.stdout.readline()
            said.append(line.strip())
            if line.startswith("Ready: "):
                return line.strip()
            if not line:
                break
    raise AssertionError(f"`up` is not ready: {said}")


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """The machine's own Chromium: Playwright's download is never used."""
    found = os.environ.get("CHROMIUM") or browser.find()
    assert found is not None, "The browser tests need Chromium on the PATH."
    return {"executable_path": found, "args": ["--disable-dev-shm-usage"]}
