"""What one agent's trial needs: the stub of a model, the agent behind our connector, and a page's session."""

from __future__ import annotations

import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from clawgroups.supervisor.child import tie_to
from tests.run.servers import free_port
from tests.stories import installation
from tests.stories.installation import OURS, ROOT, Installation
from tests.stories.script import Json, Script
from tests.stories.waiting import until

AGENT_FILES = ("agents.py", "stub_llm.py")
TO_AGENT, FROM_AGENT = "to-agent.jsonl", "from-agent.jsonl"


@contextmanager
def stub(rig: Path, folder: Path) -> Iterator[str]:
    """The rig's stand-in for a model provider, on a port of its own; its address."""
    port = free_port()
    process = subprocess.Popen(
        [sys.executable, str(rig / "stub_llm.py"), "--port", str(port)],
        stderr=(folder / "stub.log").open("wb"),
        preexec_fn=tie_to(os.getpid(), signal.SIGTERM),  # noqa: PLW1509  (calls the kernel only)
    )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


class Agent:
    """One of the rig's agents: registered by REST, and started by the command that registration gives."""

    def __init__(self, name: str, script: Script, rig: Path, folder: Path, stub: str) -> None:
        self.name, self.script, self.folder = name, script, folder
        self.folder.mkdir()
        self.workspace = script.workspace(f"With {name}")
        asked = {"name": name, "skills": [{"name": name, "level": 4}], "workspace": self.workspace}
        made = script.post("/api/v1/agents", asked)
        self.id, self._command = made["id"], made["connect_command"]
        self._program = shlex.join([sys.executable, str(rig / "agents.py"), "run", name])
        self._environment = {"STUB_URL": stub, "RIG_HOMES": str(folder / "homes"), "HOME": str(folder)}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start the connector with the agent behind it, and wait until it is online."""
        head, given = self._command.split(" clawgroups connect ")
        name, _, key = head.partition("=")
        url = shlex.split(given)[0]
        # What either side says is written down on its way.
        to, back = (f"tee -a {shlex.quote(str(self.folder / name))}" for name in (TO_AGENT, FROM_AGENT))
        agent = ["sh", "-c", f"{to} | {self._program} | {back}"]
        kept = {k: v for k, v in os.environ.items() if not k.startswith(OURS)}
        self._process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "agents.connector",
                "connect",
                url,
                "--dir",
                str(self.folder / "work"),
                "--",
                *agent,
            ],
            cwd=ROOT,
            env={**kept, **self._environment, name: key},
            stdin=subprocess.DEVNULL,
            stderr=(self.folder / "connector.log").open("ab"),
            preexec_fn=tie_to(os.getpid(), signal.SIGTERM),  # noqa: PLW1509  (calls the kernel only)
        )
        until(self._online, seconds=60, what=f"{self.name} online")

    def _online(self) -> bool:
        return bool(self.told()["online"])

    def told(self) -> Json:
        """The agent as the product shows it."""
        found: Json = self.script.get(f"/api/v1/agents/{self.id}")
        return found

    def stop(self) -> None:
        """End it as Ctrl-C does."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
        self._process = None

    def kill(self, *, whole: bool) -> list[int]:
        """kill -9 the connector, and if `whole` the agent and all it has started; the ids of what runs below it."""
        assert self._process is not None
        below = installation.below(self._process.pid)
        for pid in [self._process.pid, *(below if whole else ())]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._process.wait()
        self._process = None
        return below

    def runs(self, *words: str) -> bool:
        """Whether one of its processes has these words in its command line."""
        assert self._process is not None
        said = [installation.command_of(pid) for pid in installation.below(self._process.pid)]
        return any(all(word in one for word in words) for one in said)

    def heard(self, method: str = "") -> list[Json]:
        """What it was sent so far, all of it or by method."""
        found = [json.loads(line) for line in (self.folder / TO_AGENT).read_text().splitlines()]
        return [frame for frame in found if not method or frame.get("method") == method]


class Page:
    """A person's browser without a browser: the cookies and forms of the web pages."""

    def __init__(self, product: Installation) -> None:
        ready = next(line for line in product.lines if line.startswith("Ready: "))
        link = urlsplit(re.findall(r"http\S+", ready)[0])
        self._address = f"127.0.0.1:{product.port}"
        self._cookies: dict[str, str] = {}
        self._ask("GET", link.path)

    def decide(self, workspace: str, task: str, approval: str, option: str) -> None:
        """Press the button of one option of a question on its task's page."""
        page = self._ask("GET", f"/w/{workspace}/tasks/{task}/")
        form = re.search(rf'action="([^"]*{approval}/decide/)".*?</form>', page, re.DOTALL)
        assert form is not None, "the page of the task does not show the question"
        fields = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))
        assert f'value="{option}"' in form[0], f"no button {option} on the page"
        self._ask("POST", form[1], {**fields, "option": option})

    def _ask(self, method: str, path: str, form: dict[str, str] | None = None) -> str:
        told = {"Cookie": "; ".join(f"{k}={v}" for k, v in self._cookies.items()), "Accept": "text/html"}
        told |= {"Origin": f"http://{self._address}", "Content-Type": "application/x-www-form-urlencoded"}
        connection = http.client.HTTPConnection(self._address, timeout=60)
        try:
            connection.request(method, path, urlencode(form or {}) if form else None, told)
            answer = connection.getresponse()
            text = answer.read().decode()
            assert answer.status < 400, f"{method} {path}: {answer.status}"
            for value in answer.headers.get_all("Set-Cookie") or []:
                name, _, rest = value.partition("=")
                self._cookies[name] = rest.partition(";")[0]
            return text
        finally:
            connection.close()
