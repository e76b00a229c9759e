"""`python -m tests.chaos.seed COUNT [alike] [second]`: a workspace with fake agents, written by the services.

JSON on stdout. Each has two of the skills; with `alike` all of them. With `second` there is an administrator of that
name, too.
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any
from uuid import UUID

import django

# None of the built-in agents': they would be given these tasks too.
SKILLS = ("reading", "counting", "drawing", "folding", "sorting")
SECOND = "second"


def seed(count: int, skills: int, *, second: bool) -> dict[str, Any]:
    """Register `count` agents of the first person in a new workspace; their keys, and a token of that person."""
    from django.contrib.auth.models import User  # noqa: PLC0415  (Django is set up first)

    from clawgroups.auth import actor_of_user  # noqa: PLC0415
    from clawgroups.services import agents, members, people, workspaces  # noqa: PLC0415
    from clawgroups.services.perform import perform  # noqa: PLC0415

    owner = actor_of_user(people.ensure_first_person())
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
    return {"workspace": str(workspace), "agents": crew}


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
    django.setup()
    from clawgroups import commit  # noqa: PLC0415

    print(json.dumps(seed(int(sys.argv[1]), len(SKILLS) if "alike" in sys.argv else 2, second=SECOND in sys.argv)))
    commit.drain()


if __name__ == "__main__":
    main()
