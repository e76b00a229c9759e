"""`manage.py remove_factors USERNAME`: let somebody in again who has lost their passkeys, app and recovery codes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clawgroups.services import sign_ins


class Command(BaseCommand):
    help = "Remove a person's passkeys, app and recovery codes, and sign all their browsers out. It is on the trail."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"Nobody here is called {username!r}.")
        removed = sign_ins.remove_factors(user, where="command line")
        self.stdout.write(f"{removed} removed. A password, or `manage.py login_link {username}`, lets them in.")
