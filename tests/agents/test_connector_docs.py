"""`docs/connector.md` names every verb, option and exit code that there is."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from agents.connector import exits
from agents.connector.cli import parser

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "connector.md").read_text("utf-8")


def verbs() -> dict[str, argparse.ArgumentParser]:
    (found,) = (one for one in parser()._actions if isinstance(one, argparse._SubParsersAction))
    return dict(found.choices)


def test_every_verb_is_named() -> None:
    assert [verb for verb in verbs() if f"| `{verb}" not in TEXT] == []


def test_every_option_of_connect_and_doctor_is_named() -> None:
    options = {
        max(action.option_strings, key=len)
        for verb in ("connect", "doctor")
        for action in verbs()[verb]._actions
        if action.option_strings and action.dest != "help"
    }
    assert [option for option in sorted(options) if not re.search(rf"{option}\b", TEXT)] == []


def test_every_exit_code_is_in_the_table() -> None:
    told = {name: int(code) for code, name in re.findall(r"^\| (\d+) \| `([A-Z_]+)` \|", TEXT, re.MULTILINE)}
    assert told == {name: value for name, value in vars(exits).items() if name.isupper()}
