"""A run's bundle held against its own manifest. Pure: the standard library, and nothing of the installation.

A bundle is a ZIP with a `manifest.json` that names every other entry with size and SHA-256. Receipts in it name the
files that their tasks delivered by the same hashes.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FORMAT = "clawgroups.bundle/1"
WORKSPACE = "clawgroups.workspace/1"  # an export of a whole workspace, made and held by the same rules
MANIFEST = "manifest.json"
RECEIPTS = "receipts/"
PIECE = 1024 * 1024
MOST_TOLD = 64 * 1024 * 1024  # bytes of a manifest or a receipt that are read at once
MOST_ENTRIES = {FORMAT: 20_000, WORKSPACE: 1_000_000}


@dataclass(frozen=True, slots=True)
class Report:
    """What a look at a bundle found."""

    manifest: Mapping[str, Any]
    entries: int
    faults: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.faults


def seal(key: bytes, manifest: Mapping[str, Any]) -> str:
    """What binds a manifest to the installation that holds this key."""
    told = {name: value for name, value in manifest.items() if name != "seal"}
    text = json.dumps(told, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hmac.new(key, f"bundle\n{text}".encode(), hashlib.sha256).hexdigest()


def is_sealed(key: bytes, manifest: Mapping[str, Any]) -> bool:
    """Whether the manifest is as this installation wrote it."""
    return hmac.compare_digest(seal(key, manifest), str(manifest.get("seal", "")))


def verify(path: Path) -> Report:
    """Hold every entry of a bundle against its manifest, and every receipt against the files. Changes nothing."""
    try:
        with zipfile.ZipFile(path) as archive:
            manifest = _json(archive, MANIFEST)
            return Report(manifest, len(archive.infolist()), tuple(_faults(archive, manifest)))
    except (OSError, zipfile.BadZipFile, KeyError, ValueError, TypeError, AttributeError, NotImplementedError) as fault:
        return Report({}, 0, (f"this is no bundle: {str(fault)[:200] or type(fault).__name__}",))


def _json(archive: zipfile.ZipFile, name: str) -> dict[str, Any]:
    info = archive.getinfo(name)
    if info.file_size > MOST_TOLD:
        raise ValueError(f"{name} is too large to be read")
    found = json.loads(archive.read(info))
    if not isinstance(found, dict):
        raise TypeError(f"{name} is no object")
    return found


def _faults(archive: zipfile.ZipFile, manifest: Mapping[str, Any]) -> Iterator[str]:
    most = MOST_ENTRIES.get(str(manifest.get("format")))
    if most is None:
        yield f"the manifest is not of the format {FORMAT}"
        return
    infos = archive.infolist()
    if len(infos) > most:
        yield f"it has more than {most} entries"
        return
    names = [info.filename for info in infos]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    yield from (f"{name}: stands in it more than once" for name in twice)
    listed = {str(one["path"]): one for one in (*manifest["files"], *manifest["documents"])}
    there = set(names)
    yield from (f"{name}: is not in the manifest" for name in names if name not in listed and name != MANIFEST)
    for name, said in listed.items():
        yield from _entry_faults(archive, name, said, name in there)
    yield from _receipt_faults(archive, manifest, listed)


def _entry_faults(archive: zipfile.ZipFile, name: str, said: Mapping[str, Any], is_there: bool) -> Iterator[str]:
    if not is_there:
        if not said.get("missing"):
            yield f"{name}: is missing"
        return
    size, found = 0, hashlib.sha256()
    try:
        with archive.open(name) as content:
            while (piece := content.read(PIECE)) and size <= int(said["size"]):
                size += len(piece)
                found.update(piece)
    except (zipfile.BadZipFile, OSError, EOFError, RuntimeError) as fault:
        yield f"{name}: cannot be read: {str(fault)[:120]}"
        return
    if size != said["size"]:
        yield f"{name}: has another size than the manifest says"
    elif found.hexdigest() != said["sha256"]:
        yield f"{name}: its bytes are not those of the manifest"


def _receipt_faults(
    archive: zipfile.ZipFile, manifest: Mapping[str, Any], listed: Mapping[str, Mapping[str, Any]]
) -> Iterator[str]:
    """Every file that a receipt names is in the bundle, with the same bytes."""
    hashes = {one["sha256"] for one in manifest["files"]}
    for name in listed:
        if name.startswith(RECEIPTS) and not listed[name].get("missing"):
            try:
                receipt = _json(archive, name)
            except (KeyError, ValueError, TypeError, zipfile.BadZipFile, OSError):
                continue  # said already
            for file in receipt.get("files", []):
                if file.get("sha256") not in hashes:
                    yield f"{name}: names {file.get('name')}, which is not in the bundle as it was delivered"
