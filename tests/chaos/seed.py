"""A workspace with fake agents, written by the services: for `manage.py shell` on the stack that is meant.

Each has two of the skills; where they are `alike`, all of them. With `second` there is an administrator of that name,
too.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

# None of the built-in agents': they would be given these tasks too.
SKILLS = ("reading", "counting", "drawing", "folding", "sorting")
SECOND = "second"


def seed(count: int, skills: int, *, second: bool) -> dict[str, Any]:
    """Register `count` agents of the first person in a new workspace; their keys, and a token of that person."""
    from django.contrib.auth.models import User  # noqa: PLC0415  (read by those, too, who have no Django)

    from clawgroups.auth import actor_of_user  # noqa: PLC0415
    from clawgroups.services import agents, members, people, workspaces  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    person = people.ensure_first_person()
    owner = actor_of_user(person)
    made = perform(workspaces.create_workspace, name="Chaos", goal="Lose nothing", actor=owner)
    workspace = UUID(made.answer["id"])
    if second:
        User.objects.get_or_create(username=SECOND)
        perform(members.add_person, workspace, username=SECOND, role="admin", actor=owner)
    crew = []
    for number in range(count):
        key = agents.mint_key()
        outcome = perform(
            agents.register_agent,
            name=f"Agent {number}",
            handle=f"agent-{workspace.hex[-6:]}-{number}",
            skills=[{"name": SKILLS[(number + more) % len(SKILLS)], "level": 3} for more in range(skills)],
            workspace_id=workspace,
            key=key,
            actor=owner,
        )
        crew.append({"id": outcome.answer["id"], "name": f"agent-{number}", "key": key.secret})
    _, token = people.create_token(person, name="chaos", days=None)
    return {"workspace": str(workspace), "agents": crew, "token": token}


def say(count: int, *, alike: bool, second: bool) -> None:
    """The same as a line of JSON on stdout."""
    from clawgroups import commit  # noqa: PLC0415

    print(json.dumps(seed(count, len(SKILLS) if alike else 2, second=second)))
    commit.drain()
