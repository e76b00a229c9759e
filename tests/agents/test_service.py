"""`connect --service`: what is written starts the agent again from anywhere, is private, and goes without a trace."""

from __future__ import annotations

import asyncio
import os
import plistlib
import re
import stat
import subprocess
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path

import pytest
import websockets

from agents.connector import managers, record, service
from agents.connector.cli import main
from agents.connector.exits import Wrong
from agents.connector.keys import KeyFile
from agents.connector.managers import Launchd, Service
from tests.agents.strangers import KEY, WholeServer
from tests.agents.support import PATIENCE
from tests.agents.test_bad_input import home
from tests.agents.test_cli import AGENT, connector

__all__ = ["home"]
ROOT = Path(__file__).resolve().parents[2]
# It notes what it is asked, and answers what a file beside it says.
MANAGER = """#!/bin/sh
echo "$(basename "$0") $*" >> "{calls}"
test -f "{calls}.fails" && exit 1
echo active
"""


@pytest.fixture
async def server() -> AsyncIterator[WholeServer]:
    async with WholeServer() as running:
        yield running


@pytest.fixture(autouse=True)
def bin_(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH of the test's own with a service manager and an agent in it, and the key in the environment."""
    folder = home / "bin"
    folder.mkdir()
    calls = home / "calls"
    calls.write_text("")
    for name in ("systemctl", "launchctl"):
        script(folder / name, MANAGER.format(calls=calls))
    script(folder / "my agent", f'#!/bin/sh\nexec {sys.executable} {AGENT[1]} "$@"\n')
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("CLAWGROUPS_KEY", KEY)
    monkeypatch.setattr(service, "_lingers", lambda: True)
    monkeypatch.setattr(service, "manager", managers.Systemd)
    return folder


def script(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def calls(home: Path) -> list[str]:
    return (home / "calls").read_text().splitlines()


def words(line: str) -> list[str]:
    """What systemd makes of a command line in which every word is quoted."""
    assert re.fullmatch(r'"(?:[^"\\]|\\.)*"(?: "(?:[^"\\]|\\.)*")*', line)
    found = re.findall(r'"((?:[^"\\]|\\.)*)"', line)
    return [re.sub(r"\\(.)", r"\1", word).replace("%%", "%").replace("$$", "$") for word in found]


def settings(unit: str) -> Mapping[str, list[str]]:
    told: dict[str, list[str]] = {}
    for line in unit.splitlines():
        name, _, value = line.partition("=")
        told.setdefault(name, []).append(value)
    return told


async def install(*arguments: str) -> int:
    return await asyncio.to_thread(main, ["connect", *arguments])


async def test_a_service_starts_the_agent_again_from_anywhere(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home)
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    odd = ['say "50%"', "$HOME", "back\\slash", "it's"]
    arguments = ["--name", "Scribe One", "--dir", "my work", "--allow", "reads", "--service", "--", "my agent", *odd]
    assert await install(server.url, *arguments) == 0
    name = f"127.0.0.1-{server.port}-scribe-one"
    path = home / "config" / "systemd" / "user" / f"clawgroups-{name}.service"
    assert capfd.readouterr().err == (
        f"clawgroups: the service {name} is written to {path}\n"
        "clawgroups: it is started, and will be at every login; see `clawgroups status` and `clawgroups logs -f`\n"
    )
    assert calls(home) == [
        "systemctl --user daemon-reload",
        f"systemctl --user enable clawgroups-{name}.service",
        f"systemctl --user restart clawgroups-{name}.service",
    ]
    unit = path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [one.name for one in path.parent.iterdir()] == [path.name]
    assert KEY not in unit
    assert KeyFile().find(f"ws://127.0.0.1:{server.port}", "Scribe One") == KEY
    told = settings(unit)
    (start,) = told["ExecStart"]
    command = words(start)
    assert command == [
        sys.executable, "-m", "agents.connector", "connect", server.url, "--name=Scribe One",
        f"--dir={home / 'my work'}", "--allow=reads", "--restart", "--", str(home / "bin" / "my agent"), *odd,
    ]  # fmt: skip
    assert told["RestartPreventExitStatus"] == ["2 3 4"]
    # As systemd would: nothing of this shell, only what the unit says.
    environment = dict(words(one)[0].split("=", 1) for one in told["Environment"])
    assert environment["HTTPS_PROXY"] == "http://proxy.example:3128"
    assert "CLAWGROUPS_KEY" not in environment
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=told["WorkingDirectory"][0],
        env={**environment, "HOME": str(home), "CLAWGROUPS_CLOCK_SCALE": "0.05"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        await server.until(lambda: server.connection)
        assert server.upgrades[-1]["Authorization"] == f"Bearer {KEY}"
    finally:
        process.terminate()
        async with asyncio.timeout(PATIENCE):
            await process.communicate()


async def test_services_are_listed_and_taken_away(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["service", "list"]) == 0
    assert capfd.readouterr().out.startswith("There is no service here.")
    assert main(["service", "remove"]) == 2
    assert capfd.readouterr().err == "clawgroups: say which service; there is none\n"
    for name in ("one", "two"):
        assert await install(server.url, "--name", name, "--service", "--", "my agent") == 0
    capfd.readouterr()
    folder, host = home / "config" / "systemd" / "user", f"127.0.0.1-{server.port}"
    assert main(["service", "list"]) == 0
    assert capfd.readouterr().out.splitlines() == [
        f"{host}-{name}: active ({folder}/clawgroups-{host}-{name}.service)" for name in ("one", "two")
    ]
    assert main(["service", "remove", "three"]) == 2
    assert f"no service is called three; there are: {host}-one, {host}-two" in capfd.readouterr().err
    assert main(["service", "remove", f"{host}-one"]) == 0
    assert "is gone. Its key stays on this machine" in capfd.readouterr().out
    assert calls(home)[-2:] == [
        f"systemctl --user disable --now clawgroups-{host}-one.service",
        "systemctl --user daemon-reload",
    ]
    assert main(["service", "remove"]) == 0
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("missing", [True, False], ids=["no systemctl", "systemd does not answer"])
async def test_where_nobody_can_start_it_the_person_is_told_how(
    missing: bool,
    server: WholeServer,
    home: Path,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if missing:
        (home / "bin" / "systemctl").unlink()
        monkeypatch.setenv("PATH", str(home / "bin"))
    else:
        (home / "calls.fails").write_text("")
    assert await install(server.url, "--service", "--", "my agent") == 0
    unit = f"clawgroups-127.0.0.1-{server.port}.service"
    assert capfd.readouterr().err.splitlines()[1] == (
        "clawgroups: nobody here could be asked to start it; where you are logged in, start it by: "
        f"systemctl --user daemon-reload && systemctl --user enable --now {unit}"
    )
    wanted = home / "config" / "systemd" / "user" / "default.target.wants"
    wanted.mkdir()
    (wanted / unit).symlink_to(wanted.parent / unit)
    assert main(["service", "list"]) == 0
    assert "systemd does not answer" in capfd.readouterr().out
    assert main(["service", "remove"]) == 0
    assert [path.name for path in wanted.parent.rglob("*")] == [wanted.name]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--key", "cg_bad", "--service", "--", "my agent"], 3, "the server refused the key: it is wrong"),
        (["--service", "--", "no-such-agent"], 127, "there is no program no-such-agent"),
        (["--service", "--", "my agent", "two\nlines"], 2, "has a line break or the like in it"),
    ],
)
async def test_what_cannot_work_is_not_written(
    arguments: list[str], code: int, said: str, server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert await install(server.url, *arguments) == code
    shown = capfd.readouterr().err
    assert said in shown
    assert shown.count("\n") == 1
    assert calls(home) == []
    assert not (home / "config" / "systemd").exists()


async def test_a_service_needs_its_server_once_and_a_folder_to_write_to(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server.status = 404
    assert await install("http://127.0.0.1:1", "--service", "--", "my agent") == 5
    assert "nothing listens at 127.0.0.1:1" in capfd.readouterr().err
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / "calls"))
    assert await install(server.url, "--service", "--", "my agent") == 2
    assert "the service cannot be written: " in capfd.readouterr().err


async def test_launchd_is_told_the_same_and_does_not_insist_on_what_is_final(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "manager", Launchd)
    assert await install(server.url, "--name", "s", "--service", "--", "my agent", "<&>") == 0
    label = f"org.clawgroups.127.0.0.1-{server.port}-s"
    path = home / "Library" / "LaunchAgents" / f"{label}.plist"
    domain = f"gui/{os.getuid()}"
    assert calls(home) == [f"launchctl bootout {domain}/{label}", f"launchctl bootstrap {domain} {path}"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    told = plistlib.loads(path.read_bytes())
    assert told["Label"] == label
    assert told["ProgramArguments"][-3:] == ["--", str(home / "bin" / "my agent"), "<&>"]
    assert told["KeepAlive"] == {"SuccessfulExit": False}
    assert KEY not in path.read_text()
    for name, value in told["EnvironmentVariables"].items():
        monkeypatch.setenv(name, value)
    # A refused key is the end for launchd too, a server that is away is not.
    server.refuse = ("The key is not known.", 4401)
    assert [service.told(code) for code in (0, 2, 3, 4, 5, 6, 9, 127)] == [0, 0, 0, 0, 5, 6, 9, 127]
    capfd.readouterr()
    (home / "calls.fails").write_text("")
    assert await install(server.url, "--name", "s", "--service", "--", "my agent") == 0
    assert f"start it by: launchctl bootstrap {domain} {path}" in capfd.readouterr().err
    assert main(["service", "remove"]) == 0
    assert not path.exists()


@pytest.mark.parametrize("word", ["a\x1bb", os.fsdecode(b"a\xffb")])
@pytest.mark.parametrize("written", [managers.unit, lambda one: managers.plist("label", one)])
def test_a_word_that_no_file_could_hold_is_refused_in_words(written: Callable[[Service], str], word: str) -> None:
    with pytest.raises(Wrong, match="which a service cannot be started with"):
        written(Service("s", "about", ["/bin/true", word], Path("/"), {}))


def test_each_setting_stands_in_the_section_in_which_systemd_looks_for_it() -> None:
    """As `systemd-analyze verify --user` of systemd 252 has it, which passes over whatever stands elsewhere."""
    sections: dict[str, set[str]] = {}
    for line in managers.unit(Service("s", "Ours", ["/bin/true"], Path("/"), {"PATH": "/bin"})).splitlines():
        if line.startswith("["):
            here = sections.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            here.add(line.partition("=")[0])
    assert sections == {
        "Unit": {"Description", "StartLimitIntervalSec"},
        "Service": {
            "ExecStart", "WorkingDirectory", "Environment", "EnvironmentFile", "Restart", "RestartSec",
            "RestartPreventExitStatus", "SuccessExitStatus", "KillMode",
        },
        "Install": {"WantedBy"},
    }  # fmt: skip


def archive(path: Path) -> None:
    """The connector in one file, as the server offers it."""
    library = Path(websockets.__file__).parent
    with zipfile.ZipFile(path, "w") as packed:
        for root, folder in ((ROOT, ROOT / "agents"), (library.parent, library)):
            for source in folder.rglob("*.py"):
                if not {"builtin", "llm", "migrations"} & set(source.parts):
                    packed.write(source, source.relative_to(root))
        packed.writestr("__main__.py", "import sys\nfrom agents.connector.cli import main\nsys.exit(main())\n")


async def test_a_zipapp_is_copied_to_where_it_stays(server: WholeServer, home: Path) -> None:
    download = home / "Downloads" / "connect.pyz"
    download.parent.mkdir()
    archive(download)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "connect.pyz", "connect", server.url, "--service", "--", "my agent", cwd=download.parent
    )
    async with asyncio.timeout(PATIENCE):
        assert await process.wait() == 0
    (unit,) = (home / "config" / "systemd" / "user").glob("*.service")
    (start,) = settings(unit.read_text())["ExecStart"]
    (copy,) = (home / ".local" / "share" / "clawgroups").iterdir()
    assert words(start)[:3] == [sys.executable, str(copy), "connect"]
    assert copy.read_bytes() == download.read_bytes()
    download.unlink()
    done = await asyncio.to_thread(
        subprocess.run, [sys.executable, str(copy), "service", "remove"], check=True, capture_output=True
    )
    assert b"is gone" in done.stdout
    assert not copy.exists()


def test_other_systems_are_told_so() -> None:
    with pytest.raises(Wrong, match="Linux and macOS only"):
        managers.manager("win32")
    assert isinstance(managers.manager("darwin"), Launchd)


def test_a_unit_has_no_line_that_an_argument_could_add() -> None:
    told = Service("x", "a\nExecStart=/bin/evil", ["/p"], Path("/a %h\nb"), {})
    unit = managers.unit(told)
    assert settings(unit)["ExecStart"] == ['"/p"']
    assert settings(unit)["WorkingDirectory"] == ["/a %%h b"]
    with pytest.raises(Wrong):
        managers.unit(Service("x", "a", ["/p"], Path("/"), {"A": "b\nExecStart=/bin/evil"}))


async def test_each_of_several_agents_gets_a_service_of_its_own(
    server: WholeServer, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script(home / "bin" / "kimi", "#!/bin/sh\n")
    for name in ("kimi", "own"):
        KeyFile().remember(f"ws://127.0.0.1:{server.port}", name, KEY)
    monkeypatch.delenv("CLAWGROUPS_KEY")
    assert await install(server.url, "--service", "--agent", "kimi", "--agent", "own='my agent' acp") == 0
    found = {
        path.name.removeprefix(f"clawgroups-127.0.0.1-{server.port}-"): words(
            settings(path.read_text())["ExecStart"][0]
        )[4:]
        for path in (home / "config" / "systemd" / "user").iterdir()
    }
    assert found == {
        "kimi.service": [server.url, "--name=kimi", "--restart", "--agent", "kimi"],
        "own.service": [server.url, "--name=own", "--restart", "--", str(home / "bin" / "my agent"), "acp"],
    }


async def test_a_service_takes_over_from_a_connector_that_runs(
    server: WholeServer, home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    async with connector("connect", server.url, "--", *AGENT) as program:
        await server.until(lambda: server.connection)
        for lines in (3, 2):  # The second time it is the service that runs, for all that is known here.
            assert await install(server.url, "--service", "--", "my agent") == 0
            said = capfd.readouterr().err.splitlines()
            assert len(said) == lines
        pid = program.process.pid
        program.process.terminate()
        await program.end()
    assert calls(home).count(f"systemctl --user restart clawgroups-127.0.0.1-{server.port}.service") == 2
    standing = record.find(server.url, KEY)
    assert standing is not None
    assert (standing.pid, standing.running) == (pid, False)
