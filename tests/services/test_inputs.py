"""What is taken in as a table, and what is refused before anything is kept of it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from clawgroups.core.errors import Invalid
from clawgroups.services.inputs import store_input

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 20


def workbook(*rows: list[str | int]) -> bytes:
    book = openpyxl.Workbook()
    assert book.active is not None
    for row in rows:
        book.active.append(row)
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def archive(**members: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in members.items():
            made.writestr(name.replace("__", "/").replace("_", "."), content)
    return out.getvalue()


SHEET = b"<worksheet><sheetData>%s</sheetData></worksheet>"
TAKEN = {
    "a table": ("sales.csv", b"region,amount\nNorth,1\n"),
    "with semicolons": ("sales.csv", "Größe;Betrag\nNord;1,5\n".encode("cp1252")),
    "utf-16": ("sales.csv", "region,amount\nNorth,1\n".encode("utf-16")),
    "with an open quotation mark": ("sales.csv", b'region,amount\nNor"th,1\n' * 5000),
    "tabs": ("sales.tsv", b"region\tamount\nNorth\t1\n"),
    "a workbook": ("sales.xlsx", workbook(["region", "amount"], ["North", 1])),
    "no table by its name": ("picture.png", PNG),
    "a text": ("notes.txt", b""),
}
REFUSED = {
    "a picture": ("sales.csv", PNG, "PNG picture"),
    "a workbook in disguise": ("sales.csv", workbook(["a"], [1]), "ZIP archive"),
    "nothing": ("sales.csv", b"", "0 bytes"),
    "a header only": ("sales.csv", b"region,amount\n", "no rows below it"),
    "blanks": ("sales.csv", b"\n \n\n", "blanks"),
    "text in disguise": ("sales.xlsx", b"region,amount\nNorth,1\n", "not an XLSX"),
    "an archive of something else": ("sales.xlsx", archive(word__document_xml=b"<w/>"), "no workbook"),
    "a workbook with a header only": ("sales.xlsx", workbook(["region", "amount"]), "rows below it"),
    "an empty workbook": ("sales.xlsx", workbook(), "rows below it"),
    "a bomb": (
        "sales.xlsx",
        archive(xl__workbook_xml=b"<w/>", xl__worksheets__a_xml=SHEET % (b" " * 50_000_000)),
        "unpacks to more",
    ),
    "a document type": (
        "sales.xlsx",
        archive(xl__workbook_xml=b"<w/>", xl__worksheets__a_xml=b'<!DOCTYPE x [<!ENTITY a "b">]>' + SHEET % b"&a;"),
        "not an XLSX",
    ),
}


@pytest.fixture
def store(settings: Any, tmp_path: Path) -> Path:
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.mark.parametrize("case", TAKEN)
def test_a_table_is_taken_in(store: Path, case: str) -> None:
    name, content = TAKEN[case]
    stored = store_input([content[:7], content[7:]], name=name)
    assert (store / stored.sha256[:2] / stored.sha256).read_bytes() == content


@pytest.mark.parametrize("case", REFUSED)
def test_what_only_calls_itself_a_table_is_refused_and_leaves_nothing(store: Path, case: str) -> None:
    name, content, said = REFUSED[case]
    with pytest.raises(Invalid, match=said) as refused:
        store_input([content], name=name)
    assert refused.value.code == "bad_table"
    assert refused.value.fields["file"] == name
    assert list(store.rglob("*")) == []
