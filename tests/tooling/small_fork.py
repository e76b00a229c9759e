"""What a fork is told to do in the tests: `python -m tests.tooling.small_fork WHAT`."""

from __future__ import annotations

import os
import sys
import time

if __name__ == "__main__":
    print(f"{sys.argv[1:]} {os.getppid()} {os.getsid(0) == os.getpid()}", flush=True)
    if sys.argv[1] == "stay":
        time.sleep(60)
    sys.exit(3)
