import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('agents', '0003_page'),
    ]

    operations = [
        migrations.CreateModel(
            name='Dial',
            fields=[
                ('id', models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ('address', models.CharField(max_length=500)),
                ('secret', models.TextField(blank=True)),
                ('private', models.BooleanField(default=False)),
                ('state', models.CharField(default='waiting', max_length=12)),
                ('said', models.CharField(blank=True, help_text='Why it is not connected.', max_length=300)),
                ('since', models.DateTimeField()),
                ('tries', models.PositiveIntegerField(default=0)),
                ('next_at', models.DateTimeField()),
                ('epoch', models.PositiveIntegerField(default=0)),
                ('process', models.CharField(blank=True, max_length=64)),
                ('until', models.DateTimeField(blank=True, null=True)),
                ('agent', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='dial', to='agents.agent')),
            ],
            options={
                'indexes': [models.Index(condition=models.Q(('state', 'refused'), _negated=True), fields=['next_at'], name='dial_due')],
            },
        ),
    ]
