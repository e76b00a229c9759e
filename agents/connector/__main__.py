"""`python -m agents.connector` is `clawgroups`."""

import sys

from agents.connector.cli import main

sys.exit(main())
