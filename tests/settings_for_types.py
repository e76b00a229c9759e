"""The settings as mypy's Django plugin reads them. Nothing is written; the folder need not exist."""

import os

os.environ.setdefault("CLAWGROUPS_DATA", "/nonexistent")
os.environ.setdefault("CLAWGROUPS_SECRET_KEY", "for types only")

from clawgroups.settings import *  # noqa: F403
