"""Stopping and pausing: one task, a run, a workspace."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from ninja import Router, Schema
from pydantic import Field

from clawgroups.api.access import actor_of
from clawgroups.api.writing import Answer, write
from clawgroups.services import pausing, stopping, takeover
from clawgroups.services.stop_all import stop_each, stop_the_rest

router = Router(tags=["stopping"])


class SeenIn(Schema):
    """`epoch`: the task's as it was looked at; an older one is refused."""

    epoch: int | None = Field(None, ge=0)


class StopIn(SeenIn):
    """`reason`: why, for those who look at the task afterwards."""

    reason: str = ""


def _seen(body: SeenIn | None) -> dict[str, Any]:
    return (body or SeenIn(epoch=None)).dict()


@router.post("/tasks/{uuid:task_id}/stop")
def stop_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: StopIn | None = None) -> Answer:
    """Stop the agent that is at a task. Then a person says how it goes on: `resume` lets the same agent do so."""
    takeover.bring_in(task_id, actor=actor_of(request))
    said = (body or StopIn(epoch=None)).dict()
    return write(request, response, stopping.stop_task, task_id, **said)


@router.post("/tasks/{uuid:task_id}/pause")
def pause_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: SeenIn | None = None) -> Answer:
    """Have nothing of a task go on; the agent at it is stopped and keeps its place."""
    takeover.bring_in(task_id, actor=actor_of(request))
    return write(request, response, pausing.pause_task, task_id, **_seen(body))


@router.post("/tasks/{uuid:task_id}/resume")
def resume_task(request: HttpRequest, response: HttpResponse, task_id: UUID, body: SeenIn | None = None) -> Answer:
    """Let a task go on that was paused, or whose agent was stopped."""
    return write(request, response, pausing.resume_task, task_id, **_seen(body))


@router.post("/runs/{uuid:run_id}/stop")
def stop_run(request: HttpRequest, response: HttpResponse, run_id: UUID) -> Answer:
    """Pause a run and stop every agent in it: how many were asked, and how far they are (`resume` goes on)."""
    first = write(request, response, stopping.stop_run, run_id)
    progress = stop_the_rest(run_id, actor=actor_of(request))
    return {"id": str(run_id), "paused": first["paused"], **progress.as_json()}


@router.post("/workspaces/{uuid:workspace_id}/stop")
def stop_workspace(request: HttpRequest, response: HttpResponse, workspace_id: UUID) -> Answer:
    """Stop every run of a workspace that is under way, as `stop` of a run does."""
    named = write(request, response, stopping.stop_workspace, workspace_id)

    def stop(run_id: UUID) -> None:
        write(request, HttpResponse(), stopping.stop_run, run_id, part=str(run_id))

    return {**named, **stop_each(map(UUID, named["runs"]), stop, actor=actor_of(request)).as_json()}
