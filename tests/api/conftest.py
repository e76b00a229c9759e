"""The API as a script sees it: a client per person, with a bearer token."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from clawgroups.services import people
from tests.conftest import Team

Json = dict[str, Any]


class Api:
    """One caller. Answers are (status, body, response)."""

    def __init__(self, token: str | None = None) -> None:
        self.client = Client(raise_request_exception=False)
        self.headers = {} if token is None else {"Authorization": f"Bearer {token}"}

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        url = path if path.startswith(("/api", "/healthz", "/readyz")) else f"/api/v1{path}"
        data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = said.pop("Content-Type", "application/json")
        return self.client.generic(method, url, data, content_type=kind, headers={**self.headers, **said})

    def get(self, path: str, **headers: str) -> Any:
        return self.call("GET", path, **headers)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        return self.call("POST", path, {} if body is None else body, **headers)

    def form(self, path: str, fields: Json, **headers: str) -> Any:
        """A multipart form."""
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(f"/api/v1{path}", fields, headers={**self.headers, **said})


As = Callable[[str], Api]


@pytest.fixture
def as_(team: Team) -> As:
    """The API as somebody of the cast."""

    def make(name: str) -> Api:
        return Api(people.create_token(team.users[name], name="test")[1])

    return make


def problem(response: Any) -> tuple[int, str]:
    """Status and code, once it is sure that this is a well-formed problem document."""
    assert response["Content-Type"] == "application/problem+json", response.content
    said = response.json()
    assert said["status"] == response.status_code
    assert {"type", "title", "detail", "code"} <= said.keys()
    assert said["detail"]
    return response.status_code, said["code"]
