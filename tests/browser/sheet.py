"""`python -m tests.browser.sheet --out docs`: every view as a picture, both themes and two widths, on four sheets.

Starts the product with folders of its own, with an empty workspace, a small run of the built-in agents, and a crowd of
300 agents. Each sheet is one JPEG; `--pictures FOLDER` keeps the single pictures, too, in full size. The worker is
held still meanwhile, else it would find hundreds of agents that never say anything, and each sheet another state.
"""

from __future__ import annotations

import argparse
import base64
import html
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.turn import still
from tests.browser.views import SIZES, figures, views
from tests.run import browser as chromium
from tests.stories.installation import installed
from tests.stories.script import Script

COLUMNS = {"1440": 4, "390": 8}
THUMB = {"1440": 440, "390": 190}
CAPTIONED = (
    """<figure><img src="data:image/jpeg;base64,{data}" width="{width}"><figcaption>{name}</figcaption></figure>"""
)
SHEET = """<!doctype html><style>
body {{ margin: 0; padding: 16px; background: {paper}; color: {ink}; font: 13px system-ui, sans-serif;
  display: grid; grid-template-columns: repeat({columns}, {width}px); gap: 16px; width: max-content; }}
figure {{ margin: 0; display: grid; gap: 4px; }} img {{ display: block; border: 1px solid #8886; border-radius: 4px; }}
</style>{pictures}"""


def picture(page: Page, address: str) -> bytes:
    """The page as it stands once it is quiet."""
    # An address with another fragment only would not load the page anew.
    page.goto("about:blank")
    page.goto(address)
    page.wait_for_load_state("networkidle")
    return page.screenshot(type="jpeg", quality=80)


def sheet(browser: Browser, pictures: dict[str, bytes], width: str, theme: str) -> bytes:
    """All pictures of one width and theme on one."""
    colours = {"light": ("#eee", "#222"), "dark": ("#0b0b0d", "#ddd")}[theme]
    shown = "".join(
        CAPTIONED.format(data=base64.b64encode(data).decode(), width=THUMB[width], name=html.escape(name))
        for name, data in pictures.items()
    )
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_content(
        SHEET.format(paper=colours[0], ink=colours[1], columns=COLUMNS[width], width=THUMB[width], pictures=shown)
    )
    try:
        return page.locator("body").screenshot(type="jpeg", quality=52)
    finally:
        page.close()


def keep(folder: Path, pictures: dict[str, bytes], suffix: str) -> None:
    """The single pictures, under numbered names."""
    for number, (name, data) in enumerate(pictures.items()):
        slug = name.replace(",", "").replace(" ", "-")
        (folder / f"{number:02}-{slug}-{suffix}.jpg").write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.sheet", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of views")
    given = parser.parse_args()
    found = chromium.find()
    if found is None:
        print("This needs Chromium on the PATH.", file=sys.stderr)
        return 1
    with installed(CLAWGROUPS_BUILTIN_PACE="0.01") as claw, sync_playwright() as playwright:
        script = Script(claw.url, claw.token())
        wanted = [view for view in views(claw, script, figures(script).done()) if given.only in view.name]
        link = claw.manage("login_link", "owner")
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-dev-shm-usage"])
        page = browser.new_page()
        page.goto(link)
        state = page.context.storage_state()
        for folder in filter(None, (given.out, given.pictures)):
            folder.mkdir(parents=True, exist_ok=True)
        with still(claw.pid("worker")):
            for width, (across, down) in SIZES.items():
                for theme in ("light", "dark"):
                    context = browser.new_context(
                        storage_state=state, viewport={"width": across, "height": down}, color_scheme=theme
                    )
                    page = context.new_page()
                    taken = {
                        view.name: picture(page, claw.url + view.address + (view.part if width == "390" else ""))
                        for view in wanted
                        if width == "390" or not view.is_narrow
                    }
                    context.close()
                    (given.out / f"pages-{width}-{theme}.jpg").write_bytes(sheet(browser, taken, width, theme))
                    if given.pictures:
                        keep(given.pictures, taken, f"{width}-{theme}")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
