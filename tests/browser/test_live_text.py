"""An agent's words while it writes them: whoever comes in the middle misses none."""

from __future__ import annotations

import os
import re
import signal

from playwright.sync_api import Route, expect

from tests.browser.people import WORK, People, transcript
from tests.browser.turn import still
from tests.stories.installation import Installation
from tests.stories.sales import Sales
from tests.stories.script import Json, Script
from tests.stories.waiting import until

SCRIPTS = "**/static/site.*.js"
COLLECT = """(ordinal) => {
  window.shown = [];
  const look = () => {
    const turn = document.querySelector(`li[id^="part-"][data-ordinal="${ordinal}"]`);
    if (turn && turn.textContent !== window.shown.at(-1)) window.shown.push(turn.textContent);
  };
  const whatever = { childList: true, subtree: true, characterData: true };
  new MutationObserver(look).observe(document.querySelector("main"), whatever);
  look();
}"""


def test_who_opens_the_page_in_the_middle_of_a_turn_sees_every_word(
    claw: Installation, people: People, script: Script, sales: Sales
) -> None:
    page, agents = people.signed_in(at=None), claw.pid("agents")
    assert agents is not None
    workspace = script.workspace("Live text")
    run = script.give(workspace, "Which region sells best?", sales.name, sales.content())
    task, attempt = until(lambda: writers(script, run), seconds=60, what="the writer's turn") or ("", "")
    script.first_text(attempt)
    page.route(SCRIPTS, lambda route: later(route, script, attempt, agents))
    # However long the page takes to come: until somebody looks, the writer writes no further than it shall.
    with still(agents), page.expect_request(SCRIPTS):
        page.goto(f"{script.url}/w/{workspace}/tasks/{task}/")
        page.evaluate(COLLECT, said(script, attempt)[0]["ordinal"])
    expect(page.get_by_role("region", name="Result")).to_be_visible(timeout=WORK)

    whole = letters("".join(one["text"] for one in said(script, attempt)))
    shown = [letters(text) for text in page.evaluate("() => window.shown")]
    assert [text for text in shown if not whole.startswith(text)] == []
    assert len({text for text in shown if text != whole}) >= 5, "it grew under the reader's eyes"
    assert whole in letters(transcript(page).inner_text())
    print("Texts seen while it grew:", len(shown))


def later(route: Route, script: Script, attempt: str, agents: int) -> None:
    """The page's script comes when the writer has gone on: words were stored that the page does not hold."""
    before = len(script.first_text(attempt))
    os.kill(agents, signal.SIGCONT)
    until(lambda: len(script.first_text(attempt)) > before + 100, seconds=30, what="more of the writer's words")
    os.kill(agents, signal.SIGSTOP)
    route.continue_()


def writers(script: Script, run: str) -> tuple[str, str] | None:
    """The report's task and attempt, as soon as it is being worked on."""
    for row in script.tasks(run):
        if row["key"] == "report" and row["state"] == "working":
            return row["id"], script.get(f"/api/v1/tasks/{row['id']}")["attempts"][-1]["id"]
    return None


def said(script: Script, attempt: str) -> list[Json]:
    items = script.get(f"/api/v1/attempts/{attempt}/transcript?limit=1000")["items"]
    return [one for one in items if one["kind"] == "text"]


def letters(text: str) -> str:
    """The letters and digits of a text, the same whether its Markdown was rendered or not."""
    return re.sub(r"^\d+\. |[\W_]+", "", text, flags=re.MULTILINE)
