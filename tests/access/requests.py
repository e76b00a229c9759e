"""How each address is asked: its ids, and a body that is right, so that only the right to ask decides."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from django.urls import reverse

from clawgroups.admin.site import site
from tests.access.expect import Door, door_of
from tests.access.world import Room, World

Json = dict[str, Any]
# Which of the tasks an address is about; the others are about the one that is worked on.
TASK = {
    "assign-task": "ready",
    "choose-member": "ready",
    "decline-task": "ready",
    "delegate-task": "ready",
    "preview-hand-back": "held",
    "regenerate-task": "ready",
    **dict.fromkeys(
        (
            "save-draft",
            "choose-draft",
            "settle-kept",
            "check-draft",
            "restore-draft",
            "add-draft-files",
            "task-brought",
        ),
        "held",
    ),
    **dict.fromkeys(("draft-versions", "draft-version", "draft-file", "save-draft-file", "remove-draft-file"), "held"),
    **dict.fromkeys(("choose-draft-file", "list-drafts", "get-draft", "list-draft-files"), "held"),
    "submit-task": "held",
    "hand-back-task": "held",
    "reassign-task": "held",
    "pass-on-task": "held",
    "ask-for-task": "held",
    "steer-task": "held",
    "list-steers": "held",
    "withdraw-steer": "held",
    "stop-steer": "held",
    "take-answer": "held",
    "accept-task": "review",
    "return-task": "review",
    "adopt-task": "ready",
    **dict.fromkeys(("receipt", "download-receipt", "get-receipt"), "review"),
}
DRAFT_FILES = {
    "draft-file": "draft_file",
    "save-draft-file": "draft_file",
    "remove-draft-file": "draft_file",
    "choose-draft-file": "kept_file",
}
RUN = {
    "start-run": "proposed_id",
    "edit-plan": "proposed_id",
    "plan-anew": "proposed_id",
    "undo-edit": "proposed_id",
    "answer-question": "asked_id",
}

# What can only be done to a note that is struck out.
STRUCK = ("restore-memory", "forget")

BODIES: dict[str, Callable[[Room], Json]] = {
    "create-workspace": lambda r: {"name": "New"},
    "change-workspace": lambda r: {"goal": "Win"},
    "add-member": lambda r: {"user": "eve", "role": "member"},
    "set-member-role": lambda r: {"role": "guest"},
    "post-message": lambda r: {"body": "Hello"},
    "mark-read": lambda r: {"message": str(r.ids["said_id"])},
    "wake-preview": lambda r: {"body": "Hello"},
    "edit-message": lambda r: {"body": "Other words", "version": 0},
    "react-message": lambda r: {"sign": "👍"},
    "unreact-message": lambda r: {"sign": "👍"},
    "register-agent": lambda r: {"name": "New one", "max_sessions": 1},
    "enrol": lambda r: {"code": "0000-0000-0000-0000", "key": f"cg_{'0' * 12}_{'0' * 64}"},
    "read-card": lambda r: {"card": '{"name":"Kimi"}'},
    "read-card-for": lambda r: {"card": '{"name":"Kimi"}'},
    "set-profile": lambda r: {"name": "Scribe", "max_sessions": 1},
    "answer-question": lambda r: {"answer": "For the board."},
    "draft-run": lambda r: {"goal": "Find out"},
    # Nobody is there to write it, so that only the plan is made.
    **dict.fromkeys(
        ("use-template", "open-template"),
        lambda r: {"question": "Why?", "sides": "One", "inputs": {"question": "Why?", "sides": "One"}},
    ),
    "edit-plan": lambda r: {"edits": [{"op": "remove", "key": "held"}], "version": 0},
    "ask-replan": lambda r: {"note": "Leave the north out"},
    "propose-replan": lambda r: {"tasks": [], "rationale": "why"},
    "plan-anew": lambda r: {"note": "Shorter"},
    "assign-task": lambda r: {"member": str(r.ids["assignee"])},
    "choose-member": lambda r: {"member": str(r.ids["assignee"])},
    "delegate-task": lambda r: {"member": str(r.ids["member_id"]), "note": "n"},
    "set-own-profile": lambda r: {"capacity": 1},
    "reset-record": lambda r: {"skill": "writing"},
    "regenerate-task": lambda r: {"instructions": "Do less"},
    "release-task": lambda r: {"reason": "why"},
    "save-draft": lambda r: {"text": "words"},
    "choose-draft": lambda r: {"kept": 2, "choice": "newer"},
    "settle-kept": lambda r: {"attempt": str(r.ids["held_attempt"]), "kept": 2},
    "restore-draft": lambda r: {"version": 1},
    "add-draft-files": lambda r: {"name": "words.md", "text": "words"},
    "save-draft-file": lambda r: {"text": "words"},
    "choose-draft-file": lambda r: {"choice": "newer"},
    "submit-task": lambda r: {"result": "words", "text": "words"},
    "hand-back-task": lambda r: {"note": "n"},
    "reassign-task": lambda r: {"member": str(r.ids["assignee"]), "note": "n"},
    "pass-on-task": lambda r: {"member": str(r.ids["member_id"])},
    "steer-task": lambda r: {"text": "Shorten it", "when": "now"},
    "take-answer": lambda r: {"version": "90", "how": "replace"},
    "return-task": lambda r: {"note": "not yet"},
    "adopt-task": lambda r: {"attempt": str(r.ids["late_id"])},
    "decide-approval": lambda r: {"option": "yes"},
    "answer-alike": lambda r: {"pick": f"{r.ids['approval_id']}:", "kind": "allow_once"},
    "set-option": lambda r: {"option": "model", "value": "large"},
    "take-skills": lambda r: {"suggested": "drawing"},
    "sign-in-agent": lambda r: {"method": "key"},
    "set-preferences": lambda r: {"values": {}},
    "set-goal": lambda r: {"goal": "Win"},
    "set-rules": lambda r: {"rules": "Be kind"},
    "rename-workspace": lambda r: {"name": "Other"},
    "edit-memory": lambda r: {"text": "All sums are in francs."},
    "remember": lambda r: {"key": "currency", "text": "All sums are in euros."},
    "set-timers": lambda r: {"approval": "5 min"},
    "add-person": lambda r: {"username": "eve", "role": "member"},
    "add-agent": lambda r: {"agent": str(r.ids.get("own_agent", r.ids["agent_id"]))},
    "set-role": lambda r: {"role": "guest"},
    "make-invitation": lambda r: {"role": "member", "most_uses": 1, "seconds": 3600},
    "join-workspace": lambda r: {"code": r.ids["invite_code"]},
    "share-run": lambda r: {"seconds": 3600},
    "transfer-workspace": lambda r: {"member": str(r.ids["member_id"]), "confirm": r.team.workspace.name},
    "create-token": lambda r: {"name": "New", "scopes": "read", "days": "90"},
    "set-dial": lambda r: {"address": "wss://agent.example.org/acp"},
    "allow-private": lambda r: {"allowed": "yes"},
    "create-model-server": lambda r: {"name": "vllm-1", "provider": "vllm", "url": "http://127.0.0.1:9/v1"},
    "set-model-server": lambda r: {"name": "vllm-1", "provider": "vllm", "url": "http://127.0.0.1:9/v1", "key": "k"},
    "change-model-server": lambda r: {"name": "vllm-1"},
    "move-model-server": lambda r: {"to": "earlier"},
    "enable-model-server": lambda r: {"enabled": "no"},
    "choose-model": lambda r: {"model": "m"},
    "set-coordination": lambda r: {"use_model": "yes", "start_at_once": "no"},
    "make-rule": lambda r: {"answer": "critical"},
    "try-rule": lambda r: {"answer": "critical"},
    "set-budget": lambda r: {"tokens": "5000"},
    "set-notices": lambda r: {"browser": "on"},
    "set-language": lambda r: {"language": "en"},
    "set-theme": lambda r: {"theme": "dark"},
    "set-keys": lambda r: {"keys": "on"},
}
# Converters that no row stands behind.
OTHER = {
    "rest": "nothing",
    "key": "x",
    "uidb36": "x",
    "provider_id": "oidc",
    "pk": 1,
    "session_pk": 1,
    "token": "x",
    "name": "sales.csv",
    "template_name": "perspectives",
    "app_label": "clawgroups",
    "content_type_id": "1",
    "url": "nothing",
    "inside": "",
    "kind": "board",
    "export_id": "00000000-0000-0000-0000-000000000007",
    "number": 0,
    "side": "now",
}


def client_of(world: World, who: str, door: Door) -> Client:
    """A client that comes in as somebody, by the way that is usual at this door."""
    bearer = world.bearers.get(who)
    by_key = who in ("agent key", "revoked key")
    user = world.user(who)
    if door is Door.API or by_key:
        headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
        return Client(headers=headers, raise_request_exception=False)
    client = Client(raise_request_exception=False)
    if user is not None:
        client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def ask(client: Client, method: str, name: str, room: Room) -> Any:
    """The answer of this address for the rows of this room."""
    return client.generic(method, path_of(name, room), *body_of(method, name, room))


def path_of(name: str, room: Room) -> str:
    """The address with ids of this room."""
    bare = name.rpartition(":")[2]
    keys = parameters(name)
    known = {
        **OTHER,
        **room.ids,
        **({"artifact_id": room.ids[DRAFT_FILES[bare]]} if bare in DRAFT_FILES else {}),
        **({"memory_id": room.ids["struck_id"]} if bare in STRUCK else {}),
        "version": 1,
        "task_id": room.tasks[TASK.get(bare, "work")].pk,
        "run_id": room.ids[RUN.get(bare, "run_id")],
        **{key: admin_row(bare) for key in keys if key in ("object_id", "id")},
    }
    return reverse(name, kwargs={key: known[key] for key in keys})


_parameters: dict[str, list[str]] = {}


def learn(name: str, keys: list[str]) -> None:
    """Remember which ids an address takes."""
    # The first one counts: of an address that is inside another, only its end is known here.
    _parameters.setdefault(name, keys)


def parameters(name: str) -> list[str]:
    return _parameters[name]


def body_of(method: str, name: str, room: Room) -> tuple[bytes, str]:
    bare = name.rpartition(":")[2]
    said = BODIES[bare](room) if bare in BODIES else {}
    if method in ("GET", "DELETE"):
        return b"", "application/octet-stream"
    if bare == "deliver-session-file":
        return b"a,b\n1,2\n", "text/csv"
    if door_of(name) is Door.API:
        return json.dumps(said).encode(), "application/json"
    form = "&".join(f"{key}={value}".replace(" ", "+") for key, value in said.items())
    return form.encode(), "application/x-www-form-urlencoded"


def admin_row(bare: str) -> Any:
    """A row of the kind that an address of the administration is about."""
    kinds: tuple[Any, ...] = (*site._registry, User, Group)
    for model in kinds:
        if bare.startswith(f"{model._meta.app_label}_{model._meta.model_name}_"):
            row = model._default_manager.first()
            return row.pk if row is not None else "1"
    return "1"
