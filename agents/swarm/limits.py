"""How much a sub-agent may use before the engine ends its turn, makes room in its context or renews its session."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """Of one turn: `steps` (answers of the model), `tokens` (what was read from a cache counts a sixth), `seconds`.

    No progress is: `repeats` times the same calls or words in a row (or the same short round of them), `idle` answers
    in a row without a call, `failing` in a row of which every call failed, `refused` times "done" without a result.
    """

    steps: int = 120
    tokens: int = 2_000_000
    seconds: float = 3600.0
    repeats: int = 3
    idle: int = 5
    failing: int = 8
    refused: int = 4
    # Of a session, in tokens: the model's window, what one answer may take of it, from where on room is made, and how
    # much of the newest exchange then stays word for word.
    window: int = 262_144
    output: int = 16_000
    full: int = 96_000
    keep: int = 16_000
    # A session is renewed at the first of these: so often room was made, so many steps, so many seconds.
    rooms: int = 4
    age_steps: int = 400
    age_seconds: float = 2 * 3600.0
    # Seconds that a model which is away is waited for.
    patience: float = 300.0

    @property
    def room(self) -> int:
        """Tokens of context from which on room is made: never so many that an answer would not fit any more."""
        return max(1, min(self.full, self.window - 2 * self.output))
