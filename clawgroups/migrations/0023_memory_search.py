"""Notes are found by their words, say where they came from, can be struck out, and keep what they once said."""

from typing import Any

import django.db.models.deletion
from django.db import migrations, models

import agents.ids
import clawgroups.models.memory
from clawgroups.core.remembering import indexed
from clawgroups.migrations._memory_words import drop, index


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
        migrations.RunPython(begin, migrations.RunPython.noop, elidable=True),
        migrations.RunPython(index, drop),
    ]
