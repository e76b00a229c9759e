"""What notes are found by: FTS5 on SQLite, a GIN index on PostgreSQL.

SQLite drops a table's triggers where a later migration makes the table anew: such a migration has to run `index` again.
"""

from typing import Any

SQLITE = """
CREATE VIRTUAL TABLE IF NOT EXISTS clawgroups_memory_words
USING fts5(words, note UNINDEXED, tokenize = "unicode61 remove_diacritics 0");
DROP TRIGGER IF EXISTS memory_words_in;
DROP TRIGGER IF EXISTS memory_words_out;
DROP TRIGGER IF EXISTS memory_words_anew;
CREATE TRIGGER memory_words_in AFTER INSERT ON clawgroups_memory BEGIN
  INSERT INTO clawgroups_memory_words (words, note) VALUES (new.words, new.id);
END;
CREATE TRIGGER memory_words_out AFTER DELETE ON clawgroups_memory BEGIN
  DELETE FROM clawgroups_memory_words WHERE rowid IN (
    SELECT rowid FROM clawgroups_memory_words WHERE clawgroups_memory_words MATCH '"\ue001' || old.id || '"');
END;
CREATE TRIGGER memory_words_anew AFTER UPDATE OF words ON clawgroups_memory BEGIN
  DELETE FROM clawgroups_memory_words WHERE rowid IN (
    SELECT rowid FROM clawgroups_memory_words WHERE clawgroups_memory_words MATCH '"\ue001' || old.id || '"');
  INSERT INTO clawgroups_memory_words (words, note) VALUES (new.words, new.id);
END;
DELETE FROM clawgroups_memory_words;
INSERT INTO clawgroups_memory_words (words, note) SELECT words, id FROM clawgroups_memory;
"""
POSTGRES = """
CREATE INDEX IF NOT EXISTS memory_by_words
ON clawgroups_memory USING gin (array_to_tsvector(string_to_array(words, ' ')));
"""


def index(apps: Any, schema_editor: Any) -> None:
    """Make what notes are found by, from what stands in the table."""
    connection = schema_editor.connection
    if connection.vendor == "postgresql":
        schema_editor.execute(POSTGRES)
    else:
        # In the transaction that the migration runs in, which `executescript` would commit.
        for statement in _statements(SQLITE):
            schema_editor.execute(statement)


def _statements(script: str) -> list[str]:
    """The statements of a script; a trigger is one, up to its END."""
    found, begun = [], ""
    for line in script.strip().splitlines():
        begun = f"{begun}\n{line}".strip()
        is_whole = line == "END;" if begun.startswith("CREATE TRIGGER") else line.endswith(";")
        if is_whole:
            found.append(begun)
            begun = ""
    return found


def drop(apps: Any, schema_editor: Any) -> None:
    """Take it away again."""
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS memory_by_words")
        return
    for name in ("in", "out", "anew"):
        schema_editor.execute(f"DROP TRIGGER IF EXISTS memory_words_{name}")
    schema_editor.execute("DROP TABLE IF EXISTS clawgroups_memory_words")
