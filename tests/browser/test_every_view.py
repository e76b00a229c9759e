"""Every view, in both themes and at two widths: whole, legible, named, and without a complaint."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from playwright.sync_api import CDPSession, Page

from tests.browser.axe import COLOURS, violations
from tests.browser.people import People
from tests.browser.views import SIZES, Figures, View, aside, outside, views
from tests.stories.installation import Installation
from tests.stories.script import Script

# What is cut off at the edge of its own box, or of the window, and cannot be scrolled to.
CUT_OFF = """() => {
  const short = new Map(), edges = new Map();
  const shortened = (el) => {
    if (!short.has(el)) {
      const style = getComputedStyle(el);
      // A picture within a picture is cut by what is around it, and means to be.
      short.set(el, style.textOverflow === "ellipsis" || style.clipPath !== "none" || el.closest("svg svg, svg a"));
    }
    return short.get(el);
  };
  const edge = (up) => {
    if (up && !edges.has(up))
      edges.set(up, shortened(up) || /auto|scroll/.test(getComputedStyle(up).overflowX) ? Infinity
        : up.matches(".card, .panel, .task, .pane, body") ? up.getBoundingClientRect().right : edge(up.parentElement));
    return edges.get(up);
  };
  const seen = (el) => el.checkVisibility({ visibilityProperty: true });
  const out = [...document.querySelectorAll("body *")].filter((el) =>
    seen(el) && !shortened(el) && el.getBoundingClientRect().right > edge(el.parentElement) + 1);
  const over = document.documentElement.scrollWidth - document.documentElement.clientWidth;
  return { over, out: out.map((el) => el.outerHTML.slice(0, 160)) };
}"""
# One title, one main part, a name for everything that can be worked.
SPOKEN = """() => {
  const seen = (el) => el.checkVisibility({ visibilityProperty: true });
  const name = (el) => el.ariaLabel || el.title || el.innerText?.trim() || el.value || el.alt ||
    el.getAttribute("aria-labelledby") || el.labels?.[0]?.innerText.trim() ||
    el.labels?.[0]?.querySelector("img[alt]") || el.querySelector("img[alt], title");
  const nameless = [...document.querySelectorAll("a[href], button, input, select, textarea, summary")]
    .filter((el) => el.type !== "hidden" && seen(el) && !name(el)).map((el) => el.outerHTML.slice(0, 160));
  const ids = [...document.querySelectorAll("[id]")].map((el) => el.id);
  return {
    titles: document.querySelectorAll("h1").length,
    mains: document.querySelectorAll("main").length,
    nameless,
    twice: [...new Set(ids.filter((id, at) => ids.indexOf(id) !== at))],
  };
}"""
# Words whose colour is too near to what is behind them (WCAG 2.2, 1.4.3): 4.5 to 1, or 3 to 1 where they are large.
FAINT = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const known = new Map();
  const rgba = (colour) => {
    if (!known.has(colour)) {
      pen.clearRect(0, 0, 1, 1);
      pen.fillStyle = colour;
      pen.fillRect(0, 0, 1, 1);
      const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
      known.set(colour, [r, g, b, a / 255]);
    }
    return known.get(colour);
  };
  const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
  const light = (colour) => {
    const [r, g, b] = colour.map((value) => value / 255)
      .map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  // By element, since each stands before what its parent stands before; null is a picture.
  const grounds = new Map([[null, rgba("Canvas")]]), dims = new Map([[null, 1]]);
  const behind = (el) => {
    if (!grounds.has(el)) {
      const style = getComputedStyle(el), layer = rgba(style.backgroundColor);
      const under = style.backgroundImage !== "none" ? null : layer[3] === 1 ? layer : behind(el.parentElement);
      grounds.set(el, under && over(layer, under));
    }
    return grounds.get(el);
  };
  const dim = (el) => {
    if (!dims.has(el)) dims.set(el, dim(el.parentElement) * getComputedStyle(el).opacity);
    return dims.get(el);
  };
  const found = new Set();
  for (const el of document.querySelectorAll("body *")) {
    const words = [...el.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!words || el.closest("svg, [disabled], [aria-disabled=true], [inert]")) continue;
    if (!el.checkVisibility({ visibilityProperty: true })) continue;
    const under = behind(el), style = getComputedStyle(el);
    if (!under || style.clipPath !== "none" || el.closest(".visually-hidden")) continue;
    const [r, g, b, a] = rgba(style.color);
    const [dark, bright] = [light(over([r, g, b, a * dim(el)], under)), light(under)].sort((x, y) => x - y);
    const size = parseFloat(style.fontSize), large = size >= 24 || (size >= 18.66 && +style.fontWeight >= 700);
    const contrast = (bright + 0.05) / (dark + 0.05);
    if (contrast < (large ? 3 : 4.5)) {
      const said = el.textContent.trim().slice(0, 30);
      found.add(`${contrast.toFixed(1)} ${el.localName}.${[...el.classList].join(".")} ${said}`);
    }
  }
  return [...found];
}"""
FULL = os.environ.get("BROWSER_FULL") == "1"
# At each width once, since other things are seen there. Its rule about colours takes as long as all others together,
# and FAINT looks at those in both themes at both widths: axe does so at one.
AXE: dict[tuple[str, str], tuple[str, ...]] = {("1440", "light"): (), ("390", "dark"): (COLOURS,)}
PARTS = 3  # of all views, each a test within a test's time
PAPER = "() => getComputedStyle(document.body).backgroundColor"


@pytest.fixture(scope="module")
def every(claw: Installation, script: Script, figured: Figures) -> list[View]:
    return views(claw, script, figured.done(), agents=40, tasks=120)


def faults(page: Page, width: str, themes: dict[str, str]) -> dict[str, Any]:
    """What is wrong with a page in one theme after the other; `themes` learns what each has behind everything."""
    found: dict[str, Any] = {}
    spoken = page.evaluate(SPOKEN)
    if spoken != {"titles": 1, "mains": 1, "nameless": [], "twice": []}:
        found["spoken"] = spoken
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        if (cut := page.evaluate(CUT_OFF)) != {"over": 0, "out": []}:
            found[f"cut off, {theme}"] = cut
        if faint := page.evaluate(FAINT):
            found[f"faint, {theme}"] = faint
        without = () if FULL else AXE.get((width, theme))
        if without is not None and (broken := violations(page, without)):
            found[f"axe, {theme}"] = broken
        themes.setdefault(theme, page.evaluate(PAPER))
        if page.evaluate(PAPER) != themes[theme]:
            found[f"paper, {theme}"] = page.evaluate(PAPER)
    return found


def magnified(page: Page, sizes: CDPSession) -> dict[str, Any]:
    """What is lost at 200 %: of everything, which is a window of half the width, and of the letters alone."""
    found = {}
    page.set_viewport_size({"width": 720, "height": 450})
    for name, letters in (("zoomed", {}), ("large letters", {"standard": 32, "fixed": 26})):
        if letters:
            page.set_viewport_size({"width": 1440, "height": 900})
            sizes.send("Page.setFontSizes", {"fontSizes": letters})
        if (cut := page.evaluate(CUT_OFF)) != {"over": 0, "out": []}:
            found[name] = cut
    sizes.send("Page.setFontSizes", {"fontSizes": {"standard": 16, "fixed": 13}})
    return found


def looked_at(page: Page, url: str, every: list[View]) -> dict[str, Any]:
    """What is wrong with which of these views, at which width."""
    themes: dict[str, str] = {}
    wrong = {}
    sizes = page.context.new_cdp_session(page)
    for view in every:
        page.goto(url + view.address)
        # No script of ours asks for the width: what is drawn at one is what is loaded there.
        for width, (across, down) in SIZES.items():
            page.set_viewport_size({"width": across, "height": down})
            if found := faults(page, width, themes):
                wrong[f"{view.name}, {width}"] = found
        if found := magnified(page, sizes):
            wrong[f"{view.name}, 200 %"] = found
    assert len(set(themes.values())) == 2
    return wrong


@pytest.mark.parametrize("part", range(PARTS))
def test_every_view_is_whole_legible_and_named_in_both_themes_at_both_widths(
    people: People, claw: Installation, every: list[View], part: int
) -> None:
    people.allow("404")  # one view is of an address that is not there
    wrong = looked_at(people.signed_in(at=None, reduced_motion="reduce"), claw.url, every[part::PARTS])
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)


def test_so_are_the_pages_that_few_see_and_those_for_strangers(
    people: People, claw: Installation, script: Script, figured: Figures
) -> None:
    people.allow("404")
    wrong = looked_at(people.stranger(reduced_motion="reduce"), claw.url, outside(script, figured.done()))
    wrong |= looked_at(people.signed_in(at=None, reduced_motion="reduce"), claw.url, aside(script, figured))
    assert not wrong, json.dumps(wrong, indent=1, ensure_ascii=False)
