"""The Django app. Importing it makes our Celery app the current one in every Django process."""

from django.apps import AppConfig

from clawgroups.celery import app as celery_app

__all__ = ["ClawGroupsConfig", "celery_app"]


class ClawGroupsConfig(AppConfig):
    name = "clawgroups"
    verbose_name = "Claw Groups"
    default_auto_field = "django.db.models.BigAutoField"
