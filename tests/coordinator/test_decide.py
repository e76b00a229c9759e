"""What the coordinator does next, as tables of values: no database, no waiting."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from clawgroups.coordinator import builtin
from clawgroups.coordinator.decide import Assign, Consolidate, Explain, Plan, Replan, Review, Start, Withdraw, decide
from clawgroups.coordinator.situation import InputView, Situation, TaskView
from clawgroups.core.matching import QUARANTINED, RESTING, Candidate
from clawgroups.core.plan import parse_plan

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def candidate(name: str, **skills: int) -> Candidate:
    return Candidate(uuid4(), name, {k.replace("_", "-"): v for k, v in skills.items()})


def task(key: str = "write", state: str = "ready", **more: object) -> TaskView:
    base = TaskView(
        id=uuid4(),
        key=key,
        title=key.title(),
        state=state,
        skills=("writing",),
        level=0,
        position=0,
        tries=0,
        brief={},
        not_before=None,
        blocked_on="nobody",
        next_actor="coordinator",
    )
    return replace(base, **more)  # type: ignore[arg-type]


def situation(
    *tasks: TaskView, people: tuple[Candidate, ...] = (), state: str = "running", **more: object
) -> Situation:
    base = Situation(
        run_id=uuid4(),
        workspace_id=uuid4(),
        state=state,
        paused=False,
        start_when_planned=False,
        goal="Which region sells best?",
        asked_by=1,
        now=NOW,
        tasks=tasks,
        candidates=people,
        descriptions={c.member_id: " ".join(c.skills) for c in people},
    )
    return replace(base, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("state", "asked_to_start", "steps"),
    [
        ("planning", False, [Plan()]),
        ("proposed", False, []),
        ("proposed", True, [Start()]),
        ("consolidating", False, [Consolidate()]),
        ("done", False, []),
        ("cancelled", True, []),
    ],
)
def test_each_state_of_a_run_has_its_next_step(state: str, asked_to_start: bool, steps: list[object]) -> None:
    assert decide(situation(state=state, start_when_planned=asked_to_start)) == steps


def test_a_ready_task_goes_to_the_best_fit_with_reasons_and_runners_up() -> None:
    good, fair = candidate("Good", writing=5), candidate("Fair", writing=2)
    (step,) = decide(situation(task(), people=(fair, good, candidate("Other", review=5))))
    assert isinstance(step, Assign)
    assert step.member_id == good.member_id
    assert step.match["chosen"]["reasons"] == ["writing at level 5 of 5", "free"]
    assert [m["name"] for m in step.match["runners_up"]] == ["Fair"]
    assert step.match["out"][0]["excluded"] == "lacks writing"


def test_one_free_session_is_not_given_to_two_tasks() -> None:
    only = candidate("Only", writing=5)
    steps = decide(situation(task("a"), task("b", position=1), people=(only,)))
    assert len(steps) == 1


def test_a_paused_run_still_reviews_but_assigns_nothing() -> None:
    waiting, done = task("a"), task("b", "in_review")
    steps = decide(situation(waiting, done, people=(candidate("Only", writing=5),), paused=True))
    assert steps == [Review(done.id)]


def test_a_result_that_waits_for_a_persons_judgement_is_not_reviewed_again() -> None:
    assert decide(situation(task("b", "in_review", blocked_on="person"))) == []


def test_a_task_in_back_off_waits() -> None:
    later = task(not_before=NOW + timedelta(seconds=1))
    assert decide(situation(later, people=(candidate("Only", writing=5),))) == []


def test_a_task_nobody_can_do_says_which_skill_is_missing_once() -> None:
    lonely = task()
    (step,) = decide(situation(lonely, people=(candidate("Other", review=5),)))
    assert isinstance(step, Explain)
    assert step.stuck
    assert "needs writing" in step.reason
    said = replace(lonely, state="stuck", next_actor=step.who)
    assert decide(situation(said, people=(candidate("Other", review=5),))) == []


def test_a_stuck_task_is_assigned_once_somebody_who_can_has_joined() -> None:
    (step,) = decide(situation(task(state="stuck"), people=(candidate("New", writing=3),)))
    assert isinstance(step, Assign)


def test_an_offline_agent_is_named_as_the_one_to_wait_for() -> None:
    away = replace(candidate("Away", writing=5), online=False)
    (step,) = decide(situation(task(), people=(away,)))
    assert isinstance(step, Explain)
    assert not step.stuck
    assert step.who == "the owner of Away"


def test_an_agent_that_needs_a_login_is_not_called_offline() -> None:
    locked = replace(candidate("Locked", writing=5), needs_login=True)
    (step,) = decide(situation(task(), people=(locked, replace(candidate("Away", writing=5), online=False))))
    assert isinstance(step, Explain)
    assert step.reason == "Locked could do it and needs a login on its own machine."
    assert (step.stuck, step.who) == (False, "the owner of Locked")


def test_who_must_act_is_named_where_the_names_are_known() -> None:
    away, stranger = replace(candidate("Away", writing=5), online=False), candidate("Other", review=5)
    owners = {away.member_id: "bob"}
    (parked,) = decide(situation(task(), people=(away,), author="ada", owners=owners))
    (stuck,) = decide(situation(task(), people=(stranger,), author="ada", owners=owners))
    assert isinstance(parked, Explain)
    assert isinstance(stuck, Explain)
    assert (parked.who, stuck.who) == ("bob, who owns Away", "ada")


def test_an_agent_that_did_not_confirm_a_stop_gets_nothing_new() -> None:
    deaf = replace(candidate("Deaf", writing=5), unconfirmed=True)
    (step,) = decide(situation(task(), people=(deaf,)))
    assert isinstance(step, Explain)
    assert step.reason == "Deaf could do it and was asked to stop and has not confirmed it."
    assert not step.stuck


@pytest.mark.parametrize("failure", ["task_timed_out", "not_acknowledged"])
def test_what_a_person_must_decide_is_given_to_nobody_before(failure: str) -> None:
    waits = task(state="stuck", failure=failure, next_actor="ada")
    assert decide(situation(waits, people=(candidate("Able", writing=5),))) == []


def test_one_that_rests_is_named_with_the_time_and_one_in_quarantine_needs_its_owner() -> None:
    resting = replace(candidate("Shaky", writing=5), rests=f"{RESTING}; it is tried again at 12:01:00 UTC")
    (step,) = decide(situation(task(), people=(resting,)))
    assert isinstance(step, Explain)
    assert step.reason == (
        "Shaky could do it and gets no work, as it keeps failing; it is tried again at 12:01:00 UTC."
    )
    assert (step.stuck, step.who) == (False, "the owner of Shaky")
    told = task(next_actor=step.who, reason=step.reason)
    assert decide(situation(told, people=(resting,))) == []
    later = replace(resting, rests=f"{RESTING}; it is tried again at 12:09:00 UTC")
    (again,) = decide(situation(told, people=(later,)))
    assert isinstance(again, Explain)
    (barred,) = decide(situation(told, people=(replace(resting, rests=QUARANTINED),)))
    assert isinstance(barred, Explain)
    assert (barred.stuck, barred.who) == (True, "the owner of Shaky")
    assert "Clear it" in barred.reason


def test_one_on_trial_gets_one_task_only() -> None:
    shaky = replace(candidate("Shaky", writing=5), on_trial=True, capacity=4)
    steps = decide(situation(task("a"), task("b", position=1), people=(shaky,)))
    assert [type(step) for step in steps] == [Assign]


def test_a_handed_back_task_goes_to_the_agent_that_knows_it() -> None:
    strong, former = candidate("Strong", writing=5), candidate("Former", writing=4)
    back = task(brief={"preferred": str(former.member_id)})
    (step,) = decide(situation(back, people=(strong, former)))
    assert isinstance(step, Assign)
    assert step.member_id == former.member_id


def test_a_last_try_waits_for_a_sound_agent_that_is_busy_and_takes_what_there_is_when_none_is() -> None:
    shaky = replace(candidate("Shaky", writing=5), failures=1)
    sound = replace(candidate("Sound", writing=2), busy=1)
    assert decide(situation(task(tries=2), people=(shaky, sound))) == []
    (early,) = decide(situation(task(tries=1), people=(shaky, sound)))
    (alone,) = decide(situation(task(tries=2), people=(shaky, replace(sound, online=False))))
    assert isinstance(early, Assign)
    assert isinstance(alone, Assign)
    assert early.member_id == alone.member_id == shaky.member_id
    (waited,) = decide(situation(task(tries=2), people=(shaky, replace(sound, busy=0))))
    assert isinstance(waited, Assign)
    assert waited.member_id == sound.member_id
    assert waited.match["chosen"]["name"] == "Sound"


def test_nobody_reviews_their_own_work() -> None:
    author, other = candidate("Author", review=5), candidate("Other", review=1)
    check = task("check", skills=("review",), authors=frozenset({author.member_id}))
    (step,) = decide(situation(check, people=(author, other)))
    assert isinstance(step, Assign)
    assert step.member_id == other.member_id


def test_an_agent_that_refused_is_not_asked_again() -> None:
    refuser = candidate("Refuser", writing=5)
    (step,) = decide(situation(task(brief={"refused": [str(refuser.member_id)]}), people=(refuser,)))
    assert isinstance(step, Explain)


def test_tables_are_profiled_side_by_side_then_written_up_then_checked() -> None:
    files = tuple(InputView(name, "", "") for name in ("Sales 2026.csv", "sales-2026.xlsx", "notes.txt"))
    planned = builtin.plan(situation(inputs=files, state="planning"))
    tasks = parse_plan(planned.tasks)
    assert [t.key for t in tasks] == ["profile-sales-2026", "profile-sales-2026-2", "report", "check"]
    assert tasks[2].depends_on == ("profile-sales-2026", "profile-sales-2026-2")
    assert tasks[3].depends_on == ("report",)


def test_a_goal_without_files_goes_to_the_joined_agent_whose_profile_shares_its_words() -> None:
    coder, cook = candidate("Coder", django=5), candidate("Cook", recipes=5)
    planned = builtin.plan(situation(people=(cook, coder), goal="Fix the Django view", state="planning"))
    assert planned.tasks[0]["skills"] == ["django"]
    assert "Coder" in planned.rationale


def test_a_goal_that_nobody_can_work_on_says_what_to_add() -> None:
    planned = builtin.plan(situation(state="planning"))
    assert planned.tasks == ()
    assert "Drop in a CSV or XLSX" in planned.question
    again = builtin.plan(situation(state="planning", answers=({"question": "q", "answer": "Done.", "by": "Ada"},)))
    assert (again.tasks, again.question) == ((), "")
    assert "Drop in a CSV or XLSX" in again.rationale


def test_the_same_situation_gives_the_same_steps() -> None:
    people = tuple(Candidate(UUID(int=n), f"A{n}", {"writing": 3}) for n in range(5))
    now = situation(task(), people=people)
    assert decide(now) == decide(replace(now, candidates=tuple(reversed(people))))


def test_a_wish_for_another_plan_is_thought_about_once_and_only_while_the_run_goes_on() -> None:
    assert decide(situation(wish="w")) == [Replan()]
    call = uuid4()
    assert decide(situation(wish="w", asking={("replan", "w"): call})) == []
    for held in ({"paused": True}, {"used_up": "No tokens are left."}):
        assert decide(situation(wish="w", **held)) == []
        assert decide(situation(wish="w", asking={("replan", "w"): call}, **held)) == []
    assert decide(situation(wish="other", asking={("replan", "w"): call})) == [Withdraw(call), Replan()]
    assert decide(situation(asking={("replan", "w"): call})) == [Withdraw(call)]
