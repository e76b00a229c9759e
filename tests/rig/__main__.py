"""`ACP_RIG=FOLDER python -m tests.rig [AGENT ...] [--only CHECK ...] [--keep FOLDER]`: real agents in the product.

FOLDER holds `agents.py`, whose `AGENTS` are their names and whose `run NAME` is that agent on standard input and
output, and `stub_llm.py`, which answers them in place of a model (its address is in STUB_URL) by markers in the
prompt. Starts an installation of its own, gives each agent tasks by REST and by the pages, kills what has to be
killed, prints a table, and leaves nothing running. Not a part of `make test`: the agents are other people's programs.
"""

from __future__ import annotations

import argparse
import os
import runpy
import sys
import tempfile
import time
from pathlib import Path

from tests.rig.checks import CHECKS, Trial
from tests.rig.outfit import AGENT_FILES, Agent, Page, stub
from tests.stories.installation import Installation, installed
from tests.stories.script import Script


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.rig", description=__doc__)
    parser.add_argument("agents", nargs="*", help="default: all of the rig's")
    parser.add_argument("--only", nargs="+", choices=list(CHECKS), default=list(CHECKS), metavar="CHECK")
    parser.add_argument("--keep", type=Path, help="where to leave the agents' folders, logs and what they were told")
    return parser.parse_args()


def find_rig() -> Path:
    """The rig's folder. Ends the program in plain words where there is none."""
    given = os.environ.get("ACP_RIG", "")
    missing = [name for name in AGENT_FILES if not (Path(given) / name).is_file()]
    if not given or missing:
        lacks = f"ACP_RIG={given} has no {' and no '.join(missing)}" if given else "ACP_RIG is not set"
        sys.exit(f"{lacks}. It names a folder with agents.py and stub_llm.py; see `claw test-agents --help`.")
    return Path(given).resolve()


def tried(product: Installation, agent: Agent, page: Page, only: list[str]) -> dict[str, str]:
    """Every check of one agent, with what was seen; what failed begins with FAILED."""
    trial, found = Trial(product, page, agent), {}
    try:
        agent.start()
        for name in only:
            begun = time.monotonic()
            try:
                found[name] = CHECKS[name](trial)
            except Exception as problem:  # noqa: BLE001 - told in the table; the other checks go on
                found[name] = f"FAILED: {problem}"
            print(f"{agent.name}: {name}: {found[name]} ({time.monotonic() - begun:.0f} s)", flush=True)
    except AssertionError as problem:
        found["joins"] = f"FAILED: {problem}"
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
        with stub(rig, folder) as answers, installed() as product:
            script, page = Script(product.url, product.token()), Page(product)
            for name in names:
                agent = Agent(name, script, rig, folder / name, answers)
                table[name] = tried(product, agent, page, given.only)
            faults = product.faults()
    print("\n| check | " + " | ".join(names) + " |\n|---|" + "---|" * len(names))
    for check in given.only:
        cells = [table[name].get(check, "not reached").splitlines()[0][:80] for name in names]
        print(f"| {check} | " + " | ".join(cells) + " |")
    failed = sum(cell.startswith("FAILED") for one in table.values() for cell in one.values())
    print("\n".join(["", *faults, f"{failed} failed, {len(faults)} faults in the product's logs"]))
    return 1 if failed or faults else 0


if __name__ == "__main__":
    sys.exit(main())
