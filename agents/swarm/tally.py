"""What the sub-agents of a process have used and done; a line of JSON for each turn that ends."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from agents.llm.base import Prices, Usage
from agents.llm.reading import added


@dataclass
class Used:
    """Of one turn. `rooms`: how often room was made in its context, `refused`: summaries that were not believed."""

    session: str
    task: str = ""
    kind: str = ""
    began: float = 0.0
    ended: float = 0.0
    end: str = ""
    why: str = ""
    steps: int = 0
    calls: int = 0
    rooms: int = 0
    renewals: int = 0
    refused: int = 0
    mechanical: int = 0
    asked: int = 0
    usage: Usage = field(default_factory=Usage)

    def pays(self, usage: Usage) -> None:
        """One call of the model more."""
        self.asked += 1
        self.usage = added(self.usage, usage)

    def line(self, prices: Prices) -> dict[str, Any]:
        """As it is written down."""
        told = {key: value for key, value in asdict(self).items() if key != "usage"}
        usage = self.usage
        tokens = {"prompt": usage.prompt, "cached": usage.cached, "completion": usage.completion}
        return {**told, **tokens, "micro_usd": usage.micro_usd(prices)}


class Tally:
    """Takes each turn that has ended; with a file, writes it there at once."""

    def __init__(
        self, prices: Prices | None = None, file: Path | None = None, also: Callable[[Used], None] | None = None
    ) -> None:
        self._prices, self._file, self._also = prices or Prices(), file, also
        self.turns = 0

    def ended(self, used: Used) -> None:
        """A turn is over."""
        self.turns += 1
        if self._file is not None:
            with self._file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(used.line(self._prices)) + "\n")
        if self._also is not None:
            self._also(used)
