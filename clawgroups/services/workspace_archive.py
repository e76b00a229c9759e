"""What an archive of a workspace holds: its journal, its audit trail, its rows as JSON, its files, and a manifest.

The manifest names everything else with size and SHA-256 and is sealed, as a run's bundle is (`core.bundles`): the
same `manage.py bundle verify` holds it against them. Nothing by which somebody comes in is in it.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.apps import apps
from django.contrib.auth.models import User
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import Field, ForeignKey, Model, Q, QuerySet
from django.utils import timezone

from agents.models import Agent, Skill
from clawgroups import journal
from clawgroups.commit import trail
from clawgroups.core.bundles import MANIFEST, WORKSPACE, seal
from clawgroups.core.errors import NotFound
from clawgroups.models import Artifact, Entry, Workspace
from clawgroups.services import audit_trail
from clawgroups.services.files import open_file

PIECE = 1024 * 1024
CHUNK = 500
# What lets somebody in, what a machine is called by, and what stands in the archive in another form.
SECRET = frozenset({"digest", "secret", "password", "public_id"})
LEFT_OUT = frozenset({"entry", "export", "watch"})
PEOPLE = ("id", "username", "first_name", "last_name")

GoingOn = Callable[[], None]


@dataclass(frozen=True, slots=True)
class Made:
    """An archive as it lies there."""

    size: int
    sha256: str
    entries: int


@dataclass(slots=True)
class _Open:
    """An archive that is being written, and what its manifest will say."""

    out: zipfile.ZipFile
    going_on: GoingOn
    documents: list[dict[str, Any]] = field(default_factory=list)
    files: list[dict[str, Any]] = field(default_factory=list)

    def lines(self, path: str, lines: Iterable[str]) -> None:
        """A document of lines, written as they come."""
        self.documents.append(self._put(path, (line.encode("utf-8", "replace") for line in lines)))

    def _put(self, path: str, pieces: Iterable[bytes], packed: int = zipfile.ZIP_DEFLATED) -> dict[str, Any]:
        info = zipfile.ZipInfo(path, timezone.now().timetuple()[:6])
        info.compress_type, info.external_attr = packed, 0o644 << 16
        size, found = 0, hashlib.sha256()
        with self.out.open(info, "w", force_zip64=True) as to:
            for piece in pieces:
                to.write(piece)
                found.update(piece)
                size += len(piece)
                self.going_on()
        return {"path": path, "size": size, "sha256": found.hexdigest()}

    def file(self, sha256: str, size: int) -> None:
        """A file of the store, under its hash; one that the store has lost is named as missing."""
        path = f"files/{sha256[:2]}/{sha256}"
        try:
            content = open_file(sha256)
        except NotFound:
            self.files.append({"path": path, "size": size, "sha256": sha256, "missing": True})
            return
        with content:
            self.files.append(self._put(path, iter(lambda: content.read(PIECE), b""), zipfile.ZIP_STORED))


def write(room: Workspace, path: Path, *, going_on: GoingOn = lambda: None) -> Made:
    """Write the archive of a workspace. `going_on` is called again and again meanwhile, and may end it by raising.

    The journal and `snapshot.json` end at the same entry; rows are as they were when each was read.
    """
    shot = journal.snapshot(room.pk)
    with zipfile.ZipFile(path, "w", allowZip64=True) as out:
        archive = _Open(out, going_on)
        archive.lines("snapshot.json", [_told(shot.as_json())])
        archive.lines("journal.jsonl", _journal(room, shot.head))
        archive.lines("audit.jsonl", audit_trail.lines(room.pk))
        for name, rows in _tables(room):
            archive.lines(f"rows/{name}.jsonl", _rows(rows))
        kept = Artifact.objects.filter(workspace=room).order_by("sha256").values_list("sha256", "size").distinct()
        for sha256, size in kept.iterator(CHUNK):
            archive.file(sha256, size)
        manifest = {
            "format": WORKSPACE,
            "workspace": str(room.pk),
            "name": room.name,
            "generation": shot.head.generation,
            "head": shot.head.seq,
            "made_at": timezone.now().isoformat(),
            "documents": archive.documents,
            "files": archive.files,
        }
        manifest["seal"] = seal(trail.key(), manifest)
        out.writestr(MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False), zipfile.ZIP_DEFLATED)
    return Made(path.stat().st_size, _digest(path), len(archive.documents) + len(archive.files) + 1)


def _digest(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _journal(room: Workspace, head: journal.Head) -> Iterator[str]:
    """Every generation that there is, the first one first, up to the head."""
    rows = Entry.objects.filter(workspace=room).exclude(generation=head.generation, seq__gt=head.seq)
    for entry in rows.order_by("generation", "seq").iterator(CHUNK):
        yield _told({"generation": entry.generation, **journal.entry_as_json(entry)})


def _tables(room: Workspace) -> Iterator[tuple[str, QuerySet[Any]]]:
    """The workspace's tables by their names, and of people and agents those who have or had a seat in it."""
    yield "workspace", Workspace.objects.filter(pk=room.pk)
    for model in apps.get_app_config("clawgroups").get_models():
        name = str(model._meta.model_name)
        way = _way(model) if name not in LEFT_OUT else None
        if way is not None:
            yield name, model._default_manager.filter(**{way: room.pk})
    seated = Q(seats__workspace=room)
    yield "agent", Agent.objects.filter(seated)
    yield "skill", Skill.objects.filter(agent__seats__workspace=room)
    yield "user", User.objects.filter(seated).only(*PEOPLE)


def _way(model: type[Model], depth: int = 3) -> str | None:
    """How a model's rows lead to their workspace, by the shortest way of keys that are never empty."""
    keys = [one for one in model._meta.get_fields() if isinstance(one, ForeignKey)]
    direct = next((one.name for one in keys if one.related_model is Workspace), None)
    if direct is not None or not depth:
        return direct
    ways = [(one.name, _way(one.related_model, depth - 1)) for one in keys if _is_ours(one)]
    found = [f"{name}__{way}" for name, way in ways if way is not None]
    return min(found, key=lambda way: way.count("__"), default=None)


def _is_ours(key: ForeignKey[Any, Any]) -> bool:
    related = key.related_model
    return not key.null and isinstance(related, type) and related._meta.app_label == "clawgroups"


def _rows(rows: QuerySet[Any]) -> Iterator[str]:
    columns = [one for one in rows.model._meta.concrete_fields if one.name not in SECRET]
    if rows.model is User:
        columns = [one for one in columns if one.name in PEOPLE]
    for row in rows.order_by("pk").iterator(CHUNK):
        yield _told({one.attname: _value(row, one) for one in columns})


def _value(row: Model, column: Field[Any, Any]) -> Any:
    return getattr(row, column.attname)


def _told(said: Any) -> str:
    return json.dumps(said, ensure_ascii=False, cls=DjangoJSONEncoder) + "\n"
