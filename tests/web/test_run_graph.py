"""The plan as a picture: every task a link with its state in words, the longest path marked, and the same as a list."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries

from clawgroups.fragments import rooms
from clawgroups.fragments.views import graph
from clawgroups.fragments.views.graph_rows import key_of
from clawgroups.models import Approval, Run, Session, Task
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

EVIL = "<script>alert(1)</script> & more"
PLAN: list[dict[str, Any]] = [
    {"key": "count", "title": "Count the <sales>", "skills": ["data-analysis"]},
    {"key": "north", "title": "Write about the north", "skills": ["writing"], "depends_on": ["count"]},
    {"key": "south", "title": "Write about the south", "skills": ["writing"], "depends_on": ["count"]},
    {"key": "check", "title": "Check the south", "skills": ["review"], "depends_on": ["south"]},
    {"key": "bind", "title": "Bind", "skills": ["writing"], "depends_on": ["north", "check"]},
]


def look(client: Client, run: Run, **said: str) -> str:
    answer = client.get(reverse("run-view", args=[run.workspace_id, run.pk, "graph"]), said)
    assert answer.status_code == 200
    return answer.content.decode()


def wide(team: Team, number: int = 140) -> Run:
    tasks = [{"key": f"page-{n}", "title": f"Draft page {n}", "skills": ["writing"]} for n in range(number)]
    return team.run([*tasks, {"key": "bind", "title": "Bind", "depends_on": [one["key"] for one in tasks]}])


def key(run: Run, name: str) -> str:
    return key_of(Task.objects.get(run=run, key=name).pk.hex)


def test_every_task_is_a_link_that_says_where_it_stands_and_what_it_comes_after(team: Team, sign_in: SignIn) -> None:
    run = team.run(PLAN)
    said = look(sign_in("gus", htmx=True), run)
    for task in Task.objects.filter(run=run):
        assert f'<a id="node-{key_of(task.pk.hex)}"' in said
        assert said.count(reverse("task", args=[run.workspace_id, task.pk])) == 2
    assert 'aria-label="Count the &lt;sales&gt;: Ready, longest path"' in said
    assert "the longest path has 4 tasks, 4 of them left." in said
    assert re.search(r"after:\s+Write about the north;\s+Check the south|after:\s+Check the south;\s+Write", said)
    assert "style=" not in said


def test_the_longest_path_is_marked_and_nothing_else(team: Team, sign_in: SignIn) -> None:
    run = team.run(PLAN)
    said = look(sign_in("ada"), run)
    on = re.findall(r'id="link-(\w+)-(\w+)" class="glink is-path', said)
    assert on == [(key(run, a), key(run, b)) for a, b in (("count", "south"), ("south", "check"), ("check", "bind"))]
    assert said.count(">longest path</text>") == 1


def test_a_box_keeps_its_name_when_its_task_moves_on(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    client = sign_in("ada")
    before = look(client, task.run)
    assert f'<a id="node-{key_of(task.pk.hex)}" class="gnode tone--live gnode--working' in before
    team.finish("scribe", "Nothing to add.")
    after = look(client, task.run)
    assert f'<a id="node-{key_of(task.pk.hex)}" class="gnode' in after
    assert "gnode--working" not in after


def test_who_has_a_task_how_far_they_are_and_that_they_ask_is_in_the_picture(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    attempt = task.attempt
    assert attempt is not None
    attempt.plan = [{"content": "a", "status": "completed"}, {"content": "b", "status": "pending"}, "rubbish"]
    attempt.save(update_fields=["plan"])
    at = attempt.offered_at
    Approval.objects.create(
        workspace=task.workspace, task=task, attempt=attempt, session=Session.objects.get(attempt=attempt),
        epoch=1, request_id=1, digest="x", asked_at=at, expires_at=at,
    )  # fmt: skip
    said = look(sign_in("ada"), task.run)
    assert 'aria-label="Write it up: Working, Scribe, 1 of 2 steps, asks"' in said
    assert "needs-person" in said
    assert ">1/2<" not in said


def test_alike_tasks_of_a_large_plan_are_one_box_that_opens_and_shuts(team: Team, sign_in: SignIn) -> None:
    run, client = wide(team), sign_in("ada")
    said = look(client, run)
    assert 'aria-label="140 × Draft page: 140 Ready. Open this group"' in said
    assert said.count('class="gnode ') == 2
    assert "?open=0.writing" in said
    opened = look(client, run, open="0.writing,7.nothing")
    assert opened.count('class="gnode tone') == 36 + 1
    assert 'aria-label="104 × Draft page' in opened
    assert "close this group" in opened


def test_a_deep_plan_is_shown_in_parts_around_what_is_left(team: Team, sign_in: SignIn) -> None:
    tasks = [{"key": f"s-{n}", "title": f"Step {n}", "depends_on": [f"s-{n - 1}"] if n else []} for n in range(90)]
    run, client = team.run(tasks), sign_in("ada")
    Task.objects.filter(run=run, level__lt=50).update(state="done")
    assert "Layers 48 to 87 of 90" in look(client, run)
    assert "Layers 11 to 50 of 90" in look(client, run, **{"from": "10"})
    assert "Layers 90 to 90 of 90" in look(client, run, **{"from": "99999"})


@pytest.mark.parametrize("said", [{"from": "x"}, {"zoom": EVIL}, {"way": EVIL}, {"open": EVIL}, {"from": "9" * 40}])
def test_what_cannot_be_read_in_an_address_changes_nothing_and_is_not_written_out(
    team: Team, sign_in: SignIn, said: dict[str, str]
) -> None:
    run = team.run(PLAN)
    page = look(sign_in("ada"), run, **said)
    assert "<script>alert" not in page
    assert page.count('class="gnode ') == 5


def test_it_can_be_turned_and_made_to_fit(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("ada")
    across, down = look(client, run), look(client, run, way="down", zoom="fit")
    ((width, height),) = re.findall(r'<svg width="(\d+)" height="(\d+)"', across)
    assert int(width) > int(height)
    ((width, height),) = re.findall(r'<svg width="(\d+)" height="(\d+)"', down)
    assert int(height) > int(width) / 2
    assert "graph--fit" in down
    assert "way=down" in down


def test_a_run_without_a_plan_says_so(team: Team) -> None:
    run = team.run(PLAN)
    Task.objects.filter(run=run).delete()
    for state, words in (("running", "The plan is on its way."), ("cancelled", "This run has no plan.")):
        Run.objects.filter(pk=run.pk).update(state=state)
        (view,) = rooms.runs_of([run.pk])
        assert words in render_to_string("runs/views/graph.html", {"view": view, **graph.load(view, {})})


def test_a_plan_is_read_in_as_many_queries_however_large_it_is(
    team: Team, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for run in (team.run(PLAN), wide(team)):
        (view,) = rooms.runs_of([run.pk])
        with django_assert_num_queries(4):
            graph.load(view, {})
