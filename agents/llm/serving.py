"""`python3 claw serve-model`: SGLang serves K2.6 for the coordinator, on a GPU host, in an environment of its own.

Standard library only, since nothing of the product need be installed there; and SGLang is started, never imported: its
import loads torch and takes half a minute.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
VENV = ROOT / ".venv-serve"
STAMP = VENV / "serve.stamp"
MODEL = "moonshotai/Kimi-K2.6"
KEY, ADMIN_KEY = "CLAWGROUPS_COORDINATOR_API_KEY", "CLAWGROUPS_MODEL_ADMIN_KEY"
# What a coordinator needs of any SGLang server: tool calls and reasoning apart, cached tokens counted, figures, its own
# requests first, and JSON that does not run away into blanks.
FOR_A_COORDINATOR = (
    *("--tool-call-parser", "kimi_k2", "--reasoning-parser", "kimi_k2"),
    *("--enable-cache-report", "--enable-metrics", "--enable-priority-scheduling"),
    "--constrained-json-disable-any-whitespace",
)
# The arguments of every tool are held to its schema, not only those of tools that ask for it.
ENVIRONMENT = {"SGLANG_TOOL_STRICT_LEVEL": "2"}
LOOPBACK = ("127.0.0.1", "localhost", "::1")
# Bytes that the environment takes, most of them for CUDA. The model itself is not counted.
NEEDED = 15 * 2**30


class CannotServe(Exception):
    """Nothing was started, for a reason that fits one line."""


def read(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """What was asked for; flags that are not ours go on to SGLang."""
    parser = argparse.ArgumentParser(
        prog="claw serve-model",
        description="Serve K2.6 by SGLang on this GPU host, for the coordinator. Flags that are not listed here go on"
        f" to `sglang serve`. Keys come from the environment: {KEY} for requests, {ADMIN_KEY} for administration.",
        allow_abbrev=False,
    )
    parser.add_argument("--model-path", default=MODEL, help="a name at the hub, or a folder (default: %(default)s)")
    parser.add_argument("--tp", type=int, default=8, help="GPUs that share the model (default: %(default)s)")
    parser.add_argument("--context-length", type=int, help="tokens of the window; less saves memory (default: all)")
    parser.add_argument("--host", default="127.0.0.1", help="the address that it listens on (default: %(default)s)")
    parser.add_argument("--port", type=int, default=30000, help="default: %(default)s")
    parser.add_argument("--dry-run", action="store_true", help="print the command and start nothing")
    return parser.parse_known_args(arguments)


def command(asked: argparse.Namespace, more: Sequence[str], keys: Path | None) -> list[str]:
    """The command line. Keys are in a file, since everybody on a machine can read its command lines."""
    line = [str(VENV / "bin" / "sglang"), "serve", "--model-path", asked.model_path, "--tp", str(asked.tp)]
    line += ["--trust-remote-code", *FOR_A_COORDINATOR, "--host", asked.host, "--port", str(asked.port)]
    if asked.context_length is not None:
        line += ["--context-length", str(asked.context_length)]
    if keys is not None:
        line += ["--config", str(keys)]
    return [*line, *more]


def keys_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The keys that the environment gives, by the names of SGLang's flags."""
    given = {"api-key": environ.get(KEY, ""), "admin-api-key": environ.get(ADMIN_KEY, "")}
    return {name: key for name, key in given.items() if key}


def keys_file(environ: Mapping[str, str]) -> Path:
    return Path(environ.get("CLAWGROUPS_DATA") or ROOT / "var").expanduser().absolute() / "model-keys.yaml"


def write_keys(file: Path, keys: Mapping[str, str]) -> None:
    """Write them for SGLang's `--config`, for this account only. JSON is YAML."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:  # noqa: PTH123
        json.dump(dict(keys), out)
    draft.replace(file)


def requirement() -> str:
    """The release of SGLang that the extra `serve` names."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (named,) = project["optional-dependencies"]["serve"]
    return str(named)


def check_machine() -> None:
    """Raise `CannotServe` where K2.6 cannot be served."""
    if platform.system() != "Linux":
        raise CannotServe(f"SGLang serves on Linux only; this is {platform.system()}.")
    if shutil.which("nvidia-smi") is None:
        raise CannotServe(
            "There is no NVIDIA driver here (nvidia-smi is missing). `--dry-run` prints the command; "
            "`make test-model` runs SGLang on a plain CPU with a tiny model, for tests."
        )
    free = shutil.disk_usage(ROOT).free
    if not (VENV / "bin" / "sglang").exists() and free < NEEDED:
        raise CannotServe(f"SGLang's environment needs 15 GB of disk; {free / 2**30:.1f} GB are free.")


def make_environment() -> None:
    """Install SGLang for GPUs, unless this release is there."""
    wanted = requirement()
    if STAMP.exists() and STAMP.read_text(encoding="utf-8") == wanted:
        return
    print(f"claw: installing {wanted} in {VENV.name}, once; it is several GB", file=sys.stderr, flush=True)
    python = str(VENV / "bin" / "python")
    for line in ([sys.executable, "-m", "venv", "--clear", str(VENV)], [python, "-m", "pip", "install", wanted]):
        if subprocess.run(line, check=False).returncode:
            raise CannotServe(f"`{shlex.join(line)}` has failed, with the lines above.")
    STAMP.write_text(wanted, encoding="utf-8")


def serve(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Print the command, or become it. Raises `CannotServe`."""
    asked, more = read(arguments)
    keys = keys_of(environ)
    if asked.host not in LOOPBACK and "api-key" not in keys:
        raise CannotServe(f"Whoever reaches {asked.host} could use the model: set {KEY} first.")
    file = keys_file(environ) if keys else None
    line = command(asked, more, file)
    if asked.dry_run:
        print(" ".join([*(f"{name}={value}" for name, value in ENVIRONMENT.items()), shlex.join(line)]))
        return
    check_machine()
    make_environment()
    if file is not None:
        write_keys(file, keys)
    kept = {name: value for name, value in environ.items() if name not in (KEY, ADMIN_KEY)}
    os.execve(line[0], line, {**kept, **ENVIRONMENT})  # noqa: S606


def main() -> int:
    try:
        serve(sys.argv[1:], os.environ)
    except CannotServe as reason:
        print(f"claw: {reason}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
