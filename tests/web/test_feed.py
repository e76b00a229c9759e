"""Events become fragments: neutral, each once, each of the form that a page merges."""

from __future__ import annotations

import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from clawgroups.core.events import EVENTS
from clawgroups.fragments import FRAGMENTS, pieces
from clawgroups.models import Entry
from clawgroups.realtime.feed import FEED, SUBJECT, fragments
from clawgroups.services import drafts, finishing, members, messages, runs, takeover, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.test_pages import TWO

ROOT = re.compile(r'^<(\w+)\b[^>]*\bid="([^"]+)"[^>]*\bhx-swap-oob="(merge(:#[\w-]+)?|delete)"')


def entries(team: Team, after: int = 0) -> list[Entry]:
    return list(Entry.objects.filter(workspace=team.workspace, seq__gt=after).order_by("seq"))


def roots(made: list[str]) -> list[str]:
    found = []
    for piece in made:
        match = ROOT.match(piece.strip())
        assert match, piece[:200]
        found.append(match[2])
    return found


def test_every_event_has_a_row_and_every_row_a_fragment() -> None:
    assert set(FEED) == set(EVENTS)
    hints = {"task_page", "room_files", "run_task_pages", "run_view"}
    named = {name for names in FEED.values() for name in names} - hints
    assert named <= set(FRAGMENTS)
    assert set(SUBJECT) <= named | {"task_page"}


@pytest.mark.django_db
def test_a_whole_life_becomes_pieces_that_a_page_can_merge(team: Team) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(drafts.save_draft, task.pk, text="x", actor=team.actor("bob"))
    perform(finishing.submit_held, task.pk, result="Done by hand.", actor=team.actor("bob"))
    perform(messages.post_message, team.workspace.pk, body="hello", actor=team.actor("bob"))
    perform(workspaces.set_goal, team.workspace.pk, goal="More", actor=team.actor("ada"))
    found = roots(fragments(entries(team), team.workspace.pk))
    assert len(found) == len(set(found)), "each piece once"
    for name in (
        f"task-{task.pk}",
        f"task-body-{task.pk}",
        f"run-head-{task.run_id}",
        f"room-head-{team.workspace.pk}",
    ):
        assert name in found
    assert f"seat-{team.seat('scribe').pk}" in found
    assert "needs" in found


@pytest.mark.django_db
def test_pieces_hold_nothing_of_a_viewer(team: Team) -> None:
    team.working()
    said = "".join(fragments(entries(team), team.workspace.pk))
    assert "csrfmiddlewaretoken" not in said
    assert "<form" not in said


@pytest.mark.django_db
def test_the_roots_of_pieces_stand_on_the_page_they_are_merged_into(team: Team, sign_in: SignIn) -> None:
    run = team.run(TWO)
    client: Client = sign_in("gus")
    room = client.get(f"/w/{team.workspace.pk}/").content.decode()
    for name, pk in (("room_head", team.workspace.pk), ("room_current", team.workspace.pk), ("run_note", run.pk)):
        (root,) = roots(pieces(name, [pk]))
        assert f'id="{root}"' in room
    for piece in pieces("task_card", run.tasks.values_list("pk", flat=True)):
        assert f'id="{roots([piece])[0]}"' in room
    page = client.get(f"/w/{team.workspace.pk}/runs/{run.pk}/").content.decode()
    for name in ("run_head", "run_plan", "run_files"):
        assert f'id="{roots(pieces(name, [run.pk]))[0]}"' in page
    assert f'id="run-view-{run.pk}"' in page


@pytest.mark.django_db
def test_the_page_of_a_task_is_told_when_its_run_rests(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    before = len(entries(team))
    perform(runs.pause_run, task.run_id, actor=team.actor("ada"))
    hint = f"task-run-{task.run_id}"
    assert hint in roots(fragments(entries(team, before), team.workspace.pk))
    assert f'id="{hint}"' in sign_in("gus").get(f"/w/{team.workspace.pk}/tasks/{task.pk}/").content.decode()


@pytest.mark.django_db
def test_rows_that_are_gone_and_unknown_types_give_nothing(team: Team) -> None:
    gone = Entry(
        workspace=team.workspace,
        generation=1,
        seq=99,
        actor={"kind": "person"},
        type="task.ready",
        payload={"task_id": str(uuid4()), "run_id": str(uuid4())},
    )
    odd = Entry(workspace=team.workspace, generation=1, seq=100, actor={}, type="moon.rose", payload={})
    found = roots(fragments([gone, odd], team.workspace.pk))
    assert [name for name in found if not name.startswith(("task-body-", "run-view-mark-", "needs", "my-work"))] == []
    assert fragments([], team.workspace.pk) == []


@pytest.mark.django_db
def test_a_member_who_left_leaves_the_page_and_one_who_is_back_stays(team: Team) -> None:
    seat = team.seat("scribe")
    before = len(entries(team))
    perform(members.remove_member, seat.pk, actor=team.actor("ada"))
    assert fragments(entries(team, before), team.workspace.pk) == [
        f'<div id="{kind}-{seat.pk}" hx-swap-oob="delete"></div>' for kind in ("seat", "cell")
    ]
    perform(members.add_agent, team.workspace.pk, agent_id=team.agents["scribe"].pk, actor=team.actor("ada"))
    hint, piece, cell = fragments(entries(team, before), team.workspace.pk)
    assert piece.startswith(f'<li id="seat-{seat.pk}" hx-swap-oob="merge:#seats-{team.workspace.pk}"')
    assert roots([hint, cell]) == [f"zoom-{seat.pk}", f"cell-{seat.pk}"]


@pytest.mark.django_db
def test_a_card_needs_no_more_of_its_rows_than_was_read_for_all(team: Team, django_assert_num_queries: Any) -> None:
    working = team.working()
    run = team.run([{"key": "a", "title": "First"}, {"key": "b", "title": "Second", "depends_on": ["a"]}])
    ids = [working.pk, *run.tasks.values_list("pk", flat=True)]
    with django_assert_num_queries(2):
        made = pieces("task_card", ids)
    assert len(made) == 3
