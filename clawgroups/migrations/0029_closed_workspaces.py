from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("clawgroups", "0028_token_scopes")]

    operations = [
        migrations.AddField(
            model_name="workspace",
            name="closed_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
    ]
