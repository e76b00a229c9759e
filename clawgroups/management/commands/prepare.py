"""`manage.py prepare`: bring a data folder up to date before the processes start."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, seed a new installation and print a sign-in link. `up` runs this first."
    requires_system_checks: list[str] = []  # there may be no tables yet

    def handle(self, *args: Any, **options: Any) -> None:
        for folder in (settings.STATIC_ROOT, settings.MEDIA_ROOT):
            Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
        call_command("migrate", interactive=False, verbosity=0)
        call_command("seed_demo", stdout=self.stdout)
        call_command("login_link", stdout=self.stdout)
