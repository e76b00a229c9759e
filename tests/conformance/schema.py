"""The official JSON schema of ACP 1 as a judge of frames: by method, and without room for fields it does not know."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures" / "acp"
Schema = dict[str, Any]
Frame = dict[str, Any]
_OBJECTS = ("allOf", "anyOf", "oneOf")


class Judge:
    """One of the two official schemas.

    They let unknown fields pass, since a reader must; a sender must not use them ("never add root fields"), so
    every object is closed here, `_meta` apart.
    """

    def __init__(self, name: str) -> None:
        self.schema: Schema = json.loads((FIXTURES / name).read_text(encoding="utf-8"))
        self.defs: dict[str, Schema] = self.schema["$defs"]
        self._closed = {name: self._close(one) for name, one in self.defs.items()}
        self._validators: dict[str, Draft202012Validator] = {}
        self._by_method: dict[tuple[str, str, bool], str] = {
            (one["x-side"], one["x-method"], name.endswith("Response")): name
            for name, one in self.defs.items()
            if "x-method" in one
        }

    def methods(self, side: str) -> set[str]:
        """The methods that one side ("agent", "client", "protocol") takes."""
        return {method for taker, method, _ in self._by_method if taker == side}

    def definition(self, method: str, *, answer: bool = False) -> str | None:
        """The name of what a method's parameters (or its result) must be; None for a method the schema has not."""
        for side in ("agent", "client", "protocol"):
            if found := self._by_method.get((side, method, answer)):
                return found
        return None

    def faults(self, name: str, value: Any) -> list[str]:
        """What is wrong with a value of this definition."""
        if name not in self._validators:
            wrapped = self._wrap({"$ref": f"#/$defs/{name}"})
            self._validators[name] = Draft202012Validator({**wrapped, "$defs": self._closed})
        return [
            f"{name}{error.json_path[1:]}: {error.message[:300]}" for error in self._validators[name].iter_errors(value)
        ]

    # An object is closed where it is used and not where it is defined: there it may be one of several parts.

    def _close(self, node: Any) -> Any:
        if isinstance(node, list):
            return [self._close(item) for item in node]
        if not isinstance(node, dict):
            return node
        made: Schema = {}
        for key, value in node.items():
            if key in ("properties", "$defs"):
                made[key] = {name: self._wrap(self._close(item)) for name, item in value.items()}
            elif key in ("items", "additionalProperties") and isinstance(value, dict):
                made[key] = self._wrap(self._close(value))
            else:
                made[key] = self._close(value) if key in (*_OBJECTS, "not") else value
        return made

    def _wrap(self, node: Schema) -> Schema:
        return {"allOf": [node], "unevaluatedProperties": False} if self._has_properties(node) else node

    def _has_properties(self, node: Mapping[str, Any]) -> bool:
        if "properties" in node:
            return True
        if "$ref" in node and self._has_properties(self.defs[str(node["$ref"]).rpartition("/")[2]]):
            return True
        return any(self._has_properties(part) for key in _OBJECTS for part in node.get(key, ()))


@functools.cache
def stable() -> Judge:
    """Wire version 1, what is stable."""
    return Judge("schema.json")


@functools.cache
def unstable() -> Judge:
    """Wire version 1 with what is not stable yet."""
    return Judge("schema.unstable.json")


def variants(judge: Judge, name: str) -> Iterator[tuple[str, Schema]]:
    """The kinds of a union by the value of its tag, for example every `sessionUpdate`."""
    union = judge.defs[name]
    tag = union["discriminator"]["propertyName"]
    for one in union.get("oneOf") or union["anyOf"]:
        const = one.get("properties", {}).get(tag, {}).get("const")
        if const is not None:
            yield const, one
