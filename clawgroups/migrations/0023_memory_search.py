"""Notes are found by their words, say where they came from, can be struck out, and keep what they once said.

Words are indexed by FTS5 on SQLite and by a GIN index on PostgreSQL. SQLite drops a table's triggers where a later
migration makes the table anew: such a migration has to run `index` again.
"""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import agents.ids
import clawgroups.models.memory
from clawgroups.core.remembering import indexed

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


def begin(apps: Any, schema_editor: Any) -> None:
    """Notes of before get their words, and a first version."""
    memory, version = apps.get_model("clawgroups", "Memory"), apps.get_model("clawgroups", "MemoryVersion")
    for note in memory.objects.iterator():
        first = version.objects.create(
            memory=note, workspace_id=note.workspace_id, what="kept", text=note.text, actor=note.actor, at=note.kept_at
        )
        note.version = first.pk
        note.words = indexed(note.pk, note.workspace_id, note.key, note.text)
        note.save(update_fields=["version", "words"])


class Migration(migrations.Migration):
    dependencies = [
        ("agents", "0007_enrolment"),
        ("clawgroups", "0022_talk"),
    ]

    operations = [
        migrations.AddField(
            model_name="memory",
            name="attempt",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="clawgroups.attempt",
            ),
        ),
        migrations.AddField(
            model_name="memory",
            name="message",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to="clawgroups.message",
            ),
        ),
        migrations.AddField(
            model_name="memory", name="struck_at", field=models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(model_name="memory", name="struck_by", field=models.JSONField(blank=True, null=True)),
        migrations.AddField(
            model_name="memory", name="version", field=models.UUIDField(editable=False, null=True)
        ),
        migrations.AddField(
            model_name="memory",
            name="words",
            field=clawgroups.models.memory.WordsField(default="", editable=False),
        ),
        migrations.CreateModel(
            name="MemoryVersion",
            fields=[
                ("id", models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ("what", models.CharField(max_length=10)),
                ("text", models.TextField()),
                ("actor", models.JSONField()),
                ("at", models.DateTimeField()),
                (
                    "attempt",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="clawgroups.attempt",
                    ),
                ),
                (
                    "memory",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="clawgroups.memory"
                    ),
                ),
                (
                    "message",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="clawgroups.message",
                    ),
                ),
                (
                    "workspace",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.workspace"
                    ),
                ),
            ],
            options={"ordering": ["at", "id"]},
        ),
        migrations.RunPython(begin, migrations.RunPython.noop),
        migrations.RunPython(index, drop),
    ]
