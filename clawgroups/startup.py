"""What must hold before anything listens or works: web, workers and `up` refuse to start without it, in one line each.

A Redis that does not answer yet is waited for; everything else that is wrong stays wrong until somebody changes it.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from urllib.parse import parse_qsl, urlsplit

import django
import redis
from celery import current_app
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from redis.exceptions import AuthenticationError, AuthorizationError

from clawgroups import bus
from clawgroups.core.garbage import loading
from clawgroups.supervisor.say import REFUSAL, REFUSED

PATIENCE = 30.0  # seconds for Redis to come; then we start without it, since everything is only later without it
SHORTEST_SECRET = 32
FEWEST_CHARACTERS = 8
# What stands in examples and tutorials.
KNOWN_SECRETS = ("changeme", "change-me", "change_me", "django-insecure-", "secret-key", "secret_key", "your-secret")
DEFAULT_PORTS = {"http": 80, "https": 443}


def begin(*, wait: bool = True) -> None:
    """Check everything, and end this process with one line for each thing that is wrong.

    Without `wait`, a Redis that does not answer is left to the processes that need it.
    """
    read_settings()
    refuse(line for check in _SETTINGS for line in check())
    with loading():
        django.setup()
    refuse(line for check in _CLIENTS for line in check())
    if settings.REDIS_URL:
        _meet_redis(PATIENCE if wait else 0.0)


def read_settings() -> None:
    """Read the settings, or end this process with the line that names the variable at fault."""
    try:
        settings.SECRET_KEY  # noqa: B018  (the first look reads the file)
    except (ImproperlyConfigured, ValueError) as wrong:
        refuse([str(wrong)])


def refuse(lines: Iterable[str]) -> None:
    """Say these lines and end this process; do nothing when there are none."""
    said = list(lines)
    for line in said:
        print(f"{REFUSAL}{line}", file=sys.stderr, flush=True)
    if said:
        raise SystemExit(REFUSED)


# The settings


def _debug() -> Iterator[str]:
    if settings.DEBUG:
        yield "DEBUG is on, which shows settings and rows to strangers. Switch it off."
    for name in ("CLAWGROUPS_DEBUG", "DJANGO_DEBUG", "DEBUG"):
        if os.environ.get(name, "").lower() in ("1", "true", "yes", "on"):
            yield f"{name} is set, and there is no DEBUG mode here. Unset it; LOG_LEVEL=DEBUG says more."


def _secret() -> Iterator[str]:
    """The embedded mode makes a secret of its own, in the data folder."""
    secret, how = settings.SECRET_KEY, 'Make one: python3 -c "import secrets; print(secrets.token_urlsafe(50))"'
    if not secret:
        yield f"CLAWGROUPS_SECRET_KEY is empty. {how}"
    elif settings.EMBEDDED:
        return
    elif any(known in secret.lower() for known in KNOWN_SECRETS):
        yield f"CLAWGROUPS_SECRET_KEY is one that everybody knows. {how}"
    elif len(secret) < SHORTEST_SECRET or len(set(secret)) < FEWEST_CHARACTERS:
        yield f"CLAWGROUPS_SECRET_KEY is too short or too simple to be a secret. {how}"


def _origins() -> Iterator[str]:
    if not is_exact(settings.BASE_URL):
        yield f"CLAWGROUPS_BASE_URL is {settings.BASE_URL!r}: it must be exact, like https://claw.example.org. {_EXACT}"
        return
    for origin in settings.ORIGINS:
        if not is_exact(origin):
            yield f"CLAWGROUPS_ORIGINS has {origin!r}: an origin is exact, like https://claw.example.org. {_EXACT}"
    if settings.SANDBOX_URL and (not is_exact(settings.SANDBOX_URL) or settings.SANDBOX_URL in settings.ORIGINS):
        yield f"CLAWGROUPS_SANDBOX_URL is {settings.SANDBOX_URL!r}: it must be exact, and another origin. {_EXACT}"
    for host in settings.ALLOWED_HOSTS:
        if "*" in host or host.startswith("."):
            yield f"CLAWGROUPS_ALLOWED_HOSTS has {host!r}: name every host."


_EXACT = "Scheme, host and a port that is not the default one; no path, no *, small letters."


def is_exact(origin: str) -> bool:
    """Whether this is an origin as a browser sends it."""
    parts = urlsplit(origin)
    try:
        port = parts.port
    except ValueError:
        return False
    return (
        parts.scheme in DEFAULT_PORTS
        and bool(parts.hostname)
        and port != DEFAULT_PORTS[parts.scheme]
        and not set("*@ ,") & set(parts.netloc)
        and origin == f"{parts.scheme}://{parts.netloc}".lower()
    )


def _redis_url() -> Iterator[str]:
    if not settings.REDIS_URL:
        return
    parts = urlsplit(settings.REDIS_URL)
    if parts.scheme not in ("redis", "rediss", "unix"):
        yield "REDIS_URL must begin with redis://, rediss:// or unix://."
    for name, _ in parse_qsl(parts.query, keep_blank_values=True):
        if not name.startswith("ssl_"):
            yield f"REDIS_URL sets {name}, which would undo our own socket options. Leave out what follows the “?”."
    for name in ("CELERY_BROKER_URL", "CELERY_BROKER_READ_URL", "CELERY_BROKER_WRITE_URL"):
        if os.environ.get(name, settings.REDIS_URL) != settings.REDIS_URL:
            yield f"{name} sends jobs elsewhere than REDIS_URL. Unset it."


_SETTINGS: tuple[Callable[[], Iterator[str]], ...] = (_debug, _secret, _origins, _redis_url)


# The clients, as they come out of everything that may have changed their options


def _our_client() -> Iterator[str]:
    """redis-py 8 has defaults of its own, and lets a URL override what is passed."""
    if not settings.REDIS_URL:
        return
    wanted = {**bus.SOCKET, **({} if settings.REDIS_URL.startswith("unix") else bus.KEEPALIVE)}
    options = bus.client().connection_pool.connection_kwargs
    must = {"socket_timeout", "socket_connect_timeout", "health_check_interval", "retry"} | wanted.keys()
    if foreign := sorted(name for name in must if name not in wanted or options.get(name) != wanted[name]):
        yield f"hints would travel with redis-py's own {', '.join(foreign)}: they must be ours, or a socket may hang."


def _kombu_client() -> Iterator[str]:
    options, limit = current_app.conf.broker_transport_options, current_app.conf.task_time_limit
    must = ("health_check_interval", "socket_connect_timeout", "socket_keepalive", "socket_timeout")
    if foreign := [name for name in must if not options.get(name)]:
        yield f"jobs would travel with redis-py's own {', '.join(foreign)}: they must be ours, or a worker may go deaf."
    if not limit or options.get("visibility_timeout", 0) <= limit:
        yield "jobs would be given out twice before their time limit: visibility_timeout must be above task_time_limit."


_CLIENTS = (_our_client, _kombu_client)


# Redis itself


def _meet_redis(patience: float) -> None:
    """Refuse a Redis that may throw jobs away; wait for one that does not answer, then go on without it."""
    until = time.monotonic() + patience
    waiting = False
    while (fault := _redis_fault()) is None:
        if time.monotonic() >= until:
            if patience:
                _say(f"Redis does not answer at {_address()}: going on without it.")
                threading.Thread(target=_refuse_later, name="redis-policy", daemon=True).start()
            return
        if not waiting:
            waiting = True
            _say(f"Redis does not answer at {_address()}: waiting for it.")
        time.sleep(0.2)
    refuse(filter(None, [fault]))


def _redis_fault() -> str | None:
    """What is wrong with Redis; empty when nothing is, None when it does not answer."""
    try:
        with bus.client() as client:
            policy = str(client.info("memory").get("maxmemory_policy", ""))
    except (AuthenticationError, AuthorizationError) as refused:
        return f"Redis at {_address()} refuses us ({refused}). Correct the password in REDIS_URL."
    except redis.ResponseError:
        _say("Redis does not tell its maxmemory-policy: see to it that it is noeviction.")
        return ""
    except (redis.RedisError, OSError):
        return None
    if policy in ("", "noeviction"):
        return ""
    return f"Redis may throw jobs away (its maxmemory-policy is {policy}). Set it to noeviction."


def _refuse_later() -> None:
    """A Redis that comes later is looked at when it comes."""
    while (fault := _redis_fault()) is None:
        time.sleep(1)
    if fault:
        print(f"{REFUSAL}{fault}", file=sys.stderr, flush=True)
        os._exit(REFUSED)


def _address() -> str:
    """Where Redis is, without its password."""
    parts = urlsplit(str(settings.REDIS_URL))
    return parts.path if parts.scheme == "unix" else parts.netloc.rpartition("@")[2]


def _say(line: str) -> None:
    print(f"Claw Groups: {line}", file=sys.stderr, flush=True)
