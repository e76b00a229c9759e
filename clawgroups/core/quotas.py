"""Errors of agents that mean their provider's quota: known by their words, since ACP has no code for them. Pure.

Nothing is held against anybody for one: the agent rests until its provider allows more, and its work waits or goes to
another member.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from clawgroups.core.matching import OVER_QUOTA
from clawgroups.core.shrinking import shrunk_text

PATIENCE = 300.0  # seconds until it is tried again, where nobody says for how long
LONGEST = 86_400.0
WORDS = re.compile(
    r"quota|rate.?limit|usage.?limit|too many requests|insufficient.{0,8}(balance|credit|fund)|credit balance|\b429\b",
    re.IGNORECASE,
)
AGAIN = ("retryAfter", "retry_after", "retryAfterSeconds", "retry_after_seconds")

Json = dict[str, Any]


def is_quota(error: Mapping[str, Any]) -> bool:
    """Whether an error that an agent answered with means that its provider gives it no more for now."""
    data = error.get("data")
    more = data if isinstance(data, str) else json.dumps(data) if isinstance(data, dict) else ""
    return WORDS.search(f"{error.get('message') or ''} {more[:2000]}") is not None


def resting(error: Mapping[str, Any], now: datetime, scale: float) -> Json:
    """What is kept of it: what was said, and until when the agent is left alone."""
    data = error.get("data")
    said = [data.get(name) for name in AGAIN] if isinstance(data, dict) else []
    told = [one for one in said if isinstance(one, (int, float)) and not isinstance(one, bool) and one > 0]
    seconds = min(float(told[0]), LONGEST) if told else PATIENCE * scale
    until = now + timedelta(seconds=seconds)
    return {"said": shrunk_text(error.get("message"), 300), "until": until.isoformat()}


def why_resting(announced: Mapping[str, Any], now: datetime) -> str:
    """Why an agent gets no work for its provider's quota, as the matching says it; empty where it may."""
    quota = announced.get("quota")
    if not isinstance(quota, dict):
        return ""
    until = datetime.fromisoformat(quota["until"])
    return f"{OVER_QUOTA}; it is tried again at {until:%H:%M:%S} UTC" if now < until else ""
