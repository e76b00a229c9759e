"""Makes a value of every shape in a schema: each field filled, each text and number its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.conformance.schema import Judge, Schema

MARK = "mark-"
"""Every free text begins with it, so that it is found again."""


class Sampler:
    """Fills in a definition; `skip` names fields that are left out everywhere."""

    def __init__(self, judge: Judge, skip: frozenset[str] = frozenset({"_meta"})) -> None:
        self._judge = judge
        self._skip = skip
        self._count = 0
        self._inside: list[str] = []

    def whole(self, name: str) -> Any:
        """A value of a definition with every field it may have."""
        return self.value(self._judge.defs[name])

    def value(self, node: Schema) -> Any:
        """A value of a schema, of the first of alternatives."""
        if "$ref" in node:
            return self._referred(str(node["$ref"]).rpartition("/")[2])
        if "const" in node:
            return node["const"]
        if "enum" in node:
            return node["enum"][0]
        if "properties" in node or "allOf" in node or "anyOf" in node or "oneOf" in node:
            return self._compound(node)
        return self._plain(node)

    def _referred(self, name: str) -> Any:
        if name in self._inside:
            return {}  # A shape that holds itself ends here.
        self._inside.append(name)
        try:
            return self.value(self._judge.defs[name])
        finally:
            self._inside.pop()

    def _compound(self, node: Schema) -> Any:
        made: dict[str, Any] = {}
        for part in self._parts(node):
            value = self.value(part)
            if not isinstance(value, dict):
                return value
            made.update(value)
        for key, field in node.get("properties", {}).items():
            if key not in self._skip:
                made[key] = self.value(field)
        return made

    def _parts(self, node: Schema) -> Iterator[Schema]:
        yield from node.get("allOf", ())
        for key in ("anyOf", "oneOf"):
            chosen = [one for one in node.get(key, ()) if one.get("type") != "null"]
            yield from chosen[:1]

    def _plain(self, node: Schema) -> Any:
        kinds = node.get("type", "object")
        kind = next((one for one in kinds if one != "null"), "null") if isinstance(kinds, list) else kinds
        self._count += 1
        match kind:
            case "string":
                return f"{MARK}{self._count}"
            case "integer":
                return 1000 + self._count
            case "number":
                return self._count + 0.5
            case "boolean":
                return True
            case "array":
                return [self.value(node.get("items", {}))]
            case _:
                each = node.get("additionalProperties")
                return {"free": self.value(each) if isinstance(each, dict) else f"{MARK}{self._count}"}


def marks(value: Any) -> Iterator[Any]:
    """The free texts and numbers in a value."""
    if isinstance(value, dict):
        for item in value.values():
            yield from marks(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from marks(item)
    elif (isinstance(value, str) and value.startswith(MARK)) or (
        isinstance(value, (int, float)) and not isinstance(value, bool)
    ):
        yield value
