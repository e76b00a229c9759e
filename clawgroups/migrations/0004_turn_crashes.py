from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clawgroups', '0003_engine'),
    ]

    operations = [
        migrations.AddField(
            model_name='run',
            name='turn_crashes',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='run',
            name='turn_step',
            field=models.CharField(blank=True, max_length=64),
        ),
    ]
