"""The settings as somebody may run them who wants to see tracebacks in the browser."""

from clawgroups.settings import *  # noqa: F403

DEBUG = True
