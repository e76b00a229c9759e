"""The settings as mypy's Django plugin reads them: it sets no environment of its own."""

import tests.environment
from clawgroups.settings import *  # noqa: F403

assert tests.environment
