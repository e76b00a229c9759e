"""compose.yaml, the image and .env.example fit each other and the code; where a compose client is, it agrees."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
COMPOSE = (ROOT / "compose.yaml").read_text(encoding="utf-8")
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")
EXAMPLE = (ROOT / ".env.example").read_text(encoding="utf-8")
SECRETS = {"POSTGRES_PASSWORD": "postgres-secret", "CLAWGROUPS_SECRET_KEY": "django-secret"}


def compose_client() -> list[str] | None:
    """The compose client of this machine, if there is one."""
    if shutil.which("docker") is not None:
        plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        if plugin.returncode == 0:
            return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") is not None else None


def config(client: list[str], file: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    known = {key: os.environ[key] for key in ("PATH", "HOME") if key in os.environ}
    command = [*client, "-f", "compose.yaml", "--env-file", str(file), "config"]
    return subprocess.run(command, cwd=ROOT, env={**known, **environment}, capture_output=True, text=True)


def test_a_compose_client_takes_the_file_and_refuses_it_without_the_secrets(tmp_path: Path) -> None:
    client = compose_client()
    if client is None:
        # Not skipped: the other tests of this file hold without a client, and this says what was not seen.
        print("There is no compose client on this machine: compose.yaml was read by our own eyes only.")
        return
    empty = tmp_path / "env"
    empty.touch()
    done = config(client, empty, **SECRETS)
    assert done.returncode == 0, done.stderr
    assert "postgres-secret" in done.stdout
    for name in SECRETS:
        refused = config(client, empty, **{key: value for key, value in SECRETS.items() if key != name})
        assert refused.returncode != 0
        assert "set it in .env" in refused.stderr


def test_every_variable_of_the_file_is_explained_in_the_example() -> None:
    used = set(re.findall(r"\$\{(\w+)", COMPOSE))
    explained = set(re.findall(r"^#?(\w+)=", EXAMPLE, re.MULTILINE))
    assert used == explained


def test_the_example_holds_no_secret() -> None:
    assert all(f"\n{name}=\n" in EXAMPLE for name in SECRETS)


def test_every_module_that_a_service_or_the_image_runs_exists() -> None:
    commands = re.findall(r"(?:command: |CMD |test: )\[(.*)\]", COMPOSE + DOCKERFILE)
    modules = {module for line in commands for module in re.findall(r'"?-m"?, "?([\w.]+)', line)}
    assert modules == {"clawgroups.server", "clawgroups.supervisor.health", "agents.builtin"}
    assert all(importlib.util.find_spec(module) is not None for module in modules)
    management = ROOT / "clawgroups" / "management" / "commands"
    assert all((management / f"{name}.py").exists() for name in re.findall(r"manage\.py, (\w+)", COMPOSE))


def test_the_image_copies_what_exists_and_runs_as_nobody_special() -> None:
    copied = re.findall(r"^COPY (?!--from)(\S+) ", DOCKERFILE, re.MULTILINE)
    assert all((ROOT / name).exists() for name in copied)
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8")
    assert all(f"!{name}\n" in ignored for name in copied)
    assert re.search(r"^USER claw$", DOCKERFILE, re.MULTILINE)


def test_every_service_that_stays_says_whether_it_is_well_or_waits_for_one_that_does() -> None:
    services = re.split(r"\n  (?=\w+:\n)", COMPOSE.split("\nservices:", 1)[1].split("\nconfigs:", 1)[0])[1:]
    assert [service.split(":")[0] for service in services] == [
        "postgres",
        "redis",
        "migrate",
        "web",
        "worker",
        "coordinator",
        "agents",
        "model",
    ]
    assert all("healthcheck:" in service or "depends_on:" in service for service in services)
