"""`manage.py bundle verify FILE`: a run's bundle, or an exported workspace, held against its manifest and our seal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clawgroups.commit import trail
from clawgroups.core import bundles


class Command(BaseCommand):
    help = (
        "Verify a run's bundle or an exported workspace: every entry has the size and hash that its manifest says, "
        "nothing was put in or taken out, and every receipt names files that are in it. "
        "Says, too, whether this installation made it."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["verify"])
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, what: str, file: Path, **options: Any) -> None:
        found = bundles.verify(file)
        for fault in found.faults:
            self.stdout.write(self.style.ERROR(fault))
        if not found.holds:
            raise CommandError(f"The bundle does not hold: {len(found.faults)} faults.")
        said = found.manifest
        about = (
            f"workspace “{said['name']}” up to entry {said['head']}"
            if said.get("format") == bundles.WORKSPACE
            else f"run {said['run']} of “{said['goal'][:80]}”"
        )
        self.stdout.write(f"{found.entries} entries hold; {about}")
        if bundles.is_sealed(trail.key(), said):
            self.stdout.write("This installation made it, and its manifest is as it was written.")
        else:
            self.stdout.write(
                "It carries no seal of this installation: it was made elsewhere, or its manifest changed."
            )
