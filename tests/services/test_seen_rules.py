"""Which running tasks have not seen the newest goal and rules: their last prompt told older ones."""

from __future__ import annotations

import pytest

from clawgroups.models import Attempt, Entry, Task, Workspace
from clawgroups.queries import unseen_rules
from clawgroups.realtime.feed import fragments
from clawgroups.services import handback, review, takeover, tasks, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def rules(team: Team, text: str) -> None:
    perform(workspaces.set_rules, team.workspace.pk, rules=text, actor=team.actor("ada"))


def goal(team: Team, text: str) -> None:
    perform(workspaces.set_goal, team.workspace.pk, goal=text, actor=team.actor("ada"))


def unseen(team: Team) -> list[Task]:
    return [attempt.task for attempt in unseen_rules(Workspace.objects.get(pk=team.workspace.pk))]


def live(team: Team, since: int) -> str:
    """What an open page of the room is sent about what happened since then."""
    entries = list(Entry.objects.filter(workspace=team.workspace, seq__gt=since).order_by("seq"))
    return "".join(one for one in fragments(entries, team.workspace.pk) if f'id="unseen-{team.workspace.pk}"' in one)


def head(team: Team) -> int:
    return Workspace.objects.get(pk=team.workspace.pk).head


def test_a_task_that_runs_has_not_seen_rules_that_changed_since_its_prompt(team: Team) -> None:
    task = team.working()
    assert unseen(team) == []
    rules(team, "Numbers before words.")
    assert unseen(team) == [task]


def test_a_goal_counts_as_the_rules_do(team: Team) -> None:
    task = team.working()
    goal(team, "Sell more")
    assert unseen(team) == [task]


def test_the_same_words_and_another_name_are_no_new_version(team: Team) -> None:
    team.working()
    goal(team, team.workspace.goal)
    perform(workspaces.rename_workspace, team.workspace.pk, name="Shops", actor=team.actor("ada"))
    assert unseen(team) == []
    assert Workspace.objects.get(pk=team.workspace.pk).rules_version == 1


def test_one_without_a_prompt_yet_is_told_what_holds_by_then(team: Team) -> None:
    team.assigned()
    rules(team, "Numbers before words.")
    assert unseen(team) == []
    team.send("scribe")
    team.answer("scribe", {"sessionId": "acp-1"})
    (prompt,) = team.send("scribe")
    assert "Numbers before words." in prompt.params["prompt"][0]["text"]
    assert Attempt.objects.get().rules_version == 2
    assert unseen(team) == []


def test_a_prompt_that_was_written_before_the_change_and_sent_after_it_has_not_told_it(team: Team) -> None:
    task = team.assigned()
    team.send("scribe")
    team.answer("scribe", {"sessionId": "acp-1"})
    rules(team, "Numbers before words.")
    (prompt,) = team.send("scribe")
    assert "Numbers" not in prompt.params["prompt"][0]["text"]
    assert unseen(team) == [task]


def test_the_next_turn_in_the_same_session_has_seen_them(team: Team) -> None:
    task = team.working()
    rules(team, "Numbers before words.")
    team.finish("scribe", "Sales rose.")
    assert unseen(team) == []
    perform(review.return_task, task.pk, reasons=["No numbers"], actor=team.actor("ada"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    assert Attempt.objects.latest("number").rules_version == 2
    assert unseen(team) == []


def test_what_a_person_took_over_is_read_by_that_person_and_handed_back_with_the_new_ones(team: Team) -> None:
    task = team.working()
    rules(team, "Numbers before words.")
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert unseen(team) == []
    team.answer("scribe", {"stopReason": "cancelled"})
    perform(handback.hand_back, task.pk, note="Go on", actor=team.actor("bob"))
    perform(tasks.assign_task, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    team.send("scribe")
    newest = Attempt.objects.latest("number")
    assert newest.rules_version == 0
    rules(team, "Words before numbers.")
    team.answer("scribe", {"stopReason": "end_turn"}, text="You went on.")
    newest.refresh_from_db()
    assert newest.rules_version == 3
    assert unseen(team) == []


def test_the_page_says_it_live_until_the_turn_is_over(team: Team) -> None:
    team.working()
    since = head(team)
    rules(team, "Numbers before words.")
    said = live(team, since)
    assert "1 task that runs has not seen them yet" in said
    assert "Write it up" in said
    assert "Scribe" in said
    since = head(team)
    team.finish("scribe", "Sales rose.")
    gone = live(team, since)
    assert gone
    assert "not seen" not in gone


def test_a_room_whose_rules_never_changed_is_told_nothing(team: Team) -> None:
    since = head(team)
    team.working()
    assert live(team, since) == ""
