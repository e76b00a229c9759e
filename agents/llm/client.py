"""Stand-in."""

from __future__ import annotations

from agents.llm.base import Checked, Endpoint, Fault, FaultKind


def check(endpoint: Endpoint) -> Checked:
    """Nothing."""
    raise Fault(FaultKind.UNREACHABLE, f"Nobody answers at {endpoint.url}.")
