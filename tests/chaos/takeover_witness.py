"""Who held a task, and what was written of it, at every commit: kept by PostgreSQL itself, beside the product's rows.

Triggers note each version of a row with its transaction, and PostgreSQL knows in which order these were committed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from django.db import connection

Json = dict[str, Any]
TABLES = ("task", "attempt", "part", "step", "artifact", "approval", "draft", "entry")
OPEN = ("offered", "working", "submitted")

SETUP = """
CREATE TABLE t21_seen (
    id bigserial PRIMARY KEY, xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    what text NOT NULL, task uuid, attempt uuid, said jsonb NOT NULL
);
CREATE INDEX ON t21_seen (task);
CREATE INDEX ON t21_seen (attempt);
CREATE FUNCTION t21_see() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE said jsonb := to_jsonb(NEW);
BEGIN
    INSERT INTO t21_seen (what, task, attempt, said) VALUES (
        TG_ARGV[0],
        coalesce(said->>'task_id', said->'payload'->>'task_id', CASE TG_ARGV[0] WHEN 'task' THEN said->>'id' END)::uuid,
        coalesce(said->>'attempt_id', CASE TG_ARGV[0] WHEN 'attempt' THEN said->>'id' END)::uuid,
        said
    );
    RETURN NULL;
END $$;
"""
EACH = """CREATE TRIGGER t21 AFTER INSERT OR UPDATE ON clawgroups_{name}
FOR EACH ROW EXECUTE FUNCTION t21_see('{name}')"""
READ = """
SELECT pg_xact_commit_timestamp(xid::xid), xid::text, what, said FROM t21_seen
WHERE task = %s OR attempt IN (SELECT id FROM clawgroups_attempt WHERE task_id = %s)
ORDER BY 1, 2, id
"""


def watch() -> None:
    """From now on everything is noted."""
    with connection.cursor() as cursor:
        cursor.execute(SETUP)
        for name in TABLES:
            cursor.execute(EACH.format(name=name))


@dataclass
class Commit:
    """What one transaction left of a task: the rows that it wrote, and all of them as they stood then."""

    wrote: list[tuple[str, Json]]
    rows: dict[str, dict[str, Json]] = field(default_factory=dict)

    @property
    def task(self) -> Json:
        return next(iter(self.rows["task"].values()))

    @property
    def open_attempts(self) -> list[Json]:
        return [row for row in self.rows.get("attempt", {}).values() if row["state"] in OPEN]

    def entries(self) -> Iterator[Json]:
        return (row for what, row in self.wrote if what == "entry")

    def took_over(self) -> Json | None:
        """The entry of a takeover that was committed here."""
        return next((row for row in self.entries() if row["type"] == "task.taken_over"), None)


def commits(task: str) -> list[Commit]:
    """Everything that was ever committed of a task, in that order."""
    with connection.cursor() as cursor:
        cursor.execute(READ, [task, task])
        seen = [
            (xid, what, json.loads(said) if isinstance(said, str) else said) for _, xid, what, said in cursor.fetchall()
        ]
    found: list[Commit] = []
    rows: dict[str, dict[str, Json]] = {}
    for _, group in groupby(seen, key=lambda one: one[0]):
        wrote = [(what, said) for _, what, said in group]
        for what, said in wrote:
            rows.setdefault(what, {})[str(said["id"])] = said
        found.append(Commit(wrote, {what: dict(known) for what, known in rows.items()}))
    return found
