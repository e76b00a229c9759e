"""Stories for `test_verify_action`: the draft of a held task, its versions and its files."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from uuid import UUID

from clawgroups.core.errors import Conflict
from clawgroups.services import draft_files, drafts, finishing, takeover
from clawgroups.services.files import StoredFile
from clawgroups.services.perform import perform
from tests.conftest import Team

FILE = StoredFile("table.csv", 4, "0" * 64, "text/csv")


def file_taken_out(team: Team) -> None:
    bob = team.actor("bob")
    task = team.working()
    perform(takeover.take_over, task.pk, actor=bob)
    added = perform(draft_files.add_files, task.pk, files=[FILE], actor=bob).answer["files"][0]
    perform(draft_files.remove_file, task.pk, UUID(added["id"]), actor=bob)
    perform(draft_files.add_files, task.pk, files=[FILE], actor=bob)
    perform(finishing.submit_held, task.pk, result="Done", actor=bob)


def one_of_two_texts_chosen(team: Team) -> None:
    bob = team.actor("bob")
    task = team.working()
    perform(takeover.take_over, task.pk, actor=bob)
    perform(drafts.save_draft, task.pk, text="one", base=1, actor=bob)
    with suppress(Conflict):
        perform(drafts.save_draft, task.pk, text="other", base=1, actor=bob)
    perform(drafts.choose_draft, task.pk, 3, choice="both", actor=bob)
    perform(drafts.restore_draft, task.pk, 1, actor=bob)


TOLD: list[Callable[[Team], None]] = [file_taken_out, one_of_two_texts_chosen]
