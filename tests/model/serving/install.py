"""The environment in which SGLang's server runs on a plain CPU, and the model that it serves: made once, then found."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from clawgroups.supervisor.say import CannotRun, say

ROOT = Path(__file__).resolve().parent.parent.parent.parent
HERE = Path(__file__).resolve().parent
VENV = ROOT / ".venv-model"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / "model.stamp"
LOCKS = (ROOT / "requirements" / "model.txt", ROOT / "requirements" / "model-nodeps.txt")
# The same release has one file for the CPU and others for each CUDA, so it is pinned without a hash.
TORCH = "torch==2.13.0"
CACHE = ROOT / "var" / "cache"
# What makes the model: when one of these changes, it is made anew.
MAKERS = tuple(HERE / name for name in ("tiny_model.py", "words.py", "chat_template.jinja"))
NEEDED = 5 * 2**30


def check_machine() -> None:
    """Raise `CannotRun` where SGLang's wheels do not run or do not fit."""
    system, machine = platform.system(), platform.machine()
    if (system, machine) != ("Linux", "x86_64"):
        raise CannotRun(f"SGLang's server needs Linux on x86-64; this is {system} on {machine}.")
    free = shutil.disk_usage(ROOT).free
    if not ready() and free < NEEDED:
        raise CannotRun(f"SGLang's server needs 5 GB of disk for its environment; {free / 2**30:.1f} GB are free.")


def ready() -> bool:
    """Whether the environment is there as the locks want it."""
    return PYTHON.exists() and STAMP.exists() and STAMP.read_text(encoding="utf-8") == _wanted()


def _wanted() -> str:
    texts = [sys.version, TORCH, *(lock.read_text(encoding="utf-8") for lock in LOCKS)]
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def make_environment() -> None:
    """Install what the locks list, unless it is there."""
    if ready():
        return
    say("installing SGLang's server in .venv-model, once; this takes some minutes")
    _run(sys.executable, "-m", "venv", "--clear", str(VENV))
    # By pip, which can be told where files for the CPU are; before the rest, which would bring the file for CUDA.
    _run(str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", TORCH)
    locked = [item for lock in LOCKS for item in ("-r", str(lock))]
    options = ["--require-hashes", "--no-deps", *locked]
    uv = Path(sys.executable).with_name("uv")
    if uv.exists():
        _run(str(uv), "pip", "install", "-q", "--python", str(PYTHON), *options)
    else:
        _run(str(PYTHON), "-m", "pip", "install", "-q", "--disable-pip-version-check", *options)
    STAMP.write_text(_wanted(), encoding="utf-8")


def model_folder() -> Path:
    """Where the tiny model is or will be: another place for another recipe."""
    recipe = hashlib.sha256(b"".join(file.read_bytes() for file in MAKERS))
    return CACHE / f"tiny-model-{recipe.hexdigest()[:12]}"


def make_model() -> Path:
    """Make the tiny model, unless it is there; its folder."""
    folder = model_folder()
    if folder.exists():
        return folder
    say("making the tiny model, once; this takes some minutes")
    draft = folder.with_name(f"{folder.name}.{os.getpid()}")
    try:
        _run(str(PYTHON), "-m", "tests.model.serving.tiny_model", str(draft))
        draft.rename(folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=ROOT, check=False)
    if done.returncode:
        raise CannotRun(f"`{' '.join(command[:6])} ...` has failed, with the lines above.")
