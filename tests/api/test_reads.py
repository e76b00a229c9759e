"""What the API shows, and to whom."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from agents.connector import checks
from agents.ids import new_id
from clawgroups.auth import session_key
from clawgroups.core.actors import Actor, ActorKind
from clawgroups.core.fold import digest
from clawgroups.models import Approval, Artifact, Entry, Part, Session, Step, Task
from clawgroups.services import agents as verbs
from clawgroups.services import putting, sessions, takeover
from clawgroups.services.perform import perform
from tests.api.conftest import Api, As, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db


def test_the_journal_is_read_in_pages_up_to_its_head(team: Team, as_: As) -> None:
    path = f"/workspaces/{team.workspace.pk}/journal"
    ada = as_("ada")
    head = ada.get(path).json()["head"]
    seqs: list[int] = []
    while len(seqs) < head:
        page = ada.get(f"{path}?after={seqs[-1] if seqs else 0}&limit=3&generation=1").json()
        seqs += [entry["seq"] for entry in page["entries"]]
    assert seqs == list(range(1, head + 1))
    assert ada.get(f"{path}?after={head}").json()["entries"] == []
    entry = ada.get(f"{path}?limit=1").json()["entries"][0]
    assert (entry["type"], entry["actor"]["name"], entry["at"][-1]) == ("workspace.created", "ada", "Z")


def test_another_generation_is_a_conflict_that_says_which_holds(team: Team, as_: As) -> None:
    response = as_("ada").get(f"/workspaces/{team.workspace.pk}/journal?generation=7")
    assert problem(response) == (409, "other_generation")
    assert response.json()["generation"] == 1
    for query in ("limit=1001", "limit=0", "after=-1", "after=x"):
        assert problem(as_("ada").get(f"/workspaces/{team.workspace.pk}/journal?{query}"))[0] == 422


def asked(team: Team, task: Task) -> Approval:
    session = Session.objects.get(attempt=task.attempt)
    agent = team.agents["scribe"]
    perform(
        putting.request_approval,
        session.pk,
        request_id=0,
        tool_call={"toolCallId": "t", "title": "rm -rf"},
        options=[{"optionId": "yes", "name": "Yes", "kind": "allow_once"}],
        actor=Actor(ActorKind.AGENT, agent.name, agent_id=agent.pk),
    )
    return Approval.objects.get()


def test_a_question_is_listed_and_answered_once(team: Team, as_: As) -> None:
    approval = asked(team, team.working())
    bob, path = as_("bob"), "/approvals"
    (shown,) = bob.get(f"{path}?state=open").json()["items"]
    assert (shown["id"], shown["tool_call"]["title"]) == (str(approval.pk), "rm -rf")
    assert problem(bob.post(f"{path}/{approval.pk}", {"option": "maybe"})) == (422, "invalid")
    first = bob.post(f"{path}/{approval.pk}", {"option": "yes"}, Idempotency_Key="a")
    assert first.status_code == 200
    assert bob.post(f"{path}/{approval.pk}", {"option": "yes"}, Idempotency_Key="a").json() == first.json()
    assert problem(as_("carol").post(f"{path}/{approval.pk}", {"option": "yes"})) == (409, "not_open")
    assert bob.get(f"{path}?state=open").json()["items"] == []


def test_a_guest_sees_no_questions_and_no_entries_about_them(team: Team, as_: As) -> None:
    approval = asked(team, team.working())
    gus = as_("gus")
    assert gus.get("/approvals").json()["items"] == []
    assert problem(gus.get(f"/approvals/{approval.pk}")) == (403, "forbidden")
    page = gus.get(f"/workspaces/{team.workspace.pk}/journal").json()
    assert "approval.requested" not in [entry["type"] for entry in page["entries"]]
    assert page["seq"] == page["head"] == Entry.objects.count()
    assert gus.get(f"/workspaces/{team.workspace.pk}/snapshot").json()["state"]["approvals"] == {}
    snapshot = as_("ada").get(f"/workspaces/{team.workspace.pk}/snapshot").json()
    assert list(snapshot["state"]["approvals"]) == [str(approval.pk)]
    assert snapshot["hash"] == digest(snapshot["state"])


def test_a_transcript_has_messages_and_steps_in_order_and_keeps_thoughts_from_guests(team: Team, as_: As) -> None:
    task, now = team.working(), timezone.now()
    attempt: Any = task.attempt_id
    Part.objects.filter(attempt_id=attempt).delete()
    for ordinal, kind in ((1, "thought"), (3, "text")):
        Part.objects.create(id=new_id(), attempt_id=attempt, ordinal=ordinal, kind=kind, text=kind, at=now)
    Step.objects.create(
        id=new_id(), attempt_id=attempt, ordinal=2, tool_call_id="t", title="Read", detail={"x": 1}, started_at=now
    )
    path = f"/attempts/{attempt}/transcript"
    full = as_("bob").get(path).json()
    assert [item["kind"] for item in full["items"]] == ["thought", "step", "text"]
    assert full["items"][1]["detail"] == {"x": 1}
    page = as_("bob").get(f"{path}?limit=2").json()
    assert as_("bob").get(f"{path}?after={page['next']}").json()["items"] == full["items"][2:]
    guest = as_("gus").get(path).json()["items"]
    assert [item["kind"] for item in guest] == ["step", "text"]
    assert "detail" not in guest[0]
    (shown,) = as_("gus").get(f"/tasks/{task.pk}").json()["attempts"]
    assert shown["transcript"] == guest


# The work folder of a session


def folder(team: Team, task: Task) -> tuple[Api, str]:
    session = Session.objects.get(attempt=task.attempt)
    return Api(session_key(session.pk).secret), f"/sessions/{session.pk}/files"


def test_a_session_key_opens_its_own_files_and_nothing_else(team: Team, as_: As) -> None:
    key, path = folder(team, team.working())
    other, elsewhere = folder(team, team.working())
    assert key.get(path).json() == {"files": []}
    assert problem(key.get(elsewhere)) == (404, "not_found")
    assert problem(other.get("/workspaces")) == (401, "unauthenticated")
    assert problem(as_("ada").get(path)) == (401, "unauthenticated")


def test_a_delivered_file_is_a_result_and_the_same_bytes_count_once(team: Team, as_: As) -> None:
    task = team.working()
    key, path = folder(team, task)
    first = key.call("PUT", f"{path}/out/report%20ü.md", b"# R", Content_Type="text/markdown")
    assert (first.status_code, first.json()["kind"], first.json()["name"]) == (201, "result", "out/report ü.md")
    assert key.call("PUT", f"{path}/out/report%20ü.md", b"# R").json()["id"] == first.json()["id"]
    assert key.call("PUT", f"{path}/out/report%20ü.md", b"# R2").json()["id"] != first.json()["id"]
    assert [a.revision for a in Artifact.objects.order_by("revision")] == [1, 2]
    assert team.journal().count("artifact.added") == 2
    (listed,) = key.get(path).json()["files"]
    assert b"".join(key.get(listed["url"].removeprefix("http://testserver")).streaming_content) == b"# R2"


@pytest.mark.parametrize("name", ["../up.txt", "a/../../b", "%2e%2e/x", "a%00b"])
def test_a_name_that_leads_elsewhere_is_refused(team: Team, name: str) -> None:
    key, path = folder(team, team.working())
    assert problem(key.call("PUT", f"{path}/{name}", b"x"))[0] in (404, 422)
    assert not Artifact.objects.exists()


def test_what_comes_after_a_takeover_is_late(team: Team, as_: As) -> None:
    task = team.working()
    key, path = folder(team, task)
    assert key.call("PUT", f"{path}/a.md", b"before").json()["kind"] == "result"
    perform(takeover.take_over, task.pk, actor=team.actor("bob"))
    late = key.call("PUT", f"{path}/b.md", b"after")
    assert problem(late) == (409, "stale_attempt")
    kept = Artifact.objects.get(name="b.md")
    epoch = Task.objects.get(pk=task.pk).epoch
    said = late.json()
    assert (said["current_epoch"], said["kept_as"], said["artifact"]) == (epoch, "late_file", str(kept.pk))
    assert (kept.kind, kept.attempt_id) == ("late", task.attempt_id)
    assert key.call("PUT", f"{path}/b.md", b"after").json()["artifact"] == str(kept.pk)
    # What arrived in time is not late because it is sent once more.
    assert key.call("PUT", f"{path}/a.md", b"before").status_code == 201


def test_a_session_that_was_given_up_takes_evidence_for_a_week_and_gives_nothing(team: Team, as_: As) -> None:
    task = team.working()
    key, path = folder(team, task)
    session = Session.objects.get(attempt=task.attempt)
    perform(sessions.session_lost, session.pk, reason="lost contact")
    assert problem(key.call("PUT", f"{path}/b.md", b"after")) == (409, "stale_attempt")
    assert Artifact.objects.get(name="b.md").kind == "late"
    for address in (path, f"{path}/b.md"):
        refused = key.get(address)
        assert problem(refused) == (409, "stale_attempt")
        assert refused.json()["kept_as"] is None
    Session.objects.filter(pk=session.pk).update(closed_at=timezone.now() - timedelta(days=8))
    assert problem(key.call("PUT", f"{path}/c.md", b"after")) == (401, "unauthenticated")


def test_a_handed_back_task_lists_the_draft_and_what_was_left(team: Team, as_: As) -> None:
    task = team.working()
    key, path = folder(team, task)
    key.call("PUT", f"{path}/part.md", b"half")
    bob = as_("bob")
    bob.post(f"/tasks/{task.pk}/takeover")
    bob.post(f"/tasks/{task.pk}/draft", {"text": "my words"})
    bob.post(f"/tasks/{task.pk}/handback", {"note": "go on"})
    bob.post(f"/tasks/{task.pk}/assign", {"member": str(team.seat("judge").pk)})
    task.refresh_from_db()
    fresh, again = folder(team, task)
    files = {f["name"]: f for f in fresh.get(again).json()["files"]}
    # What bob went on from counts, under its own name.
    assert set(files) == {"part.md", "draft.md"}
    assert fresh.get(files["draft.md"]["url"].removeprefix("http://testserver")).content == b"my words"


def test_an_agents_key_reads_where_it_sits_and_opens_nothing_else(team: Team) -> None:
    key = verbs.mint_key()
    perform(verbs.add_key, team.agents["scribe"].pk, key=key, actor=team.actor("ada"))
    agent = Api(key.secret)
    assert [w["name"] for w in agent.get("/workspaces").json()["items"]] == ["Sales"]
    assert problem(agent.post("/workspaces", {"name": "Mine"})) == (403, "forbidden")
    assert problem(agent.post(f"/workspaces/{team.workspace.pk}/runs", {"goal": "g"})) == (403, "forbidden")


def test_a_connector_can_try_its_key_without_connecting(team: Team) -> None:
    key = verbs.mint_key()
    perform(verbs.add_key, team.agents["scribe"].pk, key=key, actor=team.actor("ada"))
    probe = checks.PROBE.removeprefix("/api/v1")
    assert Api(key.secret).get(probe).json()["items"] == []
    assert problem(Api(f"{key.secret}x").get(probe)) == (401, "unauthenticated")
    assert problem(Api().get(probe)) == (401, "unauthenticated")
