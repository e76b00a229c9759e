import agents.ids
import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0002_engine'),
        ('clawgroups', '0007_critical_path'),
    ]

    operations = [
        migrations.AddField(
            model_name='approval',
            name='kind',
            field=models.CharField(default='permission', max_length=10),
        ),
        migrations.AddField(
            model_name='approval',
            name='answer',
            field=models.TextField(blank=True),
        ),
        migrations.AddField(
            model_name='attempt',
            name='progress',
            field=models.JSONField(blank=True, default=dict),
        ),
        migrations.AddField(
            model_name='session',
            name='tools_used_at',
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name='Memory',
            fields=[
                ('id', models.UUIDField(default=agents.ids.new_id, editable=False, primary_key=True, serialize=False)),
                ('key', models.CharField(max_length=80)),
                ('text', models.TextField()),
                ('actor', models.JSONField()),
                ('kept_at', models.DateTimeField()),
                ('agent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='agents.agent')),
                ('task', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='memories', to='clawgroups.task')),
                ('workspace', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='memories', to='clawgroups.workspace')),
            ],
            options={
                'ordering': ['-kept_at', 'id'],
                'indexes': [models.Index(fields=['workspace', '-kept_at'], name='memory_newest')],
                'constraints': [models.CheckConstraint(condition=Q(('task', None), ('agent', None), _connector='OR'), name='memory_of_one_scope')],
            },
        ),
    ]
