from django.db import migrations, models
from django.db.models import CASCADE

# Another index begins with each of these keys. PostgreSQL took the wrong one where its statistics were old, read what
# followed row by row, and kept both with every write. (Not for the attempts of a task: Django would take the constraint
# that only one of them is open for the index of the key, and drop it, too.)
KEYS = (
    ("artifact", "run", "artifacts", "clawgroups.run"),
    ("dependency", "task", "dependencies", "clawgroups.task"),
    ("entry", "workspace", "journal", "clawgroups.workspace"),
    ("member", "workspace", "members", "clawgroups.workspace"),
    ("message", "workspace", "messages", "clawgroups.workspace"),
    ("session", "agent", "+", "agents.agent"),
    ("task", "run", "tasks", "clawgroups.run"),
)


class Migration(migrations.Migration):
    dependencies = [("agents", "0007_enrolment"), ("clawgroups", "0029_closed_workspaces")]

    operations = [
        migrations.AlterField(
            model_name=model,
            name=name,
            field=models.ForeignKey(db_index=False, on_delete=CASCADE, related_name=related, to=to),
        )
        for model, name, related, to in KEYS
    ]
    operations += [
        migrations.AddIndex("task", models.Index(fields=["run"], condition=condition, name=name))
        for name, condition in (
            ("task_paused", ~models.Q(paused="")),
            ("task_waiting_told", models.Q(state="waiting") & ~models.Q(reason="")),
        )
    ]
