"""Tests of the page of a task: what a step shows, past tries, two tries beside each other, the receipt, the bar."""

from __future__ import annotations

import base64
import json
import re
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from agents.protocol.updates import ToolCall
from clawgroups.core.actors import SYSTEM
from clawgroups.core.transcript import Standing
from clawgroups.fragments import pieces
from clawgroups.models import Attempt, Dependency, Part, Step, Task
from clawgroups.services import finishing, review, takeover
from clawgroups.services import tasks as verbs
from clawgroups.services.files import path_of
from clawgroups.services.perform import perform
from clawgroups.services.transcript_page import Page
from tests.conftest import Team
from tests.web.conftest import SignIn

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)
HOSTILE = "<img src=x onerror=alert(1)>\u202etxt"

pytestmark = pytest.mark.django_db


def shown(client: Client, name: str, *ids: Any, status: int = 200) -> str:
    response = client.get(reverse(name, args=ids))
    assert response.status_code == status
    return response.content.decode()


def step_of(attempt: Attempt, *, content: list[Any] | None = None, **extra: Any) -> Step:
    """A step as the gateway records it."""
    standing = Standing(uuid4(), attempt.workspace_id, attempt.task_id, attempt.pk, attempt.epoch, live=True)
    standing.ordinal = (attempt.steps.order_by("-ordinal").values_list("ordinal", flat=True).first() or 0) + 1
    given = {"title": "Edit it", "kind": "edit", "status": "completed", "content": content or [], **extra}
    sheet = Page(standing, SYSTEM, timezone.now())
    call = ToolCall(uuid4().hex, given)
    sheet.read_up([call])
    sheet.add(call)
    (values,) = sheet._steps.values()
    return Step.objects.create(**values)


def text(words: str) -> dict[str, Any]:
    return {"type": "content", "content": {"type": "text", "text": words}}


def image(data: bytes) -> dict[str, Any]:
    return {
        "type": "content",
        "content": {"type": "image", "mimeType": "image/png", "data": base64.b64encode(data).decode()},
    }


def working(team: Team) -> Attempt:
    task = team.working()
    assert task.attempt is not None
    return task.attempt


def test_a_long_difference_is_kept_whole_and_shown_with_signs_and_folds(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    old = "\n".join(f"line {n}" for n in range(3000))
    new = old.replace("line 1500\n", "line <b>changed</b>\n")
    step = step_of(attempt, content=[{"type": "diff", "path": "big.txt", "oldText": old, "newText": new}])
    assert len(json.dumps(step.detail)) < 64 * 1024
    said = shown(sign_in("bob", htmx=True), "step-detail", attempt.pk, step.pk)
    assert "line &lt;b&gt;changed&lt;/b&gt;" in said
    assert "1497 lines alike" in said
    assert said.count("is-out") == said.count("is-in") == 1
    whole = sign_in("bob").get(reverse("step-file", args=[attempt.pk, step.pk, 0, "now"]))
    assert whole.content.decode() == new
    assert whole["Content-Disposition"].startswith("attachment")


def test_a_picture_comes_from_its_own_address_and_what_only_calls_itself_one_does_not(
    team: Team, sign_in: SignIn
) -> None:
    attempt = working(team)
    step = step_of(attempt, content=[image(PNG), image(b"<svg onload='alert(1)'/>")])
    bob = sign_in("bob")
    said = shown(sign_in("bob", htmx=True), "step-detail", attempt.pk, step.pk)
    assert said.count("<img ") == 1
    picture = bob.get(reverse("step-file", args=[attempt.pk, step.pk, 0, "now"]))
    assert (picture.content, picture["Content-Type"]) == (PNG, "image/png")
    assert picture["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in picture["Content-Security-Policy"]
    shown(bob, "step-file", attempt.pk, step.pk, 1, "now", status=404)


def test_an_agent_cannot_have_bytes_shown_by_a_hash_that_it_knows(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    kept = {"sha256": "a" * 64, "size": 10}
    step = step_of(
        attempt,
        content=[
            {"type": "diff", "path": "x", "newText": "new", "kept": kept, "kept_before": kept},
            {"type": "content", "content": {"type": "text", "text": "t", "kept": kept}},
            {"type": "content", "content": {"type": "image", "kept": kept}},
        ],
    )
    assert "a" * 64 not in json.dumps(step.detail)
    for number in range(3):
        shown(sign_in("bob"), "step-file", attempt.pk, step.pk, number, "now", status=404)


def test_ten_megabytes_of_output_are_bounded_on_the_page_and_whole_in_the_download(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    words = "0123456789abcde\n" * 655_360
    step = step_of(attempt, kind="execute", content=[text(words)])
    said = shown(sign_in("bob", htmx=True), "step-detail", attempt.pk, step.pk)
    assert len(said) < 40_000
    assert "Show all" in said
    whole = sign_in("bob").get(reverse("step-file", args=[attempt.pk, step.pk, 0, "now"]))
    assert len(whole.content) == len(words)


def test_what_the_store_has_lost_takes_nothing_else_of_a_step_with_it(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    lost = {"type": "diff", "path": "big.txt", "oldText": "a\n" * 9000, "newText": "b\n" * 9000}
    step = step_of(attempt, content=[lost, text("still here")])
    for name in ("kept", "kept_before"):
        path_of(step.detail["content"][0][name]["sha256"]).unlink()
    said = shown(sign_in("bob", htmx=True), "step-detail", attempt.pk, step.pk)
    assert "still here" in said
    assert "Only the beginning was compared." in said
    shown(sign_in("bob"), "step-file", attempt.pk, step.pk, 0, "now", status=404)


def test_fifty_long_differences_are_compared_only_so_far(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    one, other = ("\n".join(f"{sign} {n} {'=' * 90}" for n in range(1500)) for sign in "ab")
    step = step_of(
        attempt, content=[{"type": "diff", "path": f"{n}", "oldText": one, "newText": other} for n in range(30)]
    )
    said = shown(sign_in("bob", htmx=True), "step-detail", attempt.pk, step.pk)
    assert said.count("The file after it") == 30
    assert 15 < said.count("Only the beginning was compared.") < 30


def test_titles_and_outputs_are_words_whatever_stands_in_them(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    links = [
        {"type": "content", "content": {"type": "resource_link", "uri": "javascript:alert(1)", "name": HOSTILE}},
        {"type": "content", "content": {"type": "resource_link", "uri": "https://example.org/", "name": "fine"}},
    ]
    step = step_of(attempt, title=HOSTILE, content=[text(HOSTILE), *links], locations=[{"path": HOSTILE, "line": 2}])
    for said in (
        shown(sign_in("bob"), "task", team.workspace.pk, attempt.task_id),
        shown(sign_in("bob"), "step-detail", attempt.pk, step.pk),
    ):
        assert "<img src=x" not in said
        assert "javascript:" not in said
    assert 'href="https://example.org/" rel="noopener noreferrer nofollow"' in said


def test_guests_read_the_words_but_neither_thoughts_nor_what_steps_were_given(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    where = [{"path": "/home/ada/hidden.csv", "line": 3}]
    step = step_of(attempt, content=[text("the output")], raw_input={"path": "secret.csv"}, locations=where)
    Part.objects.create(id=uuid4(), attempt=attempt, ordinal=8, kind="thought", text="inner voice", at=timezone.now())
    thought = attempt.parts.get()
    gus, bob = sign_in("gus"), sign_in("bob")
    assert "inner voice" in shown(bob, "task", team.workspace.pk, attempt.task_id)
    assert "inner voice" not in shown(gus, "task", team.workspace.pk, attempt.task_id)
    assert "the output" in shown(bob, "step-detail", attempt.pk, step.pk)
    assert "the output" not in shown(gus, "step-detail", attempt.pk, step.pk)
    assert "hidden.csv:3" in shown(bob, "step-detail", attempt.pk, step.pk)
    # Nor from what a page or the socket shows to everybody alike.
    assert "hidden.csv" not in shown(gus, "task", team.workspace.pk, attempt.task_id)
    assert "hidden.csv" not in "".join(pieces("step", [step.pk]))
    assert "secret.csv" in shown(bob, "step-raw", attempt.pk, step.pk)
    shown(gus, "step-raw", attempt.pk, step.pk, status=403)
    assert "inner voice" in shown(bob, "part-text", attempt.pk, thought.pk)
    shown(gus, "part-text", attempt.pk, thought.pk, status=403)


def test_looks_in_a_row_are_one_line_that_opens(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    for number in range(7):
        step_of(attempt, title=f"Read file {number}", kind="read")
    step_of(attempt, title="Change it", kind="edit")
    said = shown(sign_in("bob"), "task", team.workspace.pk, attempt.task_id)
    assert "Read 7 files" in said
    assert said.index("Read 7 files") < said.index("Read file 0") < said.index("Change it")


def test_of_four_thousand_steps_the_newest_are_shown_and_the_others_are_a_page_away(
    team: Team, sign_in: SignIn, django_assert_max_num_queries: Any
) -> None:
    attempt = working(team)
    now = timezone.now()
    Step.objects.bulk_create(
        Step(
            id=uuid4(),
            attempt=attempt,
            ordinal=n,
            tool_call_id=f"c{n}",
            title=f"Step {n:04}",
            kind="edit",
            status="completed",
            started_at=now,
        )
        for n in range(1, 4001)
    )
    bob = sign_in("bob")
    with django_assert_max_num_queries(90):
        said = shown(bob, "task", team.workspace.pk, attempt.task_id)
    assert said.count('class="step ') == 200
    assert "3800 earlier entries" in said
    older = re.search(r'href="([^"]*attempts/[^"]*before=3801)"', said)
    assert older is not None
    page = bob.get(older[1]).content.decode()
    assert "Step 3800" in page
    assert "Step 3801" not in page
    assert "3600 earlier entries" in page
    assert "200 later entries" in page


def tried_twice(team: Team) -> Task:
    """One try of an agent that was returned, and one by hand that was accepted."""
    task = team.working(acceptance=["not_empty", "It names the reason"])
    first = task.attempt
    assert first is not None
    step_of(first, title="Count the rows")
    team.finish("scribe", "The north grew.\nBy a lot.")
    perform(review.return_task, task.pk, reasons=["no numbers"], actor=team.actor("ada"))
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    perform(finishing.submit_held, task.pk, result="The north grew.\nBy 12 %.", actor=team.actor("bob"))
    return Task.objects.get(pk=task.pk)


def test_of_endless_messages_a_page_has_as_many_as_are_laid_out_in_time(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    Part.objects.bulk_create(
        Part(id=uuid4(), attempt=attempt, ordinal=n, kind="text", text=f"no{n}. " + "word " * 20_000, at=timezone.now())
        for n in range(40)
    )
    said = shown(sign_in("bob"), "task", team.workspace.pk, attempt.task_id)
    assert len(re.findall(r"no\d+\.", said)) == 15
    assert "no39." in said
    earlier = sign_in("bob").get(
        reverse("attempt", args=[team.workspace.pk, attempt.task_id, attempt.pk]) + "?before=25"
    )
    assert re.findall(r"no(\d+)\.", earlier.content.decode()) == [str(n) for n in range(10, 25)]


def test_past_tries_are_one_line_each_and_their_words_come_when_one_opens_them(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    first = task.attempt
    assert first is not None
    step_of(first, title="Count the rows")
    team.finish("scribe", "First words.")
    perform(review.return_task, task.pk, reasons=["no numbers"], actor=team.actor("ada"))
    team.try_once(Task.objects.get(pk=task.pk), {"stopReason": "end_turn"}, name="counter", text="Second words.")
    second = Task.objects.get(pk=task.pk).attempts.order_by("number").last()
    assert second is not None
    step_of(second, title="Count them again")
    bob = sign_in("bob")
    said = shown(bob, "task", team.workspace.pk, task.pk)
    assert "Count them again" in said
    assert "Count the rows" not in said
    assert f'id="try-{first.pk}"' in said
    opened = shown(sign_in("bob", htmx=True), "attempt", team.workspace.pk, task.pk, first.pk)
    assert "Count the rows" in opened
    assert f'id="try-body-{first.pk}"' in opened
    shown(bob, "attempt", team.workspace.pk, task.pk, uuid4(), status=404)


def test_two_tries_stand_beside_each_other_with_verdicts_and_what_differs(team: Team, sign_in: SignIn) -> None:
    task = tried_twice(team)
    said = shown(sign_in("gus"), "compare-attempts", team.workspace.pk, task.pk)
    assert said.index("1. Scribe") < said.index("2. bob")
    assert "By a lot." in said
    assert re.search(r'is-out">.*?By a lot\.', said, re.DOTALL)
    assert re.search(r'is-in">.*?By 12 %\.', said, re.DOTALL)
    address = reverse("compare-attempts", args=[team.workspace.pk, task.pk])
    assert sign_in("gus").get(f"{address}?a=1&b=9").status_code == 404
    assert "the texts are the same" in sign_in("gus").get(f"{address}?a=2&b=2").content.decode()


def test_with_one_try_there_is_nothing_to_compare(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    said = shown(sign_in("bob"), "compare-attempts", team.workspace.pk, attempt.task_id)
    assert "There was only one try" in said


def test_a_receipt_names_the_result_its_checks_and_everybody_who_worked_on_it(team: Team, sign_in: SignIn) -> None:
    task = tried_twice(team)
    early = shown(sign_in("gus"), "receipt", team.workspace.pk, task.pk)
    assert "not accepted yet" in early
    sign_in("ada").post(reverse("accept-task", args=[team.workspace.pk, task.pk]), {"note": "It does"})
    task.refresh_from_db()
    assert task.state == "done"
    said = shown(sign_in("gus"), "receipt", team.workspace.pk, task.pk)
    assert "not accepted yet" not in said
    for words in ("By 12 %.", "It names the reason", "It does · ada", "1. Scribe", "2. bob", "by hand"):
        assert words in said
    told = json.loads(shown(sign_in("gus"), "download-receipt", team.workspace.pk, task.pk))
    assert told["state"] == "done"
    assert told["takeovers"] == 1
    assert told["judges"][-1] == "ada"
    assert [one["by"]["kind"] for one in told["attempts"]] == ["agent", "person"]
    assert told["attempts"][0]["steps"] == 1
    assert told["result"]["text"] == "The north grew.\nBy 12 %."
    assert len(told["result"]["sha256"]) == 64
    script = sign_in("gus").get(f"/api/v1/tasks/{task.pk}/receipt")
    assert script.json() == told


def test_there_is_no_receipt_of_what_was_not_delivered(team: Team, sign_in: SignIn) -> None:
    attempt = working(team)
    shown(sign_in("bob"), "receipt", team.workspace.pk, attempt.task_id, status=404)
    response = sign_in("bob").get(f"/api/v1/tasks/{attempt.task_id}/receipt")
    assert (response.status_code, response.json()["code"]) == (404, "no_receipt")


def bar_of(said: str) -> str:
    found = re.search(r'<section class="taskbar.*?</section>', said, re.DOTALL)
    assert found is not None
    return found[0]


def test_the_bar_offers_each_viewer_the_one_verb_that_is_theirs_in_this_state(team: Team, sign_in: SignIn) -> None:
    task = team.working()
    where = team.workspace.pk, task.pk
    assert "Take over" in bar_of(shown(sign_in("bob"), "task", *where))
    assert "btn--main" not in bar_of(shown(sign_in("gus"), "task", *where))
    perform(takeover.take_over, task.pk, actor=team.actor("ada"))
    assert f'form="finish-{task.pk}"' in bar_of(shown(sign_in("ada"), "task", *where))
    assert "Ask for it" in bar_of(shown(sign_in("bob"), "task", *where))
    perform(finishing.submit_held, task.pk, result="Done.", actor=team.actor("ada"))
    Task.objects.filter(pk=task.pk).update(blocked_on="person")
    assert "Give the verdict" in bar_of(shown(sign_in("bob"), "task", *where))
    perform(review.accept_task, task.pk, verdicts=[], actor=team.actor("bob"))
    assert reverse("receipt", args=where) in bar_of(shown(sign_in("gus"), "task", *where))


def test_a_task_that_waits_says_for_what_and_leads_there(team: Team, sign_in: SignIn) -> None:
    run = team.run(
        [
            {"key": "first", "title": "Read it", "skills": ["writing"]},
            {"key": "then", "title": "Write it", "skills": ["writing"], "depends_on": ["first"]},
        ]
    )
    first, then = (Task.objects.get(run=run, key=key) for key in ("first", "then"))
    said = shown(sign_in("bob"), "task", team.workspace.pk, then.pk)
    assert "It waits for 1 task" in said
    assert reverse("task", args=[team.workspace.pk, first.pk]) in said
    assert "btn--main" not in bar_of(said)
    back = shown(sign_in("bob"), "task", team.workspace.pk, first.pk)
    assert "Waits for it" in back
    assert reverse("task", args=[team.workspace.pk, then.pk]) in back
    assert Dependency.objects.count() == 1


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_a_task_that_ended_badly_says_so_and_what_one_can_do(team: Team, sign_in: SignIn, state: str) -> None:
    task = team.one_task()
    if state == "cancelled":
        perform(verbs.cancel_task, task.pk, actor=team.actor("ada"))
    else:
        Task.objects.filter(pk=task.pk).update(state="failed", reason="Nobody could do it.", ended_at=timezone.now())
    said = shown(sign_in("gus"), "task", team.workspace.pk, task.pk)
    assert ("It was given up" if state == "failed" else "It was cancelled") in said
    if state == "failed":
        assert "Nobody could do it." in said
        assert reverse("run", args=[team.workspace.pk, task.run_id]) in said
