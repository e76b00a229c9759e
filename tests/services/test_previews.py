"""What a page shows of a file, and that no file takes more than a page's worth of time and memory."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import zipfile
import zlib
from typing import Any
from uuid import UUID

import openpyxl
import pytest

from clawgroups.models import Artifact, Task
from clawgroups.services.files import path_of
from clawgroups.services.previews import MOST_MARKED, MOST_TEXT, Preview, compared, preview
from clawgroups.services.sheet_previews import MOST_LOOKED_AT, MOST_READ
from clawgroups.services.zips import PIECE, Unreadable, member
from tests.conftest import Team
from tests.core.test_looks import png
from tests.realtime.told_of_files import delivered

pytestmark = pytest.mark.django_db


@pytest.fixture
def task(team: Team) -> Task:
    return team.one_task()


def row(pk: UUID) -> Artifact:
    return Artifact.objects.get(pk=pk)


def seen(task: Task, name: str, content: bytes, sheet: int = 0) -> Preview:
    return preview(row(delivered(task, content, name=name)), sheet=sheet)


def workbook(*sheets: tuple[str, list[list[Any]]]) -> bytes:
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for title, rows in sheets:
        made = book.create_sheet(title)
        for cells in rows:
            made.append(cells)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def zipped(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


def cells(shown: Preview) -> tuple[tuple[str, ...], ...]:
    assert shown.grid is not None
    return shown.grid.rows


def test_texts_of_each_kind(task: Task) -> None:
    assert seen(task, "a.md", b"# One\r\ntwo").text == "# One\ntwo"
    assert seen(task, "a.py", b"x = 1\ny = 2\n").numbers == "1\n2"
    assert seen(task, "a.json", b'{"b":[1,2]}').text == json.dumps({"b": [1, 2]}, indent=2)
    (note,) = seen(task, "a.json", b'{"b":').notes
    assert "no valid JSON (line 1" in note
    assert "nested too deep" in seen(task, "a.json", b"[" * 100_000).notes[0]
    (note,) = seen(task, "a.txt", "Müller".encode("cp1252")).notes
    assert "Windows-1252" in note


def test_a_table_shows_its_first_rows_and_says_that_there_is_more(task: Task) -> None:
    shown = seen(task, "a.csv", b'a;b\n"x;1";2\n')
    assert (shown.kind, cells(shown), shown.is_cut) == ("table", (("a", "b"), ("x;1", "2")), False)
    long = seen(task, "a.csv", b"\n".join(b",".join([b"%d" % n] * 60) for n in range(5_000)))
    assert (len(cells(long)), len(cells(long)[0]), long.is_cut) == (200, 50, True)
    assert "never closed" in seen(task, "a.csv", b'a,b\n"x,1\n').notes[0]


def test_a_workbook_shows_the_sheet_that_is_asked_for(task: Task) -> None:
    content = workbook(("One", [["a", 1.5, True]]), ("Two", [["b"], [None, 7]]), ("Nothing", []))
    shown = seen(task, "a.xlsx", content, sheet=1)
    assert shown.grid is not None
    assert (shown.grid.sheets, cells(shown)) == (("One", "Two", "Nothing"), (("b", ""), ("", "7")))
    assert cells(seen(task, "a.xlsx", content, sheet=99)) == (("a", "1.5", "TRUE"),)
    assert seen(task, "a.xlsx", content, sheet=2).kind == "empty-sheet"
    assert "damaged" in seen(task, "a.xlsx", content[:-400]).why_not
    assert "damaged" in seen(task, "a.xlsx", zipped(xl__workbook_xml=b"<a", word__x_xml=b"")).why_not


def test_bombs_are_not_unpacked(task: Task) -> None:
    strings = zipped(xl__workbook_xml=b"", xl__sharedStrings_xml=b" " * 40_000_000)
    row_ = zipped(xl__workbook_xml=b"", xl__worksheets__sheet1_xml=b"<row>" + b"<c/>" * 5_000_000)
    bomb = delivered(task, zipped(index_html=b" " * 40_000_000), name="a.zip")
    tracemalloc.start()
    try:
        assert "too much to be shown" in seen(task, "a.xlsx", strings).why_not
        assert "rows are too long" in seen(task, "a.xlsx", row_).why_not
        assert preview(row(bomb)).kind == "site"
        with pytest.raises(Unreadable):
            member(path_of(row(bomb).sha256), "index.html")
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def lying(name: str, content: bytes, *, says: int) -> bytes:
    """An archive whose only file is said to be smaller than it is; its sum is that of what it says."""
    made = bytearray(zipped(**{name: content}))
    entry, end = made.index(b"PK\x01\x02"), made.index(b"PK\x05\x06")
    for at, number in ((entry + 24, says), (entry + 16, zlib.crc32(content[:says]))):
        made[at : at + 4] = number.to_bytes(4, "little")
    assert end > entry
    return bytes(made)


def test_an_archive_that_lies_of_its_sizes_takes_no_more_than_it_says(task: Task) -> None:
    bomb = delivered(task, lying("index_html", b" " * 200_000_000, says=1000), name="a.zip")
    tracemalloc.start()
    try:
        assert len(member(path_of(row(bomb).sha256), "index.html")) == 1000
        assert tracemalloc.get_traced_memory()[1] < 5_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("packed", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_is_packed_so_that_it_cannot_be_bounded_is_not_unpacked(task: Task, packed: int) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", packed) as archive:
        archive.writestr("index.html", b" " * 20_000_000)
    bomb = delivered(task, out.getvalue(), name="a.zip")
    with pytest.raises(Unreadable, match="packed in a way that is not known"):
        member(path_of(row(bomb).sha256), "index.html")


SHARED = (
    b'<Override PartName="/xl/strings" ContentType="application/vnd.openxmlformats-officedocument'
    b'.spreadsheetml.sharedStrings+xml"/>'
)


@pytest.mark.parametrize(
    ("part", "content"),
    [
        ("xl/styles.xml", b"<cellXfs>%s</cellXfs>" % (b"<xf/>" * 400_000)),
        # Under a name that no check of sizes looks at, and in a sheet that does not say how large it is.
        ("xl/strings", b"<si><t>%s</t></si>" % (b"a" * 1_000) * 10_000),
        ("xl/worksheets/sheet1.xml", b"<sheetData>%s</sheetData>" % (b"<row>%s</row>" % (b" " * 100) * 90_000)),
    ],
)
def test_a_workbook_is_read_no_further_than_a_page_needs(
    monkeypatch: pytest.MonkeyPatch, task: Task, part: str, content: bytes
) -> None:
    kind = {"xl/styles.xml": b"styleSheet", "xl/strings": b"sst"}.get(part, b"worksheet")
    main = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(workbook(("One", [["a"]])))) as plain,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
    ):
        archive.writestr(part, b'<%s xmlns="%s">%s</%s>' % (kind, main, content, kind))
        for name in {*plain.namelist()} - {part}:
            archive.writestr(
                name, plain.read(name).replace(b"</Types>", (SHARED if part == "xl/strings" else b"") + b"</Types>")
            )
    unpacked, read = [], zipfile.ZipExtFile.read

    def counted(member: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        found = read(member, n)
        unpacked.append(len(found))
        return found

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    assert "too much to be shown" in seen(task, "a.xlsx", out.getvalue()).why_not
    # One look at where its rows end, and what is read of it then; never the whole of a bomb.
    assert sum(unpacked) <= MOST_LOOKED_AT + MOST_READ + PIECE


def test_json_that_lies_deep_is_not_indented_to_a_thousand_times_its_length(task: Task) -> None:
    deep = b"[" * 800 + b",".join([b"1"] * 100_000) + b"]" * 800
    tracemalloc.start()
    try:
        shown = seen(task, "a.json", deep)
        assert tracemalloc.get_traced_memory()[1] < 40_000_000
    finally:
        tracemalloc.stop()
    assert (len(shown.text), shown.is_cut) == (MOST_TEXT, True)


def test_of_long_markdown_the_beginning_is_laid_out(task: Task) -> None:
    shown = seen(task, "a.md", b"[" * 200_000 + b"\n")
    assert (shown.kind, shown.is_cut) == ("markdown", True)
    assert len(shown.text) <= MOST_MARKED
    assert not seen(task, "a.md", b"# Short\n").is_cut


def test_a_text_of_two_gigabytes_is_read_at_its_beginning_only(task: Task) -> None:
    made = row(delivered(task, b"line\n" * 100_000, name="huge.log"))
    with path_of(made.sha256).open("r+b") as content:
        os.truncate(content.fileno(), 2 * 1024**3)  # a hole: no disk is taken
    tracemalloc.start()
    try:
        shown = preview(made)
        assert tracemalloc.get_traced_memory()[1] < 20 * MOST_TEXT
    finally:
        tracemalloc.stop()
    path_of(made.sha256).unlink()
    assert (shown.kind, shown.is_cut, len(shown.text)) == ("text", True, MOST_TEXT)
    assert preview(made).why_not.startswith("Its bytes are not in the store")


def test_an_archive_is_listed_and_a_website_in_it_found(task: Task) -> None:
    shown = seen(task, "a.zip", zipped(a_txt=b"1", b__c_txt=b"22"))
    assert shown.listing is not None
    assert (shown.kind, [(one.name, one.size) for one in shown.listing.members]) == (
        "zip",
        [("a.txt", 1), ("b/c.txt", 2)],
    )
    site = seen(task, "a.zip", zipped(site__index_html=b"<p>", site__deep__index_html=b"<p>"))
    assert site.listing is not None
    assert (site.kind, site.listing.site) == ("site", "site/index.html")
    assert "end is missing" in seen(task, "a.zip", zipped(a_txt=b"1")[:-10]).why_not


def test_what_differs_between_two_revisions(task: Task) -> None:
    def told(name: str, one: bytes, other: bytes) -> Any:
        return compared(row(delivered(task, one, name=name)), row(delivered(task, other, name=name)))

    found = told("a.md", b"one\ntwo\nthree", b"one\n2\nthree\nfour")
    assert [(r.left, r.right) for r in found.rows if not r.same] == [("two", "2"), (None, "four")]
    assert (found.added, found.gone) == (2, 1)
    assert told("a.md", b"x", b"x").same
    assert "Only line ends" in told("a.md", b"x\n", b"x\r\n").why_not
    sheets = told("a.xlsx", workbook(("S", [["a"], ["b"]])), workbook(("S", [["a"], ["c"]])))
    assert [(r.left, r.right) for r in sheets.rows if not r.same] == [("b", "c")]
    assert "Not both" in told("a.png", png(), png(4, 4)).why_not
    one = b"\n".join(b"%d" % n for n in range(20_000))
    assert len(told("a.txt", one, one.replace(b"\n777\n", b"\nx\n")).rows) < 10
