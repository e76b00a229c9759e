"""Why somebody has a task, giving it to somebody else, and being asked: by mouse."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.people import WORK, People, open_workspace
from tests.stories.script import Script

PLAN = [
    {"key": "law", "title": "Read the contract", "skills": ["contract-law"]},
    {"key": "poem", "title": "Write a poem", "skills": ["poetry"]},
]


def test_a_person_is_asked_says_no_sees_why_and_gives_the_task_to_another(people: People, script: Script) -> None:
    page = people.signed_in()
    room = open_workspace(page, "Matching")
    workspace = room.rstrip("/").rpartition("/")[2]
    for name in ("Homer", "Sappho"):
        skills = [{"name": "poetry", "level": 4}]
        script.post("/api/v1/agents", {"name": name, "skills": skills, "workspace": workspace})

    page.goto(f"{room}members/")
    page.get_by_role("link", name="What I can be asked for").click()
    # What other tests have left in this person's hands counts, too.
    page.get_by_label("Tasks at once").fill("20")
    page.get_by_label("Skill", exact=True).first.fill("Contract law")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_label("Skill", exact=True).first).to_have_value("contract-law")

    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Two things", "plan": PLAN, "start": True})
    tasks = {task["key"]: task["id"] for task in script.get(f"/api/v1/runs/{run['id']}/tasks")["items"]}
    page.goto(f"{room}tasks/{tasks['law']}/")
    asked = page.get_by_role("heading", name="Would you do this?")
    expect(asked).to_be_visible(timeout=WORK)
    expect(page.get_by_role("heading", name="Why owner?")).to_be_visible()
    page.get_by_text("Not this one", exact=True).click()
    page.get_by_label("Why", exact=False).first.fill("I know no law")
    page.get_by_role("button", name="Say no").click()
    expect(asked).to_be_hidden()
    expect(page.get_by_text("No member can do it").first).to_be_visible(timeout=WORK)

    page.goto(f"{room}tasks/{tasks['poem']}/")
    expect(page.get_by_text("could do it and are offline").first).to_be_visible(timeout=WORK)
    page.get_by_role("link", name="Everybody, as things stand now").click()
    expect(page.get_by_role("listitem").filter(has_text="Homer")).to_contain_text("is offline")
    page.get_by_role("button", name="Give it to Sappho").click()
    page.goto(f"{room}tasks/{tasks['poem']}/")
    expect(page.get_by_text("Sappho could do it and is offline.").first).to_be_visible(timeout=WORK)
