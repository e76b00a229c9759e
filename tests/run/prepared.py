"""What a first start leaves in an installation's folder, made once for the many that a test run starts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from clawgroups.supervisor.place import make_folders, make_secret, read_place

ROOT = Path(__file__).resolve().parent.parent.parent
# Names the folder to those who start installations; the first start itself is shown by the stories.
PREPARED = "CLAW_PREPARED"


def prepare(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    """Prepare an installation there as `up` does; the environment that tells of it. Empty where that failed.

    Who finds nothing in it starts from nothing, and meets the fault that there is.
    """
    place = read_place({**environment, "CLAWGROUPS_DATA": str(folder)})
    make_folders(place)
    make_secret(place)
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare"],
        cwd=ROOT,
        env=dict(place.environment),
        stdout=subprocess.DEVNULL,
        check=False,
    )
    return {} if done.returncode else {PREPARED: str(folder)}
