"""Whether a program can be started here, before anything is told to anybody."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from agents.connector.exits import NOT_STARTED, Wrong


def check(name: str) -> None:
    """Return when there is such a program and it may be run. Raises Wrong with what to do otherwise."""
    if shutil.which(name) is not None:
        return
    if _is_file(name):
        # The shell would look for a bare name elsewhere.
        text = (
            f"{name} may not be run: make it executable (chmod +x {shlex.quote(name)}), "
            "or write the program that runs it before it, such as python3"
        )
    elif "/" in name:
        text = f"there is no program {name} on this machine: check the path"
    else:
        text = f"there is no program {name} on this machine: install it, or write its whole path"
    raise Wrong(text, NOT_STARTED)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except PermissionError:
        # This user may not even look there.
        return True
    except OSError:
        return False
