"""The palette finds what one may see, best first; it is a page, too. And what else is of the whole site."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from agents.ids import new_id
from clawgroups.models import Run, Task
from clawgroups.services import pausing, workspaces
from clawgroups.services.perform import perform
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
FOUND = re.compile(r'class="go__title"><span class="clip">([^<]+)')
MOST_QUERIES = 14


def found(client: Client, query: str, at: str = "") -> list[str]:
    """The titles of what a query finds."""
    answer = client.get(reverse("go"), {"q": query, "at": at})
    assert answer.status_code == 200
    return FOUND.findall(answer.content.decode())


def test_each_kind_of_place_is_found_by_its_name(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    ada, said = sign_in("ada"), {}
    for query in ("sales", "understand the", "write up", "bob", "scribe", "needs you"):
        said[query] = ada.get(reverse("go"), {"q": query}).content.decode()
    room = team.workspace.pk
    assert reverse("workspace", args=[room]) in said["sales"]
    assert reverse("run", args=[room, task.run_id]) in said["understand the"]
    assert reverse("task", args=[room, task.pk]) in said["write up"]
    assert f"{reverse('members', args=[room])}#member-{team.seat('bob').pk}" in said["bob"]
    assert reverse("agent", args=[team.agents["scribe"].pk]) in said["scribe"]
    assert reverse("needs-you") in said["needs you"]


def test_only_what_one_may_see_is_found(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    there = reverse("task", args=[team.workspace.pk, task.pk])
    for query in ("sales", "write", "understand", "scribe", "gus"):
        assert found(sign_in("mallory"), query, there) == []
    assert "Take over" not in found(sign_in("mallory"), "", there)
    gus = found(sign_in("gus"), "", there)
    assert "Story of this task" in gus
    assert "Take over" not in gus
    assert "Give a goal" not in gus
    assert "Administration" not in found(sign_in("ada"), "admin")
    assert "Administration" in found(sign_in("sue"), "admin")
    assert Client().get(reverse("go")).status_code == 303


def test_what_begins_with_the_words_stands_before_what_only_has_them(team: Team, sign_in: SignIn) -> None:
    team.run(
        [
            {"key": key, "title": title}
            for key, title in (("a", "A chart of lamps"), ("b", "Lamps"), ("c", "Overclamps"))
        ]
    )
    perform(workspaces.create_workspace, name="Old lamps", goal="", actor=team.actor("ada"))
    there = reverse("workspace", args=[team.workspace.pk])
    assert found(sign_in("ada"), "lamps", there) == ["Lamps", "A chart of lamps", "Old lamps", "Overclamps"]
    assert found(sign_in("ada"), "LAMPS chart") == ["A chart of lamps"]
    assert found(sign_in("ada"), "lamps of elephants") == []


def test_the_verbs_fit_the_page_and_how_things_stand(team: Team, sign_in: SignIn) -> None:
    task = team.one_task()
    there = reverse("task", args=[team.workspace.pk, task.pk])
    ada = sign_in("ada")
    assert {"Take over", "Pause this task", "Stop everything", "Goal and rules"} <= set(found(ada, "", there))
    perform(pausing.pause_task, task.pk, actor=team.actor("ada"))
    assert "Let it go on" in found(ada, "", there)
    assert "Pause this task" not in found(ada, "", there)
    said = ada.get(reverse("go"), {"q": "take", "at": there}).content.decode()
    action = reverse("take-over-task", args=[team.workspace.pk, task.pk])
    assert f'action="{action}"' in said
    epoch = Task.objects.get().epoch
    assert ada.post(action, {"epoch": epoch}).status_code == 303
    assert Task.objects.get().state == "held"
    assert "Take over" not in found(ada, "", "/")
    # An address that is none of ours has no verbs.
    assert "Take over" not in found(ada, "", "https://elsewhere.example" + there)


def test_the_receipt_is_offered_once_there_is_one(team: Team, sign_in: SignIn) -> None:
    task, ada = team.working(), sign_in("ada")
    there = reverse("task", args=[team.workspace.pk, task.pk])
    assert "Receipt of this task" not in found(ada, "receipt", there)
    Task.objects.filter(pk=task.pk).update(state="done")
    said = ada.get(reverse("go"), {"q": "receipt", "at": there}).content.decode()
    assert reverse("receipt", args=[team.workspace.pk, task.pk]) in said


def test_a_sign_that_no_text_can_hold_is_not_looked_for(team: Team, sign_in: SignIn) -> None:
    assert found(sign_in("ada"), "sa\0les") == found(sign_in("ada"), "sales")


def test_a_script_gets_the_list_alone_and_no_cache_keeps_it(team: Team, sign_in: SignIn) -> None:
    answer = sign_in("ada", htmx=True).get(reverse("go"), {"q": "sales"})
    assert answer.content.decode().lstrip().startswith('<div id="go-found"')
    assert 'role="option" id="go-1"' in answer.content.decode()
    assert "no-store" in answer["Cache-Control"]


def test_it_looks_at_few_rows_however_much_there_is(team: Team, sign_in: SignIn) -> None:
    run = team.run([{"key": "a", "title": "Lamps"}])
    now = timezone.now()
    rows = [
        Task(
            id=new_id(),
            workspace=team.workspace,
            run=run,
            key=f"k{i}",
            position=i,
            title=f"Lamp {i}",
            state="waiting",
            created_at=now,
        )
        for i in range(400)
    ]
    Task.objects.bulk_create(rows)
    Run.objects.bulk_create(
        Run(
            id=new_id(),
            workspace=team.workspace,
            goal=f"Lamps {i}",
            state="done",
            created_by=run.created_by,
            created_at=now,
        )
        for i in range(80)
    )
    client = sign_in("ada")
    there = reverse("task", args=[team.workspace.pk, rows[0].pk])
    with CaptureQueriesContext(connection) as asked:
        assert len(found(client, "lamp", there)) == 24
    assert len(asked) <= MOST_QUERIES + 12  # those of the page around it


def test_single_keys_are_turned_off_for_this_browser(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    assert 'data-keys="off"' not in ada.get(reverse("me")).content.decode()
    assert ada.post(reverse("set-keys"), {"next": reverse("me")})["Location"] == reverse("me")
    assert 'data-keys="off"' in ada.get(reverse("me")).content.decode()
    ada.post(reverse("set-keys"), {"keys": "on", "next": "https://elsewhere.example/"})
    assert 'data-keys="off"' not in ada.get(reverse("me")).content.decode()


def test_the_style_page_is_for_staff_and_shows_every_token(team: Team, sign_in: SignIn) -> None:
    there = reverse("style")
    assert sign_in("ada").get(there).status_code == 403
    said = sign_in("sue").get(there).content.decode()
    for name in ("paper", "claw", "s6", "round-s", "h1", "text-2", "lift", "quick", "ease", "mono"):
        assert f">{name}" in said or f"{name} " in said


@pytest.mark.parametrize(
    ("who", "status", "says"), [("gus", 403, "Your role here is guest"), ("mallory", 404, "add you")]
)
def test_who_may_not_is_told_why_and_whom_to_ask(team: Team, sign_in: SignIn, who: str, status: int, says: str) -> None:
    answer = sign_in(who).post(reverse("set-rules", args=[team.workspace.pk]), {"rules": "Mine"})
    said = answer.content.decode()
    assert answer.status_code == status
    assert says in said
    assert status == 404 or "Ask ada or carol." in said
