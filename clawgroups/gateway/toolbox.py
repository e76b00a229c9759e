"""The tools as MCP shows and calls them: schemas made of signatures, arguments checked, failures told as results."""

from __future__ import annotations

import inspect
import json
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, get_type_hints

import mcp_types
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, create_model

from clawgroups.commit.faults import outage
from clawgroups.core.errors import ClawError
from clawgroups.gateway.board import Caller
from clawgroups.gateway.tools import READS, WRITES, Tool

log = logging.getLogger(__name__)

CALLER = "caller"
INTERNAL = "Something went wrong on our side. It has been logged; try again."


@dataclass(frozen=True, slots=True)
class Offer:
    """One tool: what it is, and the shapes of what it takes and gives."""

    run: Tool
    takes: type[BaseModel]
    gives: TypeAdapter[Any]
    shown: mcp_types.Tool


@cache
def offers() -> Mapping[str, Offer]:
    """All tools by name."""
    made = [_offer(run, read_only=True) for run in READS] + [_offer(run, read_only=False) for run in WRITES]
    return {offer.shown.name: offer for offer in made}


def _offer(run: Tool, *, read_only: bool) -> Offer:
    name = run.__name__
    hints = get_type_hints(run, include_extras=True)
    fields: dict[str, Any] = {
        one.name: (hints[one.name], ... if one.default is inspect.Parameter.empty else one.default)
        for one in inspect.signature(run).parameters.values()
        if one.name != CALLER
    }
    takes = create_model(name, __config__=ConfigDict(extra="forbid"), **fields)
    gives: TypeAdapter[Any] = TypeAdapter(hints["return"])
    shown = mcp_types.Tool(
        name=name,
        description=inspect.cleandoc(run.__doc__ or ""),
        input_schema=_untitled(takes.model_json_schema()),
        output_schema=_untitled(gives.json_schema(mode="serialization")),
        annotations=mcp_types.ToolAnnotations(
            read_only_hint=read_only, destructive_hint=False, idempotent_hint=read_only, open_world_hint=False
        ),
    )
    return Offer(run, takes, gives, shown)


def _untitled(schema: dict[str, Any]) -> dict[str, Any]:
    """Without the titles that pydantic makes of names: a model pays for every word."""
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            plain[key] = {name: _untitled(one) for name, one in value.items()}
        elif isinstance(value, dict):
            plain[key] = _untitled(value)
        elif key != "title":
            plain[key] = value
    return plain


async def call(name: str, arguments: Mapping[str, Any], caller: Caller) -> mcp_types.CallToolResult | None:
    """What a tool answers; None where there is no such tool. Failures are results that say what to do."""
    offer = offers().get(name)
    if offer is None:
        return None
    try:
        given = offer.takes.model_validate(arguments)
        answer = await offer.run(caller, **{field: getattr(given, field) for field in offer.takes.model_fields})
    except ValidationError as wrong:
        return failed("invalid", _told(wrong))
    except ClawError as fault:
        return failed(fault.code, fault.message, fault.fields)
    except Exception as fault:
        away = outage(fault)
        if away is None:
            log.exception("the tool %s failed", name)
            return failed("internal_error", INTERNAL)
        log.warning("the tool %s waits for the database: %s", name, fault)
        return failed(away.code, away.message)
    said = offer.gives.dump_python(answer, mode="json")
    return mcp_types.CallToolResult(content=[_text(said)], structured_content=said)


def failed(code: str, message: str, fields: Mapping[str, Any] | None = None) -> mcp_types.CallToolResult:
    """A failure that a model can read and act on."""
    return mcp_types.CallToolResult(
        content=[_text({**(fields or {}), "code": code, "message": message})], is_error=True
    )


def _text(said: Any) -> mcp_types.TextContent:
    return mcp_types.TextContent(text=json.dumps(said, ensure_ascii=False, default=str))


def _told(wrong: ValidationError) -> str:
    """Which argument is wrong, and how; without what was given."""
    return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'arguments'}: {e['msg']}" for e in wrong.errors()[:5])
