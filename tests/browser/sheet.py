"""`python -m tests.browser.sheet --out docs`: every view as a picture, both themes and two widths, on eight sheets:
what one works with, and beside it the forms, settings and lists, and what is opened, refused or cut off.

Starts the product with folders of its own, with an empty workspace, a small run of the built-in agents, and a crowd of
300 agents. Each sheet is one JPEG; `--pictures FOLDER` keeps the single pictures, too, in full size. The worker is
held still meanwhile, else it would find hundreds of agents that never say anything, and each sheet another state.
"""

from __future__ import annotations

import argparse
import base64
import html
import itertools
import re
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser.states import refused, states
from tests.browser.turn import still
from tests.browser.views import SIZES, View, aside, figures, outside, views
from tests.run import browser as chromium
from tests.stories.installation import Installation, installed
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


def picture(page: Page, url: str, view: View, *, is_narrow: bool) -> bytes:
    """The page as it stands once it is quiet, and what is done on it is done."""
    page.goto(url + view.address + (view.part if is_narrow else ""))
    page.wait_for_load_state("networkidle")
    if view.doing:
        view.doing(page)
    return page.screenshot(type="jpeg", quality=80)


def shot(browser: Browser, url: str, wanted: list[View], width: str, theme: str, who: Any) -> dict[str, bytes]:
    """Each on a page of its own: an address with another fragment only would not load anew."""
    taken: dict[str, bytes] = {}
    across, down = SIZES[width]
    look: Any = {"viewport": {"width": across, "height": down}, "color_scheme": theme}
    context = browser.new_context(storage_state=who, **look)
    for view in wanted:
        if width == "390" or not view.is_narrow:
            page = context.new_page()
            page.set_default_timeout(120_000)
            taken[view.name] = picture(page, url, view, is_narrow=width == "390")
            page.close()
            context.set_offline(offline=False)
    context.close()
    return taken


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
        slug = re.sub(r"[ ,/]+", "-", name)
        (folder / f"{number:02}-{slug}-{suffix}.jpg").write_bytes(data)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.browser.sheet", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--only", default="", help="a part of the names of views")
    parser.add_argument("--sheet", choices=("pages", "more"), help="only these four")
    given = parser.parse_args()
    found = chromium.find()
    if found is None:
        print("This needs Chromium on the PATH.", file=sys.stderr)
        return 1
    for folder in filter(None, (given.out, given.pictures)):
        folder.mkdir(parents=True, exist_ok=True)
    with installed(CLAWGROUPS_BUILTIN_PACE="0.01") as claw, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--disable-dev-shm-usage"])
        page = browser.new_page()
        page.goto(claw.manage("login_link", "owner"))
        owner = page.context.storage_state()
        page.context.close()
        sheets = [one for one in groups(claw, given.only) if given.sheet in (None, one[0])]
        with still(claw.pid("worker")):
            for name, inside, without in sheets:
                for width, theme in itertools.product(SIZES, ("light", "dark")):
                    taken = shot(browser, claw.url, inside, width, theme, owner)
                    taken |= shot(browser, claw.url, without, width, theme, None)
                    (given.out / f"{name}-{width}-{theme}.jpg").write_bytes(sheet(browser, taken, width, theme))
                    if given.pictures:
                        keep(given.pictures, taken, f"{name}-{width}-{theme}")
        browser.close()
    return 0


def groups(claw: Installation, only: str) -> list[tuple[str, list[View], list[View]]]:
    """The sheets by name: what the owner sees, and what is seen without an account."""
    script = Script(claw.url, claw.token())
    done = figures(script).done()
    found: list[tuple[str, list[View], list[View]]] = [
        ("pages", views(claw, script, done), []),
        ("more", [*aside(script, done), *states(script, done)], [*outside(script, done), *refused()]),
    ]

    def some(of: list[View]) -> list[View]:
        return [view for view in of if only in view.name]

    return [(name, some(inside), some(without)) for name, inside, without in found if some([*inside, *without])]


if __name__ == "__main__":
    sys.exit(main())
