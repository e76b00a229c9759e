"""`python -m clawgroups.drawing FD PARENT`: draws pages for a server whose own process for that has died."""

from __future__ import annotations

import os
import socket
import sys
from importlib import import_module

import django

from clawgroups import startup
from clawgroups.core.garbage import loading, settle


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    startup.read_settings()
    with loading():
        django.setup()
        # Models may be imported only once Django is set up.
        renderer = import_module("clawgroups.realtime.renderer")
        renderer.load()
    settle()
    renderer.serve(socket.socket(fileno=int(sys.argv[1])), int(sys.argv[2]))


if __name__ == "__main__":
    main()
