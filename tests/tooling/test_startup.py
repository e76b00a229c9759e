"""T12: a start that would go wrong later is refused at once, in one line; a Redis that is late is waited for."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from clawgroups import bus, startup
from clawgroups.supervisor import valkey
from clawgroups.supervisor.place import read_place
from tests.run.servers import free_port, redis
from tests.tooling.refusals import PLACE, ROOT, a_folder, configure, refusals, start


def test_every_refusal_is_one_clear_line_and_an_end() -> None:
    found = refusals()
    assert len(found) == 18
    assert [(name, line) for name, line, ok in found if not ok] == []


def lines(check: Callable[[], Any]) -> list[str]:
    return list(check())


@pytest.mark.parametrize(
    "origin",
    ["*", "null", "example.org", "//example.org", "https://*", "https://example.org/", "https://example.org/a",
     "https://example.org?a", "https://example.org#a", "https://a@example.org", "https://example.org:443",
     "http://example.org:80", "https://Example.org", "https://example.org:port", "ftp://example.org",
     "https://a.org,https://b.org", "https://", ""],
)  # fmt: skip
def test_an_origin_that_is_not_exact_is_refused(origin: str, settings: Any) -> None:
    settings.ORIGINS = ["https://example.org", origin]
    (line,) = lines(startup._origins)
    assert repr(origin) in line


@pytest.mark.parametrize("origin", ["https://example.org", "http://127.0.0.1:8000", "http://[::1]:8000"])
def test_an_exact_origin_is_taken(origin: str, settings: Any) -> None:
    settings.ORIGINS = [origin]
    assert lines(startup._origins) == []


def test_an_address_that_is_no_origin_and_hosts_that_are_not_named_are_refused(settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["example.org", "*", ".example.org"]
    assert [line.split(":")[0] for line in lines(startup._origins)] == [
        "CLAWGROUPS_ALLOWED_HOSTS has '*'",
        "CLAWGROUPS_ALLOWED_HOSTS has '.example.org'",
    ]
    settings.BASE_URL = "https://example.org/app"
    (line,) = lines(startup._origins)
    assert "CLAWGROUPS_BASE_URL" in line


@pytest.mark.parametrize(
    "secret",
    ["x" * 60, "ab" * 40, "s3cret", "django-insecure-hU3n8sQzX1r0vB6yTpLw9eJmFaCdG4i7", "ChangeMe-" * 9],
)
def test_a_weak_secret_is_refused_outside_the_embedded_mode_only(secret: str, settings: Any) -> None:
    settings.SECRET_KEY, settings.EMBEDDED = secret, False
    assert len(lines(startup._secret)) == 1
    settings.EMBEDDED = True
    assert lines(startup._secret) == []


def test_what_the_installation_makes_and_what_the_example_says_is_a_secret(settings: Any) -> None:
    settings.EMBEDDED = False
    for secret in ("0f8f3e2b4c6d7a1958e0b7c2d3f4a6e1", "hU3n-8s_kQzX1r0vB6yTpLw9eJmFaCdG4i7oNxRbVtYu2"):
        settings.SECRET_KEY = secret
        assert lines(startup._secret) == []


@pytest.mark.parametrize(
    ("url", "count"),
    [("redis://h:6379/0", 0), ("rediss://:p@h/1?ssl_ca_certs=/x", 0), ("unix:///run/r.sock", 0), ("", 0),
     ("redis://h/0?socket_timeout=1&retry_on_timeout=1", 2), ("redis://h/0?timeout=", 1), ("redis+socket:///x", 1)],
)  # fmt: skip
def test_an_address_of_redis_brings_no_options(url: str, count: int, settings: Any) -> None:
    settings.REDIS_URL = url
    assert len(lines(startup._redis_url)) == count


def test_what_an_address_may_undo_it_undoes_so_it_is_refused(settings: Any) -> None:
    """redis-py lets the address win over what is passed."""
    settings.REDIS_URL = "redis://127.0.0.1:1/0?socket_timeout=77"
    assert bus.client().connection_pool.connection_kwargs["socket_timeout"] == 77
    (line,) = lines(startup._our_client)
    assert "socket_timeout" in line
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    assert lines(startup._our_client) == []
    settings.REDIS_URL = "unix:///nowhere"
    assert lines(startup._our_client) == []


def test_a_redis_that_is_late_is_waited_for_with_one_line() -> None:
    with a_folder() as data:
        place = read_place({"CLAWGROUPS_DATA": str(data)})
        place.runtime.mkdir()
        address = valkey.choose_address(place)
        environment = {**PLACE, "CLAWGROUPS_DATA": str(data), "REDIS_URL": address.url}
        command = [sys.executable, "-m", "clawgroups.server", "--port", str(free_port())]
        with subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as web:
            assert web.stdout is not None
            assert web.stderr is not None
            said = web.stderr.readline()
            assert said == f"Claw Groups: Redis does not answer at {address.path}: waiting for it.\n"
            assert web.poll() is None
            spec = valkey.server_spec(place, valkey.find_server(), address)
            with subprocess.Popen(spec.command, stdout=subprocess.DEVNULL) as server:
                assert web.stdout.readline().startswith("listening on")
                web.terminate()
                assert web.wait(20) == 0
                server.terminate()
            assert "waiting" not in web.stderr.read()


def test_a_redis_that_does_not_come_is_gone_without_and_judged_when_it_comes(
    settings: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ended = threading.Event()
    monkeypatch.setattr(os, "_exit", lambda _status: ended.set())
    settings.REDIS_URL = f"redis://127.0.0.1:{free_port()}/0"
    startup._meet_redis(0.3)
    assert [line.rpartition(":")[2] for line in capsys.readouterr().err.splitlines()] == [
        " waiting for it.",
        " going on without it.",
    ]
    with redis() as url:
        configure(url, "CONFIG SET maxmemory-policy volatile-ttl")
        settings.REDIS_URL = url
        assert ended.wait(20)
    assert "volatile-ttl" in capsys.readouterr().err


def test_a_redis_that_refuses_us_is_not_waited_for(settings: Any) -> None:
    with redis() as url:
        configure(url, "CONFIG SET requirepass secret")
        settings.REDIS_URL = url
        fault = startup._redis_fault()
    assert fault is not None
    assert "refuses us" in fault
    assert "secret" not in fault


@pytest.mark.parametrize(
    ("url", "base"),
    [("http://127.0.0.1:80", "http://127.0.0.1"), ("https://example.org:443", "https://example.org"),
     ("https://example.org:8443/", "https://example.org:8443"), ("http://[::1]:80", "http://[::1]")],
)  # fmt: skip
def test_an_address_with_its_default_port_is_taken_as_a_browser_says_it(url: str, base: str) -> None:
    code = (
        "from django.conf import settings as s; from clawgroups import startup as u; print(s.BASE_URL, *u._origins())"
    )
    with a_folder() as data:
        extra = {"CLAWGROUPS_BASE_URL": url, "DJANGO_SETTINGS_MODULE": "clawgroups.settings"}
        assert start(("-c", code), data, {**PLACE, **extra}).stdout == f"{base}\n"
