# Written by hand: why a question is void, and how many have agreed to one that several must agree to.

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('clawgroups', '0018_approval_rules'),
    ]

    operations = [
        migrations.AddField(
            model_name='approval',
            name='agreed',
            field=models.PositiveSmallIntegerField(default=0),
        ),
        migrations.AddField(
            model_name='approval',
            name='why',
            field=models.CharField(blank=True, max_length=12),
        ),
    ]
