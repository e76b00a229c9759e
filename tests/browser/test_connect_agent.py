"""An agent of one's own: registered on a page, connected by the copied line, shut out by a click."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import WORK, People
from tests.stories.installation import ROOT, Installation
from tests.stories.script import Script

BUILTIN = f'#!/bin/sh\ncd "{ROOT}" && exec "{sys.executable}" -m agents.builtin writer\n'


@pytest.fixture
def path(tmp_path: Path) -> str:
    """A PATH as on the agent's machine: with a Python, and an `opencode` that speaks ACP."""
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
    claw: Installation, people: People, script: Script, path: str, tmp_path: Path, started: list[subprocess.Popen[str]]
) -> None:
    script.workspace("Desk of the newcomer")
    page = people.signed_in()
    command = registered(page)
    light = page.get_by_role("region", name="It comes in")
    expect(light).to_contain_text("Waiting for its first connection")
    phone = people.stranger(viewport={"width": 390, "height": 844})
    phone.goto(re.findall(r"https?://\S+/join/\S+/", page.get_by_role("region", name="Copy this line").inner_text())[0])
    expect(phone.get_by_role("heading", name="Connect My own writer")).to_be_visible()
    assert f"{phone.get_by_role('code').first.inner_text()} -- opencode acp" == command

    connector = subprocess.Popen(
        ["sh", "-c", command.replace("&& ", "&& exec ")],
        cwd=tmp_path,
        env={**os.environ, "PATH": path, "XDG_STATE_HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    started.append(connector)
    expect(light).to_contain_text("My own writer is online", timeout=WORK)
    expect(page.get_by_role("region", name="The line")).to_contain_text("The line was used")
    people.allow("410")
    phone.reload()
    expect(phone.get_by_role("heading", name="This line has been used")).to_be_visible()
    people_can_go_on(page)

    page.get_by_role("link", name="My own writer").first.click()
    expect(page.get_by_role("region", name="Presence")).to_contain_text("images: no")
    expect(page.get_by_role("table")).not_to_contain_text("never")
    page.get_by_role("button", name="Revoke").click()
    page.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("table")).to_contain_text("Revoked")
    assert connector.wait(60) == 3
    assert connector.stdout is not None
    assert "key is no longer valid" in connector.stdout.read()
    expect(page.get_by_role("region", name="Presence").get_by_text("offline", exact=True)).to_be_visible()


def registered(page: Page) -> str:
    """Register an agent by mouse and choose its program; the line to copy."""
    page.get_by_role("link", name="Agents").click()
    page.get_by_role("link", name="Register an agent").click()
    page.get_by_label("Name").fill("My own writer")
    page.get_by_label("Joins").select_option("Desk of the newcomer")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("heading", name="Connect My own writer")).to_be_visible()
    line = page.get_by_role("region", name="Copy this line")
    asking = line.get_by_role("code").first.inner_text()
    page.get_by_label("A command of my own").check()
    expect(line.get_by_role("code").first).to_contain_text("-- YOUR-AGENT acp")
    page.get_by_label("Its command").fill("opencode acp")
    page.get_by_label("Its command").press("Enter")
    expect(line.get_by_role("code").first).to_contain_text("-- opencode acp")
    command = line.get_by_role("code").first.inner_text()
    assert asking.split("--code")[0] == command.split("--code")[0]
    return command


def people_can_go_on(page: Page) -> None:
    """Its skills are taken over with one click, and the way to its first task stands there."""
    suggested = page.get_by_role("region", name="Skills for its profile")
    expect(suggested).to_contain_text("reporting")
    suggested.get_by_role("button", name="Take them over").click()
    expect(page.get_by_role("status").filter(has_text="Its profile has them now")).to_be_visible()
    expect(suggested).to_have_count(0)
    expect(page.get_by_role("link", name="A goal in Desk of the newcomer")).to_be_visible()
