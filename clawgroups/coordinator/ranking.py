"""Who could do one task at this moment, for whoever looks: the same ranking as in the coordinator's turn."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from clawgroups.coordinator.candidates import candidates_of, people_of, seats_of
from clawgroups.coordinator.needs import surroundings_of_task
from clawgroups.coordinator.situation import need_of, view_of
from clawgroups.core.matching import Match, rank
from clawgroups.models import Task
from clawgroups.queries import asked_now


def ranking_now(task: Task, now: datetime) -> list[Match]:
    """Everybody who may come into question, best first, those who are out last; also where one was chosen already."""
    seats, people = seats_of(task.workspace_id), people_of(task.workspace_id)
    around = surroundings_of_task(task, now)
    need = need_of(view_of(task, around))
    # Who is asked at this moment has not let it pass yet.
    need = replace(need, only=None, asked=need.asked - {asked_now(task, now)})
    return rank(need, candidates_of(task.workspace, seats, people, now))
