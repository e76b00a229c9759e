"""`manage.py token USERNAME`: a new access token for scripts."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clawgroups.core.errors import Invalid
from clawgroups.services import people


class Command(BaseCommand):
    help = "Print a new access token of a person. The first person of an installation is called `owner`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", default="command line", help="what the token's list calls it")
        parser.add_argument("--days", type=int, help="how long it holds; without it, until it is revoked")

    def handle(self, *args: Any, username: str, name: str, days: int | None, **options: Any) -> None:
        user = User.objects.filter(username=username, is_active=True).first()
        if user is None:
            raise CommandError(f"Nobody here is called {username!r}.")
        try:
            _, secret = people.create_token(user, name=name, days=days)
        except Invalid as reason:
            raise CommandError(str(reason)) from None
        self.stdout.write(secret)
