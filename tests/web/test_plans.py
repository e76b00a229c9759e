"""The page of a proposed plan: everything is edited in place, and as plain forms without script."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from clawgroups.core.actors import coordinator_for
from clawgroups.models import Run, Task
from clawgroups.services import plans, replan, replan_asks, tasks
from clawgroups.services.perform import perform
from clawgroups.services.plan_changes import read_plan
from tests.conftest import Team
from tests.services.model_support import server
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db

PLAN: list[dict[str, Any]] = [
    {"key": "count", "title": "Count", "skills": ["data-analysis"], "instructions": "All of <them>."},
    {"key": "write", "title": "Write", "skills": ["writing"], "depends_on": ["count"], "acceptance": ["min_words: 9"]},
    {"key": "sing", "title": "Sing", "skills": ["singing"], "depends_on": ["count"]},
]


@pytest.fixture
def run(team: Team) -> Run:
    return team.run(PLAN, start=False)


def look(client: Client, run: Run, **query: str) -> str:
    answer = client.get(reverse("run", args=[run.workspace_id, run.pk]), query)
    assert answer.status_code == 200
    return answer.content.decode()


def task(run: Run, key: str) -> Task:
    return Task.objects.get(run=run, key=key)


def send(client: Client, run: Run, name: str, /, key: str = "", **said: Any) -> Any:
    ids = [run.workspace_id, run.pk, *([task(run, key).pk] if key else [])]
    return client.post(reverse(name, args=ids), said)


WRITE = {"title": "Write", "acceptance": "min_words: 9", "skills": "writing", "after": ["count"], "assignee": ""}


def titles(run: Run) -> list[str]:
    run.refresh_from_db()
    return [one.title for one in read_plan(run).planned]


def test_the_page_says_what_happens_at_the_start_who_would_do_what_and_what_nobody_can(
    team: Team, run: Run, sign_in: SignIn
) -> None:
    said = look(sign_in("bob"), run)
    assert "<b>1 task</b> starts at once" in said
    assert "data-analysis at level 4 of 5" in said
    assert "Nobody can do this yet: nobody has the skill singing." in said
    assert "Nobody can do 1 task yet:" in said
    assert "All of &lt;them&gt;." in said
    assert "Has at least 9 words" in said
    assert "Not known yet" in said
    assert "10 minutes each are assumed" in said
    assert said.count('class="planlane"') == 2


def test_the_form_of_a_task_offers_the_members_with_their_fit_and_the_closed_set_of_checks(
    team: Team, run: Run, sign_in: SignIn
) -> None:
    address = reverse("plan-task", args=[run.workspace_id, run.pk, task(run, "write").pk])
    for client in (sign_in("bob"), sign_in("bob", htmx=True)):
        said = client.get(address).content.decode()
        assert "Scribe (writing at level 4 of 5)" in said
        assert "Counter (lacks writing)" in said
        assert "numbers_match_source" in said
    assert "<html" not in said


def test_people_who_may_be_asked_are_among_those_who_could_do_it(team: Team, run: Run, sign_in: SignIn) -> None:
    seat = team.seat("carol")
    seat.skills, seat.capacity = {"singing": 5}, 1
    seat.save()
    said = look(sign_in("bob"), run)
    assert "singing at level 5 of 5" in said
    assert "Nobody can do this yet" not in said
    assert 'class="who who--person' in said


def test_guests_look_and_cannot_touch(team: Team, run: Run, sign_in: SignIn) -> None:
    said = look(sign_in("gus"), run)
    for name in ("merge-tasks", "undo-edit", "add-task", "plan-anew", "start-run"):
        assert reverse(name, args=[run.workspace_id, run.pk]) not in said
    panel = reverse("plan-task", args=[run.workspace_id, run.pk, task(run, "write").pk])
    answer = sign_in("gus", htmx=True).get(panel).content.decode()
    assert "min_words: 9" in answer
    assert "<form" not in answer


@pytest.mark.parametrize("htmx", [False, True])
def test_each_edit_works_with_script_and_without(team: Team, run: Run, sign_in: SignIn, htmx: bool) -> None:
    client = sign_in("bob", htmx=htmx)
    edited = {**WRITE, "title": "Write it", "minutes": "12", "assignee": "judge", "version": "0"}
    shown = [
        send(client, run, "edit-task", "write", **edited),
        send(
            client, run, "split-task", "count", part_title=["North", "South"], part_instructions=["n", ""], version="1"
        ),
        send(client, run, "move-task", "sing", by="-1", version="2"),
        send(client, run, "add-task", title="Look up", acceptance="not_empty", after=["write"], version="3"),
        send(client, run, "remove-task", "sing", version="4"),
    ]
    assert {answer.status_code for answer in shown} == ({200} if htmx else {303})
    assert titles(run) == ["North", "South", "Write it", "Look up"]
    write = task(run, "write")
    assert (write.minutes, write.proposed, write.waiting_on) == (12, team.seat("judge"), 2)
    assert write.proposal["reason"] == "chosen by bob"
    both = [str(task(run, key).pk) for key in ("count", "count-2")]
    send(client, run, "merge-tasks", task=both, merged_title="", version="5")
    assert titles(run) == ["North + South", "Write it", "Look up"]
    send(client, run, "undo-edit", version="6")
    assert titles(run) == ["North", "South", "Write it", "Look up"]
    if htmx:
        assert f'id="run-plan-{run.pk}"' in shown[0].content.decode()


@pytest.mark.parametrize("htmx", [False, True])
def test_bad_input_comes_back_with_all_that_was_typed(team: Team, run: Run, sign_in: SignIn, htmx: bool) -> None:
    client = sign_in("bob", htmx=htmx)
    for said, error in (
        ({"title": ""}, "This field is required"),
        ({"acceptance": "min_words: many"}, "min_words needs a number"),
        ({"skills": "!!"}, "a skill is a short word"),
        ({"minutes": "soon"}, "Enter a whole number"),
        ({"after": ["nowhere"]}, "nowhere is not one of the available choices"),
    ):
        answer = send(client, run, "edit-task", "write", **{**WRITE, "instructions": "My words.", **said})
        assert answer.status_code == 422
        text = answer.content.decode()
        assert error in text
        assert "My words." in text
    circle = send(client, run, "edit-task", "count", title="Count", acceptance="not_empty", after=["write"])
    assert circle.status_code == 422
    assert "in a circle" in circle.content.decode()
    assert titles(run) == ["Count", "Write", "Sing"]


@pytest.mark.parametrize("htmx", [False, True])
def test_a_page_that_is_behind_is_told_and_loses_nothing(team: Team, run: Run, sign_in: SignIn, htmx: bool) -> None:
    perform(plans.edit_task, run.pk, key="write", changes={"title": "Carol's"}, actor=team.actor("carol"))
    said = {**WRITE, "title": "Mine", "instructions": "My long words.", "version": "0"}
    answer = send(sign_in("bob", htmx=htmx), run, "edit-task", "write", **said)
    assert answer.status_code == 409
    text = answer.content.decode()
    assert "carol edited “Write” (title)" in text
    assert "My long words." in text
    assert titles(run)[1] == "Carol&#x27;s".replace("&#x27;", "'")
    # Sent again from what came back, it is taken.
    assert 'name="version" value="1"' in text or 'id="plan-version" value="1"' in text
    assert send(sign_in("bob", htmx=htmx), run, "edit-task", "write", **{**said, "version": "1"}).status_code < 400
    assert titles(run)[1] == "Mine"


def test_a_plan_that_moved_is_not_started_by_an_older_page(team: Team, run: Run, sign_in: SignIn) -> None:
    perform(plans.remove_task, run.pk, key="sing", actor=team.actor("carol"))
    client = sign_in("bob")
    assert send(client, run, "start-run", version="0").status_code == 409
    assert send(client, run, "start-run", version="1").status_code == 303
    run.refresh_from_db()
    assert run.state == "running"
    said = look(client, run)
    assert "Forecast and how it goes" in said
    assert "planlane" not in said


def test_a_form_open_while_somebody_else_changes_the_task_says_so(team: Team, run: Run, sign_in: SignIn) -> None:
    address = reverse("plan-task", args=[run.workspace_id, run.pk, task(run, "write").pk])
    perform(plans.edit_task, run.pk, key="write", changes={"minutes": 3}, actor=team.actor("carol"))
    assert "Somebody changed this task" in sign_in("bob", htmx=True).get(address, {"seen": "old"}).content.decode()
    assert (
        "Somebody changed this task" not in sign_in("carol", htmx=True).get(address, {"seen": "old"}).content.decode()
    )


def test_a_task_that_is_gone_is_not_found(team: Team, run: Run, sign_in: SignIn) -> None:
    pk = task(run, "sing").pk
    perform(plans.remove_task, run.pk, key="sing", actor=team.actor("carol"))
    assert sign_in("bob").get(reverse("plan-task", args=[run.workspace_id, run.pk, pk])).status_code == 404


def test_a_long_plan_is_shown_in_pages_in_the_order_in_which_it_can_be_done(team: Team, sign_in: SignIn) -> None:
    plan = [{"key": f"t{n}", "title": f"Task {n}"} for n in range(240)]
    run = team.run([*plan, {"key": "end", "title": "The end", "depends_on": ["t0"]}], start=False)
    client = sign_in("bob")
    first, last = look(client, run), look(client, run, page="3")
    assert "These are the tasks 1 to 100 of 241" in first
    assert first.count('class="planrow') - first.count('class="planrow__') - first.count('class="planrows') == 100
    assert "The end</h4>" in last
    answer = send(client, run, "remove-task", "end", version="0", page="3")
    assert answer["Location"].endswith(f"?page=3#run-plan-{run.pk}")


def test_another_plan_is_asked_for(team: Team, run: Run, sign_in: SignIn) -> None:
    assert send(sign_in("bob"), run, "plan-anew", note="Shorter", version="0").status_code == 303
    run.refresh_from_db()
    assert run.state == "planning"
    assert look(sign_in("bob"), run)


def test_the_open_tasks_of_a_running_plan_are_changed_by_a_form_and_shown_as_a_difference(
    team: Team, sign_in: SignIn
) -> None:
    run = team.run(PLAN)
    perform(tasks.assign_task, task(run, "count").pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    client = sign_in("bob")
    form = client.get(reverse("change-plan", args=[run.workspace_id, run.pk])).content.decode()
    assert 'name="t-write-title"' in form
    assert 'name="t-count-title"' not in form
    typed = {
        **{
            f"t-write-{name}": value
            for name, value in {**WRITE, "title": "Write it up", "after": "count, look-up"}.items()
        },
        "t-sing-title": "Sing",
        "t-sing-out": "on",
        "new-0-title": "Look up",
        "new-0-instructions": "In the library",
        "rationale": "Nobody sings",
    }
    wrong = send(client, run, "propose-replan", "", **{**typed, "t-write-after": "nowhere"})
    assert wrong.status_code == 422
    assert "which is not in the plan" in wrong.content.decode()
    assert "In the library" in wrong.content.decode()
    assert send(client, run, "propose-replan", "", **typed).status_code == 303
    said = look(client, run)
    for words in ("bob proposes a change of the plan", "1 task is added", "1 task is cancelled", "1 task is changed"):
        assert words in said
    assert "Write it up" in said
    assert reverse("accept-replan", args=[run.workspace_id, run.pk]) not in look(sign_in("gus"), run)
    run.refresh_from_db()
    assert send(client, run, "accept-replan", replan=run.replan["id"]).status_code == 303
    assert {t.key: t.state for t in Task.objects.filter(run=run)} == {
        "count": "assigned",
        "write": "waiting",
        "sing": "cancelled",
        "look-up": "ready",
    }


def test_a_change_that_does_not_fit_any_more_says_why_and_can_only_be_rejected(team: Team, sign_in: SignIn) -> None:
    run = team.run(PLAN[:1])
    tail = [{"key": "count", "minutes": 3}]
    perform(replan.propose_replan, run.pk, tasks=tail, rationale="", actor=team.actor("ada"))
    perform(tasks.assign_task, task(run, "count").pk, member_id=team.seat("counter").pk, actor=team.actor("ada"))
    said = look(sign_in("bob"), run)
    assert "It does not fit any more: Count moved on" in said
    assert "Accept the change" not in said
    answer = send(sign_in("bob", htmx=True), run, "reject-replan")
    assert answer.status_code == 200
    assert "proposes a change" not in answer.content.decode()


ASK = "Have the coordinator propose a change"


def change_page(client: Client, run: Run) -> str:
    return client.get(reverse("change-plan", args=[run.workspace_id, run.pk])).content.decode()


def test_while_a_change_is_proposed_the_page_says_so(team: Team, sign_in: SignIn) -> None:
    run = team.run(PLAN)
    assert "A change is proposed already." not in change_page(sign_in("ada"), run)
    perform(replan.propose_replan, run.pk, tasks=[{"key": "count"}], rationale="", actor=team.actor("ada"))
    assert "A change is proposed already." in change_page(sign_in("ada"), run)


def test_where_no_model_may_be_asked_the_page_offers_only_the_editor(team: Team, sign_in: SignIn) -> None:
    run, client = team.run(PLAN), sign_in("bob")
    assert ASK not in change_page(client, run)
    answer = send(client, run, "ask-replan", note="Nobody sings")
    assert answer.status_code == 409
    assert "Change the plan by hand" in answer.content.decode()


def test_the_coordinator_is_asked_for_a_change_and_the_wish_withdrawn(team: Team, sign_in: SignIn) -> None:
    server("K2")
    run, client = team.run(PLAN), sign_in("bob")
    assert ASK in change_page(client, run)
    wrong = send(client, run, "ask-replan", note="  ")
    assert wrong.status_code == 422
    assert "Note is empty" in wrong.content.decode()
    assert 'name="t-write-title"' in wrong.content.decode()
    assert 'value="Write"' in wrong.content.decode()
    long = send(client, run, "ask-replan", note="long " * 500)
    assert "long long" in long.content.decode()
    assert send(client, run, "ask-replan", note="Nobody <sings>").status_code == 303
    run.refresh_from_db()
    for said in (look(client, run), change_page(client, run)):
        assert "The coordinator is thinking about a change" in said
        assert "Nobody &lt;sings&gt;" in said
        assert run.replan["asked"]["id"] in said
    assert ASK not in change_page(client, run)
    assert reverse("reject-replan", args=[run.workspace_id, run.pk]) not in look(sign_in("gus"), run)
    answer = send(sign_in("bob", htmx=True), run, "reject-replan", replan=run.replan["asked"]["id"])
    assert "The coordinator is thinking" not in answer.content.decode()
    assert ASK in change_page(client, run)


def test_a_proposal_says_who_asked_for_it(team: Team, sign_in: SignIn) -> None:
    server("K2")
    run = team.run(PLAN)
    asked = perform(replan_asks.ask_replan, run.pk, note="Count <again>", actor=team.actor("bob")).answer["replan"]
    tail = [{"key": "count", "minutes": 3}, {"key": "write"}, {"key": "sing"}]
    coordinator = coordinator_for(team.users["ada"].pk)
    perform(replan.propose_replan, run.pk, tasks=tail, rationale="More.", asked=asked, actor=coordinator)
    client = sign_in("carol")
    shown = look(client, run)
    assert "Coordinator proposes a change of the plan" in shown
    assert "bob asked for it: “Count &lt;again&gt;”" in shown
    # Another one is not asked for meanwhile.
    assert ASK not in change_page(client, run)
