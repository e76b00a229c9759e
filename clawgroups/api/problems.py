"""Errors as RFC 9457 `application/problem+json`: {type, title, status, detail, code, ...fields}."""

from __future__ import annotations

import http
import json
import logging
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any

from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.core.serializers.json import DjangoJSONEncoder
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt
from ninja.errors import HttpError, ValidationError

from clawgroups.commit.faults import outage
from clawgroups.core.errors import ClawError, Forbidden, Invalid, NotFound, TooLarge, Unauthenticated

log = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
CODES = {400: "bad_request", 401: "unauthenticated", 403: "forbidden", 404: "not_found", 405: "method_not_allowed"}
DETAILS = {
    400: "The request cannot be read.",
    404: "There is no such thing here, or it is not yours to see.",
    405: "This address does not take this method.",
}
WHERE = frozenset({"body", "query", "path", "form", "file", "header", "payload"})


def problem(status: int, code: str, detail: str, fields: Mapping[str, Any] = MappingProxyType({})) -> dict[str, Any]:
    """The members of a problem document; `type` names the code, as the documentation lists them."""
    title = http.HTTPStatus(status).phrase
    reserved = {"type", "title", "status", "detail", "code"}
    more = {(f"{key}_" if key in reserved else key): value for key, value in fields.items()}
    known = {"type": f"urn:clawgroups:problem:{code}", "title": title, "status": status, "detail": detail}
    return {**known, "code": code, **more}


def problem_body(error: ClawError) -> bytes:
    """A problem document as bytes, for doors below Django."""
    return _encode(problem(error.status, error.code, error.message, error.fields))


def problem_of(error: ClawError) -> HttpResponse:
    """The response to an expected failure."""
    response = _respond(error.status, problem_body(error))
    if isinstance(error, Unauthenticated):
        response["WWW-Authenticate"] = "Bearer"
    if error.status in (429, 503, 504):
        response["Retry-After"] = str(error.fields.get("retry_after", 1))
    return response


def _encode(said: dict[str, Any]) -> bytes:
    return json.dumps(said, cls=DjangoJSONEncoder, ensure_ascii=False).encode()


def _respond(status: int, body: bytes) -> HttpResponse:
    response = HttpResponse(body, status=status, content_type=CONTENT_TYPE)
    response["Cache-Control"] = "no-store"
    return response


def plain(status: int, *, detail: str = "", **fields: Any) -> HttpResponse:
    """A problem that only a status says."""
    said = detail or DETAILS.get(status, http.HTTPStatus(status).description or "The request failed.")
    return _respond(status, _encode(problem(status, CODES.get(status, f"http_{status}"), said, fields)))


def answer_for(error: Exception) -> HttpResponse:
    """The response to any exception; an unforeseen one is logged and told nothing about."""
    match error:
        case ClawError():
            return problem_of(error)
        case ValidationError():
            return problem_of(_invalid(error))
        case RequestDataTooBig():
            return problem_of(TooLarge("This request is too large; send files as a form or by their own address."))
        case HttpError():
            return _of_http_error(error)
        case Http404():
            return problem_of(NotFound(DETAILS[404]))
        case SuspiciousOperation():
            return plain(400)
        case _ if (away := outage(error)) is not None:
            log.warning("the API waits for the database: %s", error)
            return problem_of(away)
        case _:
            log.error("unhandled in the API", exc_info=error)
            detail = "Something went wrong on our side. It has been logged; try again."
            return _respond(500, _encode(problem(500, "internal_error", detail)))


def _of_http_error(error: HttpError) -> HttpResponse:
    # Ninja wraps what its parser raises.
    if isinstance(error.__cause__, ClawError | RequestDataTooBig):
        return answer_for(error.__cause__)
    if error.status_code == 401:
        return problem_of(Unauthenticated("Send a token: Authorization: Bearer <token>."))
    if error.status_code == 403:
        return problem_of(Forbidden("This is not allowed."))
    return plain(error.status_code, detail=str(error))


def _invalid(error: ValidationError) -> Invalid:
    """Which field is wrong and what to do, one line each."""
    wrong = [{"field": _field(e["loc"]), "message": e["msg"], "rule": e["type"]} for e in error.errors]
    first = wrong[0] if wrong else {"field": "", "message": "The input is wrong."}
    detail = "; ".join(f"{e['field'] or 'input'}: {e['message']}" for e in wrong[:5])
    return Invalid(detail or str(first["message"]), field=first["field"], errors=wrong[:50])


def _field(loc: Any) -> str:
    parts = [str(part) for part in loc]
    while parts and parts[0] in WHERE:
        parts.pop(0)
    return ".".join(parts)


def speaking_problems(view: Callable[..., HttpResponseBase]) -> Callable[..., HttpResponseBase]:
    """A view whose every failure is a problem document, whoever made it: ninja, Django or we."""

    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        try:
            response = view(request, *args, **kwargs)
        except Exception as error:  # noqa: BLE001
            return answer_for(error)
        if response.status_code >= 400 and response.headers.get("Content-Type") != CONTENT_TYPE:
            made = plain(response.status_code)
            if "Allow" in response.headers:
                made["Allow"] = response.headers["Allow"]
            return made
        return response

    return wrapped


@csrf_exempt
def no_such_address(request: HttpRequest, rest: str = "") -> HttpResponse:
    """What every unknown address under /api/ answers."""
    return problem_of(NotFound("There is no such address. GET /api/v1/openapi.json lists them."))
