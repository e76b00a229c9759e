"""Our connections to PostgreSQL."""

from __future__ import annotations

from typing import Any

import psycopg

KEPT = 300  # statements: a process asks about two hundred different ones


class Connection(psycopg.Connection[Any]):
    """Keeps more statements prepared than psycopg's hundred, which would drive each other out."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.prepared_max = KEPT
