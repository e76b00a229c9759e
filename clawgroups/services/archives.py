"""All files of a run as one ZIP, made while it is sent: never more of it in memory than a piece."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Generator, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from django.db.models import Q
from django.utils import timezone

from clawgroups.commit import trail
from clawgroups.core.bundles import FORMAT, MANIFEST, seal
from clawgroups.core.errors import Conflict, NotFound, TooLarge
from clawgroups.fragments.files import File, files_of, named, sums
from clawgroups.models import Artifact, Run
from clawgroups.services import bundles
from clawgroups.services.files import open_file

PIECE = 256 * 1024
MOST_FILES = 5_000
MOST_BYTES = 8 * 1024**3
# Of these the bytes become fewer; of others it would only cost time.
SHRINKS = frozenset((".csv", ".tsv", ".txt", ".md", ".json", ".html", ".svg", ".xml", ".log", ".sql", ".py"))
MOST_SHRUNK = 32 * 1024 * 1024
FOLDERS = {"deliverable": "deliverables", "result": "results", "input": "inputs", "late": "came late"}
# Systems on which it is unpacked have no such names.
FORBIDDEN = str.maketrans(dict.fromkeys('<>:"|?*\\', "_"))
RESERVED = frozenset({"con", "prn", "aux", "nul", *(f"{port}{n}" for port in ("com", "lpt") for n in range(1, 10))})


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in the archive."""

    path: str
    row: Artifact


@dataclass(frozen=True, slots=True)
class Archive:
    """What goes into it, decided before the first byte is sent."""

    run: Run
    name: str
    entries: tuple[Entry, ...]
    # Whether what is known of the run comes along, and the manifest is sealed.
    is_bundle: bool = False

    @property
    def size(self) -> int:
        return sum(entry.row.size for entry in self.entries)


def archive_of(run: Run, which: str) -> Archive:
    """The archive of a run's deliverables (of each the final or newest revision), or of "all" files and revisions.

    A "bundle" is all of them with the plan, verdicts, costs and receipts, to be verified by `core.bundles`.

    Raises `Conflict` where there is nothing to put into it, `TooLarge` with what to do instead.
    """
    is_all = which != "deliverables"
    where = Q(run=run) if is_all else Q(run=run, kind="deliverable") | Q(run=run, pinned_at__isnull=False)
    if is_all:
        _refuse_more(*sums(where))
    groups = list(named(where, "name")[: MOST_FILES + 1])
    files = files_of(groups, where, most=MOST_FILES if is_all else 1)
    rows = _everything(files) if is_all else [(one.shown.name, one.shown) for one in files]
    if not rows and which != "bundle":
        raise Conflict("There are no such files yet: they come once a task has delivered something.", code="no_files")
    _refuse_more(len(rows), sum(row.size for _, row in rows))
    # A bundle's own documents stand beside the folders of its files.
    taken = {MANIFEST}
    if which == "bundle":
        rows = [(f"files/{path}", row) for path, row in rows]
    entries = tuple(Entry(_free(_safe(path), taken), row) for path, row in rows)
    return Archive(run, f"{which}-{str(run.pk)[:8]}.zip", entries, is_bundle=which == "bundle")


def _refuse_more(number: int, size: int) -> None:
    if number > MOST_FILES or size > MOST_BYTES:
        raise TooLarge(
            f"{number} files of {size / 1024**3:.1f} GB are too much for one archive "
            f"({MOST_FILES} files, {MOST_BYTES // 1024**3} GB). Download them one by one.",
            code="archive_too_large",
        )


def _everything(files: Iterable[File]) -> list[tuple[str, Artifact]]:
    """What stands for each name in a folder of its kind, earlier and other revisions apart from it."""
    rows = []
    for file in files:
        shown = file.shown
        rows.append((f"{FOLDERS.get(shown.kind, shown.kind)}/{shown.name}", shown))
        for other in file.others:
            name = PurePosixPath(other.name)
            told = f"{name.stem} (v{other.revision}, {other.kind}){name.suffix}"
            rows.append((f"other versions/{name.parent / told}", other))
    return rows


def _safe(path: str) -> str:
    """A path that unpacks on every system, and into no other folder."""
    parts = []
    for part in path.split("/"):
        kept = part.translate(FORBIDDEN).rstrip(". ") or "_"
        parts.append(f"_{kept}" if kept.split(".")[0].casefold() in RESERVED else kept)
    return "/".join(part for part in parts if part not in (".", ".."))


def _free(path: str, taken: set[str]) -> str:
    """The path, or with a number where another differs from it in letters' size only."""
    whole, number = PurePosixPath(path), 1
    while path.casefold() in taken:
        number += 1
        path = str(whole.with_name(f"{whole.stem} ({number}){whole.suffix}"))
    taken.add(path.casefold())
    return path


class _Sink:
    """Where the archive is written to; what came since the last look is taken out."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        self._pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken = b"".join(self._pieces)
        self._pieces.clear()
        return taken


def pieces(archive: Archive) -> Generator[bytes, None, None]:
    """The bytes of the archive, piece by piece; last its manifest, which names what the store has lost."""
    sink = _Sink()
    lost: set[str] = set()
    with zipfile.ZipFile(sink, "w", allowZip64=True) as out:  # type: ignore[call-overload]
        for entry in archive.entries:
            try:
                content = open_file(entry.row.sha256)
            except NotFound:
                lost.add(entry.path)
                continue
            with content, out.open(_info(entry), "w", force_zip64=entry.row.size >= zipfile.ZIP64_LIMIT) as to:
                while piece := content.read(PIECE):
                    to.write(piece)
                    if made := sink.take():
                        yield made
        manifest = _manifest(archive, lost)
        if archive.is_bundle:
            documents = []
            for path, document in bundles.documents(archive.run):
                content_of = _told(document)
                out.writestr(path, content_of, zipfile.ZIP_DEFLATED)
                digest = hashlib.sha256(content_of).hexdigest()
                documents.append({"path": path, "size": len(content_of), "sha256": digest})
                yield sink.take()
            manifest |= {"format": FORMAT, "made_at": timezone.now().isoformat(), "documents": documents}
            manifest["seal"] = seal(trail.key(), manifest)
        out.writestr(MANIFEST, _told(manifest), zipfile.ZIP_DEFLATED)
    yield sink.take()


def _told(said: dict[str, Any]) -> bytes:
    return json.dumps(said, indent=2, ensure_ascii=False).encode("utf-8", "replace")


def _info(entry: Entry) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(entry.path, entry.row.created_at.timetuple()[:6])
    info.external_attr = 0o644 << 16
    small = entry.row.size <= MOST_SHRUNK and PurePosixPath(entry.path).suffix.casefold() in SHRINKS
    info.compress_type = zipfile.ZIP_DEFLATED if small else zipfile.ZIP_STORED
    return info


def _manifest(archive: Archive, lost: set[str]) -> dict[str, Any]:
    """Who made what, with the hash by which it can be checked."""
    return {
        "run": str(archive.run.pk),
        "goal": archive.run.goal,
        "files": [
            {
                "path": entry.path,
                "id": str(entry.row.pk),
                "name": entry.row.name,
                "kind": entry.row.kind,
                "revision": entry.row.revision,
                "final": entry.row.pinned_at is not None,
                "size": entry.row.size,
                "sha256": entry.row.sha256,
                "author": entry.row.actor.get("name", ""),
                "author_kind": entry.row.actor.get("kind", ""),
                "task": entry.row.task.title if entry.row.task is not None else None,
                "created_at": entry.row.created_at.isoformat(),
                **({"missing": True} if entry.path in lost else {}),
            }
            for entry in archive.entries
        ],
    }
