from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clawgroups", "0014_writer_marks")]

    operations = [
        migrations.RemoveConstraint(model_name="artifact", name="one_final_revision"),
        migrations.AddConstraint(
            model_name="artifact",
            constraint=models.UniqueConstraint(
                condition=models.Q(("pinned_at__isnull", False)), fields=("task", "name"), name="one_final_revision"
            ),
        ),
        migrations.AddConstraint(
            model_name="artifact",
            constraint=models.UniqueConstraint(
                condition=models.Q(("pinned_at__isnull", False), ("task__isnull", True)),
                fields=("run", "name"),
                name="one_final_revision_of_run",
            ),
        ),
    ]
