"""Stands in for SGLang's server where only its life matters: answers /health, and has started a process of its own.

Run as `python small_model_server.py HOW PORT [flags ...]`; HOW is "runs", "alone" (it starts nothing), or "fails": it
ends at once with a line, as a server without room does.
"""

from __future__ import annotations

import http.server
import subprocess
import sys


class Well(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'counted{kind="a"} 2.0\ncounted{kind="b"} 3.0\ncounted_more 7.0\n')


def main() -> None:
    how, port = sys.argv[1:3]
    if how == "fails":
        sys.exit("There is no room for the model.")
    if how == "runs":
        subprocess.Popen([sys.executable, "-c", "import signal; signal.pause()"])
    http.server.ThreadingHTTPServer(("127.0.0.1", int(port)), Well).serve_forever()


if __name__ == "__main__":
    main()
