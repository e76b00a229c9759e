"""What follows a failed try, as a table: no database, no chance but the one that is given."""

from __future__ import annotations

import pytest

from clawgroups.core.failures import CONSEQUENCES, Failure, consequence
from clawgroups.core.retries import MAX_TRIES, Course, Standing, after_failure, back_off, plea, retry_budget


def standing(tries: int = 1, *, regenerated: int = 0, retries: int = 0, tasks: int = 1) -> Standing:
    return Standing(tries, regenerated, retries, tasks)


def test_every_kind_of_failure_has_its_consequence_and_says_what_happens_next() -> None:
    assert set(CONSEQUENCES) == set(Failure)
    assert all(consequence(kind).next_step for kind in Failure)


@pytest.mark.parametrize(
    ("failure", "now", "course", "tries", "counts"),
    [
        (Failure.ERROR, standing(1), Course.AGAIN, 1, True),
        (Failure.ERROR, standing(2), Course.AGAIN, 2, True),
        (Failure.ERROR, standing(3), Course.ANEW, 3, True),
        (Failure.ERROR, standing(3, regenerated=1), Course.PERSON, 3, False),
        (Failure.ERROR, standing(4, regenerated=1), Course.PERSON, 3, False),
        (Failure.NOT_ACCEPTED, standing(3), Course.ANEW, 3, True),
        (Failure.REFUSED, standing(1), Course.AGAIN, 1, True),
        (Failure.IMPOSSIBLE, standing(1), Course.ANEW, 3, True),
        (Failure.IMPOSSIBLE, standing(1, regenerated=1), Course.PERSON, 3, False),
        (Failure.TASK_TIMED_OUT, standing(1), Course.PERSON, 3, False),
        (Failure.LOGIN_NEEDED, standing(1), Course.AGAIN, 0, False),
        (Failure.LOGIN_NEEDED, standing(3, regenerated=1), Course.AGAIN, 2, False),
        (Failure.RELEASED, standing(0), Course.AGAIN, 0, False),
        (Failure.RELEASED, standing(5, regenerated=1), Course.AGAIN, 2, False),
        (Failure.ERROR, standing(1, retries=5), Course.AGAIN, 1, True),
        (Failure.ERROR, standing(1, retries=6), Course.PERSON, 3, False),
        (Failure.ERROR, standing(3, retries=6), Course.PERSON, 3, False),
        (Failure.ERROR, standing(1, retries=6, tasks=4000), Course.AGAIN, 1, True),
        (Failure.LOGIN_NEEDED, standing(1, retries=6), Course.AGAIN, 0, False),
    ],
)
def test_what_follows_a_failure(failure: Failure, now: Standing, course: Course, tries: int, counts: bool) -> None:
    follows = after_failure(failure, now)
    assert (follows.course, follows.tries, follows.counts) == (course, tries, counts)
    assert follows.why


@pytest.mark.parametrize("failure", Failure)
@pytest.mark.parametrize("tries", range(6))
def test_only_a_task_that_may_be_tried_again_by_itself_keeps_tries_over(failure: Failure, tries: int) -> None:
    for regenerated in (0, 1):
        follows = after_failure(failure, standing(tries, regenerated=regenerated))
        assert (follows.tries < MAX_TRIES) == (follows.course is Course.AGAIN)


@pytest.mark.parametrize(("tasks", "budget"), [(1, 6), (30, 6), (31, 7), (100, 20), (4000, 800)])
def test_a_run_has_a_fifth_of_its_tasks_as_retries_and_at_least_six(tasks: int, budget: int) -> None:
    assert retry_budget(tasks) == budget


@pytest.mark.parametrize(("tries", "bound"), [(0, 2), (1, 2), (2, 4), (3, 8), (5, 32), (6, 60), (5000, 60)])
def test_a_pause_lies_anywhere_below_a_bound_that_doubles_up_to_a_minute(tries: int, bound: float) -> None:
    assert back_off(tries, base=2, cap=60, chance=0) == 0
    assert back_off(tries, base=2, cap=60, chance=0.5) == bound / 2


def test_the_person_is_told_what_was_used_up_how_it_ended_and_what_they_can_do() -> None:
    said = plea("the 6 further tries of this run are used up", "the agent ran out of tokens.")
    assert said.startswith("The 6 further tries of this run are used up. The last try: the agent ran out of tokens. ")
    assert "take it over, or cancel it" in said
