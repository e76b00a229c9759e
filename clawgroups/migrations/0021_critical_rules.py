from django.db import migrations
from django.utils import timezone

from agents.ids import new_id
from clawgroups.core.critical import CRITICAL


def name_what_is_critical(apps, schema_editor):
    """A workspace from before there were rules begins with those that a new one begins with."""
    Workspace, Rule = apps.get_model("clawgroups", "Workspace"), apps.get_model("clawgroups", "Rule")
    now = timezone.now()
    without = Workspace.objects.exclude(pk__in=Rule.objects.filter(answer="critical").values("workspace_id"))
    for workspace in without.values_list("pk", flat=True):
        Rule.objects.bulk_create(
            Rule(
                id=new_id(),
                workspace_id=workspace,
                answer="critical",
                kinds=list(one.kinds),
                commands=list(one.commands),
                note=one.note,
                made_at=now,
            )
            for one in CRITICAL
        )


class Migration(migrations.Migration):
    dependencies = [("clawgroups", "0020_oversteps")]

    operations = [migrations.RunPython(name_what_is_critical, migrations.RunPython.noop, elidable=True)]
