"""`manage.py prepare`: bring a data folder up to date before the processes start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand
from django.db import connection

from clawgroups import assets
from clawgroups.services.model_servers import adopt_environment


class Command(BaseCommand):
    help = "Collect static files, migrate, seed a new installation and print a sign-in link. `up` runs this first."
    requires_system_checks: list[str] = []  # there may be no tables yet

    def handle(self, *args: Any, **options: Any) -> None:
        Path(settings.MEDIA_ROOT).mkdir(mode=0o700, parents=True, exist_ok=True)
        assets.collect()
        if connection.vendor == "postgresql":
            # Building an index may take longer than any statement of the running product.
            with connection.cursor() as cursor:
                cursor.execute("SET statement_timeout = 0")
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("seed_demo", stdout=self.stdout)
        adopt_environment()
        call_command("login_link", stdout=self.stdout)
