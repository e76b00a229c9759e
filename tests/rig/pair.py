"""Two people and one agent: taken over in the middle of its turn, fought over, edited, handed back; the web server is
killed in the middle of each."""

from __future__ import annotations

import re

from playwright.sync_api import Locator, Page, expect

from tests.browser.people import WORK, editor
from tests.rig.trial import NotItsWay, Trial, Work
from tests.stories.waiting import until

ADA, BOB = "The owner wrote this sentence.", "Bob wrote this sentence."
OTHER = "bob"


def in_text(trial: Trial) -> str:
    """Taken over while it streams; what it had said by then is in the draft."""
    work = trial.talk(long=True)
    return _fight(trial, work, trial.manner.mark, "text")


def in_tool(trial: Trial) -> str:
    """Taken over while one of its tools runs: the tool is gone as well, and shown as what may have happened."""
    if not trial.manner.markers:
        raise NotItsWay("it obeys no markers")
    work = trial.give("Run a tool, with two people", "[[SHELL sleep 61.5]]")
    work.answer("allow_once")
    work.until(lambda: trial.agent.runs("sleep 61.5"), "the tool's process")
    said = _fight(trial, work, "", "tool")
    work.until(lambda: not trial.agent.runs("sleep 61.5"), "the end of the tool's process", seconds=10)
    return said


def _fight(trial: Trial, work: Work, mark: str, name: str) -> str:
    """All that two people do with it, the one at a desk, the other on a phone."""
    shot = f"{trial.agent.name}-{name}"
    ada, his = _both(trial, work, shot)
    hands = ada.get_by_role("heading", name="It is in your hands")
    ada.get_by_role("button", name="Take over").first.click()
    _restart(trial)
    _again(ada, "Take over", hands)
    expect(hands).to_be_visible(timeout=WORK)
    expect(his.get_by_role("heading", name=re.compile("works on it by hand"))).to_be_visible(timeout=WORK)
    took = work.stopped(1)
    _shoot(trial, f"{shot}-taken", ada, his)

    before = editor(ada).input_value()
    assert mark in before, before[:300]
    editor(ada).fill(f"{before}\n\n{ADA}")
    _restart(trial)
    until(lambda: ADA in work.draft, seconds=30, what="what was typed when the server was killed")
    his.get_by_placeholder("Why, if you like").fill("I know the client")
    his.get_by_role("button", name=re.compile("^Ask .* for it$")).click()
    request = ada.get_by_role("region", name="Somebody asks for this task")
    expect(request).to_contain_text("“I know the client”", timeout=WORK)
    _shoot(trial, f"{shot}-asked", ada, his)
    _restart(trial)
    expect(request).to_be_visible(timeout=WORK)
    request.get_by_role("button", name=f"Give it to {OTHER}").click()
    expect(editor(his)).to_have_value(re.compile(re.escape(ADA)), timeout=WORK)

    editor(his).fill(f"{editor(his).input_value()}\n\n{BOB}")
    until(lambda: BOB in work.draft, seconds=30, what="what Bob wrote")
    _force(ada)
    expect(editor(ada)).to_have_value(re.compile(re.escape(BOB)), timeout=WORK)
    expect(his.locator(".lost")).to_contain_text("took it from you", timeout=WORK)
    _shoot(trial, f"{shot}-forced", ada, his)

    ada.get_by_role("textbox", name=re.compile("A note with it")).fill("[[RESET]] Keep our sentences.")
    ada.get_by_role("button", name="Hand it on").click()
    until(lambda: work.task["state"] != "held", seconds=30, what="the hand-back")
    _restart(trial)
    acknowledged = [page.get_by_text("Acknowledged the hand-back").first for page in (ada, his)]
    work.finish(seconds=120)
    for seen in acknowledged:
        expect(seen).to_be_visible(timeout=WORK)
    _shoot(trial, f"{shot}-done", ada, his)
    return f"stopped in {took:.1f} s, {_outcome(trial, work)}"


def _outcome(trial: Trial, work: Work) -> str:
    """What came of it: acknowledged, and gone on from what both people wrote."""
    last = work.task["attempts"][-1]
    assert last["acknowledgement"].strip(), work.words()
    if not trial.manner.markers:
        return "acknowledged, went on in its way"
    for sentence in (ADA, BOB):
        assert sentence in last["result"], work.words()
    return "acknowledged, went on from both people's words"


def _both(trial: Trial, work: Work, shot: str) -> tuple[Page, Page]:
    """The task's page at the owner's desk and on the other's phone."""
    trial.person.brings(OTHER)
    members = f"/api/v1/workspaces/{trial.agent.workspace}/members"
    if OTHER not in trial.agent.script.json(trial.agent.script.get(members)):
        trial.agent.script.post(members, {"user": OTHER, "role": "member"})
    path = f"/w/{trial.agent.workspace}/tasks/{work.task['id']}/"
    ada, his = trial.person.see(trial.person.desk, path), trial.person.see(trial.person.other_phone(OTHER), path)
    _shoot(trial, f"{shot}-watched", ada, his)
    return ada, his


def _shoot(trial: Trial, name: str, ada: Page, his: Page) -> None:
    for page, width in ((ada, 1440), (his, 390)):
        trial.person.shoot(page, f"{name}-{width}")
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"{name} is wider than {width}"


def _restart(trial: Trial) -> None:
    """Kill the web server, and wait until another one answers."""
    killed = trial.product.kill("web")
    trial.product.returned("web", killed)
    trial.agent.script.reachable()


def _again(page: Page, button: str, seen: Locator) -> None:
    """Press a button once more, where its page says once that the press may not have got through, and it had not."""
    unsure = page.get_by_text("The connection broke off")
    expect(seen.or_(unsure).first).to_be_visible(timeout=WORK)
    if not seen.count():
        expect(unsure).to_have_count(1)
        page.get_by_role("button", name=button).first.click()


def _force(page: Page) -> None:
    page.get_by_text(f"Take it from {OTHER} without an answer").click()
    page.get_by_role("textbox", name=re.compile("reads it")).fill("The client rang")
    page.get_by_role("button", name="Take it from them").click()
