"""Requests that come as JSON, or as a multipart form with files: one reading for both."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import pydantic
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.http.multipartparser import MultiPartParserError
from ninja import Schema
from ninja.errors import ValidationError
from ninja.parser import Parser

from clawgroups.api.bodies import CappedUpload
from clawgroups.core.errors import ClawError, Invalid
from clawgroups.services import files
from clawgroups.services.files import StoredFile

S = TypeVar("S", bound=Schema)
_HALF = re.compile(r"\\ud[89a-f]", re.IGNORECASE)
MULTIPART = "multipart/form-data"


class UnsupportedBody(ClawError):
    """Neither JSON nor a form."""

    code = "unsupported_body"
    status = 415


@dataclass(frozen=True, slots=True)
class Form:
    """The fields of a request, and its files, which are in the store already."""

    fields: dict[str, Any]
    stored: tuple[StoredFile, ...] = ()

    def parsed(self, model: type[S]) -> S:
        """The fields as `model`. Raises ninja's ValidationError, as a declared body does."""
        try:
            return model.model_validate(self.fields)
        except pydantic.ValidationError as wrong:
            errors: Sequence[Any] = wrong.errors(include_url=False, include_context=False, include_input=False)
            raise ValidationError([dict(error) for error in errors]) from None

    def digest(self) -> list[Any]:
        """What the request said, for the digest of its operation."""
        return [self.fields, [(stored.name, stored.sha256) for stored in self.stored]]


def watch_uploads(request: HttpRequest) -> None:
    """Count a form's files from the first byte. Must run before anything asks for the form's fields."""
    if request.content_type == MULTIPART:
        request.upload_handlers.insert(0, CappedUpload(request))


def few_files(request: HttpRequest, check: Callable[[int], None]) -> None:
    """Have the number of a form's files checked before any of them is stored."""
    if request.content_type == MULTIPART:
        with _readable():
            check(sum(len(request.FILES.getlist(name)) for name in request.FILES))


def read_form(
    request: HttpRequest, *, structured: Sequence[str] = (), take: Callable[..., StoredFile] = files.store
) -> Form:
    """Read a request. `structured` fields are JSON also inside a form. Files come as `files`; `take` stores one."""
    if request.content_type == MULTIPART:
        return _read_multipart(request, structured, take)
    if request.content_type not in ("application/json", ""):
        raise UnsupportedBody("Send application/json, or multipart/form-data with files.")
    given = _json(request.body.decode("utf-8", "replace"), "body")
    if not isinstance(given, dict):
        raise Invalid("Send a JSON object.", field="body")
    return Form(given)


def _read_multipart(request: HttpRequest, structured: Sequence[str], take: Callable[..., StoredFile]) -> Form:
    with _readable():
        given: dict[str, Any] = {name: request.POST.get(name) for name in request.POST}
        uploads = [upload for name in request.FILES for upload in request.FILES.getlist(name)]
    for name in structured:
        if given.get(name):
            given[name] = _json(str(given[name]), name)
        else:
            given.pop(name, None)
    return Form(given, tuple(_store(upload, take) for upload in uploads))


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except MultiPartParserError:
        raise Invalid("This form cannot be read.", field="body", code="bad_form") from None


def _store(upload: UploadedFile[Any], take: Callable[..., StoredFile]) -> StoredFile:
    return take(upload.chunks(), name=upload.name or "", content_type=upload.content_type or "")


def _json(text: str, field: str) -> Any:
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid(f"{field} is not JSON.", field=field, code="not_json") from None
    if _HALF.search(text) and not _is_text(given):
        raise Invalid(f"{field} holds half a character (a lone surrogate).", field=field, code="bad_text")
    return given


def _is_text(given: Any) -> bool:
    """Whether every string in it can be stored: JSON may spell halves of a surrogate pair."""
    try:
        json.dumps(given, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


class StrictParser(Parser):
    """Reads a JSON body; what is wrong with it is said in our words."""

    def parse_body(self, request: HttpRequest) -> Any:
        return _json(request.body.decode("utf-8", "replace"), "body")


def described(model: type[Schema]) -> dict[str, Any]:
    """OpenAPI of a body that is JSON or a form with `files`."""
    schema = model.model_json_schema()
    form = {**schema, "properties": {**schema["properties"], "files": _FILES}}
    return {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": schema}, MULTIPART: {"schema": form}},
        }
    }


_FILES = {"type": "array", "items": {"type": "string", "format": "binary"}}
