"""The work directories of one agent's sessions: found by the agent's names of them, kept by the server's."""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from agents.connector.files import Store, in_thread
from agents.connector.ledger import id_key
from agents.connector.workdir import PATCH, Workdir
from agents.connector.workplace import Workplace
from agents.connector.worktree import FILES
from agents.protocol import version

Frame = dict[str, Any]


def taken_out(frame: Frame) -> Frame | None:
    """What a request that opens a session says of its files, which is for us: an agent that needs tools gets its own
    key."""
    params = frame.get("params")
    meta = params.get("_meta") if isinstance(params, dict) else None
    ours = meta.get(version.META_KEY) if isinstance(meta, dict) else None
    if not isinstance(params, dict) or not isinstance(meta, dict) or not isinstance(ours, dict):
        return None
    del meta[version.META_KEY]
    if not meta:
        del params["_meta"]
    return ours


@dataclass
class Folders:
    """Which session works where. `say` gets what stays behind when one is over, for the person at the machine."""

    place: Workplace
    say: Callable[[str], None]
    _kept: dict[str, Workdir] = field(default_factory=dict)
    _opening: dict[str, Workdir] = field(default_factory=dict)
    _of: dict[str, Workdir] = field(default_factory=dict)

    async def make(self, ours: Frame) -> Workdir:
        """The folder of a session that is to be opened. Raises KeyError, BadName or NoPlace."""
        session, store = str(ours["session"]), Store(str(ours["files"]), str(ours["key"]))
        if session in self._kept:
            self._kept[session].store = store
        else:
            task = str(ours.get("task") or "")
            self._kept[session] = await in_thread(lambda: self.place.open(session, task, store))
        return self._kept[session]

    def asked(self, session: str, frame_id: Any, workdir: Workdir) -> None:
        """A session is asked to be opened in this folder; `session` is empty where the agent is to name it."""
        if session:
            self._of[session] = workdir
        else:
            self._opening[id_key(frame_id)] = workdir

    def answered(self, frame: Frame) -> None:
        """The agent answers a request, maybe with the name of a session that was asked for."""
        workdir = self._opening.pop(id_key(frame["id"]), None)
        result = frame.get("result")
        if workdir is not None and isinstance(result, dict) and isinstance(result.get("sessionId"), str):
            self._of[result["sessionId"]] = workdir

    def say_where(self, session: str | None, frame: Frame) -> bool:
        """Put into the answer to a request that opened a session where it works; False where that is not ours to say.

        The workspace's rules go by it, so that nothing an agent says of it itself counts.
        """
        result = frame.get("result")
        if not isinstance(result, dict):
            return False
        workdir = self.of(session or str(result.get("sessionId")))
        meta = _object(result.get("_meta"))
        ours = _object(meta.get(version.META_KEY))
        if workdir is None and version.META_CWD not in ours:
            return False
        told = {key: value for key, value in ours.items() if key != version.META_CWD}
        if workdir is not None:
            told[version.META_CWD] = str(workdir.cwd)
        result["_meta"] = {**meta, version.META_KEY: told}
        return True

    def of(self, session: str | None) -> Workdir | None:
        """Where a session works, if that is ours to know."""
        return self._of.get(session or "")

    def for_prompt(self, session: str, frame: Frame) -> Workdir | None:
        """Where a session works whose files are to be here before this prompt."""
        workdir = self._of.get(session)
        return None if workdir is None or (workdir.tree is None and _brings_nothing(frame)) else workdir

    async def leave(self, session: str | None) -> None:
        """A session is over for good."""
        workdir = self._of.pop(session or "", None)
        if workdir is None or any(one is workdir for one in self._of.values()):
            return
        self._kept = {name: one for name, one in self._kept.items() if one is not workdir}
        left = await in_thread(lambda: self.place.close(workdir))
        if left is not None:
            self.say(f"left from a task: {left}")

    def release(self) -> None:
        """The agent has ended: whoever comes next may have its folders."""
        for workdir in self._kept.values():
            workdir.leave()


def addressed(workdir: Workdir, frame: Frame) -> bytes | None:
    """A prompt as an agent in a worktree needs it: where the task's files lie, and what becomes of its changes."""
    params = frame.get("params")
    blocks = params.get("prompt") if isinstance(params, dict) else None
    if workdir.tree is None or not isinstance(blocks, list):
        return None
    for block in blocks:
        if isinstance(block, dict) and block.get("type") == "resource_link" and _is_relative(block.get("uri")):
            block["uri"] = f"{FILES}/{block['uri']}"
    blocks.append({"type": "text", "text": _WORDS.format(name=workdir.tree.repository.name, tree=workdir.tree)})
    return json.dumps(frame, separators=(",", ":")).encode()


def _object(value: object) -> Frame:
    return value if isinstance(value, dict) else {}


_WORDS = (
    "You work in a git worktree of the repository {name}, on the branch {tree.record.branch} that is yours alone."
    f" The files of the task lie in the folder {FILES}/, which git ignores; leave results there that do not belong to"
    f" the repository. What you change in the repository, committed or not, is delivered by itself when your turn ends:"
    f" the changed files and all changes as {PATCH}."
)


def _is_relative(uri: object) -> bool:
    return isinstance(uri, str) and bool(uri) and not uri.startswith("/") and not urllib.parse.urlsplit(uri).scheme


def _brings_nothing(frame: Frame) -> bool:
    """Whether the server says that no file goes with this prompt, so that there is nothing to ask for."""
    found: object = frame
    for name in ("params", "_meta", version.META_KEY, "files"):
        found = found.get(name) if isinstance(found, dict) else None
    return found == 0
