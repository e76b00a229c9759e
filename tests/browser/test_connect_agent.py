"""An agent of one's own: registered on a page, connected by the copied line, shut out by a click."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import People
from tests.stories.installation import ROOT, Installation

BUILTIN = f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" -m agents.builtin writer\n'
SECONDS = 20_000
"""The page needs two; two programs that start on a busy machine need more."""


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH as on the agent's machine: with our connector, and an `opencode` that speaks ACP."""
    script = tmp_path / "opencode"
    script.write_text(BUILTIN)
    script.chmod(0o755)
    return os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])


@pytest.fixture
def started() -> Iterator[list[subprocess.Popen[str]]]:
    """Connectors of this test, gone afterwards; what they had to say is shown with a failure."""
    running: list[subprocess.Popen[str]] = []
    yield running
    for one in running:
        if one.poll() is None:
            one.terminate()
        one.wait(10)
        assert one.stdout is not None
        with one.stdout:
            print(one.stdout.read())


def test_the_copied_line_brings_an_agent_online_and_a_click_shuts_it_out(
    claw: Installation, people: People, path: str, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    page = people.signed_in()
    command = registered(page)
    assert command.startswith("CLAWGROUPS_KEY=cg_")
    expect(page.get_by_role("region", name="Presence")).to_contain_text("Waiting for its first connection")
    environment = {**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path)}
    connector = subprocess.Popen(
        ["sh", "-c", f"exec env {command}"],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started.append(connector)
    presence = page.get_by_role("region", name="Presence")
    expect(presence).to_contain_text("Writer", timeout=SECONDS)
    expect(presence.get_by_text("online", exact=True)).to_be_visible()
    expect(presence).to_contain_text("images: no")

    page.reload()
    expect(page.get_by_role("table")).not_to_contain_text("never")
    expect(page.get_by_text("The key, shown this once")).to_have_count(0)
    assert command.split()[0] not in page.content()
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("table")).to_contain_text("Revoked")
    assert connector.wait(15) == 3
    assert connector.stdout is not None
    assert "key is no longer valid" in connector.stdout.read()
    expect(page.get_by_role("region", name="Presence").get_by_text("offline", exact=True)).to_be_visible()


def registered(page: Page) -> str:
    """Register an agent by mouse; the line for OpenCode that is shown once."""
    page.get_by_role("link", name="Agents").click()
    page.get_by_role("link", name="Register an agent").click()
    page.get_by_label("Name").fill("My own writer")
    page.get_by_label("Skill", exact=True).first.fill("writing")
    page.get_by_role("button", name="Register it and show the key").click()
    expect(page.get_by_role("heading", name="The key, shown this once")).to_be_visible()
    shown = page.get_by_role("code").filter(has_text="-- opencode acp")
    return shown.inner_text()
