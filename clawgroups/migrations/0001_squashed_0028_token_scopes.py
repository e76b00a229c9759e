"""All of 0001 to 0028 in one step, for a new installation; one that has them already takes it as done."""

import clawgroups.migrations._memory_words
import agents.ids
import clawgroups.models.memory
import django.db.models.deletion
from django.conf import settings
from clawgroups.migrations._together import Together
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("clawgroups", "0001_initial"),
        ("clawgroups", "0002_leases"),
        ("clawgroups", "0003_engine"),
        ("clawgroups", "0004_turn_crashes"),
        ("clawgroups", "0005_clocks"),
        ("clawgroups", "0006_turn_steps"),
        ("clawgroups", "0007_critical_path"),
        ("clawgroups", "0008_memory"),
        ("clawgroups", "0009_sessions_told"),
        ("clawgroups", "0010_coordination"),
        ("clawgroups", "0011_plans"),
        ("clawgroups", "0012_hands"),
        ("clawgroups", "0013_talk"),
        ("clawgroups", "0014_writer_marks"),
        ("clawgroups", "0015_final_within_task"),
        ("clawgroups", "0016_audit"),
        ("clawgroups", "0017_asked"),
        ("clawgroups", "0018_approval_rules"),
        ("clawgroups", "0019_approval_why"),
        ("clawgroups", "0020_oversteps"),
        ("clawgroups", "0021_critical_rules"),
        ("clawgroups", "0022_talk"),
        ("clawgroups", "0023_memory_search"),
        ("clawgroups", "0024_invitations"),
        ("clawgroups", "0025_seen_rules"),
        ("clawgroups", "0026_preferences"),
        ("clawgroups", "0027_panel"),
        ("clawgroups", "0028_token_scopes"),
    ]

    initial = True

    dependencies = [
        ("agents", "0007_enrolment"),
        ("auth", "0012_alter_user_first_name_max_length"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        Together(
            [
                migrations.CreateModel(
                    name="AuditHead",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("number", models.PositiveBigIntegerField(default=0)),
                        ("digest", models.CharField(blank=True, max_length=64)),
                    ],
                ),
                migrations.CreateModel(
                    name="Lease",
                    fields=[
                        ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                        ("owner", models.CharField(max_length=64)),
                        ("until", models.DateTimeField()),
                        ("done_at", models.DateTimeField(blank=True, null=True)),
                        ("detail", models.JSONField(blank=True, default=dict)),
                    ],
                ),
                migrations.CreateModel(
                    name="ModelServer",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("provider", models.CharField(max_length=20)),
                        ("url", models.CharField(max_length=500)),
                        ("model", models.CharField(max_length=200)),
                        ("secret", models.TextField(blank=True)),
                        ("position", models.PositiveSmallIntegerField(default=0)),
                        ("enabled", models.BooleanField(default=True)),
                        ("from_environment", models.BooleanField(default=False)),
                        (
                            "mode",
                            models.CharField(
                                blank=True, help_text="Of calls whose workspace names none.", max_length=20
                            ),
                        ),
                        ("concurrency", models.PositiveSmallIntegerField(default=4)),
                        (
                            "prices",
                            models.JSONField(
                                blank=True, default=dict, help_text="USD per million tokens: miss, hit, out."
                            ),
                        ),
                        (
                            "timeouts",
                            models.JSONField(
                                blank=True, default=dict, help_text="Seconds, as in agents.llm.base.Timeouts."
                            ),
                        ),
                        (
                            "extra",
                            models.JSONField(
                                blank=True, default=dict, help_text="What else goes into the body of each request."
                            ),
                        ),
                        ("breaker", models.CharField(default="closed", max_length=12)),
                        ("breaker_until", models.DateTimeField(blank=True, null=True)),
                        ("health", models.JSONField(blank=True, default=dict)),
                        ("checked", models.JSONField(blank=True, default=dict)),
                        ("checked_at", models.DateTimeField(blank=True, null=True)),
                        ("created_at", models.DateTimeField()),
                    ],
                    options={
                        "ordering": ["position", "created_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Operation",
                    fields=[
                        ("key", models.CharField(max_length=300, primary_key=True, serialize=False)),
                        ("verb", models.CharField(max_length=60)),
                        ("digest", models.CharField(blank=True, max_length=64)),
                        ("answer", models.JSONField()),
                        ("at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="Seen",
                    fields=[
                        (
                            "user",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                primary_key=True,
                                related_name="+",
                                serialize=False,
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        ("seen_at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="WriterMark",
                    fields=[
                        ("id", models.UUIDField(primary_key=True, serialize=False)),
                        ("number", models.PositiveBigIntegerField()),
                        ("at", models.DateTimeField()),
                    ],
                ),
                migrations.CreateModel(
                    name="AccessToken",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("public_id", models.CharField(max_length=16, unique=True)),
                        ("digest", models.CharField(editable=False, max_length=64)),
                        ("scopes", models.JSONField(blank=True, default=list)),
                        ("created_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        ("last_used_at", models.DateTimeField(blank=True, null=True)),
                        ("last_used_from", models.GenericIPAddressField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="access_tokens",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="AuditRow",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("chain", models.UUIDField(editable=False)),
                        ("number", models.PositiveBigIntegerField()),
                        ("at", models.DateTimeField()),
                        ("action", models.CharField(max_length=60)),
                        ("who", models.CharField(blank=True, max_length=200)),
                        ("told", models.TextField()),
                        ("digest", models.CharField(max_length=64)),
                    ],
                    options={
                        "ordering": ["chain", "number"],
                        "constraints": [models.UniqueConstraint(fields=("chain", "number"), name="audit_is_ordered")],
                    },
                ),
                migrations.CreateModel(
                    name="LoginLink",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                        ("created_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("used_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Member",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=80)),
                        ("handle", models.CharField(max_length=150)),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("admin", "Admin"),
                                    ("member", "Member"),
                                    ("guest", "Guest"),
                                    ("agent", "Agent"),
                                ],
                                max_length=8,
                            ),
                        ),
                        ("auth_version", models.PositiveIntegerField(default=1)),
                        ("muted_at", models.DateTimeField(blank=True, null=True)),
                        ("skills", models.JSONField(blank=True, default=dict)),
                        ("hours", models.JSONField(blank=True, default=dict)),
                        ("capacity", models.PositiveSmallIntegerField(default=0)),
                        ("joined_at", models.DateTimeField()),
                        ("left_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="seats",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "user",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="seats",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["joined_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Attempt",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveSmallIntegerField()),
                        ("epoch", models.PositiveIntegerField()),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("offered", "Offered"),
                                    ("working", "Working"),
                                    ("submitted", "Submitted"),
                                    ("accepted", "Accepted"),
                                    ("returned", "Returned"),
                                    ("cancelled", "Cancelled"),
                                    ("expired", "Expired"),
                                    ("refused", "Refused"),
                                    ("superseded", "Superseded"),
                                ],
                                max_length=10,
                            ),
                        ),
                        (
                            "contact",
                            models.CharField(
                                choices=[("live", "live"), ("lost", "lost")], default="live", max_length=4
                            ),
                        ),
                        (
                            "stop",
                            models.CharField(
                                choices=[
                                    ("none", "none"),
                                    ("asked", "asked"),
                                    ("done", "done"),
                                    ("unconfirmed", "unconfirmed"),
                                ],
                                default="none",
                                max_length=12,
                            ),
                        ),
                        ("brief", models.JSONField(default=dict)),
                        ("rules_version", models.PositiveIntegerField(default=0)),
                        ("acknowledgement", models.TextField(blank=True)),
                        ("result", models.TextField(blank=True)),
                        ("late_result", models.TextField(blank=True)),
                        ("late_at", models.DateTimeField(blank=True, null=True)),
                        ("reason", models.TextField(blank=True)),
                        ("failure", models.CharField(blank=True, max_length=20)),
                        ("verdicts", models.JSONField(blank=True, default=list)),
                        ("plan", models.JSONField(blank=True, default=list)),
                        ("progress", models.JSONField(blank=True, default=dict)),
                        ("offered_at", models.DateTimeField()),
                        ("begun_at", models.DateTimeField(blank=True, null=True)),
                        ("progress_at", models.DateTimeField(blank=True, null=True)),
                        ("quiet_since", models.DateTimeField(blank=True, null=True)),
                        ("repeats", models.PositiveIntegerField(default=0)),
                        ("asked", models.PositiveIntegerField(default=0)),
                        ("start_by", models.DateTimeField(blank=True, null=True)),
                        ("close_by", models.DateTimeField(blank=True, null=True)),
                        ("back_by", models.DateTimeField(blank=True, null=True)),
                        ("submitted_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "adopted_from",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="adopted_as",
                                to="clawgroups.attempt",
                            ),
                        ),
                        (
                            "member",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="attempts",
                                to="clawgroups.member",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["task", "number"],
                    },
                ),
                migrations.CreateModel(
                    name="Message",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("actor", models.JSONField()),
                        ("body", models.TextField()),
                        ("created_at", models.DateTimeField()),
                        ("edited_at", models.DateTimeField(blank=True, null=True)),
                        ("removed_at", models.DateTimeField(blank=True, null=True)),
                        ("turn", models.PositiveSmallIntegerField(default=0)),
                        ("held_up", models.JSONField(blank=True, default=dict)),
                        ("heard", models.JSONField(blank=True, default=dict)),
                        (
                            "member",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="messages",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "reply_to",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="replies",
                                to="clawgroups.message",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Notifying",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("browser", models.BooleanField(default=True)),
                        ("mail", models.BooleanField(default=True)),
                        ("mail_after", models.PositiveIntegerField(default=60)),
                        ("quiet", models.JSONField(blank=True, default=dict)),
                        (
                            "user",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="notifying",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Part",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("ordinal", models.PositiveIntegerField()),
                        ("kind", models.CharField(max_length=10)),
                        ("text", models.TextField(default="")),
                        ("after_stop", models.BooleanField(default=False)),
                        ("at", models.DateTimeField()),
                        (
                            "attempt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="parts",
                                to="clawgroups.attempt",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["attempt", "ordinal"],
                    },
                ),
                migrations.CreateModel(
                    name="Preferences",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("language", models.CharField(blank=True, max_length=16)),
                        ("zone", models.CharField(blank=True, max_length=60)),
                        (
                            "user",
                            models.OneToOneField(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="preferences",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Run",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("goal", models.TextField()),
                        ("kind", models.CharField(default="goal", max_length=5)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("draft", "Draft"),
                                    ("planning", "Planning"),
                                    ("proposed", "Proposed"),
                                    ("running", "Running"),
                                    ("consolidating", "Consolidating"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                ],
                                max_length=14,
                            ),
                        ),
                        ("paused", models.BooleanField(default=False)),
                        ("created_at", models.DateTimeField()),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        ("deadline_at", models.DateTimeField(blank=True, null=True)),
                        ("planner", models.CharField(blank=True, max_length=60)),
                        ("rationale", models.TextField(blank=True)),
                        ("reason", models.TextField(blank=True, help_text="Why it failed, or what it waits for.")),
                        ("start_when_planned", models.BooleanField(default=False)),
                        ("question", models.TextField(blank=True)),
                        ("answers", models.JSONField(blank=True, default=list)),
                        ("plan_version", models.PositiveIntegerField(default=0)),
                        ("forecast", models.JSONField(blank=True, default=dict)),
                        ("replan", models.JSONField(blank=True, default=dict)),
                        ("budget", models.JSONField(blank=True, default=dict)),
                        ("spent_tokens", models.PositiveBigIntegerField(default=0)),
                        ("spent_micro", models.PositiveBigIntegerField(default=0)),
                        ("spent_steps", models.PositiveBigIntegerField(default=0)),
                        ("budget_warned", models.CharField(blank=True, max_length=200)),
                        ("budget_stop", models.CharField(blank=True, max_length=200)),
                        ("fallback", models.CharField(blank=True, max_length=300)),
                        ("open_tasks", models.PositiveIntegerField(default=0)),
                        ("path_length", models.PositiveIntegerField(default=0)),
                        ("worked_ms", models.PositiveBigIntegerField(default=0)),
                        ("retries", models.PositiveIntegerField(default=0)),
                        ("wanted", models.PositiveBigIntegerField(default=0)),
                        ("turned", models.PositiveBigIntegerField(default=0)),
                        ("turn_owner", models.CharField(blank=True, max_length=64)),
                        ("turn_until", models.DateTimeField(blank=True, null=True)),
                        ("turn_crashes", models.PositiveSmallIntegerField(default=0)),
                        ("turn_step", models.TextField(blank=True)),
                        (
                            "asked_in",
                            models.ForeignKey(
                                blank=True,
                                editable=False,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="talks",
                                to="clawgroups.message",
                            ),
                        ),
                        (
                            "created_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-created_at"],
                    },
                ),
                migrations.AddField(
                    model_name="message",
                    name="run",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="messages",
                        to="clawgroups.run",
                    ),
                ),
                migrations.CreateModel(
                    name="Setting",
                    fields=[
                        ("name", models.CharField(max_length=40, primary_key=True, serialize=False)),
                        ("value", models.JSONField(null=True)),
                        ("set_at", models.DateTimeField()),
                        (
                            "set_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Step",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("ordinal", models.PositiveIntegerField()),
                        ("tool_call_id", models.CharField(max_length=200)),
                        ("title", models.CharField(blank=True, max_length=300)),
                        ("kind", models.CharField(blank=True, max_length=20)),
                        ("status", models.CharField(default="pending", max_length=12)),
                        ("detail", models.JSONField(default=dict)),
                        ("started_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "attempt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="steps",
                                to="clawgroups.attempt",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["attempt", "ordinal"],
                    },
                ),
                migrations.CreateModel(
                    name="Task",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("key", models.CharField(max_length=60)),
                        ("position", models.PositiveIntegerField()),
                        (
                            "level",
                            models.PositiveIntegerField(
                                default=0, help_text="Longest path from a task without dependencies."
                            ),
                        ),
                        (
                            "bottom_level",
                            models.PositiveIntegerField(
                                default=1,
                                help_text="Longest path from it to a task that nothing depends on, itself counted.",
                            ),
                        ),
                        ("title", models.CharField(max_length=200)),
                        ("instructions", models.TextField(blank=True)),
                        ("kind", models.CharField(blank=True, max_length=40)),
                        ("skills", models.JSONField(default=list)),
                        ("acceptance", models.JSONField(default=list)),
                        (
                            "state",
                            models.CharField(
                                choices=[
                                    ("waiting", "Waiting"),
                                    ("ready", "Ready"),
                                    ("assigned", "Assigned"),
                                    ("working", "Working"),
                                    ("in_review", "In_Review"),
                                    ("held", "Held"),
                                    ("stuck", "Stuck"),
                                    ("done", "Done"),
                                    ("failed", "Failed"),
                                    ("cancelled", "Cancelled"),
                                ],
                                max_length=10,
                            ),
                        ),
                        ("epoch", models.PositiveIntegerField(default=0)),
                        ("waiting_on", models.PositiveIntegerField(default=0)),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        ("blocked_on", models.CharField(blank=True, max_length=12)),
                        ("next_actor", models.CharField(blank=True, max_length=120)),
                        ("deadline_at", models.DateTimeField(blank=True, null=True)),
                        ("deadline_effect", models.CharField(blank=True, max_length=200)),
                        ("close_by", models.DateTimeField(blank=True, null=True)),
                        ("resting_since", models.DateTimeField(blank=True, null=True)),
                        ("reason", models.TextField(blank=True)),
                        ("failure", models.CharField(blank=True, max_length=20)),
                        ("regenerated", models.PositiveSmallIntegerField(default=0)),
                        ("proposal", models.JSONField(blank=True, default=dict)),
                        (
                            "minutes",
                            models.PositiveIntegerField(default=0, help_text="Estimate of the work; 0: none was made."),
                        ),
                        ("output", models.CharField(blank=True, max_length=40)),
                        ("match", models.JSONField(blank=True, default=dict)),
                        ("brief", models.JSONField(blank=True, default=dict)),
                        ("not_before", models.DateTimeField(blank=True, null=True)),
                        ("paused", models.CharField(blank=True, max_length=120)),
                        ("created_at", models.DateTimeField()),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "assignee",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
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
                            "holder",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "proposed",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="tasks", to="clawgroups.run"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["run", "position"],
                    },
                ),
                migrations.AddField(
                    model_name="message",
                    name="task",
                    field=models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="messages",
                        to="clawgroups.task",
                    ),
                ),
                migrations.CreateModel(
                    name="Memory",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("key", models.CharField(max_length=80)),
                        ("text", models.TextField()),
                        ("words", clawgroups.models.memory.WordsField(default="", editable=False)),
                        ("actor", models.JSONField()),
                        ("kept_at", models.DateTimeField()),
                        ("version", models.UUIDField(editable=False, null=True)),
                        ("struck_at", models.DateTimeField(blank=True, null=True)),
                        ("struck_by", models.JSONField(blank=True, null=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
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
                            "task",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="memories",
                                to="clawgroups.task",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-kept_at", "id"],
                    },
                ),
                migrations.AddField(
                    model_name="attempt",
                    name="task",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="attempts", to="clawgroups.task"
                    ),
                ),
                migrations.CreateModel(
                    name="Workspace",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("name", models.CharField(max_length=120)),
                        ("goal", models.TextField(blank=True)),
                        ("rules", models.TextField(blank=True)),
                        ("rules_version", models.PositiveIntegerField(default=1)),
                        ("created_at", models.DateTimeField()),
                        ("generation", models.PositiveIntegerField(default=1)),
                        ("head", models.PositiveBigIntegerField(default=0)),
                        ("reacted", models.PositiveBigIntegerField(default=0)),
                        ("timers", models.JSONField(blank=True, default=dict)),
                        ("coordination", models.JSONField(blank=True, default=dict)),
                        (
                            "created_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Watch",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("seen_at", models.DateTimeField()),
                        (
                            "member",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="watches",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.workspace"
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Usage",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("day", models.DateField()),
                        ("calls", models.PositiveIntegerField(default=0)),
                        ("steps", models.PositiveIntegerField(default=0)),
                        ("prompt_tokens", models.PositiveBigIntegerField(default=0)),
                        ("cached_tokens", models.PositiveBigIntegerField(default=0)),
                        ("completion_tokens", models.PositiveBigIntegerField(default=0)),
                        ("reasoning_tokens", models.PositiveBigIntegerField(default=0)),
                        ("cost_micro", models.PositiveBigIntegerField(default=0)),
                        (
                            "agent",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="usage",
                                to="clawgroups.run",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="usage",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "usage",
                        "ordering": ["-day", "id"],
                    },
                ),
                migrations.AddField(
                    model_name="task",
                    name="workspace",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="tasks", to="clawgroups.workspace"
                    ),
                ),
                migrations.CreateModel(
                    name="Share",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                        ("made_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "made_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="shares", to="clawgroups.run"
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="shares",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-made_at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Session",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("link", models.UUIDField(blank=True, null=True)),
                        ("acp_id", models.CharField(blank=True, max_length=200)),
                        ("public_id", models.CharField(max_length=16, unique=True)),
                        ("digest", models.CharField(editable=False, max_length=64)),
                        ("state", models.CharField(default="opening", max_length=8)),
                        ("told", models.JSONField(blank=True, default=dict)),
                        ("opened_at", models.DateTimeField()),
                        ("closed_at", models.DateTimeField(blank=True, null=True)),
                        ("tools_used_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="agents.agent"
                            ),
                        ),
                        (
                            "attempt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sessions",
                                to="clawgroups.attempt",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="sessions",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.workspace"
                            ),
                        ),
                    ],
                ),
                migrations.AddField(
                    model_name="run",
                    name="workspace",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="runs", to="clawgroups.workspace"
                    ),
                ),
                migrations.CreateModel(
                    name="Rule",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("answer", models.CharField(max_length=8)),
                        ("kinds", models.JSONField(blank=True, default=list)),
                        ("paths", models.JSONField(blank=True, default=list)),
                        ("commands", models.JSONField(blank=True, default=list)),
                        ("needed", models.PositiveSmallIntegerField(default=1)),
                        ("note", models.CharField(blank=True, max_length=300)),
                        ("made_from", models.UUIDField(blank=True, null=True)),
                        ("exactly", models.CharField(blank=True, max_length=64)),
                        ("made_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField(blank=True, null=True)),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "agent",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="agents.agent",
                            ),
                        ),
                        (
                            "made_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "revoked_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="clawgroups.run",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="answer_rules",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["made_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="ReadMark",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("read_at", models.DateTimeField()),
                        (
                            "member",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.workspace"
                            ),
                        ),
                    ],
                ),
                migrations.CreateModel(
                    name="Reaction",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("sign", models.CharField(max_length=16)),
                        ("at", models.DateTimeField()),
                        (
                            "member",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "message",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="reactions",
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
                    options={
                        "ordering": ["message", "at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Overstep",
                    fields=[
                        ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                        ("at", models.DateTimeField()),
                        ("seen_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "attempt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="oversteps",
                                to="clawgroups.attempt",
                            ),
                        ),
                        (
                            "seen_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "rule",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="clawgroups.rule"
                            ),
                        ),
                        (
                            "step",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.step"
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="oversteps",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.workspace"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Override",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("skills", models.JSONField(default=list)),
                        ("actor", models.JSONField()),
                        ("at", models.DateTimeField()),
                        (
                            "chosen",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "proposed",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="overrides",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="overrides",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="ModelCall",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("kind", models.CharField(max_length=20)),
                        ("subject", models.CharField(blank=True, max_length=120)),
                        ("round", models.PositiveSmallIntegerField(default=0)),
                        ("state", models.CharField(default="waiting", max_length=10)),
                        ("mode", models.CharField(blank=True, max_length=20)),
                        ("priority", models.SmallIntegerField(default=0)),
                        ("digest", models.CharField(blank=True, max_length=64)),
                        ("request", models.JSONField(default=dict)),
                        ("model", models.CharField(blank=True, max_length=200)),
                        ("rid", models.CharField(blank=True, max_length=64)),
                        ("raw", models.JSONField(blank=True, default=dict)),
                        ("text", models.TextField(blank=True)),
                        ("reasoning", models.TextField(blank=True)),
                        ("decision", models.JSONField(blank=True, null=True)),
                        ("problems", models.JSONField(blank=True, default=list)),
                        ("acted_at", models.DateTimeField(blank=True, null=True)),
                        ("fault", models.CharField(blank=True, max_length=20)),
                        ("said", models.CharField(blank=True, help_text="Why it waits or has failed.", max_length=500)),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        ("not_before", models.DateTimeField(blank=True, null=True)),
                        ("give_up_at", models.DateTimeField(blank=True, null=True)),
                        ("owner", models.CharField(blank=True, max_length=64)),
                        ("until", models.DateTimeField(blank=True, null=True)),
                        ("prompt_tokens", models.PositiveIntegerField(default=0)),
                        ("cached_tokens", models.PositiveIntegerField(default=0)),
                        ("completion_tokens", models.PositiveIntegerField(default=0)),
                        ("reasoning_tokens", models.PositiveIntegerField(default=0)),
                        (
                            "cost_micro",
                            models.PositiveBigIntegerField(default=0, help_text="Millionths of a US dollar."),
                        ),
                        ("first_ms", models.PositiveIntegerField(default=0)),
                        ("took_ms", models.PositiveIntegerField(default=0)),
                        ("created_at", models.DateTimeField()),
                        ("started_at", models.DateTimeField(blank=True, null=True)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "server",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="clawgroups.modelserver",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="model_calls",
                                to="clawgroups.run",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="model_calls",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="MessageFile",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("position", models.PositiveSmallIntegerField()),
                        ("name", models.CharField(max_length=255)),
                        ("size", models.PositiveBigIntegerField()),
                        ("sha256", models.CharField(max_length=64)),
                        ("content_type", models.CharField(default="application/octet-stream", max_length=120)),
                        (
                            "message",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="files",
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
                    options={
                        "ordering": ["message", "position"],
                    },
                ),
                migrations.AddField(
                    model_name="message",
                    name="workspace",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="messages", to="clawgroups.workspace"
                    ),
                ),
                migrations.CreateModel(
                    name="MemoryVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
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
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="clawgroups.memory",
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
                    options={
                        "ordering": ["at", "id"],
                    },
                ),
                migrations.AddField(
                    model_name="memory",
                    name="workspace",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="memories", to="clawgroups.workspace"
                    ),
                ),
                migrations.AddField(
                    model_name="member",
                    name="workspace",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="members", to="clawgroups.workspace"
                    ),
                ),
                migrations.CreateModel(
                    name="Invitation",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "role",
                            models.CharField(
                                choices=[
                                    ("owner", "Owner"),
                                    ("admin", "Admin"),
                                    ("member", "Member"),
                                    ("guest", "Guest"),
                                    ("agent", "Agent"),
                                ],
                                max_length=8,
                            ),
                        ),
                        (
                            "note",
                            models.CharField(
                                blank=True, help_text="For whom it is; shown to admins alone.", max_length=80
                            ),
                        ),
                        ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                        ("most_uses", models.PositiveSmallIntegerField(default=1)),
                        ("uses", models.PositiveSmallIntegerField(default=0)),
                        ("made_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("revoked_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "made_by",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="invitations",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-made_at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Export",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("asked_at", models.DateTimeField()),
                        ("state", models.CharField(default="waiting", max_length=8)),
                        ("until", models.DateTimeField(blank=True, null=True)),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        ("ended_at", models.DateTimeField(blank=True, null=True)),
                        ("said", models.CharField(blank=True, help_text="Why it failed.", max_length=300)),
                        ("size", models.PositiveBigIntegerField(default=0)),
                        ("sha256", models.CharField(blank=True, max_length=64)),
                        ("entries", models.PositiveIntegerField(default=0)),
                        (
                            "asked_by",
                            models.ForeignKey(
                                null=True,
                                on_delete=django.db.models.deletion.SET_NULL,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="exports",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["-asked_at", "-id"],
                    },
                ),
                migrations.CreateModel(
                    name="Entry",
                    fields=[
                        ("id", models.BigAutoField(primary_key=True, serialize=False)),
                        ("generation", models.PositiveIntegerField()),
                        ("seq", models.PositiveBigIntegerField()),
                        ("at", models.DateTimeField()),
                        ("actor", models.JSONField()),
                        ("type", models.CharField(max_length=60)),
                        ("payload", models.JSONField()),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="journal",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "journal entries",
                        "ordering": ["workspace", "generation", "seq"],
                    },
                ),
                migrations.CreateModel(
                    name="ControlRequest",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("note", models.CharField(blank=True, max_length=500)),
                        ("state", models.CharField(default="open", max_length=9)),
                        ("asked_at", models.DateTimeField()),
                        ("answered_at", models.DateTimeField(blank=True, null=True)),
                        ("answer", models.CharField(blank=True, max_length=500)),
                        (
                            "holder",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "member",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.member"
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="control_requests",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="clawgroups.workspace"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["asked_at", "id"],
                    },
                ),
                migrations.AddField(
                    model_name="attempt",
                    name="workspace",
                    field=models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="attempts", to="clawgroups.workspace"
                    ),
                ),
                migrations.CreateModel(
                    name="Artifact",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("kind", models.CharField(max_length=12)),
                        ("name", models.CharField(max_length=255)),
                        ("revision", models.PositiveIntegerField(default=1)),
                        ("size", models.PositiveBigIntegerField()),
                        ("sha256", models.CharField(max_length=64)),
                        ("content_type", models.CharField(default="application/octet-stream", max_length=120)),
                        ("actor", models.JSONField()),
                        ("created_at", models.DateTimeField()),
                        ("removed_at", models.DateTimeField(blank=True, null=True)),
                        ("pinned_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "attempt",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="artifacts",
                                to="clawgroups.attempt",
                            ),
                        ),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="artifacts",
                                to="clawgroups.run",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="artifacts",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="artifacts",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                    },
                ),
                migrations.CreateModel(
                    name="Approval",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("epoch", models.PositiveIntegerField()),
                        ("kind", models.CharField(default="permission", max_length=10)),
                        ("request_id", models.JSONField(help_text="The agent's JSON-RPC id; 0 is a live one.")),
                        ("tool_call", models.JSONField(default=dict)),
                        ("options", models.JSONField(default=list)),
                        ("form", models.JSONField(blank=True, default=dict)),
                        ("filled", models.JSONField(blank=True, default=dict)),
                        ("digest", models.CharField(max_length=64)),
                        ("state", models.CharField(default="open", max_length=8)),
                        ("option_id", models.CharField(blank=True, max_length=200)),
                        ("option_kind", models.CharField(blank=True, max_length=20)),
                        ("escalates_at", models.DateTimeField(blank=True, null=True)),
                        ("sameness", models.CharField(blank=True, max_length=64)),
                        ("needed", models.PositiveSmallIntegerField(default=1)),
                        ("agreed", models.PositiveSmallIntegerField(default=0)),
                        ("why", models.CharField(blank=True, max_length=12)),
                        ("sent_option", models.CharField(blank=True, max_length=200)),
                        ("answer", models.TextField(blank=True)),
                        ("asked_at", models.DateTimeField()),
                        ("expires_at", models.DateTimeField()),
                        ("decided_at", models.DateTimeField(blank=True, null=True)),
                        (
                            "attempt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="approvals",
                                to="clawgroups.attempt",
                            ),
                        ),
                        (
                            "asked_of",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "decided_by",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="clawgroups.member",
                            ),
                        ),
                        (
                            "rule",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="answered",
                                to="clawgroups.rule",
                            ),
                        ),
                        (
                            "session",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="approvals",
                                to="clawgroups.session",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="approvals",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "workspace",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="approvals",
                                to="clawgroups.workspace",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["asked_at"],
                    },
                ),
                migrations.CreateModel(
                    name="Draft",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("version", models.PositiveIntegerField()),
                        ("kind", models.CharField(default="own", max_length=8)),
                        ("base", models.PositiveIntegerField(blank=True, null=True)),
                        ("text", models.TextField(blank=True)),
                        ("actor", models.JSONField()),
                        ("saved_at", models.DateTimeField()),
                        (
                            "attempt",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="drafts",
                                to="clawgroups.attempt",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["attempt", "version"],
                        "constraints": [models.UniqueConstraint(fields=("attempt", "version"), name="draft_versioned")],
                    },
                ),
                migrations.CreateModel(
                    name="Letter",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("subjects", models.JSONField(default=list)),
                        ("made_at", models.DateTimeField()),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("tries", models.PositiveSmallIntegerField(default=0)),
                        ("problem", models.CharField(blank=True, max_length=300)),
                        (
                            "user",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="+",
                                to=settings.AUTH_USER_MODEL,
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["made_at"],
                        "indexes": [models.Index(fields=["user", "made_at"], name="letter_of_a_person")],
                    },
                ),
                migrations.CreateModel(
                    name="MessageVersion",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("number", models.PositiveIntegerField()),
                        ("body", models.TextField()),
                        ("said_at", models.DateTimeField()),
                        (
                            "message",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="versions",
                                to="clawgroups.message",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["message", "number"],
                        "constraints": [
                            models.UniqueConstraint(fields=("message", "number"), name="message_versioned")
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="PlanEdit",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("version", models.PositiveIntegerField()),
                        ("said", models.CharField(max_length=300)),
                        ("actor", models.JSONField()),
                        ("at", models.DateTimeField()),
                        ("reverse", models.JSONField(default=dict)),
                        ("undone", models.PositiveIntegerField(blank=True, null=True)),
                        (
                            "run",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="plan_edits",
                                to="clawgroups.run",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["run", "version"],
                        "constraints": [models.UniqueConstraint(fields=("run", "version"), name="plan_edit_once")],
                    },
                ),
                migrations.CreateModel(
                    name="Command",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("epoch", models.PositiveIntegerField(default=0, help_text="The task epoch it belongs to.")),
                        ("purpose", models.CharField(max_length=20)),
                        ("method", models.CharField(blank=True, max_length=60)),
                        ("params", models.JSONField(default=dict)),
                        ("state", models.CharField(default="open", max_length=12)),
                        ("after_step", models.BooleanField(default=False)),
                        ("link", models.UUIDField(blank=True, help_text="The link it was sent on.", null=True)),
                        ("created_at", models.DateTimeField()),
                        ("sent_at", models.DateTimeField(blank=True, null=True)),
                        ("answered_at", models.DateTimeField(blank=True, null=True)),
                        ("answer", models.JSONField(blank=True, default=dict)),
                        (
                            "agent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE, related_name="+", to="agents.agent"
                            ),
                        ),
                        (
                            "attempt",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="commands",
                                to="clawgroups.attempt",
                            ),
                        ),
                        (
                            "session",
                            models.ForeignKey(
                                blank=True,
                                null=True,
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="commands",
                                to="clawgroups.session",
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["created_at", "id"],
                        "indexes": [
                            models.Index(
                                condition=models.Q(("state__in", ["open", "sent"])),
                                fields=["agent", "created_at"],
                                name="command_owed",
                            )
                        ],
                    },
                ),
                migrations.CreateModel(
                    name="Dependency",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        (
                            "parent",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="dependants",
                                to="clawgroups.task",
                            ),
                        ),
                        (
                            "task",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="dependencies",
                                to="clawgroups.task",
                            ),
                        ),
                    ],
                    options={
                        "verbose_name_plural": "dependencies",
                        "constraints": [models.UniqueConstraint(fields=("task", "parent"), name="dependency_once")],
                    },
                ),
                migrations.CreateModel(
                    name="Vote",
                    fields=[
                        (
                            "id",
                            models.UUIDField(
                                default=agents.ids.new_id, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("option_id", models.CharField(max_length=200)),
                        ("at", models.DateTimeField()),
                        (
                            "approval",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.CASCADE,
                                related_name="votes",
                                to="clawgroups.approval",
                            ),
                        ),
                        (
                            "member",
                            models.ForeignKey(
                                on_delete=django.db.models.deletion.PROTECT, related_name="+", to="clawgroups.member"
                            ),
                        ),
                    ],
                    options={
                        "ordering": ["at"],
                        "constraints": [
                            models.UniqueConstraint(fields=("approval", "member"), name="one_vote_per_person")
                        ],
                    },
                ),
                migrations.AddIndex(
                    model_name="workspace",
                    index=models.Index(
                        condition=models.Q(("head__gt", models.F("reacted"))), fields=["id"], name="workspace_unreacted"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="watch",
                    constraint=models.UniqueConstraint(fields=("task", "member"), name="one_watch_per_person"),
                ),
                migrations.AddIndex(
                    model_name="usage",
                    index=models.Index(fields=["workspace", "day"], name="usage_of_workspace"),
                ),
                migrations.AddIndex(
                    model_name="usage",
                    index=models.Index(
                        condition=models.Q(("agent__isnull", False)), fields=["agent", "day"], name="usage_of_agent"
                    ),
                ),
                migrations.AddIndex(
                    model_name="task",
                    index=models.Index(
                        condition=models.Q(("state__in", ["done", "failed", "cancelled"]), _negated=True),
                        fields=["deadline_at"],
                        name="task_open_deadline",
                    ),
                ),
                migrations.AddIndex(
                    model_name="task",
                    index=models.Index(
                        condition=models.Q(("state__in", ["done", "failed", "cancelled"]), _negated=True),
                        fields=["close_by"],
                        name="task_open_close_by",
                    ),
                ),
                migrations.AddIndex(
                    model_name="task",
                    index=models.Index(
                        condition=models.Q(("resting_since__isnull", False)),
                        fields=["resting_since"],
                        name="task_resting",
                    ),
                ),
                migrations.AddIndex(
                    model_name="task",
                    index=models.Index(
                        condition=models.Q(("blocked_on", "person"), ("resting_since__isnull", True)),
                        fields=["run"],
                        name="task_unrested",
                    ),
                ),
                migrations.AddIndex(
                    model_name="task",
                    index=models.Index(fields=["run", "state"], name="task_by_state"),
                ),
                migrations.AddConstraint(
                    model_name="task",
                    constraint=models.UniqueConstraint(fields=("run", "key"), name="task_key_once_per_run"),
                ),
                migrations.AddConstraint(
                    model_name="task",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state__in", ["assigned", "working", "held"]), _negated=True),
                            ("assignee__isnull", False),
                            _connector="OR",
                        ),
                        name="task_in_hand_has_attempt",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="task",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("state", "held"), _negated=True), ("holder__isnull", False), _connector="OR"
                        ),
                        name="held_task_has_holder",
                    ),
                ),
                migrations.AddIndex(
                    model_name="session",
                    index=models.Index(fields=["agent", "acp_id"], name="session_by_acp_id"),
                ),
                migrations.AddIndex(
                    model_name="run",
                    index=models.Index(
                        condition=models.Q(("wanted__gt", models.F("turned"))), fields=["id"], name="run_wants_turn"
                    ),
                ),
                migrations.AddIndex(
                    model_name="run",
                    index=models.Index(fields=["workspace", "-created_at"], name="run_newest"),
                ),
                migrations.AddIndex(
                    model_name="run",
                    index=models.Index(
                        condition=models.Q(("state__in", ["planning", "running", "consolidating"])),
                        fields=["deadline_at"],
                        name="run_open_deadline",
                    ),
                ),
                migrations.AddIndex(
                    model_name="rule",
                    index=models.Index(
                        condition=models.Q(("revoked_at", None)), fields=["workspace"], name="rule_in_force"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="readmark",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("task", None)), fields=("member",), name="one_mark_per_chat"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="readmark",
                    constraint=models.UniqueConstraint(fields=("member", "task"), name="one_mark_per_thread"),
                ),
                migrations.AddConstraint(
                    model_name="reaction",
                    constraint=models.UniqueConstraint(fields=("message", "member", "sign"), name="reaction_once"),
                ),
                migrations.AddIndex(
                    model_name="overstep",
                    index=models.Index(
                        condition=models.Q(("seen_at", None)), fields=["workspace"], name="overstep_unseen"
                    ),
                ),
                migrations.AddIndex(
                    model_name="override",
                    index=models.Index(fields=["workspace", "-at"], name="override_newest"),
                ),
                migrations.AddIndex(
                    model_name="modelcall",
                    index=models.Index(
                        condition=models.Q(("state__in", ["waiting", "calling"])),
                        fields=["created_at"],
                        name="model_call_open",
                    ),
                ),
                migrations.AddIndex(
                    model_name="modelcall",
                    index=models.Index(fields=["workspace", "-created_at"], name="model_call_newest"),
                ),
                migrations.AddIndex(
                    model_name="modelcall",
                    index=models.Index(
                        condition=models.Q(("ended_at__isnull", False)), fields=["ended_at"], name="model_call_ended"
                    ),
                ),
                migrations.AddIndex(
                    model_name="modelcall",
                    index=models.Index(
                        condition=models.Q(("acted_at", None), ("kind", "hear")),
                        fields=["created_at"],
                        name="model_call_unheard",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="modelcall",
                    constraint=models.UniqueConstraint(
                        fields=("run", "kind", "subject", "round"), name="model_call_once"
                    ),
                ),
                migrations.AddIndex(
                    model_name="message",
                    index=models.Index(fields=["workspace", "task", "created_at"], name="message_thread"),
                ),
                migrations.AddIndex(
                    model_name="memory",
                    index=models.Index(fields=["workspace", "-kept_at"], name="memory_newest"),
                ),
                migrations.AddConstraint(
                    model_name="memory",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("task", None), ("agent", None), _connector="OR"), name="memory_of_one_scope"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="member",
                    constraint=models.UniqueConstraint(fields=("workspace", "user"), name="one_seat_per_person"),
                ),
                migrations.AddConstraint(
                    model_name="member",
                    constraint=models.UniqueConstraint(fields=("workspace", "agent"), name="one_seat_per_agent"),
                ),
                migrations.AddConstraint(
                    model_name="member",
                    constraint=models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("agent__isnull", False), ("user", None)),
                            models.Q(("agent", None), ("user__isnull", False)),
                            _connector="OR",
                        ),
                        name="seat_of_a_person_or_an_agent",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="invitation",
                    constraint=models.CheckConstraint(
                        condition=models.Q(("uses__lte", models.F("most_uses"))), name="invitation_not_overused"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="entry",
                    constraint=models.UniqueConstraint(
                        fields=("workspace", "generation", "seq"), name="journal_is_ordered"
                    ),
                ),
                migrations.AddConstraint(
                    model_name="controlrequest",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state", "open")),
                        fields=("task", "member"),
                        name="one_open_request_per_person",
                    ),
                ),
                migrations.AddIndex(
                    model_name="attempt",
                    index=models.Index(
                        condition=models.Q(("state__in", ["offered", "working"])),
                        fields=["member"],
                        name="attempt_load",
                    ),
                ),
                migrations.AddIndex(
                    model_name="attempt",
                    index=models.Index(
                        condition=models.Q(("stop__in", ["asked", "unconfirmed"])),
                        fields=["ended_at"],
                        name="attempt_stopping",
                    ),
                ),
                migrations.AddConstraint(
                    model_name="attempt",
                    constraint=models.UniqueConstraint(fields=("task", "number"), name="attempt_numbered"),
                ),
                migrations.AddConstraint(
                    model_name="attempt",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("state__in", ["offered", "working", "submitted"])),
                        fields=("task",),
                        name="one_open_attempt_per_task",
                    ),
                ),
                migrations.AddIndex(
                    model_name="artifact",
                    index=models.Index(fields=["run", "kind"], name="artifact_by_kind"),
                ),
                migrations.AddConstraint(
                    model_name="artifact",
                    constraint=models.UniqueConstraint(
                        condition=models.Q(("pinned_at__isnull", False)),
                        fields=("task", "name"),
                        name="one_final_revision",
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
                migrations.AddIndex(
                    model_name="approval",
                    index=models.Index(
                        condition=models.Q(("state", "open")), fields=["expires_at"], name="approval_open"
                    ),
                ),
                migrations.AddIndex(
                    model_name="approval",
                    index=models.Index(fields=["workspace", "asked_at"], name="approval_asked"),
                ),
            ]
        ),
        migrations.RunPython(
            code=clawgroups.migrations._memory_words.index,
            reverse_code=clawgroups.migrations._memory_words.drop,
        ),
    ]
