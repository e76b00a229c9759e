"""A real `up` on a free port with a folder of its own, and the machine's Chromium for the people who use it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.browser.people import PATIENCE, People
from tests.browser.views import Figures, figures
from tests.run import browser as chromium
from tests.stories.installation import Installation, installed
from tests.stories.sales import Sales, generate
from tests.stories.script import Script

SETTINGS = {
    # The writer's turn lasts some seconds: long enough to step into it with a mouse.
    "CLAWGROUPS_BUILTIN_PACE": "0.08",
    "CLAWGROUPS_MAX_UPLOAD_MB": "3",
}


# Playwright's own five seconds are less than a page may need beside two stages that want every core.
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def claw() -> Iterator[Installation]:
    """One installation for the whole browser run; a test that breaks things starts its own."""
    with installed(**SETTINGS) as installation:
        yield installation
        assert not installation.faults()


@pytest.fixture(scope="session")
def sessions(claw: Installation, browser: Browser) -> dict[str, Any]:
    """Who has signed in already, with their cookies: at first the owner, by the link that `up` has printed."""
    link = next(line for line in claw.lines if line.startswith("Ready: ")).removeprefix("Ready: ")
    page = browser.new_page()
    page.goto(link)
    expect(page.get_by_role("heading", name="Workspaces")).to_be_visible()
    state = page.context.storage_state()
    page.context.close()
    return {"owner": state}


@pytest.fixture
def people(claw: Installation, browser: Browser, sessions: dict[str, Any]) -> Iterator[People]:
    """Opens browsers for people. What a console complains about fails the test."""
    people = People(claw, browser, sessions)
    try:
        yield people
    finally:
        people.leave()
    assert people.complaints() == []


@pytest.fixture(scope="session")
def script(claw: Installation) -> Script:
    """The owner's script, for what a test needs to stand before it looks."""
    return Script(claw.url, claw.token())


@pytest.fixture(scope="session", autouse=True)
def figured(script: Script) -> Figures:
    """A run of agents, given to them at once: whoever wants to look at its end finds it there."""
    return figures(script)


@pytest.fixture(scope="session")
def bob(claw: Installation) -> str:
    """The user name of somebody who has an account and no seat yet."""
    claw.manage("shell", "-c", "from django.contrib.auth.models import User; User.objects.create_user('bob')")
    return "bob"


@pytest.fixture(scope="session")
def sales() -> Sales:
    return generate(20_261)


@pytest.fixture(scope="session")
def browser_type_launch_args() -> dict[str, object]:
    """The machine's own Chromium: Playwright's download is never used."""
    found = os.environ.get("CHROMIUM") or chromium.find()
    assert found is not None, "The browser tests need Chromium on the PATH."
    # Debian has it draw with a graphics card, and where there is none with a program that acts as one.
    return {
        "executable_path": found,
        "args": ["--disable-dev-shm-usage", "--disable-gpu", "--disable-software-rasterizer"],
    }
