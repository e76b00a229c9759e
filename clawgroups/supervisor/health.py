"""`python -m clawgroups.supervisor.health`: whether the web process of this machine or container answers."""

from __future__ import annotations

import os
import sys

from clawgroups.supervisor.family import answers
from clawgroups.supervisor.place import read_place
from clawgroups.supervisor.say import CannotRun, say


def main() -> int:
    """0 when /healthz answers, else 1."""
    try:
        url = f"{read_place(os.environ).local_url}/healthz"
    except CannotRun as reason:
        say(str(reason))
        return 1
    up = answers(url)
    say(f"{url} {'answers' if up else 'does not answer'}")
    return 0 if up else 1


if __name__ == "__main__":
    sys.exit(main())
