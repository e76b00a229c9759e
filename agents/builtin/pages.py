"""One page from the facts of one row, and one website of many pages. Nothing is said that the row does not say."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Sequence
from html import escape, unescape
from pathlib import Path, PurePosixPath

from agents.builtin.brief import Brief
from agents.builtin.failures import NoInputError
from agents.builtin.figures import joined, name, plural
from agents.builtin.material import BEFORE, files_in, write
from agents.builtin.roles import words_of
from agents.builtin.told import Told, read_told
from agents.builtin.turn import Turn
from agents.builtin.webpage import hero, page, safe_link

# What a column is about, by a word in its name. The first that fits counts.
PARTS: dict[str, frozenset[str]] = {
    "slogan": frozenset({"slogan", "tagline", "claim", "motto"}),
    "about": frozenset({"about", "description", "text", "story", "profile", "beschreibung"}),
    "city": frozenset({"city", "town", "place", "district", "stadt", "ort"}),
    "address": frozenset({"address", "street", "location", "adresse"}),
    "hours": frozenset({"hours", "opening", "open", "times", "zeiten"}),
    "phone": frozenset({"phone", "telephone", "tel", "mobile", "telefon"}),
    "mail": frozenset({"mail", "email"}),
    "web": frozenset({"website", "web", "url", "site", "homepage", "link"}),
    "offers": frozenset({"offers", "offer", "products", "services", "menu", "specialties", "angebot"}),
    "language": frozenset({"language", "lang"}),
}
USUAL = {
    "about": "what it is about",
    "address": "address",
    "hours": "opening hours",
    "phone": "phone",
    "web": "website",
}
MISSING = ".missing.txt"
LISTED = ("hours", "address", "city", "phone", "mail", "web", "other")
SITE_SUFFIXES = frozenset({".html", ".htm", ".css", ".svg", ".png", ".jpg", ".jpeg", ".webp", ".pdf", ".docx"})
MOST_SITE = 64 * 1024 * 1024
EPOCH = (1980, 1, 1, 0, 0, 0)
_SPLIT = re.compile(r"\s*[;|\n]\s*")
_TITLE = re.compile(r"<title>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_ABOUT = re.compile(r'<meta name="description" content="([^"]*)"', re.IGNORECASE)
_NO_FACTS = (
    "This task says no file and no name to make a page of. Give it lines such as “File: aurora.html”, “Name: Café"
    " Aurora”, then “What is known:” and a line “- City: Porto” for each fact."
)
_NO_PAGES = "There are no pages here to put together: none of the tasks before this one has left an HTML file."


async def make_page(turn: Turn, brief: Brief) -> None:
    """Write the page of one row and say what it holds and what is missing."""
    told = read_told(brief.instructions)
    title = told.get("Name")
    if not title:
        raise NoInputError(_NO_FACTS)
    file = told.file("page.html", ".html")
    await turn.plan(["Sort what is known", "Make the page"])
    parts = sorted_facts(told, title)
    await turn.advance()
    missing = [said for part, said in USUAL.items() if part not in parts]
    async with turn.step(f"Write {file}", "edit", file) as step:
        await turn.work(write, turn.folder, file, page_of(title, told, parts))
        await turn.work(note_missing, turn.folder, file, missing)
        step.note(f"{len(told.facts)} {plural(len(told.facts), 'fact')} of the list are on it.")
    await turn.say(_said(title, file, parts, missing))
    await turn.advance()


def sorted_facts(told: Told, title: str) -> dict[str, list[tuple[str, str]]]:
    """The facts by what they are about, each with its own column's name; `other` holds the rest."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for column, value in told.facts:
        if value == title:
            continue
        words = set(words_of(column))
        part = next((part for part, known in PARTS.items() if words & known), "other")
        parts.setdefault(part, []).append((column, value))
    return parts


def page_of(title: str, told: Told, parts: dict[str, list[tuple[str, str]]]) -> str:
    """The page as HTML."""
    one = {part: facts[0][1] for part, facts in parts.items()}
    slogan, about = one.get("slogan", ""), one.get("about", "")
    body = [hero(title, slogan, one.get("city", ""), _action(told, one)), "<main>"]
    if about:
        first, *rest = [f"<p>{escape(text)}</p>" for _, text in parts["about"]]
        body.append(f"<section>{first.replace('<p>', '<p class=lead>', 1)}{''.join(rest)}</section>")
    for column, value in parts.get("offers", []):
        items = "".join(f"<li>{escape(item)}</li>" for item in _SPLIT.split(value) if item)
        body.append(f'<section><h2>{escape(column)}</h2><ul class="offers">{items}</ul></section>')
    facts = [fact for part in LISTED for fact in parts.get(part, [])]
    if facts:
        body.append(f"<section><dl>{''.join(_fact(column, value) for column, value in facts)}</dl></section>")
    body.append(f"</main><footer>{escape(title)}</footer>")
    return page(title, "\n".join(body), about=slogan or about[:200], language=_language(one.get("language", "")))


def _language(said: str) -> str:
    return said if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", said) else "en"


def _action(told: Told, one: dict[str, str]) -> tuple[str, str] | None:
    """The button, where there is somewhere that it can lead."""
    links = (safe_link(one.get("web", "")), _mail(one.get("mail", "")), _tel(one.get("phone", "")))
    to = next((link for link in links if link), "")
    return (told.get("Action", "Get in touch"), to) if to else None


def _fact(column: str, value: str) -> str:
    link = safe_link(value) or _mail(value) or (_tel(value) if set(words_of(column)) & PARTS["phone"] else "")
    shown = f'<a href="{escape(link)}">{escape(value)}</a>' if link else escape(value)
    return f"<div><dt>{escape(column)}</dt><dd>{shown}</dd></div>"


def _mail(value: str) -> str:
    return f"mailto:{value}" if re.fullmatch(r"[\w.+-]+@[\w-]+(\.[\w-]+)+", value) else ""


def _tel(value: str) -> str:
    digits = re.sub(r"[\s()/.-]", "", value)
    return f"tel:{digits}" if re.fullmatch(r"\+?\d{5,15}", digits) else ""


def note_missing(folder: Path, file: str, missing: Sequence[str]) -> None:
    """Leave word of what a page lacks for whoever puts the pages together; it is no part of the page."""
    if missing:
        write(folder, _note_of(file), "\n".join(missing) + "\n")


def _note_of(file: str) -> str:
    return str(PurePosixPath(file).with_suffix(MISSING))


def _said(title: str, file: str, parts: dict[str, list[tuple[str, str]]], missing: Sequence[str]) -> str:
    facts = [column for found in parts.values() for column, _ in found]
    lines = [f"The page of {name(title)} is in `{file}`."]
    lines.append(f"On it: {joined([name(column) for column in facts])}." if facts else "Only its name is known.")
    if missing:
        lines.append(f"Not in the list, and so not on the page: {joined(missing)}.")
    return "\n\n".join(lines) + "\n"


async def make_site(turn: Turn, brief: Brief) -> None:
    """Put the pages of other tasks into one archive with a first page that leads to each."""
    told = read_told(brief.instructions)
    archive = told.file("website.zip", ".zip")
    files = await turn.work(_site_files, turn.folder)
    pages = [file for file in files if file.lower().endswith((".html", ".htm"))]
    if not pages:
        raise NoInputError(_NO_PAGES)
    title = told.get("Name") or brief.heading() or "Website"
    await turn.plan(["Look at the pages", "Put them together"])
    cards = await turn.work(_cards, turn.folder, pages)
    await turn.advance()
    async with turn.step(f"Write {archive}", "edit", archive) as step:
        content = await turn.work(_packed, turn.folder, files, index_of(title, cards))
        await turn.work(write, turn.folder, archive, content)
        step.note(f"{len(pages)} {plural(len(pages), 'page')} and index.html.")
    noted = await turn.work(_noted, turn.folder, pages)
    listed = "\n".join(_line(card, noted) for card in cards)
    await turn.say(
        f"`{archive}` holds {len(pages)} {plural(len(pages), 'page')}; index.html leads to each.\n\n{listed}\n"
    )
    await turn.advance()


def _noted(folder: Path, pages: Sequence[str]) -> dict[str, list[str]]:
    """What each page lacks, as far as whoever made it left word."""
    notes = {file: folder / _note_of(file) for file in pages}
    return {file: note.read_text(encoding="utf-8").splitlines() for file, note in notes.items() if note.is_file()}


def _line(card: tuple[str, str, str], noted: dict[str, list[str]]) -> str:
    file, shown, about = card
    missing = f" Not known: {joined(noted[file])}." if noted.get(file) else ""
    return f"- {name(shown)} (`{file}`){f': {about}' if about else ''}.{missing}"


def _site_files(folder: Path) -> list[str]:
    """What belongs to the website: what other tasks left, not what earlier tries of this one did."""
    found = [file for file in files_in(folder) if not file.startswith(BEFORE) and file != "index.html"]
    return [file for file in found if Path(file).suffix.casefold() in SITE_SUFFIXES]


def _cards(folder: Path, pages: Sequence[str]) -> list[tuple[str, str, str]]:
    """Each page with its title and what it says of itself."""
    found = []
    for file in pages:
        head = (folder / file).read_bytes()[:20_000].decode("utf-8", "replace")
        title, about = _TITLE.search(head), _ABOUT.search(head)
        shown = " ".join(unescape(title[1]).split()) if title else file
        found.append((file, shown or file, unescape(about[1]).strip() if about else ""))
    return found


def index_of(title: str, cards: Sequence[tuple[str, str, str]]) -> str:
    """The first page."""
    items = "".join(
        f'<li><a href="{escape(file)}">{escape(shown)}</a>{f"<p>{escape(about)}</p>" if about else ""}</li>'
        for file, shown, about in cards
    )
    body = f'{hero(title)}<main><ul class="cards">{items}</ul></main><footer>{escape(title)}</footer>'
    return page(title, body)


def _packed(folder: Path, files: Sequence[str], index: str) -> bytes:
    """The archive; the same pages give the same bytes. Raises `NoInputError` where they are too much."""
    if sum((folder / file).stat().st_size for file in files) > MOST_SITE:
        raise NoInputError(f"The pages are more than {MOST_SITE >> 20} MB together. Split the list into several runs.")
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for file, content in [("index.html", index.encode()), *((f, (folder / f).read_bytes()) for f in files)]:
            archive.writestr(zipfile.ZipInfo(file, EPOCH), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()
