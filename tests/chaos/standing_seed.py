"""Who is let in, and who is to lose it, for T28: written by the services, in `manage.py shell` on the stack meant.

Only the functions know Django, since this is read by those, too, who have none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

PASSWORD, ANOTHER = "gull-over-harbour-41", "pine-under-snow-86"
AWAY, RENEWED = "removed", "another password"  # whose agents go with them; who has a password at all
SKILLS = {"away": "folding"}
Json = dict[str, Any]


def seed(people: Sequence[str], groups: Sequence[str], each: int) -> Json:
    """A workspace with these people, and so many agents of each group; all that anybody comes in by."""
    from django.contrib.auth.models import User  # noqa: PLC0415
    from django.utils import timezone  # noqa: PLC0415

    from clawgroups.auth import actor_of_user  # noqa: PLC0415
    from clawgroups.services import members, workspaces  # noqa: PLC0415
    from clawgroups.services import people as accounts  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    first = accounts.ensure_first_person()
    owner = actor_of_user(first)
    workspace = UUID(perform(workspaces.create_workspace, name="Doors", actor=owner).answer["id"])
    mark, seats, users = f"{timezone.now():%H%M%S%f}", {}, {}
    for name in people:
        # Hashing one takes a while.
        password = PASSWORD if name == RENEWED else None
        user = users[name] = User.objects.create_user(f"{name.replace(' ', '-')}-{mark}", password=password)
        seats[name] = perform(members.add_person, workspace, username=user.username, actor=owner).answer["id"]
    return {
        "workspace": str(workspace),
        "owner": _passes(first),
        "people": {name: {**_passes(user), "member": seats[name]} for name, user in users.items()},
        "agents": [
            _agent(workspace, f"{group}-{number}-{mark}", group, users[AWAY] if group == "away" else first)
            for group in groups
            for number in range(each)
        ],
    }


def _passes(user: Any) -> Json:
    """Two browsers and two tokens of a person."""
    from clawgroups.services import people as accounts  # noqa: PLC0415

    here, _ = _signed_in(user)
    elsewhere, row = _signed_in(user)
    token, secret = accounts.create_token(user, name="to lose")
    _, other = accounts.create_token(user, name="to keep")
    passes = {"here": here, "elsewhere": elsewhere, "token": secret, "other": other}
    return {"pk": user.pk, "passes": passes, "token_id": str(token.pk), "session_pk": row}


def _signed_in(user: Any) -> tuple[str, int]:
    from allauth.usersessions.models import UserSession  # noqa: PLC0415
    from django.conf import settings  # noqa: PLC0415
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY  # noqa: PLC0415
    from django.contrib.sessions.backends.db import SessionStore  # noqa: PLC0415

    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.create()
    key = str(session.session_key)
    return key, UserSession.objects.create(user=user, session_key=key, ip="127.0.0.1").pk


def _agent(workspace: UUID, name: str, group: str, owner: Any) -> Json:
    from clawgroups.auth import actor_of_user  # noqa: PLC0415
    from clawgroups.services import agents  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    key = agents.mint_key()
    skill = SKILLS.get(group, "sorting")
    made = perform(
        agents.register_agent, name=name, skills=[{"name": skill, "level": 3}], workspace_id=workspace, key=key,
        actor=actor_of_user(owner),
    )  # fmt: skip
    return {"id": made.answer["id"], "name": name, "group": group, "key": key.secret}


def say(told: str) -> None:
    """`seed` with these arguments, as a line of JSON on stdout."""
    from clawgroups import commit  # noqa: PLC0415

    print(json.dumps(seed(*json.loads(told))))
    commit.drain()


def end_soon(tokens: Sequence[str], agents: Sequence[str], seconds: float) -> None:
    """From so many seconds from now on these tokens, and the keys of these agents, are over; prints when that is."""
    from django.utils import timezone  # noqa: PLC0415

    from agents.models import AgentKey  # noqa: PLC0415
    from clawgroups.models import AccessToken  # noqa: PLC0415

    at = timezone.now() + timedelta(seconds=seconds)
    AccessToken.objects.filter(pk__in=tokens).update(expires_at=at)
    AgentKey.objects.filter(agent__in=[UUID(one) for one in agents]).update(expires_at=at)
    print(at.timestamp())


def revoke(user: int, token: str) -> None:
    """Revoke a token in a process of its own; prints when it began."""
    import time  # noqa: PLC0415

    from django.contrib.auth.models import User  # noqa: PLC0415

    from clawgroups import commit  # noqa: PLC0415
    from clawgroups.services import people  # noqa: PLC0415

    row, began = User.objects.get(pk=user), time.time()
    people.revoke_token(row, UUID(token))
    commit.drain()
    print(began)


def call(name: str, given: Mapping[str, Any]) -> str:
    """The line for the shell that calls one of these."""
    return f"from tests.chaos import standing_seed; standing_seed.{name}(**{dict(given)!r})"
