"""The supervisor with small children and a real Valkey: who is watched, who is stopped, and what is said."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from clawgroups.supervisor import child as child_module
from clawgroups.supervisor import valkey
from clawgroups.supervisor.logs import Log
from clawgroups.supervisor.place import read_place, take_lock
from tests.run.servers import free_port
from tests.tooling.processes import alive, eventually

ROOT = Path(__file__).resolve().parent.parent.parent


class Running:
    def __init__(self, process: subprocess.Popen[str], data: Path) -> None:
        self.process, self.data = process, data

    def events(self) -> list[str]:
        with contextlib.suppress(FileNotFoundError):
            return (self.data / "events").read_text().splitlines()
        return []

    def pids(self, name: str) -> list[int]:
        return [int(line.split()[2]) for line in self.events() if line.startswith(f"{name} start")]

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def address(self) -> valkey.Address:
        return valkey.Address(path=self.data / "run" / "valkey.sock", port=0, password="")

    def valkey_pid(self) -> int:
        """Valkey says it itself."""
        for line in self.ask("INFO server").splitlines():
            if line.startswith("process_id:"):
                return int(line.split(":")[1])
        raise AssertionError("Valkey did not say its process id")

    def ask(self, command: str) -> str:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(self.data / "run" / "valkey.sock"))
            connection.sendall(f"{command}\r\n".encode())
            return connection.recv(65536).decode()


@pytest.fixture
def data() -> Iterator[Path]:
    """A folder with a short path, since a Unix socket is to fit in."""
    folder = Path(tempfile.mkdtemp(prefix="claw-sup-"))
    yield folder
    shutil.rmtree(folder)


@contextlib.contextmanager
def start(data: Path, **options: object) -> Iterator[Running]:
    environment = {**os.environ, "CLAWGROUPS_DATA": str(data), "PORT": str(free_port())}
    environment.pop("REDIS_URL", None)
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.tooling.small_family"],
        cwd=ROOT,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    running = Running(process, data)
    try:
        assert running.line() == "up"
        assert eventually(lambda: len(running.events()) == 3)
        yield running
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        assert eventually(lambda: not any(alive(pid) for name in ("web", "worker") for pid in running.pids(name)))


@pytest.fixture
def running(data: Path) -> Iterator[Running]:
    with start(data) as family:
        yield family


def test_an_error_in_a_log_is_said_in_one_line(running: Running) -> None:
    assert running.line() == "worker: an ERROR that a person should see"


def test_sigterm_stops_web_agents_worker_and_valkey_in_this_order(running: Running) -> None:
    server = running.valkey_pid()
    running.process.terminate()
    assert running.process.wait(15) == 0
    assert [line for line in running.events() if line.endswith("stop")] == ["web stop", "agents stop", "worker stop"]
    assert not alive(server)
    assert not any(alive(pid) for name in ("web", "agents", "worker") for pid in running.pids(name))


def test_ctrl_c_does_the_same(data: Path) -> None:
    def at_a_terminal() -> None:
        # This test run may itself be in the background of a script.
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    with start(data, preexec_fn=at_a_terminal) as running:
        running.process.send_signal(signal.SIGINT)
        assert running.process.wait(15) == 0


def test_started_in_the_background_of_a_script_it_stops_on_sigterm(data: Path) -> None:
    def in_background() -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    with start(data, preexec_fn=in_background) as running:
        running.process.send_signal(signal.SIGINT)
        running.process.terminate()
        assert running.process.wait(15) == 0


def test_a_killed_child_is_back_within_two_seconds_and_it_is_said_once(running: Running) -> None:
    assert running.line().startswith("worker: an ERROR")
    (first,) = running.pids("worker")
    os.kill(first, signal.SIGKILL)
    assert eventually(lambda: len(running.pids("worker")) == 2, 2.0)
    assert running.line().startswith("worker stopped (SIGKILL), starting it again. Log: ")


def test_a_killed_valkey_comes_back_at_the_same_address_with_its_data(running: Running) -> None:
    assert running.ask("SET key kept") == "+OK\r\n"
    server = running.valkey_pid()
    os.kill(server, signal.SIGKILL)
    # The socket's file stays behind; only a new server answers at it.
    assert eventually(lambda: running.address().answers() and running.valkey_pid() != server, 5.0)
    assert running.ask("GET key") == "$4\r\nkept\r\n"


def test_when_the_supervisor_is_killed_every_child_goes_with_it_and_the_folder_is_free(running: Running) -> None:
    family = [running.valkey_pid(), *(pid for name in ("web", "agents", "worker") for pid in running.pids(name))]
    running.process.kill()
    assert eventually(lambda: not any(alive(pid) for pid in family), 3.0)
    os.close(take_lock(read_place({"CLAWGROUPS_DATA": str(running.data)})))


def test_a_reader_that_goes_away_takes_nothing_down(running: Running) -> None:
    assert running.process.stdout is not None
    running.process.stdout.close()
    os.kill(running.pids("agents")[0], signal.SIGKILL)
    assert eventually(lambda: len(running.pids("agents")) == 2)
    os.kill(running.pids("agents")[1], signal.SIGKILL)
    assert eventually(lambda: len(running.pids("agents")) == 3)
    running.process.terminate()
    assert running.process.wait(15) == 0


def test_the_folder_and_what_lies_in_it_are_for_the_owner_only(running: Running) -> None:
    assert stat.S_IMODE((running.data / "run").stat().st_mode) == 0o700
    assert stat.S_IMODE((running.data / "run" / "valkey.conf").stat().st_mode) == 0o600
    assert stat.S_IMODE((running.data / "run" / "valkey.sock").stat().st_mode) == 0o700


# Before anything is started


def up(**environment: str) -> subprocess.CompletedProcess[str]:
    kept = {key: value for key, value in os.environ.items() if key != "REDIS_URL"}
    command = [sys.executable, "manage.py", "up"]
    return subprocess.run(command, cwd=ROOT, env={**kept, **environment}, capture_output=True, text=True, timeout=60)


def one_line(done: subprocess.CompletedProcess[str]) -> str:
    assert done.returncode == 2
    assert done.stderr == ""
    assert done.stdout.count("\n") == 1
    return done.stdout


def test_a_taken_port_is_named_with_its_variable_and_nothing_is_started(data: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        line = one_line(up(CLAWGROUPS_DATA=str(data), PORT=str(port)))
    assert f"Port {port}" in line
    assert "PORT=" in line
    assert not (data / "valkey").exists()


def test_a_port_that_is_no_port_is_said(data: Path) -> None:
    assert "PORT" in one_line(up(CLAWGROUPS_DATA=str(data), PORT="eighty"))
    assert "PORT" in one_line(up(CLAWGROUPS_DATA=str(data), PORT="99999"))


def test_a_folder_that_cannot_be_written_is_named_with_its_variable(data: Path) -> None:
    (data / "file").write_text("in the way")
    line = one_line(up(CLAWGROUPS_DATA=str(data / "file" / "below"), PORT=str(free_port())))
    assert str(data / "file" / "below") in line
    assert "CLAWGROUPS_DATA" in line


def test_a_second_start_on_the_same_folder_is_refused(data: Path) -> None:
    with start(data):
        line = one_line(up(CLAWGROUPS_DATA=str(data), PORT=str(free_port())))
    assert "already running" in line


def test_a_folder_with_a_long_path_gets_a_loopback_port_and_a_password(data: Path) -> None:
    deep = data / ("d" * 100)
    (deep / "run").mkdir(parents=True)
    place = read_place({"CLAWGROUPS_DATA": str(deep)})
    address = valkey.choose_address(place)
    assert address.url.startswith("redis://:")
    assert len(address.password) > 30
    spec = valkey.server_spec(place, valkey.find_server(), address)
    assert address.password not in " ".join(spec.command)
    server = subprocess.Popen(spec.command, stdout=subprocess.DEVNULL)
    try:
        assert eventually(address.answers)
        assert not valkey.Address(path=None, port=address.port, password="wrong").answers()
    finally:
        server.terminate()
        server.wait(10)


@pytest.mark.parametrize(
    ("lived", "pauses"),
    [(1.0, [0.2, 0.4, 0.8, 1.6, 3.2, 30.0]), (8.0, [0.2] * 6)],
)
def test_a_child_that_dies_young_again_and_again_has_to_wait_and_one_that_was_at_work_has_not(
    data: Path, monkeypatch: pytest.MonkeyPatch, lived: float, pauses: list[float]
) -> None:
    now = [1000.0]
    monkeypatch.setattr(child_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    with (data / "lock").open("w") as lock:
        spec = child_module.Spec("sleeper", [sys.executable, "-c", "pass"], patience=1)
        child = child_module.Child(spec, environment=os.environ, log=Log(data / "log"), lock=lock.fileno())
        found = []
        for _ in pauses:
            child.start()
            child.stop()
            now[0] += lived
            found.append(child.plan_restart())
            now[0] += 0.1
    assert found == pauses
