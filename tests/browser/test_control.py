"""Two people and one task, each in a browser of their own: they see each other, and fight over it."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.browser.people import WORK, People, editor
from tests.stories.script import Script
from tests.stories.waiting import until

PLAN = [
    {"key": "letter", "title": "Write to the client", "skills": ["phoning"]},
    {"key": "print", "title": "Print the letter", "skills": ["phoning"], "depends_on": ["letter"]},
]


def test_two_people_fight_over_a_task_and_lose_nothing(people: People, script: Script, bob: str) -> None:
    # A word that is saved by itself may come after the hand that it was typed by was gone: the server says so.
    people.allow("409|oobErrorNoTarget")
    workspace = script.workspace("Whose is it")
    script.post(f"/api/v1/workspaces/{workspace}/members", {"user": bob, "role": "member"})
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "A letter", "plan": PLAN, "start": True})
    task, waiting = (row["id"] for row in script.tasks(run["id"]))
    address = f"{script.url}/w/{workspace}/tasks/{task}/"
    until(lambda: script.get(f"/api/v1/tasks/{task}")["state"] == "stuck", seconds=30, what="the task as it stays")
    ada, his = people.signed_in(at=address), people.signed_in(bob, at=address)
    ada.get_by_role("button", name="Take over").first.click()
    expect(ada.get_by_role("heading", name="It is in your hands")).to_be_visible()
    expect(his.get_by_role("heading", name=re.compile("works on it by hand"))).to_be_visible()

    editor(ada).fill("Dear client, said Ada")
    his.get_by_placeholder("Why, if you like").fill("I know the client")
    his.get_by_role("button", name=re.compile("^Ask .* for it$")).click()
    request = ada.get_by_role("region", name="Somebody asks for this task")
    expect(request).to_contain_text("“I know the client”")
    expect(editor(ada)).to_have_value("Dear client, said Ada")
    request.get_by_placeholder("Why not").fill("One word more")
    request.get_by_role("button", name="Not now").click()
    expect(request).to_have_count(0)
    expect(his.get_by_text("said “One word more”")).to_be_visible()

    # A page asks every fifteen seconds who else is there; most of them have passed.
    expect(ada.locator(".watchers")).to_contain_text("bob watches", timeout=WORK)
    his.get_by_role("button", name=re.compile("^Ask .* for it$")).click()
    editor(ada).fill("Dear client, said Ada at last")
    request.get_by_role("button", name="Give it to bob").click()
    expect(editor(his)).to_have_value("Dear client, said Ada at last")
    expect(ada.get_by_text("It went from you to bob")).to_be_visible()

    editor(his).fill("Dear client, said Bob")
    expect(his.get_by_text(re.compile("Draft saved, version 2"))).to_be_visible()
    force(ada, "The client rang")
    expect(editor(ada)).to_have_value("Dear client, said Bob")
    expect(his.locator(".lost")).to_contain_text("took it from you")
    expect(his.locator(".lost")).to_contain_text("The client rang")
    expect(editor(his)).to_have_count(0)

    ada.goto(f"{script.url}/w/{workspace}/tasks/{waiting}/")
    expect(ada.get_by_text(re.compile("waits for “Write to the client”, which .* works on"))).to_be_visible()
    ada.goto(f"{address}story/")
    story = ada.get_by_role("main")
    for sentence in ("bob asked", "said “not now”", "One word more", "with the draft", "as an admin may"):
        expect(story).to_contain_text(sentence)


def force(page: Page, reason: str) -> None:
    page.get_by_text("Take it from bob without an answer").click()
    page.get_by_role("textbox", name=re.compile("reads it")).fill(reason)
    page.get_by_role("button", name="Take it from them").click()


def test_a_page_from_before_does_nothing_and_says_who_has_it(people: People, script: Script, bob: str) -> None:
    people.allow("409|oobErrorNoTarget")
    workspace = script.workspace("Yesterday's page")
    script.post(f"/api/v1/workspaces/{workspace}/members", {"user": bob, "role": "member"})
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "A letter", "plan": PLAN, "start": True})
    task = script.tasks(run["id"])[0]["id"]
    # A page without a socket stays as it was loaded: by then the coordinator has found that nobody can do it.
    until(lambda: script.get(f"/api/v1/tasks/{task}")["state"] == "stuck", seconds=30, what="the task as it stays")
    his = people.signed_in(bob, at=None)
    his.route_web_socket("**/ws/", lambda socket: socket.close())
    his.goto(f"{script.url}/w/{workspace}/tasks/{task}/")
    script.post(f"/api/v1/tasks/{task}/takeover")
    his.get_by_role("button", name="Take over").first.click()
    expect(his.locator("#toasts")).to_contain_text("This task moved on while you looked at it")
    assert script.get(f"/api/v1/tasks/{task}")["epoch"] == 1


def test_the_focus_goes_on_where_the_work_does(people: People, script: Script, bob: str) -> None:
    workspace = script.workspace("By keyboard")
    script.post(f"/api/v1/workspaces/{workspace}/members", {"user": bob, "role": "member"})
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "A letter", "plan": PLAN, "start": True})
    task = script.tasks(run["id"])[0]["id"]
    page = people.signed_in(at=f"{script.url}/w/{workspace}/tasks/{task}/")
    page.get_by_role("button", name="Pause").press("Enter")
    expect(page.get_by_role("button", name="Let it go on").first).to_be_visible()
    # The button of before has another word on it now: a second press must not be one of it.
    expect(page.get_by_role("region", name="Who works on it")).to_be_focused()
    page.get_by_role("button", name="Take over").last.press("Enter")
    expect(page.get_by_role("heading", name="It is in your hands")).to_be_focused()
    editor(page).press_sequentially("Dear client, it comes on Friday.")
    page.get_by_role("button", name="Check it").press("Enter")
    checked = page.get_by_role("status").filter(has_text="Nothing fails")
    expect(checked).to_be_visible()
    # What was found stays beside the text that is saved meanwhile, and no page asks again and again.
    expect(page.get_by_text(re.compile("Draft saved, version [2-9]"))).to_be_visible()
    expect(checked).to_be_visible()
    expect(page.get_by_role("button", name="Check it")).to_be_focused()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if request.url.endswith("/body/") else None)
    page.get_by_label("To", exact=True).select_option(label=bob)
    page.get_by_role("button", name="Hand it on").press("Enter")
    expect(page.get_by_text("You offered it to bob")).to_be_visible()
    expect(page.locator("#announcer")).to_contain_text("You offered it to bob")
    assert len(asked) < 5
    script.post(f"/api/v1/runs/{run['id']}/cancel")
