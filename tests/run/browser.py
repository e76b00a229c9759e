"""A Chromium for the browser tests: the machine's, else Debian's package where we may install it."""

from __future__ import annotations

import os
import shutil
import subprocess

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def find() -> str | None:
    """The path of a browser that Playwright can drive."""
    return next((path for path in map(shutil.which, NAMES) if path), None)


def find_or_install() -> str | None:
    """The same, after one attempt to install it; None when there is none to be had."""
    found = find()
    if found is not None or os.geteuid() != 0 or shutil.which("apt-get") is None:
        return found
    print("There is no Chromium here: installing the package chromium with apt-get.", flush=True)
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
        done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            print(f"apt-get {command[0]} failed: {done.stderr.strip()[-300:]}", flush=True)
            return None
    return find()
