"""`clawgroups policy`: what the owner's rules would do, before any agent asks."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from agents.connector import policy
from agents.connector.console import Console
from agents.connector.disk import absolute
from agents.connector.exits import Wrong
from agents.connector.owning import policy_file, usual_file
from agents.connector.policy import CHOICES, Policy
from agents.connector.rules import Rule
from agents.policy.paths import Place
from agents.policy.wanted import KINDS

WORDS = {
    "never": "rejected at once",
    "ask-here": "asked on this terminal",
    "ask": "asked in the workspace",
    "allow": "allowed",
}
EXAMPLE = """\
# What agents may do on this machine. The first line of each rule says what is answered:
#   never     rejected at once
#   allow     allowed once, without asking
#   ask-here  asked on the terminal of the connector, then in the workspace
#   ask       asked in the workspace
# `never` wins over `allow`, and `allow` over asking. `clawgroups policy check` says what the rules do.

otherwise = "ask"    # what no rule speaks of
patience = 120       # seconds that a question waits at the terminal

[[rule]]
answer = "never"
path = ["~/.ssh", "~/.gnupg", "~/.aws", ".env", "*.pem", "*.key"]

[[rule]]
answer = "never"
command = ["sudo *", "git push *"]

[[rule]]
answer = "allow"
kind = ["read", "search"]
path = "**"          # in the work directory

[[rule]]
answer = "allow"
kind = "think"

[[rule]]
answer = "allow"
kind = "edit"
path = ["**", "!.git", "!.github"]

[[rule]]
answer = "allow"
command = ["git status", "git diff *", "pytest *", "npm test"]

[[rule]]
answer = "ask-here"
kind = ["execute", "delete"]

# A rule for one agent only, by the name it has here or by its program:
# [[rule]]
# agent = "opencode"
# answer = "ask-here"
# kind = "fetch"
"""
_SAMPLES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("read notes.md", {"kind": "read", "locations": [{"path": "notes.md"}]}),
    ("read /etc/hostname", {"kind": "read", "locations": [{"path": "/etc/hostname"}]}),
    ("read ~/.ssh/id_ed25519", {"kind": "read", "locations": [{"path": "~/.ssh/id_ed25519"}]}),
    ("edit src/main.py", {"kind": "edit", "locations": [{"path": "src/main.py"}]}),
    ("edit ../other/main.py", {"kind": "edit", "locations": [{"path": "../other/main.py"}]}),
    ("delete src/main.py", {"kind": "delete", "locations": [{"path": "src/main.py"}]}),
    ("run: git status", {"kind": "execute", "rawInput": {"command": "git status"}}),
    ("run: git status; rm -rf .", {"kind": "execute", "rawInput": {"command": "git status; rm -rf ."}}),
    ("run: python build.py", {"kind": "execute", "rawInput": {"command": "python build.py"}}),
    ("run: sudo reboot", {"kind": "execute", "rawInput": {"command": "sudo reboot"}}),
    ("fetch a page", {"kind": "fetch", "rawInput": {"url": "https://example.org/"}}),
    ("something without a kind", {"title": "Do it"}),
)


def add(verbs: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """The verb `policy`."""
    top = verbs.add_parser("policy", help="what agents may do on this machine")
    parts = top.add_subparsers(dest="part", required=True)
    check = parts.add_parser("check", help="say what a policy does")
    check.add_argument("file", nargs="?", type=Path, help="default: policy.toml in the settings folder")
    check.add_argument("--agent", default="", metavar="A", help="for an agent of this name or program")
    check.add_argument("--allow", choices=CHOICES, default="ask", help="with this beside the file, as in connect")
    check.add_argument("--dir", type=Path, default=Path(), metavar="D", help="as if D were the work directory")
    check.add_argument("--kind", choices=KINDS, help="what it does to a request of this kind")
    check.add_argument("--path", action="append", default=[], metavar="P", help="... on this path; may be repeated")
    check.add_argument("--command", metavar="C", help="... that runs this command line")
    check.set_defaults(run=run_check)
    parts.add_parser("example", help="print a policy to begin with").set_defaults(run=run_example)


def run_example(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Print the example."""
    sys.stdout.write(EXAMPLE)
    return 0


def run_check(options: argparse.Namespace, command: list[str], console: Console) -> int:
    """Print what the policy does: to what was asked about, else its rules and some samples. Raises Wrong."""
    file = policy_file(options.file)
    rules = Policy.of(file.of(options.agent), options.allow)
    base = absolute(str(options.dir.expanduser().absolute()))
    if base is None:
        raise Wrong(f"{options.dir} is no folder")
    call = _asked(options)
    if call is not None:
        sys.stdout.write(_verdict(rules, call, base) + "\n")
        return 0
    where = options.file or usual_file()
    known = options.file is not None or where.exists()
    sys.stdout.write(f"{where}\n\n" if known else f"There is no {where}; everything is asked in the workspace.\n\n")
    sys.stdout.writelines(f"{line}\n" for line in _explained(rules, base))
    return 0


def _asked(options: argparse.Namespace) -> dict[str, Any] | None:
    if options.kind is None and options.command is None and not options.path:
        return None
    call: dict[str, Any] = {"kind": options.kind or ("execute" if options.command is not None else "other")}
    call["locations"] = [{"path": path} for path in options.path]
    return call | ({} if options.command is None else {"rawInput": {"command": options.command}})


def _verdict(rules: Policy, call: Mapping[str, Any], base: Place) -> str:
    found = policy.judge(rules, call, base)
    why = "no rule speaks of it" if found.rule is None else f"by {found.rule}"
    if found.doubt:
        why += "; a rule would allow it, but a “never” may be meant as well"
    return f"{WORDS[found.answer]} ({why})"


def _explained(rules: Policy, base: Place) -> Iterator[str]:
    for number, rule in enumerate(rules.rules, 1):
        yield f"{number:3}  {_sentence(rule)}"
        yield from (f"     careful: {text}" for text in _cautions(rule))
    yield f"     Everything else: {WORDS[rules.otherwise]}."
    yield f"     The connector's own settings: {WORDS['never']}."
    yield f"\nFor example, for an agent that works in {base.real}:"
    widest = max(len(name) for name, _ in _SAMPLES)
    for name, call in _SAMPLES:
        yield f"  {name:{widest}}  {_verdict(rules, call, base)}"
    yield "\nThe rules judge what an agent says it is about to do. An agent that cannot be trusted to say so needs a"
    yield "user or a container of its own besides."


def _sentence(rule: Rule) -> str:
    said = {key: ", ".join(texts) for key, texts in (rule.said or {}).items()}
    what = f"Commands like {said['command']}" if "command" in said else f"Requests to {said.get('kind', 'do anything')}"
    if "command" in said and "kind" in said:
        what += f" that are to {said['kind']}"
    if "path" in said:
        what += f" on {said['path']}"
    if "agent" in said:
        what += f" by {said['agent']}"
    return f"{what}: {WORDS[rule.answer]}."


def _cautions(rule: Rule) -> Iterator[str]:
    """What its owner may not have meant."""
    if rule.answer == "allow":
        for one in rule.commands:
            if one.runs_anything:
                yield f"“{one.text}” runs whatever its arguments say"
        if not rule.commands and not rule.paths and (not rule.kinds or "execute" in rule.kinds):
            yield "this allows every command"
        elif not rule.paths and not {"edit", "delete", "move"}.isdisjoint(rule.kinds):
            yield 'this allows it everywhere on the machine; path = "**" would keep it to the work directory'
    elif rule.answer == "never" and rule.commands:
        yield "an agent may do the same by another command; what is not clear is asked, and never allowed by a rule"
