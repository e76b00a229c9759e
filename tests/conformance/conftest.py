"""Every frame that an agent is sent in these tests is judged by the official schema."""

from __future__ import annotations

from tests.conformance.wire import every_frame_is_acp
from tests.gateway.conftest import burial

__all__ = ["burial", "every_frame_is_acp"]
