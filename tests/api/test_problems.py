"""Every failure is one kind of document, whoever made it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import OperationalError
from django.utils import timezone

from clawgroups.api import health, problems
from clawgroups.api.bodies import BodyLimit
from clawgroups.coordinator.watchdog import watch
from clawgroups.core import errors
from clawgroups.models import Artifact, Lease, Run, Task
from clawgroups.services import messages
from tests.api.conftest import Api, As, problem
from tests.conftest import Team

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("method", "path", "expected"),
    [
        ("GET", "/workspaces", (401, "unauthenticated")),
        ("GET", "/nothing/here", (404, "not_found")),
        ("GET", "/runs/not-an-id", (404, "not_found")),
        ("DELETE", "/workspaces", (405, "method_not_allowed")),
        ("GET", "/api", (404, "not_found")),
    ],
)
def test_nobody_is_told_in_problem_documents(db: None, method: str, path: str, expected: tuple[int, str]) -> None:
    response = Api().call(method, path)
    assert problem(response) == expected
    if expected[0] == 401:
        assert response["WWW-Authenticate"] == "Bearer"
    if expected[0] == 405:
        assert response["Allow"] == "GET, POST" or response["Allow"] == "POST, GET"


@pytest.mark.parametrize(
    ("body", "kind", "field"),
    [
        (b"{", "application/json", "body"),
        (b"\xff", "application/json", "body"),
        (b'{"goal": "g"}', "application/json", "name"),
        (b'{"name": 7}', "application/json", "name"),
        (b'{"name": "\\ud800"}', "application/json", "body"),
        (b'{"name": "  "}', "application/json", "name"),
    ],
)
def test_wrong_input_names_its_field(team: Team, as_: As, body: bytes, kind: str, field: str) -> None:
    response = as_("ada").call("POST", "/workspaces", body, Content_Type=kind)
    assert problem(response)[0] == 422
    assert response.json()["field"] == field


def test_a_foreign_thing_and_a_missing_one_look_alike(team: Team, as_: As) -> None:
    mallory, task = as_("mallory"), team.one_task()
    for kind, pk in (("workspaces", team.workspace.pk), ("runs", task.run_id), ("tasks", task.pk)):
        foreign, missing = mallory.get(f"/{kind}/{pk}"), mallory.get(f"/{kind}/{uuid4()}")
        assert problem(foreign) == problem(missing) == (404, "not_found")
        assert foreign.json() == missing.json()


def test_an_unforeseen_failure_tells_nothing(team: Team, as_: As, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise RuntimeError("secret inside")

    monkeypatch.setattr(messages, "post_message", broken)
    response = as_("ada").post(f"/workspaces/{team.workspace.pk}/messages", {"body": "x"})
    assert problem(response) == (500, "internal_error")
    assert "secret" not in response.content.decode()


def test_an_outage_of_the_database_is_told_with_when_to_come_back(
    team: Team, as_: As, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*args: Any, **kwargs: Any) -> None:
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(messages, "post_message", away)
    response = as_("ada").post(f"/workspaces/{team.workspace.pk}/messages", {"body": "x"})
    assert problem(response) == (503, "busy")
    assert response["Retry-After"]


def test_every_error_of_ours_has_its_document() -> None:
    kinds: list[type[errors.ClawError]] = [
        errors.ClawError,
        *errors.ClawError.__subclasses__(),
        *errors.Conflict.__subclasses__(),
    ]
    for kind in kinds:
        response = problems.answer_for(kind("Said so.", holder="ada", status="odd"))
        said = json.loads(response.content)
        assert (response.status_code, said["status"], said["code"]) == (kind.status, kind.status, kind.code)
        assert (said["detail"], said["holder"], said["status_"]) == ("Said so.", "ada", "odd")


def test_a_file_over_the_limit_is_refused_and_leaves_nothing(team: Team, as_: As, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    ada, path = as_("ada"), f"/workspaces/{team.workspace.pk}/runs"
    response = ada.form(path, {"goal": "g", "files": [SimpleUploadedFile("a.csv", b"x" * 1001)]})
    assert problem(response) == (413, "too_large")
    assert (Run.objects.count(), Artifact.objects.count()) == (0, 0)


def test_json_over_the_limit_is_refused(team: Team, as_: As, settings: Any) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    body = {"name": "n", "goal": "g" * 2000}
    assert problem(as_("ada").post("/workspaces", body)) == (413, "too_large")


def test_a_body_of_another_kind_is_refused(team: Team, as_: As) -> None:
    path = f"/workspaces/{team.workspace.pk}/runs"
    assert problem(as_("ada").call("POST", path, b"x", Content_Type="text/plain")) == (415, "unsupported_body")


async def drive(limit: BodyLimit, headers: dict[str, str], pieces: list[bytes]) -> tuple[list[Any], int]:
    sent: list[Any] = []
    taken = 0

    async def receive() -> dict[str, Any]:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": pieces[taken - 1], "more_body": taken < len(pieces)}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    raw = [(k.lower().encode(), v.encode()) for k, v in headers.items()]
    await limit({"type": "http", "headers": raw}, receive, send)
    return sent, taken


async def swallow(scope: Any, receive: Any, send: Any) -> None:
    while (await receive())["more_body"]:
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def test_a_body_that_says_it_is_too_long_is_not_read(settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 0
    sent, taken = await drive(BodyLimit(swallow), {"Content-Length": str(2**21)}, [b"x"])
    assert (sent[0]["status"], taken) == (413, 0)
    assert json.loads(sent[1]["body"])["code"] == "too_large"


async def test_a_body_that_does_not_say_is_counted(settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES = 0
    piece = b"x" * (512 * 1024)
    sent, taken = await drive(BodyLimit(swallow), {"Accept": "text/html"}, [piece] * 9)
    assert (sent[0]["status"], taken) == (413, 3)
    assert b"Too large" in sent[1]["body"]
    sent, taken = await drive(BodyLimit(swallow), {}, [piece] * 2)
    assert (sent[0]["status"], taken) == (200, 2)


# Health


def test_ready_says_what_is_missing(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Api().get("/healthz").json() == {"status": "ok"}
    idle = Api().get("/readyz")
    assert (idle.status_code, idle.json()["checks"]["worker"]) == (503, "has done nothing lately")
    now = timezone.now()
    Lease.objects.create(name="sweep", owner="w", until=now, done_at=now)
    assert Api().get("/readyz").json()["checks"]["tasks"] == "not proven yet"
    watch(now)
    good = Api().get("/readyz")
    assert good.status_code == 200, good.content
    assert good.json()["proof"] == {"at": now.isoformat(), "open": 0, "exceptions": 0, "found": ""}

    def missing() -> None:
        raise health.NotReady("asleep")

    monkeypatch.setitem(health.CHECKS, "redis", missing)
    bad = Api().get("/readyz")
    assert (bad.status_code, bad.json()["checks"]["redis"]) == (503, "asleep")


def test_the_proof_is_shown_and_only_its_age_makes_unready(team: Team) -> None:
    now = timezone.now()
    Lease.objects.create(name="sweep", owner="w", until=now, done_at=now)
    task = team.one_task()
    Task.objects.filter(pk=task.pk).update(deadline_at=None)
    watch(now)
    shown = Api().get("/readyz")
    assert (shown.status_code, shown.json()["checks"]["tasks"]) == (200, "1 open task without a next step")
    assert (shown.json()["proof"]["open"], shown.json()["proof"]["exceptions"]) == (1, 1)
    Lease.objects.filter(name="watchdog").update(done_at=now - timedelta(seconds=75))
    old = Api().get("/readyz")
    assert (old.status_code, old.json()["checks"]["tasks"][:14]) == (503, "not proven for")


def test_the_description_names_every_address(db: None) -> None:
    said = Api().get("/openapi.json").json()
    assert {"/api/v1/workspaces/{workspace_id}/runs", "/api/v1/tasks/{task_id}/takeover"} <= said["paths"].keys()
    post = said["paths"]["/api/v1/workspaces"]["post"]
    assert "Idempotency-Key" in [p["name"] for p in post["parameters"]]
    assert "default" in post["responses"]
