"""SGLang's server in the model's environment: `python -m tests.model.serving.serve MODEL PORT [SGLang's flags ...]`.

It starts its processes by `spawn`, which imports this module again in each of them: so the stand-ins reach them all.
"""

from __future__ import annotations

import os
import sys

from agents.llm.serving import FOR_A_COORDINATOR
from tests.model.serving.shim import prepare

prepare()

FLAGS = (
    *("--host", "127.0.0.1", "--device", "cpu", "--attention-backend", "torch_native"),
    *("--sampling-backend", "pytorch", "--grammar-backend", "xgrammar", "--skip-server-warmup"),
    *("--max-total-tokens", "131072", "--max-running-requests", "8"),
)


def main() -> None:
    from sglang.launch_server import run_server
    from sglang.srt.server_args import prepare_server_args
    from sglang.srt.utils import kill_process_tree

    model, port, *more = sys.argv[1:]
    try:
        run_server(prepare_server_args(["--model-path", model, "--port", port, *FLAGS, *FOR_A_COORDINATOR, *more]))
    finally:
        kill_process_tree(os.getpid(), include_parent=False)


if __name__ == "__main__":
    main()
