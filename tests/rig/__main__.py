"""`ACP_RIG=FOLDER python -m tests.rig [AGENT ...] [--only CHECK ...] [--keep FOLDER]`: real agents in the product.

FOLDER holds `agents.py`, whose `AGENTS` are their names and whose `run NAME` is that agent on standard input and
output, and `stub_llm.py`, which answers them in place of a model (its address is in STUB_URL) by markers in the
prompt. Starts an installation of its own, lets each agent in by the line that its page shows, gives it tasks by REST,
answers and takes over in a browser as wide as a phone, cuts and kills what has to be cut and killed, prints a table,
and leaves nothing running. Needs Chromium. Not a part of `make test`: the agents are other people's programs.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import runpy
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.chaos.faults import FaultProxy
from tests.rig.checks import CHECKS
from tests.rig.machine import AGENT_FILES, Agent, stub
from tests.rig.person import Person
from tests.rig.trial import NotItsWay, Trial
from tests.run import browser as chromium
from tests.run.servers import free_port
from tests.stories.installation import Installation, installed
from tests.stories.script import Script


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    parser.add_argument("agents", nargs="*", help="default: all of the rig's")
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS), metavar="CHECK")
    parser.add_argument("--keep", type=Path, help="where to leave the agents' folders, pictures, logs, the database")
    return parser.parse_args()


def find_rig() -> Path:
    """The rig's folder. Ends the program in plain words where there is none."""
    given = os.environ.get("ACP_RIG", "")
    missing = [name for name in AGENT_FILES if not (Path(given) / name).is_file()]
    if not given or missing:
        lacks = f"ACP_RIG={given} has no {' and no '.join(missing)}" if given else "ACP_RIG is not set"
        sys.exit(f"{lacks}. It names a folder with agents.py and stub_llm.py; see `claw test-agents --help`.")
    return Path(given).resolve()


@contextlib.contextmanager
def behind_a_line() -> Iterator[tuple[Installation, FaultProxy]]:
    """A product whose own address, in the lines that it hands out, leads over a line that can be cut."""
    port = free_port()
    with (
        FaultProxy(f"http://127.0.0.1:{port}") as way,
        installed(PORT=str(port), CLAWGROUPS_BASE_URL=way.url) as product,
    ):
        yield product, way


@contextlib.contextmanager
def somebody(product: Installation, url: str, shots: Path) -> Iterator[Person]:
    """A person with browsers."""
    shots.mkdir(exist_ok=True)
    found = os.environ.get("CHROMIUM") or chromium.find()
    if found is None:
        sys.exit("There is no Chromium on the PATH, and CHROMIUM names none.")
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=found, args=["--disable-dev-shm-usage"])
        person = Person(product, url, browser, shots)
        try:
            yield person
        finally:
            person.leave()
            browser.close()


def tried(trial: Trial, only: list[str]) -> dict[str, str]:
    """Every check of one agent, with what was seen; what failed begins with FAILED, what does not apply with –."""
    agent, found = trial.agent, dict[str, str]()
    try:
        agent.start()
        for name in only:
            begun = time.monotonic()
            try:
                found[name] = CHECKS[name](trial)
            except NotItsWay as reason:
                found[name] = f"– {reason}"
            except Exception as problem:  # noqa: BLE001 - told in the table; the other checks go on
                found[name] = f"FAILED: {problem}"
                trial.give_up()
            print(f"{agent.name}: {name}: {found[name]} ({time.monotonic() - begun:.0f} s)", flush=True)
    except AssertionError as problem:
        found["joins"] = f"FAILED: {problem}"
        print(f"{agent.name}: joins: {found['joins']}", flush=True)
    finally:
        agent.stop()
    return found


def main() -> int:
    given, rig = arguments(), find_rig()
    known = list(runpy.run_path(str(rig / "agents.py"))["AGENTS"])
    names = given.agents or known
    if unknown := set(names) - set(known):
        sys.exit(f"The rig has no {', '.join(sorted(unknown))}; it has {', '.join(known)}.")
    table: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="claw-agents-") as made:
        folder = given.keep or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        with (
            stub(rig, folder) as answers,
            behind_a_line() as (product, way),
            somebody(product, way.url, folder / "shots") as person,
        ):
            script = Script(product.url, product.token())
            for name in names:
                agent = Agent(name, script, rig, folder / name, answers, person)
                table[name] = tried(Trial(product, way, person, agent), given.only)
            faults = product.faults()
            if given.keep:
                shutil.copytree(product.data / "logs", folder / "logs", dirs_exist_ok=True)
                for file in product.data.glob("*.sqlite3*"):
                    shutil.copy(file, folder)
    print("\n| check | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for check in given.only:
        cells = [table[name].get(check, "not reached").splitlines()[0][:80] for name in names]
        print(f"| {check} | " + " | ".join(cells) + " |")
    failed = sum(cell.startswith("FAILED") for one in table.values() for cell in one.values())
    print("\n".join(["", *faults, f"{failed} failed, {len(faults)} faults in the product's logs"]))
    return 1 if failed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
