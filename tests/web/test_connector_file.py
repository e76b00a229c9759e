"""`/connect.pyz` is the connector in one file, which a Python without any package runs."""

from __future__ import annotations

import ast
import base64
import hashlib
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.test import Client

from agents.connector import __version__
from clawgroups.web.connector_zip import MAIN, connector_zip

BARE = [sys.executable, "-S", "-E", "-I"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file where somebody has saved it: a folder with nothing of ours."""
    path = tmp_path / "connect.pyz"
    path.write_bytes(connector_zip().content)
    return path


def run(file: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """As on a machine with nothing but Python: no packages, no environment, an empty home."""
    home = file.parent / "home"
    home.mkdir(exist_ok=True)
    return subprocess.run(
        [*BARE, str(file), *arguments], cwd=home, env={"HOME": str(home)}, capture_output=True, text=True, timeout=60
    )


def test_a_python_without_packages_runs_it(file: Path) -> None:
    done = run(file, "--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"clawgroups {__version__}\n", "")
    # Every module in it is there to be imported, and needs nothing that is not.
    listed = [name for name in zipfile.ZipFile(file).namelist() if name.startswith("agents/") and name.endswith(".py")]
    modules = [name.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for name in listed]
    modules.remove("agents.connector.__main__")
    found = "{__import__('sys').modules['websockets'].__file__}"
    code = f'import sys; sys.path.insert(0, {str(file)!r}); import {", ".join(modules)}; print(f"{found}")'
    done = subprocess.run([*BARE, "-c", code], env={}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, f"{file}/websockets/__init__.py\n"), done.stderr


def test_it_says_what_is_wrong_in_one_sentence(file: Path) -> None:
    done = run(file, "connect", "https://host", "--code", "abc", "--", sys.executable)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith("clawgroups: that is not a code")
    assert list((file.parent / "home").iterdir()) == []


HANDED_ON = """
import json, pathlib, sys
sys.path.insert(0, sys.argv[1])
from agents.connector.tools import Tools
server = {"type": "http", "name": "clawgroups", "url": "http://127.0.0.1:1/mcp", "headers": []}
frame = {"params": {"mcpServers": [server]}}
Tools("stdio", folder=pathlib.Path(sys.argv[2])).adapt(frame)
print(json.dumps(frame["params"]["mcpServers"][0]))
"""


def test_the_program_that_gives_an_agent_its_tools_runs_out_of_it(file: Path) -> None:
    keys = file.parent / "keys" / "1"
    made = subprocess.run(
        [*BARE, "-c", HANDED_ON, str(file), str(keys)], env={}, capture_output=True, text=True, timeout=60
    )
    program = json.loads(made.stdout)
    environment = {one["name"]: one["value"] for one in program["env"]}
    assert environment == {"PYTHONPATH": str(file)}
    done = subprocess.run(
        [program["command"], *program["args"]],
        cwd=file.parent, env=environment, input='{"id": 1, "method": 7}\n', capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_an_older_python_is_told_so() -> None:
    # What Python 3.6 could parse, and what of it runs before anything newer is imported.
    tree = ast.parse(MAIN, feature_version=(3, 6))
    program = f"import sys; sys.version_info = (3, 9, 1); exec({MAIN.decode()!r})"
    done = subprocess.run([*BARE, "-c", program], env={}, capture_output=True, text=True, timeout=60)
    assert (done.returncode, tree is not None) == (2, True)
    assert done.stderr == "clawgroups: this needs Python 3.11 or newer, and this is 3.9\n"


def test_it_is_the_same_each_time_it_is_made_and_made_once() -> None:
    first = connector_zip()
    assert connector_zip() is first
    assert connector_zip.__wrapped__() == first
    assert first.sha256 == hashlib.sha256(first.content).hexdigest()
    with zipfile.ZipFile(io.BytesIO(first.content)) as packed:
        entries = packed.infolist()
    assert {entry.date_time for entry in entries} == {(1980, 1, 1, 0, 0, 0)}
    names = [entry.filename for entry in entries]
    assert names == sorted(names)
    assert {"LICENSE", "websockets/LICENSE", "websockets/asyncio/client.py"} <= {*names}
    assert not [name for name in names if "django" in name or name.endswith((".so", ".pyc")) or "builtin" in name]
    assert len(first.content) < 400_000


def test_it_is_sent_once_and_then_asked_for_by_its_mark() -> None:
    client, made = Client(), connector_zip()
    response = client.get("/connect.pyz")
    assert response.content == made.content
    assert response["ETag"] == f'"{made.sha256}"'
    assert response["Content-Disposition"] == 'attachment; filename="connect.pyz"'
    assert base64.b64decode(response["Repr-Digest"].removeprefix("sha-256=:").removesuffix(":")).hex() == made.sha256
    assert response["Cache-Control"] == "public, no-cache"
    assert "Cookie" not in response.get("Vary", "")
    again = client.get("/connect.pyz", headers={"If-None-Match": response["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/connect.pyz", headers={"If-None-Match": '"older"'}).status_code == 200
    assert client.head("/connect.pyz")["Content-Length"] == str(len(made.content))
    assert client.post("/connect.pyz").status_code == 405


def test_its_sum_is_as_sha256sum_reads_it() -> None:
    response = Client().get("/connect.pyz.sha256")
    assert response.content.decode() == f"{connector_zip().sha256}  connect.pyz\n"
    assert response["Content-Type"] == "text/plain; charset=utf-8"
