"""The page of a run: its views, the board's columns and moves, the list's filters."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from clawgroups.models import Member, Run, Task
from clawgroups.services import finishing, pausing, runs, takeover
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

VIEWS = ("board", "graph", "timeline", "fleet", "list")
PLAN: list[dict[str, Any]] = [
    {"key": "orders", "title": "Count the orders", "skills": ["data-analysis"]},
    {"key": "letter", "title": "Write the letter", "skills": ["writing"]},
    {"key": "report", "title": "Write the report", "skills": ["writing"], "depends_on": ["orders", "letter"]},
]
CARD = re.compile(r'id="bc-([0-9a-f-]+)"')


def look(client: Client, run: Run, kind: str = "", *, status: Any = 200, **query: str) -> str:
    name, args = ("run-view", [kind]) if kind else ("run", [])
    answer = client.get(reverse(name, args=[run.workspace_id, run.pk, *args]), query)
    assert answer.status_code == status
    return answer.content.decode()


def column(page: str, name: str) -> str:
    """What stands in a column of the board."""
    return page.split(f'id="stage-{name}"')[1].split("</section>", maxsplit=1)[0]


def titles(page: str) -> list[str]:
    return re.findall(r'class="tasklist__title"><a href="[^"]+">([^<]+)<', page)


def crowd(team: Team, many: int) -> Run:
    """A started run with so many more tasks that are ready, written at once."""
    run = team.run(PLAN)
    first = run.tasks.get(key="letter")
    common = {
        "workspace": team.workspace,
        "run": run,
        "state": "ready",
        "created_at": timezone.now(),
        "bottom_level": 1,
    }
    Task.objects.bulk_create(
        Task(key=f"t{n}", position=10 + n, title=f"Call {n:03}", skills=["phoning"], **common) for n in range(many)
    )
    assert first.state == "ready"
    return run


def test_a_run_is_looked_at_as_one_chose_last(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("bob")
    assert "runview--board" in look(client, run)
    for kind in VIEWS:
        assert f"runview--{kind}" in look(client, run, kind)
        assert f"runview--{kind}" in look(client, run)
    assert "runview--board" in look(sign_in("gus"), run)
    assert "no such view" in look(client, run, "moon", status=404)


def test_what_loads_itself_anew_is_no_choice(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("bob", htmx=True)
    here = reverse("run-view", args=[run.workspace_id, run.pk, "list"])
    assert "claw_view" not in client.get(here).cookies
    assert client.get(here, headers={"View-Chosen": "1"}).cookies["claw_view"].value == "list"
    piece = client.get(here).content.decode()
    assert piece.lstrip().startswith(f'<section id="run-view-{run.pk}"')


def test_a_run_of_many_tasks_begins_with_the_fleet(team: Team, sign_in: SignIn) -> None:
    assert "runview--fleet" in look(sign_in("bob"), crowd(team, 160))


def test_a_plan_to_check_stands_alone_until_it_is_started(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN, start=False), sign_in("bob")
    look(client, run, "list")
    page = look(client, run)
    assert 'id="plan-h"' in page
    assert "tasklist" not in page
    assert reverse("run-view", args=[run.workspace_id, run.pk, "graph"]) in page
    shown = look(client, run, "list")
    assert "this is how the plan looks before its start" in shown
    assert 'id="plan-h"' not in shown
    perform(runs.start_run, run.pk, actor=team.actor("bob"))
    assert "tasklist" in look(client, run)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("planning", "The plan is on its way"),
        ("failed", "No plan came of it"),
        ("cancelled", "before there was a plan"),
    ],
)
def test_without_a_plan_every_view_says_why(team: Team, sign_in: SignIn, state: str, said: str) -> None:
    run = Run.objects.create(
        workspace=team.workspace, goal="x", state=state, created_by=team.users["ada"], created_at=timezone.now()
    )
    for kind in VIEWS:
        assert said in look(sign_in("gus"), run, kind)


def test_each_task_stands_in_the_column_of_its_state(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("bob")
    letter = run.tasks.get(key="letter")
    assert "Write the letter" in column(look(client, run, "board"), "ready")
    perform(pausing.pause_task, letter.pk, actor=team.actor("bob"))
    page = look(client, run, "board")
    assert "Paused</span>" in column(page, "waiting")
    assert column(page, "waiting").count("data-card") == 2
    perform(takeover.take_over, letter.pk, actor=team.actor("bob"))
    assert "Write the letter" in column(look(client, run, "board"), "hands")
    for state, name in (("done", "done"), ("failed", "stuck"), ("in_review", "review")):
        Task.objects.filter(pk=letter.pk).update(state=state, holder=None, paused="")
        assert "Write the letter" in column(look(client, run, "board"), name)


def test_a_long_column_shows_a_part_and_more_of_it_when_asked(
    team: Team, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    run, client = crowd(team, 100), sign_in("bob")
    page = look(client, run, "board")
    assert len(CARD.findall(column(page, "ready"))) == 30
    assert "Show 30 more" in column(page, "ready")
    assert "30 of 102" in column(page, "ready")
    more = look(client, run, "board", ready="60", done="x")
    assert len(CARD.findall(column(more, "ready"))) == 60
    assert 'href="' + reverse("run-view", args=[run.workspace_id, run.pk, "board"]) + "?ready=90" in more
    with django_assert_max_num_queries(30):
        look(client, run, "board", ready="90")
    assert len(CARD.findall(column(look(client, run, "board", ready="99999"), "ready"))) == 102


@pytest.mark.parametrize("kind", ["board", "list"])
def test_how_much_is_read_does_not_grow_with_the_run(team: Team, sign_in: SignIn, kind: str) -> None:
    run, client = crowd(team, 5), sign_in("bob", htmx=True)
    here = reverse("run-view", args=[run.workspace_id, run.pk, kind])
    counts = []
    for keys in (("t0",), ("t1", "t2", "t3")):
        for key in keys:
            perform(takeover.take_over, run.tasks.get(key=key).pk, actor=team.actor("bob"))
        with CaptureQueriesContext(connection) as read:
            client.get(here)
        counts.append(len(read))
    assert counts[0] == counts[1] <= 20


def test_the_newest_of_what_is_done_come_first(team: Team, sign_in: SignIn) -> None:
    run, now = crowd(team, 20), timezone.now()
    for n in range(20):
        ended = {"state": "done", "ended_at": now - timedelta(minutes=n)}
        Task.objects.filter(run=run, key=f"t{n}").update(**ended)
    done = column(look(sign_in("bob"), run, "board"), "done")
    assert re.findall(r"Call (\d+)<", done) == [f"{n:03}" for n in range(12)]


# The menu


def moves(client: Client, task: Task, **query: str) -> str:
    answer = client.get(reverse("task-moves", args=[task.workspace_id, task.pk]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def test_the_menu_of_a_card_has_the_verbs_there_are_and_says_why_not(team: Team, sign_in: SignIn) -> None:
    task, client = team.working(), sign_in("bob")
    page = moves(client, task)
    for verb in ("pause-task", "take-over-task"):
        assert f'action="{reverse(verb, args=[task.workspace_id, task.pk])}"' in page
    assert "?to=cancelled" in page
    assert "It is done when its result is accepted." in page
    assert "only the team moves tasks" in moves(sign_in("gus"), task)
    Task.objects.filter(pk=task.pk).update(state="done")
    assert "nothing leads out of that" in moves(client, task)


@pytest.mark.parametrize(("to", "verb"), [("cancelled", "cancel-task"), ("stuck", "stop-task")])
def test_what_cannot_be_undone_asks_first(team: Team, sign_in: SignIn, to: str, verb: str) -> None:
    task, client = team.working(), sign_in("bob", htmx=True)
    asked = moves(client, task, to=to)
    assert f'action="{reverse(verb, args=[task.workspace_id, task.pk])}"' in asked
    assert f'name="epoch" value="{task.epoch}"' in asked
    assert "take-over" not in asked


def test_whom_to_give_it_to_is_asked_with_the_best_first(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    page = moves(sign_in("bob"), task, to="agents")
    assert f'value="{team.seat("scribe").pk}" checked' in page
    assert "Counter" not in page


def test_a_move_to_a_place_where_there_is_none_shows_the_menu(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    for to in ("done", "moon"):
        assert "Why not elsewhere?" in moves(sign_in("bob"), task, to=to)


def test_one_s_own_hands_lead_to_the_forms_of_the_task(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    mine = moves(sign_in("bob"), task)
    assert f"#give-{task.pk}" in mine
    assert f"#finish-{task.pk}" in mine
    there = sign_in("bob").get(reverse("task", args=[task.workspace_id, task.pk])).content.decode()
    for anchor in ("give", "finish", "hands"):
        assert f'id="{anchor}-{task.pk}"' in there
    assert f"#hands-{task.pk}" in moves(sign_in("ada"), task)
    assert "bob works on it by hand. Ask bob for it." in moves(sign_in("ada"), task)
    perform(finishing.submit_held, task.pk, result="By hand.", actor=team.actor("bob"))


def test_a_move_from_an_older_card_is_refused_with_who_has_it_now(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    client = sign_in("ada", htmx=True)
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    take = reverse("take-over-task", args=[task.workspace_id, task.pk])
    answer = client.post(take, {"epoch": str(task.epoch), "operation": uuid4().hex})
    assert answer.status_code == 409
    assert "bob holds it now" in answer.content.decode()


# The list


def test_the_list_is_sorted_by_its_heads_both_ways(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("gus")
    page = look(client, run, "list")
    assert titles(page) == ["Count the orders", "Write the letter", "Write the report"]
    assert 'class="tasklist__plan" aria-sort="ascending"' in page
    back = look(client, run, "list", sort="-title")
    assert titles(back) == ["Write the report", "Write the letter", "Count the orders"]
    assert 'class="tasklist__title" aria-sort="descending"' in back
    for sort in ("state", "-who", "until", "tries", "moon"):
        assert len(titles(look(client, run, "list", sort=sort))) == 3


def test_the_list_is_filtered_by_state_member_skill_text_and_whom_it_waits_for(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("gus")
    letter = run.tasks.get(key="letter")
    perform(takeover.take_over, letter.pk, actor=team.actor("bob"))
    bob = Member.objects.get(workspace=team.workspace, user=team.users["bob"])
    for query in ({"state": "held"}, {"member": str(bob.pk)}, {"text": "LETTER"}, {"person": "1"}):
        page = look(client, run, "list", **query)
        assert titles(page) == ["Write the letter"], query
        assert "that match, 3 in all" in page
    assert titles(look(client, run, "list", skill="writing")) == ["Write the letter", "Write the report"]
    assert titles(look(client, run, "list", skill="writing", state="waiting")) == ["Write the report"]
    for odd in ({"text": "%\x00_"}, {"skill": "moon"}):
        assert "No task is like that" in look(client, run, "list", **odd)
    for odd in ({"member": "moon"}, {"page": "9" * 30}, {"state": "moon"}):
        assert len(titles(look(client, run, "list", **odd))) == 3


def test_a_long_list_comes_in_pages_that_keep_the_filters(team: Team, sign_in: SignIn) -> None:
    run, client = crowd(team, 150), sign_in("gus")
    page = look(client, run, "list", skill="phoning", sort="-title")
    assert len(titles(page)) == 100
    assert titles(page)[0] == "Call 149"
    assert "skill=phoning&amp;sort=-title&amp;page=2" in page
    rest = look(client, run, "list", skill="phoning", sort="-title", page="2")
    assert titles(rest)[-1] == "Call 000"
    assert "101–150 of 150" in rest


def test_the_head_says_how_it_goes_against_what_was_expected(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("gus")
    began = timezone.now() - timedelta(minutes=12)
    Run.objects.filter(pk=run.pk).update(started_at=began, spent_tokens=12_300, spent_micro=450_000)
    page = look(client, run)
    for said in ("<dt>Started</dt>", "20 min expected", "<dt>Longest path</dt>", "12.3k", "$0.45"):
        assert said in page
    perform(runs.cancel_run, run.pk, actor=team.actor("bob"))
    Run.objects.filter(pk=run.pk).update(ended_at=began + timedelta(minutes=12))
    page = look(client, run)
    assert "<b>12 min</b><span>of 20 min expected</span>" in page
    assert "3 of 3 done" in page
