"""Finds out what the owner of this machine has decided: their policy file, and what the command line adds to it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from agents.connector.asking import Person
from agents.connector.deciding import Owner
from agents.connector.exits import Wrong
from agents.connector.keys import config_dir
from agents.connector.policy import Policy
from agents.connector.rules import BadPolicy, PolicyFile, read_file


def usual_file() -> Path:
    """Where a policy is that nobody named."""
    return config_dir() / "policy.toml"


def policy_file(named: Path | None) -> PolicyFile:
    """The file that was named, else the usual one if there is one. Raises Wrong: a policy is never left out quietly."""
    path = named or usual_file()
    try:
        if named is None and not path.exists():
            return PolicyFile()
        return read_file(path)
    except (BadPolicy, OSError) as problem:
        raise Wrong(f"{problem}. `clawgroups policy check` says what a policy does") from None


def owner_of(
    named: Path | None, allow: str, names: Sequence[str], person: Person | None = None, *, scale: float = 1.0
) -> Owner:
    """The owner, as far as an agent that goes by these names is concerned. Raises Wrong."""
    policy = Policy.of(policy_file(named).of(*names), allow)
    return Owner(policy, person, policy.patience * scale)
