"""What every answer carries, what none may hold, and from where a page may write."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse

from agents.models import AgentKey
from clawgroups import permissions
from clawgroups.models import AccessToken, Session
from tests.access.expect import Door, door_of, row_of
from tests.access.markup import INLINE
from tests.access.requests import ask, client_of
from tests.access.test_routes import METHODS, NAMES, close
from tests.access.world import World

pytestmark = pytest.mark.django_db

POLICY = {
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "connect-src 'self'",
    "font-src 'self'",
    "form-action 'self'",
    "img-src 'self' data:",
    "manifest-src 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
}
HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def readable(door: Door) -> list[str]:
    """Addresses that are read."""
    return [name for name in NAMES if door_of(name) is door and METHODS.get(name, "GET") == "GET"]


def secrets(world: World) -> list[str]:
    """What may stand nowhere: keys and tokens in clear, what they are checked by, and our own secret."""
    stored = [model.objects.values_list("digest", flat=True) for model in (AgentKey, AccessToken, Session)]
    return [*world.secrets, *(digest for digests in stored for digest in digests), settings.SECRET_KEY]


def body(response: Any) -> str:
    content = b"".join(response.streaming_content) if response.streaming else response.content
    close(response)
    return str(content.decode(errors="replace"))


# One look at each answer for all that must hold of it: asking costs more than looking.
@pytest.mark.parametrize(
    ("door", "who"),
    [
        (Door.PAGES, "owner"),
        (Door.PAGES, "anonymous"),
        (Door.ADMIN, "staff"),
        (Door.API, "owner"),
        (Door.API, "staff"),
        (Door.API, "agent key"),
    ],
)
def test_every_answer_is_under_the_policy_and_holds_no_secret_and_nothing_of_its_own_to_run(
    world: World, door: Door, who: str
) -> None:
    client = client_of(world, who, door)
    hidden = secrets(world)
    pages = 0
    for name in readable(door):
        response = ask(client, "GET", name, world.ours)
        said = body(response)
        assert not [secret for secret in hidden if secret in said], name
        if response.get("Content-Type", "").startswith("text/html"):
            pages += 1
            look_at_page(name, response, said)
        if door is not Door.API and name.endswith("logout"):
            client = client_of(world, who, door)
    assert pages > 20 or door is Door.API


def look_at_page(name: str, response: Any, said: str) -> None:
    """It is under the policy and runs nothing of its own; and what a signed-in person sees is kept by nobody."""
    assert set(response["Content-Security-Policy"].split("; ")) == POLICY, name
    for header, value in HEADERS.items():
        assert response[header] == value, (name, header)
    assert not INLINE.search(said), name
    if row_of(name) in permissions.ACTIONS and response.status_code == 200:
        kept = response.get("Cache-Control", "")
        assert "no-store" in kept or "private" in kept or response.get("Vary", "").count("Cookie"), name


def test_an_error_is_under_the_policy_too(world: World) -> None:
    for client in (Client(), client_of(world, "owner", Door.PAGES)):
        for path in ("/no-such-page/", "/w/no-id/", "/admin/no-such/", "/api/v1/no-such", "/api/nothing"):
            response = client.get(path)
            assert response.status_code in (302, 403, 404)
            assert "default-src 'none'" in response["Content-Security-Policy"], path
            assert response["X-Content-Type-Options"] == "nosniff"
            assert "Traceback" not in body(response)


def test_no_page_is_written_without_its_token(world: World) -> None:
    user = world.user("owner")
    assert user is not None
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    for name in NAMES:
        if door_of(name) is Door.API:
            continue
        response = ask(client, "POST", name, world.ours)
        assert response.status_code in (403, 404, 405), (name, response.status_code)


ORIGINS = [
    (settings.ORIGINS[0], True),
    ("http://evil.example", False),
    (settings.ORIGINS[0].replace("http:", "https:"), False),
    (settings.ORIGINS[0].replace(":8000", ":9999"), False),
    ("null", False),
    ("http://127.0.0.1.evil.example:8000", False),
]


@pytest.mark.parametrize(("origin", "good"), ORIGINS)
def test_a_page_writes_from_our_own_origin_only(world: World, origin: str, good: bool) -> None:
    user = world.user("owner")
    assert user is not None
    host = settings.ORIGINS[0].removeprefix("http://")
    client = Client(enforce_csrf_checks=True, headers={"Host": host, "Origin": origin})
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    client.get(reverse("workspaces"))
    token = client.cookies[settings.CSRF_COOKIE_NAME].value
    goal = reverse("set-goal", args=[world.ours.ids["workspace_id"]])
    page = client.post(goal, {"goal": "Win", "csrfmiddlewaretoken": token})
    assert page.status_code == (303 if good else 403)
    api = client.patch(
        reverse("api:change-workspace", args=[world.ours.ids["workspace_id"]]),
        json.dumps({"goal": "Win"}),
        content_type="application/json",
        headers={"X-CSRFToken": token},
    )
    assert api.status_code == (200 if good else 403)


def test_a_host_that_is_not_ours_is_refused(world: World) -> None:
    assert Client(headers={"Host": "evil.example"}).get("/").status_code == 400


def test_a_page_writes_by_the_api_only_with_its_token(world: World) -> None:
    user = world.user("owner")
    assert user is not None
    client = Client(enforce_csrf_checks=True)
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    here = reverse("api:get-workspace", args=[world.ours.ids["workspace_id"]])
    assert client.get(here).status_code == 200
    refused = client.patch(here, json.dumps({"goal": "x"}), content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (403, "csrf")
