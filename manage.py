#!/usr/bin/env python3
"""Django's command line, and `up`, which needs no Django and must work before there are settings to read."""

import os
import sys

from django.core.management import execute_from_command_line

from clawgroups.supervisor.__main__ import main as up

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    if sys.argv[1:] == ["up"]:
        sys.exit(up())
    if sys.argv[1:2] == ["prepare"]:
        # Not above: `up` stays small.
        from clawgroups import startup

        startup.begin(wait=False)
    execute_from_command_line(sys.argv)
