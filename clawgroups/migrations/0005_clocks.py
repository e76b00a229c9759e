from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('clawgroups', '0004_turn_crashes'),
    ]

    operations = [
        migrations.AddField(
            model_name='attempt',
            name='back_by',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddIndex(
            model_name='attempt',
            index=models.Index(fields=['ended_at'], condition=Q(('stop__in', ['asked', 'unconfirmed'])), name='attempt_stopping'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['close_by'], condition=Q(('state__in', ['done', 'failed', 'cancelled']), _negated=True), name='task_open_close_by'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['resting_since'], condition=Q(('resting_since__isnull', False)), name='task_resting'),
        ),
        migrations.AddIndex(
            model_name='task',
            index=models.Index(fields=['run'], condition=Q(('blocked_on', 'person'), ('resting_since__isnull', True)), name='task_unrested'),
        ),
        migrations.AddIndex(
            model_name='run',
            index=models.Index(fields=['deadline_at'], condition=Q(('state__in', ['planning', 'running', 'consolidating'])), name='run_open_deadline'),
        ),
    ]
