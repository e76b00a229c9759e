"""What every test run needs before Django's settings are read: a folder and a secret of its own (see addopts)."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from pathlib import Path

if "CLAWGROUPS_DATA" not in os.environ:
    # Short, since a Unix socket may come to lie in it.
    folder = Path(tempfile.mkdtemp(prefix="claw-test-"))
    (folder / "static").mkdir()  # whitenoise warns when there is none, and warnings are errors
    os.environ["CLAWGROUPS_DATA"] = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
os.environ.setdefault("CLAWGROUPS_SECRET_KEY", "only-for-tests-0123456789-abcdefghijklmnopqrstuvwxyz")
os.environ.setdefault("CLAWGROUPS_BASE_URL", "http://127.0.0.1:8000")
