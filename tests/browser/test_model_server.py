"""An operator adds a model server, tests it and chooses its model; a workspace says how its coordinator works."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from tests.browser.people import People, open_workspace
from tests.llm.fake_server import FakeServer


def test_a_server_is_added_tested_and_used_and_the_workspace_sets_its_modes(people: People) -> None:
    people.allow("422")
    page = people.signed_in()
    with FakeServer("sglang") as fake:
        add_server(page, fake.url)
        choose_its_model(page)
        page.get_by_role("link", name="Claw Groups").click()
        open_workspace(page, "Planned by a model")
        set_up_the_coordinator(page)
        do_without_a_model(page)
        # As it was: the other walks of this installation do without a model.
        page.goto(page.url.split("/w/")[0] + "/model-servers/")
        page.get_by_role("link", name="sglang-1", exact=True).click()
        page.get_by_role("button", name="Remove").click()
        page.get_by_role("dialog").get_by_role("button", name="Remove").click()
        expect(page.get_by_role("heading", name="No model yet")).to_be_visible()


def add_server(page: Page, url: str) -> None:
    """From the menu to a server without a model; the first address that is typed is none."""
    page.get_by_role("button", name="Menu of owner").click()
    page.get_by_role("link", name="Model servers").click()
    expect(page.get_by_role("heading", name="No model yet")).to_be_visible()
    page.get_by_role("link", name="SGLang", exact=True).click()
    page.get_by_label("Name").fill("sglang-1")
    page.get_by_label("Address").fill("gpu-1:30000")
    page.get_by_role("combobox", name="Model").fill("")
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("An address is like")).to_be_visible()
    expect(page.get_by_label("Name")).to_have_value("sglang-1")
    page.get_by_label("Address").fill(url)
    page.get_by_role("button", name="Add it").click()
    expect(page.get_by_text("Off: no model chosen")).to_be_visible()


def choose_its_model(page: Page) -> None:
    """Test it, click on the model that is found, and test it with that."""
    page.get_by_role("button", name="Test the connection").click()
    page.get_by_role("button", name="Use this one").click()
    page.get_by_role("button", name="Test the connection").click()
    expect(page.get_by_text("Well", exact=True)).to_be_visible()
    for name in ("JSON schema", "Tool calls", "Streaming", "Cached counts"):
        expect(page.get_by_label("What works there").get_by_text(name)).to_be_visible()


def set_up_the_coordinator(page: Page) -> None:
    """Modes, the start and a limit; the first limit that is typed is none, and nothing is lost by it."""
    page.get_by_role("button", name="Goal and rules").click()
    page.get_by_role("link", name="Coordinator").click()
    expect(page.get_by_text("on sglang-1 plans")).to_be_visible()
    page.get_by_label("Judging a result").select_option("thinking")
    page.get_by_label("Start at once").check()
    money = page.get_by_role("group", name="Limits of each run").get_by_label("US dollars")
    money.fill("a fiver")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("is no amount")).to_be_visible()
    expect(page.get_by_label("Start at once")).to_be_checked()
    money.fill("$2.50")
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("The coordinator's settings are saved.")).to_be_visible()
    expect(page.get_by_label("Judging a result")).to_have_value("thinking")
    expect(money).to_have_value("2.5")


def do_without_a_model(page: Page) -> None:
    page.get_by_label("Only the built-in coordinator").check()
    page.get_by_role("button", name="Save the settings").click()
    expect(page.get_by_text("because this workspace does without a model")).to_be_visible()
