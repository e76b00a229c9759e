"""The connector as one file that any Python from 3.11 on can run: our part that runs on an agent's machine, and
`websockets` without what was compiled for this machine.

It is made from what is installed here, so it always fits this server. The same installation gives the same bytes.
"""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import websockets
from django.conf import settings

import agents

# Its servers and its other ways to be a client; the connector is a client on asyncio.
UNUSED = frozenset({"legacy", "sync", "trio", "__pycache__", "__main__.py", "cli.py"})
SHEBANG = b"#!/usr/bin/env python3\n"
# Its syntax is as old as a Python that may still be found: whoever has one is told so, not shown a syntax error.
MAIN = b"""\
import sys

if sys.version_info < (3, 11):
    sys.stderr.write("clawgroups: this needs Python 3.11 or newer, and this is %d.%d\\n" % sys.version_info[:2])
    sys.exit(2)

from agents.connector.cli import main

sys.exit(main())
"""


@dataclass(frozen=True)
class ConnectorZip:
    """The file, and the SHA-256 of it in hexadecimal."""

    content: bytes
    sha256: str


@cache
def connector_zip() -> ConnectorZip:
    """This process's, made when it is first asked for."""
    content = _packed({"__main__.py": MAIN, **dict(_ours()), **dict(_websockets())})
    return ConnectorZip(content, hashlib.sha256(content).hexdigest())


def _packed(files: dict[str, bytes]) -> bytes:
    made = io.BytesIO()
    made.write(SHEBANG)
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as packed:
        for name in sorted(files):
            # Without the time and the rights of the file it comes from, which differ between machines.
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            packed.writestr(entry, files[name])
    return made.getvalue()


def _ours() -> Iterator[tuple[str, bytes]]:
    """The connector, what it imports of ours, and the packages above them."""
    top = Path(str(agents.__file__)).parent
    waiting = [top / "connector" / "__init__.py"]
    waiting += [path for path in (top / "connector").rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    seen: set[Path] = set()
    while waiting:
        path = waiting.pop()
        if path in seen or not path.is_file():
            continue
        seen.add(path)
        content = path.read_bytes()
        yield f"agents/{path.relative_to(top).as_posix()}", content
        waiting += [folder / "__init__.py" for folder in path.parents if folder == top or top in folder.parents]
        if path.suffix == ".py":
            waiting += [place for name in _imported(content) for place in _places(top, name)]
    license_file = Path(settings.BASE_DIR) / "LICENSE"
    if license_file.is_file():
        yield "LICENSE", license_file.read_bytes()


def _imported(source: bytes) -> Iterator[str]:
    """Everything that a module may import; a name that is taken out of a module may be a module itself."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _places(top: Path, name: str) -> list[Path]:
    first, *rest = name.split(".")
    if first != "agents":
        return []
    return [top.joinpath(*rest, "__init__.py"), *([top.joinpath(*rest).with_suffix(".py")] if rest else [])]


def _websockets() -> Iterator[tuple[str, bytes]]:
    """Its modules and its licence. It does without its compiled part where that is missing."""
    top = Path(str(websockets.__file__)).parent
    for path in top.rglob("*.py"):
        inside = path.relative_to(top)
        if not UNUSED & {*inside.parts}:
            yield f"websockets/{inside.as_posix()}", path.read_bytes()
    for listed in metadata.files("websockets") or ():
        if listed.name == "LICENSE":
            yield "websockets/LICENSE", listed.read_binary()
