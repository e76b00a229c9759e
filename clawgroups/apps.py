from django.apps import AppConfig


class ClawGroupsConfig(AppConfig):
    name = "clawgroups"
    verbose_name = "Claw Groups"
    default_auto_field = "django.db.models.BigAutoField"
