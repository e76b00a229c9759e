"""`manage.py audit verify|export [--workspace ID]`: the audit trail held against its digests, or told as JSON lines."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.core.management.base import BaseCommand, CommandError, CommandParser

from clawgroups.core.audit import INSTALLATION
from clawgroups.services import audit_trail


class Command(BaseCommand):
    help = (
        "Verify that no row of the audit trail was changed, taken out or put in, or export it as lines of JSON. "
        "Without --workspace: all chains (verify), the installation's own (export). Keep the printed heads elsewhere: "
        "with one, --head proves that nothing was cut off at the end."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("what", choices=["verify", "export"])
        parser.add_argument("--workspace", type=UUID, help="the workspace whose chain is meant")
        parser.add_argument("--head", help="NUMBER:DIGEST as it was printed before; it must be in the chain still")

    def handle(self, *args: Any, what: str, workspace: UUID | None, head: str | None, **options: Any) -> None:
        if what == "export":
            for line in audit_trail.lines(workspace or INSTALLATION):
                self.stdout.write(line, ending="")
            return
        faults = 0
        for chain in [workspace] if workspace else audit_trail.chains():
            fault, (number, digest) = audit_trail.verify(chain), audit_trail.head_of(chain)
            name = "installation" if chain == INSTALLATION else f"workspace {chain}"
            if fault is None:
                self.stdout.write(f"{name}: {number} rows hold, head {number}:{digest}")
            else:
                faults += 1
                self.stdout.write(self.style.ERROR(f"{name}: BROKEN at row {fault.number}: {fault.what}"))
        if head is not None and not _stands(workspace or INSTALLATION, head):
            raise CommandError(f"The head {head} is not in this chain any more: rows after it were cut off or changed.")
        if faults:
            raise CommandError(f"{faults} of the chains do not hold.")


def _stands(chain: UUID, head: str) -> bool:
    number, _, digest = head.partition(":")
    if not number.isdecimal():
        raise CommandError("A head is NUMBER:DIGEST.")
    return audit_trail.rows_of(chain).filter(number=int(number), digest=digest).exists()
