"""One final revision of a file: who may say so, and what becomes of the one before."""

from __future__ import annotations

from functools import partial
from uuid import UUID

import pytest

from clawgroups.core.errors import ClawError, Conflict, Forbidden, NotFound
from clawgroups.models import Artifact, Entry, Task
from clawgroups.services import pinning
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.realtime.told_of_files import delivered
from tests.services.races import at_once, between

ROUNDS = 6


def final(name: str = "report.md") -> list[UUID]:
    return list(Artifact.objects.filter(name=name, pinned_at__isnull=False).values_list("pk", flat=True))


def said(team: Team) -> list[tuple[str, str]]:
    """What the journal tells of it, in order."""
    entries = Entry.objects.filter(workspace=team.workspace, type__startswith="artifact.").order_by("seq")
    return [(one.type.removeprefix("artifact."), str(one.payload["artifact_id"])) for one in entries]


def told(team: Team) -> set[str]:
    """Which revisions are final for somebody who only reads the journal."""
    now: set[str] = set()
    for what, pk in said(team):
        now = now | {pk} if what == "pinned" else now - {pk}
    return now


@pytest.mark.django_db
def test_pinning_another_revision_unpins_the_first_in_the_same_change(team: Team) -> None:
    task = team.one_task()
    first, second = delivered(task, b"One"), delivered(task, b"Two", revision=2)
    perform(pinning.pin_artifact, first, actor=team.actor("bob"))
    outcome = perform(pinning.pin_artifact, second, actor=team.actor("ada"))
    assert outcome.answer == {"id": str(second), "name": "report.md", "revision": 2, "before": str(first)}
    assert final() == [second]
    assert said(team) == [("pinned", str(first)), ("unpinned", str(first)), ("pinned", str(second))]


@pytest.mark.django_db
def test_pinning_it_again_and_unpinning_what_is_not_final_say_nothing(team: Team) -> None:
    task = team.one_task()
    first = delivered(task, b"One")
    for verb in (pinning.unpin_artifact, pinning.pin_artifact, pinning.pin_artifact):
        perform(verb, first, actor=team.actor("bob"))
    assert said(team) == [("pinned", str(first))]


@pytest.mark.django_db
def test_files_of_other_names_tasks_and_runs_have_final_revisions_of_their_own(team: Team) -> None:
    task, other = team.one_task(), team.one_task()
    two = [{"key": key, "title": key, "skills": ["writing"]} for key in ("north", "south")]
    beside = Task.objects.filter(run=team.run(two)).order_by("key")
    pks = [delivered(task, b"One"), delivered(task, b"Two", name="other.md"), delivered(other, b"Three")]
    pks += [delivered(one, b"Same name") for one in beside]
    for pk in pks:
        perform(pinning.pin_artifact, pk, actor=team.actor("bob"))
    assert set(Artifact.objects.filter(pinned_at__isnull=False).values_list("pk", flat=True)) == set(pks)


@pytest.mark.django_db
@pytest.mark.parametrize("kind", ["draft", "late", "kept"])
def test_what_is_in_hand_or_came_late_is_never_final(team: Team, kind: str) -> None:
    pk = delivered(team.one_task(), b"One", kind=kind)
    with pytest.raises(Conflict, match="Only what a task or a run holds"):
        perform(pinning.pin_artifact, pk, actor=team.actor("bob"))


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "fault"), [("gus", Forbidden), ("mallory", NotFound), ("sue", NotFound)])
def test_only_the_team_says_what_is_final(team: Team, who: str, fault: type[ClawError]) -> None:
    pk = delivered(team.one_task(), b"One")
    for verb in (pinning.pin_artifact, pinning.unpin_artifact):
        with pytest.raises(fault):
            perform(verb, pk, actor=team.actor(who))


@pytest.mark.django_db
def test_a_pin_decided_before_another_one_is_decided_again(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = team.one_task()
    first, second, third = (delivered(task, text, revision=n) for n, text in enumerate((b"1", b"2", b"3"), 1))
    perform(pinning.pin_artifact, first, actor=team.actor("bob"))
    between(monkeypatch, lambda: perform(pinning.pin_artifact, second, actor=team.actor("ada")))
    perform(pinning.pin_artifact, third, actor=team.actor("bob"))
    assert final() == [third]
    assert told(team) == {str(third)}


@pytest.mark.django_db(transaction=True)
def test_of_two_who_pin_at_one_moment_one_revision_is_final_and_the_journal_says_which(team: Team) -> None:
    task = team.one_task()
    ada, bob = team.actor("ada"), team.actor("bob")
    pks = [delivered(task, str(n).encode(), revision=n) for n in range(1, 2 * ROUNDS + 1)]
    for one, other in zip(pks[::2], pks[1::2], strict=True):
        at_once(
            partial(perform, pinning.pin_artifact, one, actor=ada),
            partial(perform, pinning.pin_artifact, other, actor=bob),
        )
        (standing,) = final()
        assert standing in (one, other)
        assert told(team) == {str(standing)}
        if one == pks[0] or one == pks[4]:
            perform(pinning.unpin_artifact, standing, actor=ada)  # the next two begin from none
