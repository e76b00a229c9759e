"""`connect ... --service` and `clawgroups service`: connectors that are there whenever their machine is."""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import sys
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from agents.connector import checks, record, wire
from agents.connector.console import Console
from agents.connector.exits import NOT_STARTED, Wrong
from agents.connector.keys import KeyFile
from agents.connector.managers import FINAL, Manager, Service, manager

# Named by the unit in another way, or no business of a file that stays.
_LEFT_OUT = frozenset({"help", "service", "code", "key", "key_file", "agents", "all"})
# What decides where things are and how the server is reached; the rest of the shell stays in the shell.
_CARRIED = (
    "PATH", "LANG", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "SSL_CERT_FILE",
    "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy", "NO_PROXY", "no_proxy",
)  # fmt: skip


def offer(connect: argparse.ArgumentParser) -> None:
    """The option `--service` of the verb `connect`."""
    connect.add_argument("--service", action="store_true",
                         help="do not connect now, but whenever you are logged in: a systemd user unit, on macOS a "
                         "launchd agent")  # fmt: skip
    connect.set_defaults(parser=connect)


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `service`."""
    verb = verbs.add_parser("service", help="list or remove what `connect --service` has set up")
    what = verb.add_subparsers(dest="what", required=True)
    listing = what.add_parser("list", help="show the services and how they are")
    listing.set_defaults(run=run, act=_list)
    remove = what.add_parser("remove", help="end a service and take it away")
    remove.add_argument("name", nargs="?", default="", metavar="NAME", help="which one, as `service list` calls it")
    remove.set_defaults(run=run, act=_remove)


def run(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """List or remove. Raises Wrong."""
    act: Callable[[argparse.Namespace, Manager], int] = options.act
    return act(options, manager())


def _list(options: argparse.Namespace, keeper: Manager) -> int:
    names = keeper.names()
    for name in names:
        print(f"{name}: {keeper.state(name)} ({keeper.path(name)})")
    if not names:
        print("There is no service here. `clawgroups connect URL --service -- COMMAND` sets one up.")
    return 0


def _remove(options: argparse.Namespace, keeper: Manager) -> int:
    names = keeper.names()
    if options.name not in names and (options.name or len(names) != 1):
        there = f"there are: {', '.join(names)}" if names else "there is none"
        raise Wrong(f"{f'no service is called {options.name}' if options.name else 'say which service'}; {there}")
    name = options.name or names[0]
    try:
        keeper.stop(name)
    except OSError as problem:
        raise Wrong(f"the service {name} cannot be taken away: {problem}") from None
    _forget_copies(keeper)
    print(f"The service {name} is gone. Its key stays on this machine; revoke it on the agent's page if it should not.")
    return 0


def install(options: argparse.Namespace, command: list[str], key: str, console: Console) -> int:
    """Keep the key, write the service and start it if that can be done from here. Raises Wrong."""
    keeper = manager()
    launcher = str(getattr(options, "launcher", ""))
    if not command and not launcher:
        raise Wrong("say which agent the service shall start, by its command after two dashes")
    service = Service(
        name=service_name(options.url, options.name),
        about=f"Claw Groups: {options.name or launcher or Path(command[0]).name} at {checks.web(options.url)}",
        program=[*ourselves(), *arguments(options, command)],
        folder=_folder(),
        variables={name: os.environ[name] for name in _CARRIED if os.environ.get(name)},
    )
    before = keeper.names()
    checks.take_key(options.url, key)
    try:
        KeyFile().remember(wire.socket_address(options.url), options.name, key)
        path = keeper.write(service)
    except OSError as problem:
        raise Wrong(f"the service cannot be written: {problem}") from None
    _forget_copies(keeper)
    other = record.find(options.url, key)
    taken = other if other is not None and other.running and service.name not in before else None
    console.say(f"the service {service.name} is written to {path}")
    by_hand = keeper.start(service.name)
    if by_hand:
        console.say(f"nobody here could be asked to start it; where you are logged in, start it by: {by_hand}")
        return 0
    console.say("it is started, and will be at every login; see `clawgroups status` and `clawgroups logs -f`")
    if taken is not None:
        console.say(f"process {taken.pid} has the agent now: the service takes over once that one has ended")
    if shutil.which("loginctl") and not _lingers():
        console.say("to keep it running while you are logged out: loginctl enable-linger")
    return 0


def _lingers() -> bool:
    return Path("/var/lib/systemd/linger", os.environ.get("USER") or str(os.getuid())).exists()


def service_name(url: str, name: str) -> str:
    """What a service is called: the server, and the agent's name there if it has one."""
    host = checks.web(url).split("://", 1)[1]
    return re.sub(r"[^a-z0-9.]+", "-", f"{host} {name}".lower()).strip("-.")


def arguments(options: argparse.Namespace, command: list[str]) -> list[str]:
    """The command line that connects this agent again, from anywhere: absolute paths, no key and no code."""
    parser: argparse.ArgumentParser = options.parser
    words = ["connect", options.url]
    for action in parser._actions:
        value = getattr(options, action.dest, None)
        if not action.option_strings or action.dest in _LEFT_OUT or value == action.default:
            continue
        option = max(action.option_strings, key=len)
        if action.nargs == 0:
            words.append(option)
            continue
        words += [f"{option}={_word(one)}" for one in (value if isinstance(value, list) else [value])]
    if "--restart" not in words:
        # A service goes on when its agent ends.
        words.append("--restart")
    if launcher := str(getattr(options, "launcher", "")):
        return [*words, "--agent", launcher]
    return [*words, "--", _program(command[0]), *command[1:]]


def _word(value: object) -> str:
    return str(value.expanduser().absolute()) if isinstance(value, Path) else str(value)


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise Wrong(f"there is no program {name} on this machine", NOT_STARTED)
    return str(Path(found).absolute())


def ourselves() -> list[str]:
    """How this very program is started from anywhere; a zipapp is copied to where it stays first. Raises Wrong."""
    package = Path(__file__).absolute().parent
    archive = next((one for one in package.parents if one.is_file() and zipfile.is_zipfile(one)), None)
    if archive is None:
        return [sys.executable, "-m", "agents.connector"]
    try:
        return [sys.executable, str(_lasting(archive))]
    except OSError as problem:
        raise Wrong(f"this program cannot be copied to {_kept_in()}: {problem}") from None


def _kept_in() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "clawgroups"


def _lasting(archive: Path) -> Path:
    """A copy of a zipapp, named by its content: another version beside it goes on undisturbed."""
    content = archive.read_bytes()
    copy = _kept_in() / f"connect-{hashlib.sha256(content).hexdigest()[:12]}.pyz"
    if not copy.exists():
        copy.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = copy.with_name(f".{copy.name}.{os.getpid()}")
        part.write_bytes(content)
        part.replace(copy)
    return copy


def _forget_copies(keeper: Manager) -> None:
    """Take away the zipapps that no service is started from any more."""
    with suppress(OSError):
        told = "".join(keeper.path(name).read_text("utf-8") for name in keeper.names())
        for copy in _kept_in().glob("connect-*.pyz"):
            if copy.name not in told:
                copy.unlink()


def _folder() -> Path:
    """Where it is started: our own source's folder where we are not installed, else the home."""
    source = Path(__file__).absolute().parents[2]
    installed = not source.is_dir() or source.name in ("site-packages", "dist-packages")
    return Path.home() if installed else source


def told(code: int) -> int:
    """The exit code for whoever started us. launchd knows success and failure only, and starts a failure again."""
    return 0 if os.environ.get("CLAWGROUPS_KEPT_BY") == "launchd" and code in FINAL else code
