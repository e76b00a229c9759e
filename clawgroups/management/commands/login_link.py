"""`manage.py login_link`: a link that signs somebody in, once, from this machine."""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth.models import User
from django.core.management.base import BaseCommand, CommandError, CommandParser

from clawgroups.services import people


class Command(BaseCommand):
    help = "Print a link that signs the first person (or USERNAME) in: once, from this machine only."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", nargs="?", default="")

    def handle(self, *args: Any, username: str = "", **options: Any) -> None:
        user = people.ensure_first_person() if not username else User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"Nobody here is called {username!r}.")
        self.stdout.write(local_url() + people.make_login_link(user))


def local_url() -> str:
    """The address of this installation as this machine reaches it: the link is refused to anybody else."""
    if urlsplit(settings.BASE_URL).hostname in ("127.0.0.1", "localhost", "::1"):
        return str(settings.BASE_URL)
    return f"http://127.0.0.1:{os.environ.get('PORT') or '8000'}"
