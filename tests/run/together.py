"""A pytest plugin (`-p tests.run.together`): files that share an installation are run by the same of xdist's processes.

xdist's own marks for that, of `--dist loadgroup`, are lost with pytest 9.2.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

# Each group with the fixture that it shares.
GROUPS = {
    "chaos stack": (
        "chaos/test_kills",
        "chaos/test_load",
        "chaos/test_offline",
        "chaos/test_readers",
        "chaos/test_standing",
    ),
    "chaos quick": ("chaos/test_behaviour", "chaos/test_model_away", "chaos/test_approvals"),
    "stories own": ("stories/test_kill", "stories/test_kill_everything"),
    "stories other": ("stories/test_sleep", "stories/test_limits"),
    "stories claw": (
        "stories/test_bad_input",
        "stories/test_enrolment",
        "stories/test_goal_to_report",
        "stories/test_strangers_agent",
        "stories/test_swarm",
        "stories/test_takeover",
        "stories/test_templates",
        "stories/test_tool_program",
        "stories/test_tools",
        "stories/test_two_clients",
    ),
}
OF_FILE = {file: group for group, files in GROUPS.items() for file in files}


class Together(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """As `--dist loadfile`, with a group in the place of a file."""

    def _split_scope(self, nodeid: str) -> str:
        path = PurePath(nodeid.partition("::")[0])
        return OF_FILE.get(f"{path.parent.name}/{path.stem}", str(path))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    return Together(config, log)
