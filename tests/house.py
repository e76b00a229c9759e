"""The rules of the house as functions on a source tree; tests/test_architecture.py applies them to ours."""

from __future__ import annotations

import ast
import graphlib
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PACKAGES = ("clawgroups", "agents")
LONGEST_FILE = 400

# From the bottom up. A module imports from its own line or from lines below it; doors not even from their own.
LAYERS: tuple[tuple[str, ...], ...] = (
    ("clawgroups.core", "agents.protocol", "agents.policy", "agents.llm", "agents.ids", "agents.heap", "agents"),
    ("agents.connector",),
    ("agents.builtin", "agents.swarm"),
    ("agents.models",),
    ("clawgroups.models",),
    (
        "agents.services",
        "agents.tokens",
        "agents.presence",
        "agents.skills",
        "clawgroups.keyed",
        "clawgroups.planned",
        "clawgroups.sealing",
    ),
    (
        "clawgroups.permissions",
        "clawgroups.access_table",
        "clawgroups.assets",
        "clawgroups.queries",
        "clawgroups.auth",
        "clawgroups.journal",
        "clawgroups.bus",
        "clawgroups.canary",
        "clawgroups.catalog",
        "clawgroups.commit",
        "clawgroups.draining",
        "clawgroups.fragments",
        "clawgroups.journal",
        "clawgroups.wording",
    ),
    ("clawgroups.services",),
    ("clawgroups.coordinator", "clawgroups.formats", "clawgroups.ingest"),
    ("clawgroups.reactions",),
    (
        "clawgroups.web",
        "clawgroups.realtime",
        "clawgroups.gateway",
        "clawgroups.api",
        "clawgroups.jobs",
        "clawgroups.admin",
        "clawgroups.management",
        "clawgroups.templatetags",
        "agents.admin",
    ),
    (
        "clawgroups",
        "clawgroups.apps",
        "clawgroups.settings",
        "clawgroups.urls",
        "clawgroups.routing",
        "clawgroups.asgi",
        "clawgroups.server",
        "clawgroups.celery",
        "clawgroups.postgres",
        "clawgroups.startup",
        "clawgroups.forkserver",
        "clawgroups.drawing",
        "clawgroups.supervisor",
        "agents.apps",
    ),
)
DOORS = 10

# Where a part may use only certain packages beside the standard library. The longest matching name counts.
ALLOWED: dict[str, frozenset[str]] = {
    "clawgroups.core": frozenset({"pydantic"}),
    "clawgroups.core.matching": frozenset({"pydantic", "numpy"}),
    "clawgroups.core.roster": frozenset({"numpy"}),
    "clawgroups.core.assignment": frozenset({"numpy"}),
    "agents.protocol": frozenset({"pydantic", "acp"}),
    "agents.policy": frozenset(),
    "agents.llm": frozenset({"pydantic", "openai", "httpx2"}),
    "agents.connector": frozenset({"websockets"}),
    "agents.builtin": frozenset({"websockets", "acp", "openpyxl", "xlsxwriter"}),
    "agents.swarm": frozenset({"acp"}),
    "clawgroups.supervisor": frozenset(),
}
# Below the doors only the bus knows how hints and jobs travel.
CARRIERS = frozenset({"celery", "kombu", "channels", "redis"})
# Started as a program, and never imported: its import loads torch, and takes longer than a start of ours may.
NEVER = frozenset({"sglang"})
# Whoever imports these wants signals, which hide who calls whom.
SIGNALS = ("django.dispatch", "django.db.models.signals", "django.core.signals", "blinker")


@dataclass(frozen=True)
class Module:
    """One source file: its dotted name, what it imports (anywhere in it) and its length."""

    name: str
    path: Path
    imports: frozenset[str]
    lines: int


def read(root: Path) -> dict[str, Module]:
    """All modules of our packages under `root`, migrations left out."""
    files = {
        _name(root, path): path
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        if "migrations" not in path.parts
    }
    return {
        name: Module(name, path, _imports(path, name, files), len(path.read_text(encoding="utf-8").splitlines()))
        for name, path in files.items()
    }


def _name(root: Path, path: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(path: Path, name: str, files: dict[str, Path]) -> frozenset[str]:
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"), filename=str(path))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base(node, package)
            found.update(f"{base}.{alias.name}" if f"{base}.{alias.name}" in files else base for alias in node.names)
        elif isinstance(node, ast.Call):
            found.update(_named_by_text(node))
    found.discard(name)
    return frozenset(found)


def _base(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    above = package.split(".")[: len(package.split(".")) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _named_by_text(node: ast.Call) -> Iterator[str]:
    """`import_module("clawgroups.web")` is an import too."""
    called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    if called in ("import_module", "__import__") and node.args:
        argument = node.args[0]
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


def _within(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def part_of(name: str) -> tuple[int, str] | None:
    """The layer and the part of the house that a module belongs to."""
    best: tuple[int, str] | None = None
    for layer, parts in enumerate(LAYERS):
        for part in parts:
            # The two packages themselves are only their __init__.py.
            belongs = name == part if part in PACKAGES else _within(name, part)
            if belongs and (best is None or len(part) > len(best[1])):
                best = (layer, part)
    return best


def wrong_directions(modules: dict[str, Module]) -> list[str]:
    """Imports that go up, from door to door, or from `agents` to `clawgroups`; and modules without a place."""
    wrong = []
    for module in modules.values():
        here = part_of(module.name)
        if here is None:
            wrong.append(f"{module.name} has no place in the house: give it one in tests/house.py")
            continue
        for name in sorted(module.imports):
            there = part_of(name) if name.split(".")[0] in PACKAGES else None
            if there is not None and not _may_import(module.name, here, name, there):
                wrong.append(f"{module.name} must not import {name}")
    return wrong


def _may_import(importer: str, here: tuple[int, str], imported: str, there: tuple[int, str]) -> bool:
    if _within(importer, "agents") and _within(imported, "clawgroups"):
        return False
    if here[0] == there[0] == DOORS:
        return here[1] == there[1]
    if importer == "agents" and imported != importer:
        return False
    return there[0] <= here[0]


def cycles(modules: dict[str, Module]) -> list[str]:
    """The first import cycle that is found; when it is gone, the next one shows."""
    graph = {name: module.imports & modules.keys() for name, module in modules.items()}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return [" -> ".join(error.args[1])]
    return []


def foreign_packages(modules: dict[str, Module]) -> list[str]:
    """Third-party packages that a part may not use."""
    wrong = []
    for module in modules.values():
        allowed = _allowed(module.name)
        here = part_of(module.name)
        for name in sorted(module.imports):
            top = name.split(".")[0]
            if top in PACKAGES or top in sys.stdlib_module_names:
                continue
            carrier = top in CARRIERS and here is not None and here[0] < DOORS
            barred = top in NEVER or (allowed is not None and top not in allowed)
            if barred or (carrier and module.name != "clawgroups.bus"):
                wrong.append(f"{module.name} must not use {top}")
    return wrong


def _allowed(name: str) -> frozenset[str] | None:
    matching = [part for part in ALLOWED if _within(name, part)]
    return ALLOWED[max(matching, key=len)] if matching else None


def long_files(modules: dict[str, Module]) -> list[str]:
    """Files that have grown beyond what one reads at a sitting."""
    return [
        f"{module.path.name} ({module.name}) has {module.lines} lines"
        for module in modules.values()
        if module.lines > LONGEST_FILE
    ]


def unwanted(modules: dict[str, Module]) -> list[str]:
    """Drawers without a name, and signals."""
    wrong = [name for name in modules if name.rpartition(".")[2] in ("utils", "helpers", "misc", "common", "signals")]
    wrong += [
        f"{module.name} uses signals"
        for module in modules.values()
        if any(_within(name, banned) for name in module.imports for banned in SIGNALS)
    ]
    return wrong
