"""The way of somebody who has never been here: from an invitation to a letter that their own agent has a part in."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Locator, expect

from tests.browser.hands import Keyboard, Mouse, Thumb
from tests.browser.people import WORK, People, editor, transcript
from tests.stories.installation import OURS, ROOT, Installation
from tests.stories.script import Script

SCRIBE = ROOT / "tests" / "stories" / "agents" / "scribe.py"
PASSWORD = "seven lamps at night"
SENTENCE = " Each has a switch."
PICTURES = os.environ.get("WALK_PICTURES", "")
OVER = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
MOST = 300.0
Machine = Callable[[str], None]


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """Where the stranger's agent lives: a program `scribe`, and a terminal that takes the copied line."""
    program = tmp_path / "scribe"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{SCRIBE}" "$@"\n')
    program.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), str(Path(sys.executable).parent), os.environ["PATH"]])
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("XDG_", *OURS))}
    running: list[subprocess.Popen[str]] = []

    def start(line: str) -> None:
        running.append(
            subprocess.Popen(
                ["sh", "-c", line.replace("&& ", "&& exec ")],
                cwd=tmp_path,
                env={**kept, "HOME": str(tmp_path), "PATH": path},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
        )

    yield start
    for one in running:
        one.terminate()
        print(one.communicate(timeout=20)[0])


@pytest.mark.parametrize("kind", [Mouse, Keyboard, Thumb], ids=lambda kind: kind.name)
def test_a_stranger_comes_to_a_letter_of_their_own(
    kind: type[Mouse], claw: Installation, people: People, script: Script, machine: Machine
) -> None:
    # A word that is saved by itself may come after the hand that it was typed by was gone: the server says so.
    people.allow("409")
    workspace = script.workspace(f"Letters by {kind.name}")
    link = script.post(f"/api/v1/workspaces/{workspace}/invitations", {"role": "member", "seconds": 3600})["link"]
    page = people.stranger(**kind.options, permissions=["clipboard-read", "clipboard-write"])
    walk = Walk(kind(page), workspace)
    began = time.monotonic()
    page.goto(link)
    walk.come_in()
    walk.bring_an_agent(machine)
    walk.give_a_goal()
    walk.change_the_plan()
    walk.step_in()
    walk.allow()
    walk.open_what_was_made()
    took = time.monotonic() - began
    print(f"{kind.name}: {took:.1f} s")
    assert took < MOST


class Walk:
    """One station after the other; each begins where the one before it has left the page."""

    def __init__(self, hand: Mouse, workspace: str) -> None:
        self.hand, self.page, self.workspace = hand, hand.page, workspace
        self.number = 0

    def look(self, name: str) -> None:
        """Nothing lies beside the window; and a picture, where somebody wants to look at the stations."""
        self.number += 1
        assert self.page.evaluate(OVER) <= 0, name
        if PICTURES:
            self.page.screenshot(path=f"{PICTURES}/{self.hand.name}-{self.number:02}-{name}.png")

    def see(self, what: Locator) -> None:
        """It comes, however busy the machine is."""
        expect(what).to_be_visible(timeout=WORK)

    def button(self, name: str, **more: Any) -> Locator:
        return self.page.get_by_role("button", name=name, **more)

    def come_in(self) -> None:
        self.look("invitation")
        self.hand.press(self.page.get_by_role("radio", name="With an agent of mine"))
        self.hand.press(self.button("Make an account"))
        self.see(self.page.get_by_role("heading", name="Make an account"))
        self.look("sign-up")
        self.hand.write(self.page.get_by_label("Username"), f"stranger-{self.hand.name}")
        self.hand.write(self.page.get_by_label("Password", exact=True), PASSWORD)
        again = self.page.get_by_label("Password (again)")
        if again.count():
            self.hand.write(again, PASSWORD)
        self.hand.submit(self.button("Make the account"))

    def bring_an_agent(self, machine: Machine) -> None:
        self.see(self.page.get_by_role("heading", name="Register an agent"))
        self.look("register")
        self.hand.write(self.page.get_by_label("Name", exact=True), f"Scribe of {self.hand.name}")
        self.hand.write(self.page.get_by_label("Skill", exact=True).first, "letters")
        self.hand.press(self.button("Register it"))
        line = self.page.get_by_role("region", name="Copy this line")
        self.see(line)
        self.hand.press(self.page.get_by_role("radio", name="A command of my own"))
        expect(line.get_by_role("code").first).to_contain_text("-- YOUR-AGENT acp", timeout=WORK)
        self.hand.write(self.page.get_by_label("Its command"), "scribe acp")
        self.hand.submit(self.button("Put it into the line"))
        expect(line.get_by_role("code").first).to_contain_text("-- scribe acp", timeout=WORK)
        self.look("line")
        self.hand.press(line.get_by_role("button", name="Copy").first)
        self.see(line.get_by_role("button", name="Copied"))
        machine(self.page.evaluate("() => navigator.clipboard.readText()"))
        expect(self.page.get_by_role("region", name="It comes in")).to_contain_text("is online", timeout=WORK)
        self.look("online")

    def give_a_goal(self) -> None:
        self.hand.press(self.page.get_by_role("link", name="A goal in Letters"))
        self.see(self.page.get_by_role("heading", name="Letters by", level=1))
        self.look("workspace")
        self.hand.press(self.page.get_by_role("radio", name="Give a goal"))
        self.hand.write(self.page.get_by_role("textbox", name="The goal"), "Write letters to our readers")
        self.look("goal")
        self.hand.press(self.button("Make a plan"))
        plan = self.page.get_by_role("link", name="Check the plan")
        self.see(plan)
        self.look("planned")
        self.hand.press(plan)

    def change_the_plan(self) -> None:
        main = self.page.get_by_role("main")
        self.see(main.get_by_role("heading", name="What happens when you start"))
        self.look("plan")
        self.hand.press(main.get_by_text("Edit, split, remove").first.locator("xpath=ancestor-or-self::summary"))
        title = main.get_by_label("Title", exact=True).first
        self.see(title)
        self.hand.write(title, "Write the first letter")
        self.look("edit")
        self.hand.press(main.get_by_role("button", name="Save", exact=True))
        self.see(main.get_by_role("heading", name="Write the first letter"))
        self.hand.press(main.locator("summary", has_text="Add a task"))
        adding = main.locator("form", has=self.button("Add it"))
        self.hand.write(adding.get_by_label("Title"), "Send it")
        self.hand.write(adding.get_by_label("Skills"), "letters")
        self.hand.press(adding.get_by_role("checkbox", name="Write the first letter"))
        self.look("add")
        self.hand.press(adding.get_by_role("button", name="Add it"))
        self.see(main.get_by_role("heading", name="Send it"))
        self.look("changed")
        self.hand.press(main.locator(".startbar").get_by_role("button", name="Start", exact=True))
        self.see(main.get_by_role("button", name="Pause", exact=True))
        self.look("started")

    def step_in(self) -> None:
        link = self.page.get_by_role("main").get_by_role("link", name="Write the first letter").first
        self.see(link)
        self.hand.press(link)
        expect(transcript(self.page)).to_contain_text("They shine.", timeout=WORK)
        self.look("at-work")
        self.hand.press(self.button("Take over").first)
        self.see(self.page.get_by_role("heading", name="It is in your hands"))
        assert "Dear readers" in editor(self.page).input_value()
        self.hand.append(editor(self.page), SENTENCE)
        self.look("by-hand")
        self.hand.press(self.button("Finish it").last)
        expect(self.page.get_by_role("region", name="Result")).to_contain_text(SENTENCE.strip(), timeout=WORK)
        self.look("finished")

    def allow(self) -> None:
        needs = self.page.locator("#needs")
        self.see(needs.locator(".badge"))
        self.hand.press(needs)
        self.see(self.page.get_by_role("heading", name="wants to run a command"))
        self.look("asks")
        self.hand.press(self.button("Allow", exact=True))
        self.see(self.page.get_by_text("Nothing waits for you"))
        self.look("allowed")

    def open_what_was_made(self) -> None:
        self.hand.press(self.page.get_by_role("link", name="Claw Groups").first)
        self.hand.press(self.page.get_by_role("main").get_by_role("link", name="Letters by").first)
        said = self.page.get_by_role("region", name="Group chat")
        report = said.get_by_role("link", name="report.html", exact=True).first
        self.see(report)
        self.look("done")
        self.hand.press(report)
        self.see(self.page.get_by_role("heading", name="report.html"))
        self.look("deliverable")
