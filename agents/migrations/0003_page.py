import agents.ids
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0002_engine'),
    ]

    operations = [
        migrations.AddField(
            model_name='agent',
            name='version',
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name='skill',
            name='title',
            field=models.CharField(blank=True, max_length=80),
        ),
        migrations.AddField(
            model_name='skill',
            name='tags',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.AddField(
            model_name='skill',
            name='examples',
            field=models.JSONField(blank=True, default=list),
        ),
        migrations.CreateModel(
            name='Announcement',
            fields=[
                ('id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('said', models.JSONField(default=dict)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='announcements', to='agents.agent')),
            ],
            options={
                'ordering': ['-at'],
            },
        ),
        migrations.CreateModel(
            name='BreakerMove',
            fields=[
                ('id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('at', models.DateTimeField()),
                ('state', models.CharField(max_length=12)),
                ('reason', models.CharField(blank=True, max_length=400)),
                ('detail', models.CharField(blank=True, max_length=400)),
                ('actor', models.JSONField(default=dict)),
                ('agent', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='breaker_moves', to='agents.agent')),
            ],
            options={
                'ordering': ['-at'],
            },
        ),
    ]
