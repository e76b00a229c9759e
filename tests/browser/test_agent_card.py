"""An agent card goes round: pasted into a form, saved, taken along as a file, and read again for the same agent."""

from __future__ import annotations

import json
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.people import People

CARD = {
    "name": "Carded helper",
    "description": "Finds things out",
    "version": "1.4",
    "skills": [{"id": "research", "name": "Research", "description": "Looks it up", "tags": ["web", "papers"]}],
}


def test_a_card_fills_the_form_in_and_comes_back_as_a_file(people: People, tmp_path: Path) -> None:
    page = people.signed_in()
    page.get_by_role("link", name="Agents").click()
    page.get_by_role("link", name="Register an agent").click()
    page.get_by_text("Fill it in from an agent card").click()
    page.get_by_label("Paste it here").fill(json.dumps(CARD))
    page.get_by_role("button", name="Read the card").click()
    expect(page.get_by_role("status").filter(has_text="nothing is saved yet")).to_be_visible()
    expect(page.get_by_label("Name", exact=True)).to_have_value("Carded helper")
    page.get_by_role("button", name="Another skill").click()
    expect(page.get_by_label("Tags, with commas between").last).to_have_value("")
    page.get_by_role("button", name="Register it").click()
    expect(page.get_by_role("heading", name="Connect Carded helper")).to_be_visible()
    page.get_by_role("navigation").or_(page.get_by_role("list")).get_by_role("link", name="Carded helper").first.click()
    expect(page.get_by_role("heading", name="Carded helper")).to_be_visible()
    expect(page.get_by_text("papers", exact=True)).to_be_visible()

    with page.expect_download() as download:
        page.get_by_role("link", name="Agent card").click()
    kept = tmp_path / download.value.suggested_filename
    download.value.save_as(kept)
    assert json.loads(kept.read_text())["skills"] == CARD["skills"]

    page.get_by_role("link", name="Edit the profile").click()
    page.get_by_text("Fill it in from an agent card").click()
    page.get_by_label("or choose its file").set_input_files(kept)
    page.get_by_role("button", name="Read the card").click()
    expect(page.get_by_label("Shown as").first).to_have_value("Research")
    page.get_by_label("Name", exact=True).fill("Carded helper 2")
    page.get_by_role("button", name="Save the profile").click()
    expect(page.get_by_role("heading", name="Carded helper 2")).to_be_visible()
