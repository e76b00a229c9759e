"""Files as people look at them: each kind, a hostile page in its frame, what changed, the final one, all at once."""

from __future__ import annotations

import io
import json
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.people import People
from tests.core.test_looks import png
from tests.services.test_previews import workbook, zipped
from tests.stories.installation import Installation
from tests.stories.script import Script
from tests.stories.waiting import until

PLAN: list[dict[str, Any]] = [{"key": "look", "title": "Look into it", "skills": ["divining"]}]
# What a page that somebody's agent made would try.
HOSTILE = b"""<!doctype html><meta charset="utf-8"><body><h1>Sales</h1><script>
const said = [];
const tell = (name, act) => { try { said.push(name + ": " + act()); } catch { said.push(name + ": refused"); } };
tell("cookie", () => document.cookie);
tell("storage", () => localStorage.length);
tell("parent", () => parent.document.title);
tell("top", () => { top.location = "/needs-you/"; return "led away"; });
tell("window", () => String(open("/needs-you/")));
fetch("/api/v1/workspaces").then(() => "answered", () => "refused").then((end) => {
  said.push("fetch: " + end);
  document.body.append(said.join(", "));
});
</script><img src="/static/claw.svg" onerror="document.body.append(' image: refused, ')">"""
PIN = """
from clawgroups.models import Artifact, Run
from clawgroups.services.files import store
from django.utils import timezone
import json, pathlib
run = Run.objects.get(pk="{run}")
task = run.tasks.get()
for name, kind, revision, path in json.loads({files!r}):
    stored = store([pathlib.Path(path).read_bytes()], name=name)
    Artifact.objects.create(workspace_id=run.workspace_id, run=run, task=task, kind=kind, name=name, revision=revision,
        size=stored.size, sha256=stored.sha256, actor={{"kind": "agent", "name": "Writer"}}, created_at=timezone.now())
"""
# Chromium says in the console what it keeps the page from: that is the point.
KEPT_FROM = (
    "Content.Security.Policy|CSP violation|sandboxed|Unsafe attempt to initiate navigation|"
    "Failed to load resource: net::ERR_BLOCKED|The loading of|Refused to|violates"
)


def written(folder: Path, files: list[tuple[str, str, int, bytes]]) -> list[tuple[str, str, int, str]]:
    told = []
    for number, (name, kind, revision, content) in enumerate(files):
        path = folder / str(number)
        path.write_bytes(content)
        told.append((name, kind, revision, str(path)))
    return told


@pytest.fixture
def shelf(claw: Installation, script: Script, tmp_path: Path) -> str:
    """A run with files of every kind; the address of their list."""
    workspace = script.workspace("Shelf")
    run = script.post(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Know it", "plan": PLAN, "start": True})["id"]
    until(lambda: script.tasks(run), seconds=30, what="the task")
    files = [
        ("report.md", "result", 1, b"# Sales\n\nThey fell by 11 %.\n"),
        ("report.md", "result", 2, b"# Sales\n\nThey fell by 12 %.\n"),
        ("report.md", "deliverable", 3, b"# Sales\n\nThey fell by 12 %, in the **north**.\n"),
        ("page.html", "result", 1, HOSTILE),
        (
            "site.zip",
            "result",
            1,
            zipped(index_html=b"<link rel=stylesheet href=a.css><h1>Site", a_css=b"h1 {color: red}"),
        ),
        ("sales.xlsx", "result", 1, workbook(("Year", [["region", "sum"], ["North", 3]]), ("Month", [["May"]]))),
        ("sales.csv", "input", 1, b"region;sum\nNorth;3\n"),
        ("logo.png", "result", 1, png(40, 30)),
        ("half.png", "result", 1, png(40, 30)[:-20]),
        ("sum.py", "result", 1, b"print(1)\n"),
        ("blob.bin", "result", 1, bytes(range(256))),
    ]
    told = json.dumps(written(tmp_path, files))
    claw.manage("shell", "-c", PIN.format(run=run, files=told))
    return f"{script.url}/w/{workspace}/runs/{run}/files/"


def look_at(page: Page, shelf: str, name: str) -> None:
    page.goto(shelf)
    page.get_by_role("listitem").get_by_role("link", name=name, exact=True).click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


def named(page: Page) -> str:
    """Its title, without how much waits for whoever looks."""
    return re.sub(r"^\(\d+\) ", "", page.title())


def test_files_are_looked_at_compared_pinned_and_downloaded(people: People, shelf: str, tmp_path: Path) -> None:
    page = people.signed_in(at=None)
    each_kind_is_shown(page, shelf)
    look_at(page, shelf, "report.md")
    page.get_by_role("link", name="Compare with v2").first.click()
    expect(page.get_by_role("table", name="What changed, line by line")).to_contain_text("They fell by 12 %, in")
    page.go_back()
    page.get_by_role("link", name="v1", exact=True).click()
    page.get_by_role("button", name="Pin as final").click()
    expect(page.get_by_role("button", name="Unpin")).to_be_visible()
    page.goto(shelf)
    first = page.get_by_role("region", name="Files", exact=True).get_by_role("listitem").first
    expect(first).to_contain_text("report.md")
    expect(first).to_contain_text("final")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the deliverables").click()
    with zipfile.ZipFile(io.BytesIO(Path(download.value.path()).read_bytes())) as archive:
        assert archive.read("report.md") == b"# Sales\n\nThey fell by 11 %.\n"
        assert json.loads(archive.read("manifest.json"))["files"][0]["final"] is True
    page.get_by_role("searchbox", name="Name contains").fill("sales")
    page.get_by_role("button", name="Show", exact=True).click()
    expect(page.get_by_role("link", name="sales.csv", exact=True)).to_be_visible()
    expect(page.get_by_role("link", name="report.md", exact=True)).to_have_count(0)


def each_kind_is_shown(page: Page, shelf: str) -> None:
    look_at(page, shelf, "report.md")
    expect(page.get_by_role("heading", name="Sales")).to_be_visible()
    look_at(page, shelf, "sales.xlsx")
    expect(page.get_by_role("cell", name="North")).to_be_visible()
    page.get_by_role("link", name="Month").click()
    expect(page.get_by_role("columnheader", name="May")).to_be_visible()
    look_at(page, shelf, "sales.csv")
    expect(page.get_by_role("columnheader", name="sum")).to_be_visible()
    look_at(page, shelf, "logo.png")
    expect(page.get_by_text("40 × 30 pixels")).to_be_visible()
    assert page.get_by_role("img", name="logo.png").evaluate("(img) => img.decode().then(() => img.naturalWidth)") == 40
    look_at(page, shelf, "half.png")
    expect(page.get_by_text("It ends in the middle")).to_be_visible()
    look_at(page, shelf, "sum.py")
    expect(page.get_by_role("group", name="sum.py")).to_contain_text("print(1)")
    look_at(page, shelf, "blob.bin")
    expect(page.get_by_text("Nothing to see of it here")).to_be_visible()
    look_at(page, shelf, "site.zip")
    site = page.frame_locator("iframe").get_by_role("heading", name="Site")
    expect(site).to_have_css("color", "rgb(255, 0, 0)")


def test_a_hostile_page_in_its_frame_reaches_neither_cookies_nor_pages_nor_the_network(
    people: People, shelf: str
) -> None:
    people.allow(KEPT_FROM)
    page = people.signed_in(at=None)
    look_at(page, shelf, "page.html")
    here, title = page.url, named(page)
    frame = page.frame_locator("iframe")
    expect(frame.get_by_role("heading", name="Sales")).to_be_visible()
    for what in ("cookie", "storage", "parent", "top", "fetch", "image"):
        expect(frame.locator("body")).to_contain_text(f"{what}: refused")
    expect(frame.locator("body")).to_contain_text("window: null")
    assert (page.url, named(page), len(page.context.pages)) == (here, title, 1)
    # Opened by itself it may lead its reader on, but to where nobody is signed in.
    source = page.locator("iframe").get_attribute("src") or ""
    assert re.match(r"http://localhost:\d+/view/", source)
    page.goto(source)
    expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
