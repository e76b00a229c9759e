"""A small agent on stdio for the connector's tests; what it does is the text of the prompt. Standard
library only.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any


def tell(frame: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **frame}) + "\n")
    sys.stdout.flush()


def say(text: str) -> None:
    content = {"type": "text", "text": text}
    update = {"sessionUpdate": "agent_message_chunk", "content": content}
    tell({"method": "session/update", "params": {"sessionId": "s1", "update": update}})


def prompt(words: list[str]) -> None:
    if words[0] == "crash":
        sys.stderr.write("Traceback: out of ideas\n")
        sys.stderr.flush()
        os._exit(9)
    elif words[0] == "noise":
        sys.stdout.write("loading...\n\n")
    elif words[0] == "long":
        say("x" * int(words[1]))
    elif words[0] == "bulk":
        for _ in range(int(words[1])):
            say("x" * int(words[2]))
    elif words[0] == "stderr":
        sys.stderr.write("e" * int(words[1]))
    elif words[0] == "environment":
        say(json.dumps(sorted(name for name in os.environ if name.startswith("CLAWGROUPS_"))))
    elif words[0] == "ask":
        ask(" ".join(words[1:]))
    elif words[0] == "offspring":
        # A child of its own that holds the pipes, hears no TERM and would outlive everybody.
        script = "import signal,time;signal.signal(signal.SIGTERM,signal.SIG_IGN);time.sleep(600)"
        child = subprocess.Popen([sys.executable, "-c", script])
        Path(words[1]).write_text(f"{os.getpid()} {child.pid}")


def ask(command: str) -> None:
    """Ask to be allowed to run this, and say what was answered."""
    call = {"toolCallId": "c1", "kind": "execute", "title": "Run it", "rawInput": {"command": command}}
    options = [{"optionId": "yes", "name": "Yes", "kind": "allow_once"}, {"optionId": "no", "kind": "reject_once"}]
    params = {"sessionId": "s1", "toolCall": call, "options": options}
    tell({"id": 0, "method": "session/request_permission", "params": params})
    say(sys.stdin.readline())


def main() -> None:
    for line in sys.stdin:
        frame = json.loads(line)
        if frame.get("method") == "initialize":
            tell({"id": frame["id"], "result": {"protocolVersion": 1, "agentInfo": {"name": "fake"}}})
        elif frame.get("method") == "session/prompt":
            words = frame["params"]["prompt"][0]["text"].split()
            prompt(words)
            more = {"_meta": {"x": "x" * int(words[1])}} if words[0] == "answer" else {}
            tell({"id": frame["id"], "result": {"stopReason": "end_turn", **more}})


main()
