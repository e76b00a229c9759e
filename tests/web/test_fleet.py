"""The fleet view: who stands how, what is asked of people, and one agent looked at closely."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from agents.models import Agent
from clawgroups.fragments import pieces
from clawgroups.fragments.cells import STANDS, Cell, cells_of
from clawgroups.models import Approval, Attempt, Entry, Member, Run, Task
from clawgroups.realtime.feed import fragments
from clawgroups.services import takeover
from clawgroups.services.perform import perform
from tests.browser.crowd import Gathered, gather
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db


@pytest.fixture
def crowd(team: Team, tmp_path: Any, settings: Any) -> Gathered:
    """Forty agents in a workspace of ada's."""
    settings.MEDIA_ROOT = tmp_path
    made = gather(agents=40, tasks=120)
    Member.objects.filter(workspace=made.workspace, role="owner").update(user=team.users["ada"], name="Ada")
    return made


def view(client: Client, made: Gathered, **said: str) -> str:
    return client.get(made.paths()["run"] + "view/fleet/", said).content.decode()


def shown(page: str) -> dict[str, str]:
    """How each agent on the page stands."""
    return dict(re.findall(r'<li id="cell-([\w-]+)" class="[^"]+" data-state="(\w+)"', page))


def cell(member: Member) -> Cell:
    (found,) = cells_of([member.pk])
    return found


def test_every_agent_is_a_cell_and_says_how_it_stands(crowd: Gathered, sign_in: SignIn) -> None:
    page = view(sign_in("ada"), crowd)
    found = shown(page)
    assert len(found) == 40
    assert set(found.values()) >= {"asks", "working", "free", "offline", "quiet"}
    for state in STANDS:
        number = sum(one == state for one in found.values())
        (counted,) = re.findall(rf'data-counted="{state}".*?<b>(\d+)</b>', page)
        assert int(counted) == number
    order = [STANDS.index(state) for state in found.values()]
    assert order == sorted(order), "what matters most stands first"


@pytest.mark.parametrize(
    ("said", "right"),
    [
        ({"state": "quiet"}, lambda c: c.state == "quiet"),
        ({"skill": "writing"}, lambda c: "writing" in {s.name for s in c.agent.skills.all()}),
        ({"owner": "Mei Tanaka"}, lambda c: c.agent.owner.username == "mei"),
        ({"q": "HERON"}, lambda c: "Heron" in c.member.name or any("heron" in h.title.lower() for h in c.hands)),
        ({"by": "skill", "state": "free"}, lambda c: c.state == "free"),
    ],
)
def test_one_sees_those_that_were_asked_for(crowd: Gathered, sign_in: SignIn, said: Any, right: Any) -> None:
    members = Member.objects.filter(workspace=crowd.workspace, agent__isnull=False)
    wanted = {str(c.member.pk) for c in cells_of(members.values_list("pk", flat=True)) if right(c)}
    assert wanted
    page = view(sign_in("ada"), crowd, **said)
    assert set(shown(page)) == wanted
    assert f"{len(wanted)} of 40" in page
    assert "data-list" not in page.split("data-cells", 1)[1].split("</section>\n  </div>")[0]


def test_nobody_is_like_that_and_it_says_so(crowd: Gathered, sign_in: SignIn) -> None:
    page = view(sign_in("ada"), crowd, q="nobody of this name")
    assert not shown(page)
    assert "No agent is like that right now" in page


def test_what_waits_for_people_stands_first_and_guests_do_not_read_what_agents_ask(
    crowd: Gathered, sign_in: SignIn
) -> None:
    ask = Approval.objects.filter(workspace=crowd.workspace, state="open").first()
    assert ask is not None
    page = view(sign_in("ada"), crowd)
    assert f'href="/w/{crowd.workspace}/tasks/{ask.task_id}/#ask-{ask.pk}"' in page
    question = str(ask.tool_call["title"])[:40]
    assert question in page
    Member.objects.filter(workspace=crowd.workspace, name="Ada").update(role="guest")
    assert question not in view(sign_in("ada"), crowd)
    held = Task.objects.filter(run=crowd.run, state="held").values_list("pk", flat=True)
    assert not [pk for pk in held if f'id="need-{pk}"' in page], "what somebody holds needs nobody else"


def test_three_hundred_agents_cost_no_more_queries_than_forty(
    team: Team, crowd: Gathered, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    client = sign_in("ada")
    view(client, crowd)
    with CaptureQueriesContext(connection) as few:
        view(client, crowd)
    many = gather(agents=120, tasks=300, seed=2)
    Member.objects.filter(workspace=many.workspace, role="owner").update(user=team.users["ada"])
    with django_assert_max_num_queries(len(few) + 2):
        assert len(shown(view(client, many))) == 120
    assert len(few) < 40


def test_a_cell_costs_the_same_reads_however_many_are_drawn(team: Team, crowd: Gathered) -> None:
    ids = list(Member.objects.filter(workspace=crowd.workspace, agent__isnull=False).values_list("pk", flat=True))
    with CaptureQueriesContext(connection) as one:
        assert len(pieces("fleet_cell", ids[:1])) == 1
    with CaptureQueriesContext(connection) as all_of_them:
        assert len(pieces("fleet_cell", ids)) == 40
    assert len(one) == len(all_of_them) <= 5
    assert pieces("fleet_cell", [team.seat("ada").pk]) == [], "people are no cells"


def test_a_cell_follows_what_becomes_of_its_agent(team: Team) -> None:
    task = team.working()
    seat = Attempt.objects.get(task=task).member
    assert cell(seat).state == "working"
    Attempt.objects.filter(task=task).update(progress={"percent": 43}, plan=[{"content": "x", "status": "completed"}])
    assert cell(seat).step == 45
    Attempt.objects.filter(task=task).update(quiet_since=timezone.now())
    assert cell(seat).state == "quiet"
    Attempt.objects.filter(task=task).update(contact="lost")
    assert cell(seat).state == "lost"
    before = Entry.objects.count()
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    assert cell(seat).state in ("free", "offline")
    said = fragments(list(Entry.objects.order_by("pk")[before:]), team.workspace.pk)
    assert any(piece.startswith(f'<li id="cell-{seat.pk}" class="cell cell--{cell(seat).state}') for piece in said)
    assert any(piece.startswith(f'<section id="zoom-{seat.pk}"') for piece in said)
    Agent.objects.filter(seats=seat).update(breaker="open", breaker_until=timezone.now() + timedelta(hours=1))
    assert cell(seat).state == "resting"


def test_a_step_costs_no_cell(team: Team) -> None:
    """They are most of what happens; the panel takes them in one by one."""
    task = team.working()
    said = {"task_id": str(task.pk), "attempt_id": str(task.attempt_id), "step_id": str(task.pk)}
    step = Entry(workspace=team.workspace, generation=1, seq=99, actor={}, type="step.recorded", payload=said)
    assert "cell-" not in "".join(fragments([step], team.workspace.pk))


def test_one_agent_is_looked_at_closely(crowd: Gathered, sign_in: SignIn) -> None:
    attempt = Attempt.objects.filter(workspace=crowd.workspace, state="working", member__agent__isnull=False)
    asks = (
        attempt.get(approvals__state="open", approvals__kind="permission")
        if attempt.filter(approvals__kind="permission").exists()
        else attempt.filter(approvals__state="open").first()
    )
    assert asks is not None
    client = sign_in("ada")
    for page in (
        client.get(f"/w/{crowd.workspace}/members/{asks.member_id}/").content.decode(),
        sign_in("ada", htmx=True).get(f"/w/{crowd.workspace}/members/{asks.member_id}/").content.decode(),
        view(client, crowd, agent=str(asks.member_id)),
    ):
        assert f'id="thread-{asks.pk}"' in page, "steps join it as they come"
        assert f'data-watch="{asks.pk}"' in page, "and words stream in"
        assert f"/tasks/{asks.task_id}/take-over/" in page
        assert f'id="ask-{asks.approvals.get().pk}"' in page
    assert client.get(f"/w/{crowd.workspace}/members/{crowd.run}/").status_code == 404
    assert 'id="zoom-' not in view(client, crowd, agent="nobody")


def test_a_guest_looks_on_without_buttons(crowd: Gathered, sign_in: SignIn) -> None:
    attempt = Attempt.objects.filter(workspace=crowd.workspace, state="working", member__agent__isnull=False).first()
    assert attempt is not None
    Member.objects.filter(workspace=crowd.workspace, name="Ada").update(role="guest")
    page = sign_in("ada").get(f"/w/{crowd.workspace}/members/{attempt.member_id}/").content.decode()
    assert f'id="thread-{attempt.pk}"' in page
    assert "take-over" not in page


def test_an_empty_workspace_says_what_to_do(team: Team, sign_in: SignIn) -> None:
    run = team.run([{"key": "a", "title": "A"}])
    Member.objects.filter(workspace=team.workspace, agent__isnull=False).update(left_at=timezone.now())
    assert Run.objects.filter(pk=run.pk).exists()
    page = sign_in("ada").get(f"/w/{team.workspace.pk}/runs/{run.pk}/view/fleet/").content.decode()
    assert "No agent sits here yet" in page
