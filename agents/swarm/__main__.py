"""`python -m agents.swarm` is `clawgroups swarm`."""

import sys

from agents.swarm.program import swarm

sys.exit(swarm(sys.argv[1:]))
