"""What lets SGLang's wheel, which is built for CUDA, be imported beside a torch for the CPU.

Runs in the model's environment, before anything of SGLang's or transformers' is imported, in each of its processes.
"""

from __future__ import annotations

import importlib.util
import os
import sys
import types
from importlib.machinery import ModuleSpec

ENVIRONMENT = {
    "SGLANG_USE_CPU_ENGINE": "1",
    # The arguments of every tool are held to its schema, not only those of tools that ask for it.
    "SGLANG_TOOL_STRICT_LEVEL": "2",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    # Two threads on two busy cores wait for each other most of the time.
    "OMP_NUM_THREADS": "1",
}
# Operators that torchvision registers at its import, and that its library for CUDA would have brought.
OPERATORS = ("nms", "qnms")
_kept: list[object] = []


class Kernels(types.ModuleType):
    """In place of `sgl_kernel`, which exists for CUDA only: its names are imported, and on this path never called."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)

        def absent(*_given: object, **_named: object) -> None:
            raise NotImplementedError(f"sgl_kernel.{name} does not exist for this CPU")

        return absent


def prepare() -> None:
    """Set what the environment leaves open, and put the stand-ins in their places. Safe to call again."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)
    if importlib.util.find_spec("sgl_kernel") is None:
        module = Kernels("sgl_kernel")
        module.__spec__ = ModuleSpec("sgl_kernel", None, is_package=True)
        module.__path__ = []
        sys.modules["sgl_kernel"] = module
    if "torchvision" not in sys.modules:
        _import_torchvision()


def _import_torchvision() -> None:
    import torch

    try:
        import torchvision
    except RuntimeError:
        # Half of it has been imported by now.
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        library = torch.library.Library("torchvision", "FRAGMENT")
        for operator in OPERATORS:
            library.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        # The operators are gone as soon as the library is.
        _kept.append(library)
        import torchvision
    _kept.append(torchvision)
