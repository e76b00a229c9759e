"""`manage.py prepare`: bring a data folder up to date before the processes start."""

from __future__ import annotations

from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand


class Command(BaseCommand):
    help = "Migrate, seed a new installation and print a sign-in link. `up` runs this first."
    requires_system_checks: list[str] = []  # there may be no tables yet

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("seed_demo", stdout=self.stdout)
        call_command("login_link", stdout=self.stdout)
