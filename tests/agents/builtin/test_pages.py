"""Pages, websites and tailored texts: all that is known is there, nothing else, and what is missing is said."""

from __future__ import annotations

import asyncio
import io
import zipfile
from pathlib import Path
from typing import Any

import pytest

from agents.builtin.brief import Brief, read_brief
from agents.builtin.failures import NoInputError
from agents.builtin.pages import make_page, make_site
from agents.builtin.roster import WORKS
from agents.builtin.tailor import parts_of, tailor, version_of
from agents.builtin.told import read_told
from agents.builtin.turn import Turn
from agents.builtin.webpage import from_markdown, safe_link

SHOP = """Make one landing page. Name: not this one, it stands in a sentence.

File: ../../aurora.html
Name: Café <Aurora>
Action: Come by

What is known:
- Name: Café <Aurora>
- Slogan: Slow coffee
- City: Porto
- Opening hours: 8:00-18:00
- Website: https://aurora.example/?a=1&b=2
- Offers: Espresso; Filter
- Evil: <script>alert(1)</script>
- Link: javascript:alert(1)
"""
PROFILE = """# Mira Sommer

Analyst in Hamburg.

## Work

### Elbe Freight

- Led a team of four, with planning and budgets.
- Built forecasts in SQL
  and Python.

## Skills

- Negotiating with suppliers
"""


class Heard:
    """What the agent said, in order."""

    def __init__(self) -> None:
        self.text = ""

    async def session_update(self, session_id: str, update: Any, **kwargs: Any) -> None:
        if getattr(update, "session_update", "") == "agent_message_chunk":
            self.text += update.content.text


def done(work: Any, folder: Path, brief: Brief) -> str:
    heard = Heard()
    asyncio.run(work(Turn(heard, "s", folder, 0), brief))
    return heard.text


def brief_of(instructions: str, **more: Any) -> Brief:
    return read_brief("", {"task": {"title": "T", "instructions": instructions, **more}})


def test_a_page_holds_every_fact_of_its_row_as_text_and_nothing_that_acts(tmp_path: Path) -> None:
    said = done(make_page, tmp_path, brief_of(SHOP))
    page = (tmp_path / "aurora.html").read_text()
    assert {path.name for path in tmp_path.iterdir()} == {"aurora.html", "aurora.missing.txt"}
    for part in ("Café &lt;Aurora&gt;", "Slow coffee", "Porto", "8:00-18:00", "Espresso", "Filter", ">Come by</a>"):
        assert part in page
    assert 'href="https://aurora.example/?a=1&amp;b=2"' in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script" not in page
    assert "javascript:alert(1)</dd>" in page
    assert 'href="javascript' not in page
    assert "not on the page: what it is about, address and phone" in said


def test_a_page_of_a_name_alone_is_a_page_and_one_of_nothing_is_refused(tmp_path: Path) -> None:
    said = done(make_page, tmp_path, brief_of("Name: Aurora\n\nWhat is known:\n- nothing but its name"))
    assert "Only its name is known." in said
    assert "<h1>Aurora</h1>" in (tmp_path / "page.html").read_text()
    with pytest.raises(NoInputError, match="What is known"):
        done(make_page, tmp_path, brief_of("Make a page."))


def test_a_website_leads_to_each_page_and_the_same_pages_give_the_same_bytes(tmp_path: Path) -> None:
    done(make_page, tmp_path, brief_of(SHOP))
    (tmp_path / "shops.csv").write_text("a,b\n1,2\n")
    (tmp_path / "before").mkdir()
    (tmp_path / "before" / "old.html").write_text("old")
    asked = brief_of("File: site.zip\nName: The old town")
    said = done(make_site, tmp_path, asked)
    first = (tmp_path / "site.zip").read_bytes()
    with zipfile.ZipFile(io.BytesIO(first)) as archive:
        assert archive.namelist() == ["index.html", "aurora.html"]
        index = archive.read("index.html").decode()
    assert '<a href="aurora.html">Café &lt;Aurora&gt;</a>' in index
    assert "Slow coffee" in index
    assert "holds 1 page;" in said
    # What the list lacks is said to who asked, and stands on no page.
    assert "Not known: what it is about, address and phone." in said
    done(make_site, tmp_path, asked)
    assert (tmp_path / "site.zip").read_bytes() == first


def test_a_website_of_no_pages_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="no pages here"):
        done(make_site, tmp_path, brief_of("File: site.zip"))


def test_a_version_has_what_fits_first_loses_nothing_and_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "mira.md").write_text(PROFILE)
    role = "File: lead.html\nName: Project lead\nSource: mira.md\n\nWhat is known:\n- Asks for: planning, supplier, Go"
    said = done(tailor, tmp_path, brief_of(role))
    version = version_of(PROFILE, "Project lead", read_told(role))
    assert version.fitting == ("Led a team of four, with planning and budgets.", "Negotiating with suppliers")
    assert version.missing == ("Go",)
    every = [unit for part in parts_of(PROFILE) for unit in part.units]
    assert "- Built forecasts in SQL and Python." in every
    assert not [unit for unit in every if unit not in version.text]
    # All of its passages speak of the role, so this section comes first.
    assert version.text.index("## Skills") < version.text.index("## Work") < version.text.index("### Elbe Freight")
    assert "The role asks for “Go”; the source does not say it." in said
    page = (tmp_path / "lead.html").read_text()
    assert page.index("What fits best") < page.index("Elbe Freight")
    assert "<h1>Mira Sommer</h1>" in page


def test_in_a_text_without_sections_what_fits_stands_above_all_of_it() -> None:
    text = version_of("# Mira\n\n- Led a team.\n- Wrote tests.\n", "Who writes tests", read_told("")).text
    assert text == "## What fits best\n\n- Wrote tests.\n\n- Led a team.\n- Wrote tests."


def test_a_version_of_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NoInputError, match="no text here"):
        done(tailor, tmp_path, brief_of("Name: Lead\nSource: mira.md"))


def test_the_writer_knows_these_kinds_of_work() -> None:
    assert {"page", "site", "tailored"} <= WORKS.keys()


LINKS = [
    ("aurora.example", "https://aurora.example"),
    ("https://a.example/x y", ""),
    ("javascript:alert(1)", ""),
    ("a@b.example", ""),
    ("http://[", ""),
    ("Porto", ""),
]


@pytest.mark.parametrize(("said", "link"), LINKS)
def test_only_addresses_of_the_web_become_links(said: str, link: str) -> None:
    assert safe_link(said) == link


def test_markdown_becomes_markup_and_markup_stays_text() -> None:
    text = "# A\n## B\nwords <b>\nmore **bold**\n\n- one\n- two\n\n> said\n> so\n#hash"
    assert from_markdown(text) == (
        "<h2>A</h2>\n<h2>B</h2>\n<p>words &lt;b&gt; more <strong>bold</strong></p>\n<ul><li>one</li><li>two</li></ul>\n"
        "<blockquote><p>said so</p></blockquote>\n<p>#hash</p>"
    )
