"""The REST API of design.md section 8, mounted at /api/v1/."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import URLPattern, URLResolver
from ninja import NinjaAPI
from ninja.errors import HttpError, ValidationError
from ninja.operation import Operation

from clawgroups.api import (
    agents,
    approvals,
    artifacts,
    choices,
    control,
    coordination,
    dials,
    drafts,
    enrol,
    handback,
    invitations,
    memories,
    messages,
    model_servers,
    notices,
    plans,
    rules,
    run_templates,
    runs,
    sessions,
    steering,
    stopping,
    tasks,
    workspaces,
)
from clawgroups.api.access import Caller, scope_at
from clawgroups.api.forms import StrictParser, watch_uploads
from clawgroups.api.problems import CONTENT_TYPE, answer_for, speaking_problems

DESCRIPTION = """Everything a page does can be done here.

Send `Authorization: Bearer <token>`. Every write takes an `Idempotency-Key`: the same key again gives the first
answer, with `Idempotency-Replayed: true`. Errors are `application/problem+json` (RFC 9457) with a stable `code`.
A token does what its scopes say (`read`, `work`, `manage`): 403 `scope_missing` names the one that lacks.
Lists give `items` and `next`; send `next` back as `cursor`."""

PROBLEM = {
    "description": "What went wrong",
    "content": {
        CONTENT_TYPE: {
            "schema": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "code"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "code": {"type": "string"},
                },
            }
        }
    },
}
# What these take is known by itself when it comes again.
UNREPEATED = frozenset({"sessions", "enrolment"})
KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string", "maxLength": 120},
    "description": "Repeats safely: the same key gives the first answer.",
}


class ProblemAPI(NinjaAPI):
    """Ninja's API whose every failure is a problem document, and whose addresses are named after their verbs."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._described: dict[str, Any] = {}

    def get_operation_url_name(self, operation: Operation, router: Any) -> str:
        return operation.view_func.__name__.strip("_").replace("_", "-")

    def get_openapi_operation_id(self, operation: Operation) -> str:
        return operation.view_func.__name__.strip("_")

    def _get_urls(self) -> list[URLResolver | URLPattern]:
        # Two patterns of one path differ by method only, and ninja gives both the same view.
        self._ask_for_scopes()
        found = super()._get_urls()
        for pattern in found:
            assert isinstance(pattern, URLPattern)
            pattern.callback = _counting(speaking_problems(pattern.callback))
        return found

    def _ask_for_scopes(self) -> None:
        # One address may read by one method and write by another, so each operation has a caller of its own.
        for router in self._get_bound_routers():
            for view in router.path_operations.values():
                for operation in view.operations:
                    name = f"api:{self.get_operation_url_name(operation, router)}"
                    operation.auth_callbacks = [
                        Caller(scope_at(name, operation.methods[0])) if isinstance(one, Caller) else one
                        for one in operation.auth_callbacks
                    ]

    def get_openapi_schema(self, **kwargs: Any) -> Any:
        """The description of all addresses, for reading: it is made once, since they stay while the process runs."""
        prefix = kwargs.get("path_prefix")
        if prefix is None:
            prefix = self.get_root_path(kwargs.get("path_params") or {})
        if prefix not in self._described:
            self._described[prefix] = self._describe(prefix)
        return self._described[prefix]

    def _describe(self, prefix: str) -> Any:
        schema = super().get_openapi_schema(path_prefix=prefix)
        for methods in schema["paths"].values():
            for method, operation in methods.items():
                operation["responses"]["default"] = PROBLEM
                if method != "get" and not UNREPEATED & {*operation.get("tags", ())}:
                    operation.setdefault("parameters", []).append(KEY)
        return schema


def _counting(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        watch_uploads(request)
        return view(request, *args, **kwargs)

    return wrapped


def _on_error(request: HttpRequest, error: Any) -> Any:
    return answer_for(error)


api = ProblemAPI(
    title="Claw Groups",
    version="1",
    description=DESCRIPTION,
    urls_namespace="api",
    openapi_url="/openapi.json",
    docs_url=None,
    parser=StrictParser(),
    auth=Caller(),
)
for kind in (Exception, HttpError, ValidationError):
    api.add_exception_handler(kind, _on_error)
ROUTED = (
    workspaces, messages, agents, enrol, dials, runs, run_templates, plans, tasks, stopping, drafts, steering, handback,
    control, choices, approvals, artifacts, sessions, memories, coordination, rules, model_servers, notices,
    invitations,
)  # fmt: skip
for module in ROUTED:
    api.add_router("", module.router)
