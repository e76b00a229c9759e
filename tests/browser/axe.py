"""What axe-core says against a page: WCAG 2.2 at A and AA, and the best practices that it knows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from playwright.sync_api import Page

TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
COLOURS = "color-contrast"
RUN = """async ([tags, without]) => {
  const rules = Object.fromEntries(without.map((rule) => [rule, { enabled: false }]));
  const told = { runOnly: { type: "tag", values: tags }, rules, resultTypes: ["violations"] };
  const { violations } = await axe.run(document, told);
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, html, any, all, none }) => {
      const [why] = [...any, ...all, ...none];
      return `${id}: ${target.join(" ")} ${html.slice(0, 160)} (${why ? why.message : ""})`;
    }));
}"""


@cache
def source() -> str:
    """The script, as its package brings it."""
    return files("axe_playwright_python").joinpath("axe.min.js").read_text()


def violations(page: Page, without: Sequence[str] = ()) -> list[str]:
    """Each element of the page that breaks a rule, as it stands now; `without` are rules that are left out."""
    if page.evaluate("() => !window.axe"):
        page.evaluate(source())
    found: list[str] = page.evaluate(RUN, [TAGS, list(without)])
    return found
