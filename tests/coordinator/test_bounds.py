"""What bounds a turn: its deadline, a count of the workers that died of it, a child process for files."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openpyxl
import pytest
from django.db import OperationalError
from django.utils import timezone

from clawgroups import reactions
from clawgroups.coordinator import loop
from clawgroups.coordinator.act import Done, act
from clawgroups.coordinator.decide import Plan, Review, Step, decide
from clawgroups.coordinator.loop import take_turn
from clawgroups.coordinator.situation import Situation
from clawgroups.core import deadline
from clawgroups.core.acceptance import Finding
from clawgroups.models import Message, Run, Task, Workspace
from clawgroups.reactions import react
from clawgroups.services import checked_apart, runs, turns
from clawgroups.services.checks import Result, ResultFile
from clawgroups.services.perform import perform
from tests.conftest import SKILLS, Team
from tests.tooling.processes import alive, children, eventually

pytestmark = pytest.mark.django_db


class Killed(BaseException):
    """kill -9: nothing of ours catches it."""


def in_review(team: Team, text: str = "Hello") -> Task:
    """A task whose result waits to be looked at, with a turn wanted for it."""
    task = team.working(acceptance=["not_empty"])
    team.finish("scribe", text)
    react(team.workspace.pk)
    return Task.objects.get(pk=task.pk)


def killed_turn(run: Run) -> None:
    """A turn whose process is killed, and the time until its lease is over."""
    with pytest.raises(Killed):
        take_turn(run.pk)
    Run.objects.filter(pk=run.pk).update(turn_until=timezone.now() - timedelta(seconds=1))


def killing(monkeypatch: pytest.MonkeyPatch, kills: Callable[[Step], bool]) -> list[Step]:
    """Steps of this kind kill the process that takes them; the others are carried out. Those begun."""
    begun: list[Step] = []

    def deadly(step: Step, situation: Situation) -> Done | None:
        begun.append(step)
        if kills(step):
            raise Killed
        return act(step, situation)

    monkeypatch.setattr(loop, "act", deadly)
    return begun


def test_a_result_that_kills_its_reviewer_three_times_is_left_to_a_person(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = in_review(team)
    begun = killing(monkeypatch, lambda step: isinstance(step, Review))
    for _ in range(3):
        killed_turn(task.run)
    assert take_turn(task.run_id)
    assert [type(step) for step in begun].count(Review) == 3
    task.refresh_from_db()
    assert (task.state, task.blocked_on) == ("in_review", "person")
    assert "three times" in task.reason
    run = Run.objects.get(pk=task.run_id)
    assert (run.turn_owner, run.turn_crashes, run.turn_step, run.wanted) == ("", 0, "", run.turned)


def test_a_deadly_step_is_known_although_others_come_before_it(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    task = in_review(team)
    harmless = Review(task_id=team.workspace.pk)  # always there, always first
    monkeypatch.setattr(loop, "decide", lambda situation: [harmless, *decide(situation)])
    monkeypatch.setattr(loop, "MAX_ROUNDS", 3)
    deaths = 0

    def deadly(step: Step, situation: Situation) -> Done | None:
        nonlocal deaths
        if step == Review(task.pk):
            deaths += 1
            raise Killed
        return (lambda: True) if step is harmless else act(step, situation)

    monkeypatch.setattr(loop, "act", deadly)
    # Once unknown, once among others, twice alone: three times at this very point.
    for _ in range(4):
        killed_turn(task.run)
    assert take_turn(task.run_id)
    assert deaths == 4
    assert Task.objects.get(pk=task.pk).blocked_on == "person"


def test_workers_that_are_killed_at_different_steps_park_nothing(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    run = team.run([{"key": f"t{n}", "title": "T", "skills": [skill]} for n, skill in enumerate(SKILLS.values())])
    react(team.workspace.pk)
    died_at: set[str] = set()

    def once_each(step: Step) -> bool:
        fresh = loop.name_of(step) not in died_at
        died_at.add(loop.name_of(step))
        return fresh

    killing(monkeypatch, once_each)
    for _ in range(3):
        killed_turn(run)
    assert take_turn(run.pk)
    run.refresh_from_db()
    assert (run.paused, run.state, run.turn_crashes) == (False, "running", 0)
    assert not Message.objects.filter(body__contains="three times").exists()
    assert set(Task.objects.filter(run=run).values_list("state", flat=True)) == {"assigned"}


def test_a_run_that_kills_whoever_looks_at_it_is_paused_with_the_reason(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = in_review(team)

    def deadly(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(loop, "situation_of", deadly)
        for _ in range(3):
            killed_turn(task.run)
    monkeypatch.setattr(loop, "decide", lambda _situation: [])
    assert take_turn(task.run_id)
    run = Run.objects.get(pk=task.run_id)
    assert (run.state, run.paused) == ("running", True)
    assert "resume it to try again" in run.reason
    assert "run.paused" in team.journal()


def test_a_goal_that_kills_its_planner_fails_with_the_reason(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    outcome = perform(runs.draft_run, team.workspace.pk, goal="Deadly", start=True, actor=team.actor("ada"))
    run = Run.objects.get(pk=outcome.answer["id"])
    react(team.workspace.pk)
    killing(monkeypatch, lambda step: isinstance(step, Plan))
    for _ in range(3):
        killed_turn(run)
    assert take_turn(run.pk)
    run.refresh_from_db()
    assert run.state == "failed"
    assert "three times" in run.reason


def test_a_turn_that_met_an_outage_is_wanted_still_and_counts_against_nothing(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = in_review(team)

    def away(*_: Any) -> bool:
        raise OperationalError("the database is away")

    with monkeypatch.context() as patched:
        patched.setattr(loop, "act", away)
        for _ in range(4):
            assert take_turn(task.run_id)
    run = Run.objects.get(pk=task.run_id)
    assert run.wanted > run.turned
    assert (run.turn_owner, run.turn_crashes) == ("", 0)
    assert run.pk in turns.runs_wanting(timezone.now())
    assert take_turn(run.pk)
    assert Task.objects.get(pk=task.pk).state == "done"


def test_a_turn_over_its_deadline_stops_acting_and_another_one_goes_on(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = team.run([{"key": f"t{n}", "title": f"T{n}", "skills": ["writing"]} for n in range(2)])
    react(team.workspace.pk)
    begun: list[Step] = []
    # A turn may take a minute; the first step takes two, by the clock that the deadline looks at.
    passed = [0.0]
    monkeypatch.setattr(deadline, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + passed[0]))
    Workspace.objects.filter(pk=team.workspace.pk).update(timers={"turn": 60})

    def slow(step: Step, _situation: Situation) -> Done:
        begun.append(step)
        passed[0] = 120
        return lambda: True

    monkeypatch.setattr(loop, "act", slow)
    monkeypatch.setattr(loop, "decide", lambda situation: 2 * decide(situation))
    assert take_turn(run.pk)
    run.refresh_from_db()
    assert len(begun) == 1
    assert (run.turn_owner, run.turn_crashes) == ("", 0)
    assert run.wanted > run.turned


@pytest.mark.django_db(transaction=True)
def test_a_turn_that_never_ends_is_told_and_its_run_is_free_for_another(
    team: Team, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = team.run([{"key": "t", "title": "T", "skills": ["writing"]}])
    react(team.workspace.pk)
    Workspace.objects.filter(pk=team.workspace.pk).update(timers={"turn": 0.3, "turn_lease": 0.3})
    told = threading.Event()

    def endless(_step: Step, _situation: Situation) -> bool:
        assert told.wait(30)
        raise Killed

    monkeypatch.setattr(loop, "act", endless)
    with pytest.raises(Killed):
        take_turn(run.pk, stuck=lambda _run: told.set())
    run.refresh_from_db()
    assert run.turn_until is not None
    assert run.turn_until < timezone.now()
    assert run.pk in turns.runs_wanting(timezone.now())


def test_a_reaction_keeps_to_the_deadline_of_its_thread(team: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    team.one_task()
    seen: list[float] = []

    def affected(*_: Any) -> set[Any]:
        seen.append(deadline.left(1000))
        return set()

    monkeypatch.setattr(reactions, "affected", affected)
    with deadline.within(5):
        react(team.workspace.pk)
    assert seen
    assert max(seen) <= 5
    with deadline.within(0), pytest.raises(deadline.Overrun):
        react(team.workspace.pk)


# Files


def a_file(path: Path) -> ResultFile:
    return ResultFile(path.name, path, 1)


def test_a_file_that_never_ends_is_left_to_a_person_and_the_other_lines_are_judged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(tmp_path / "endless.csv")
    monkeypatch.setattr(checked_apart, "LIMIT", 1.5)
    result = Result("Two words", (a_file(tmp_path / "endless.csv"),))
    found = checked_apart.judge(["not_empty", "opens", "min_words: 3"], result)
    assert [v.finding for v in found] == [Finding.PASSED, Finding.OPEN, Finding.FAILED]
    assert "could not be checked within" in found[1].reason


def test_a_pattern_that_searches_for_ever_is_left_to_a_person(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checked_apart, "LIMIT", 1.5)
    found = checked_apart.judge(["matches: [a-z ]*[a-z ]*[a-z ]*#", "not_empty"], Result("a b " * 5000))
    assert [v.finding for v in found] == [Finding.OPEN, Finding.PASSED]


def test_a_file_that_eats_the_memory_ends_the_check_and_not_the_worker(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large.json").write_bytes(b"[" + b"0," * 30_000_000 + b"0]")
    monkeypatch.setattr(checked_apart, "MEMORY", 400 * 1024 * 1024)
    (found,) = checked_apart.judge(["opens"], Result("", (a_file(tmp_path / "large.json"),)))
    assert found.finding is Finding.OPEN
    assert "ended the check" in found.reason


def test_a_deadline_reaches_into_the_check_of_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.csv")
    with deadline.within(1), pytest.raises(deadline.Overrun):
        checked_apart.judge(["opens"], Result("", (a_file(tmp_path / "endless.csv"),)))


def test_files_are_checked_in_a_child_as_they_are_here(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active["A1"] = "region"
    book.save(tmp_path / "book.xlsx")
    lines = ["opens", "file_type: .xlsx", "sheet_has: region", "sheet_has: missing", "It is friendly"]
    found = checked_apart.judge(lines, Result("x", (a_file(tmp_path / "book.xlsx"),)))
    assert [v.finding.value for v in found] == ["passed", "passed", "passed", "failed", "open"]


def test_a_killed_worker_leaves_no_check_behind(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "endless.csv")
    code = (
        "import sys; from pathlib import Path; from clawgroups.services.checked_apart import judge;"
        "from clawgroups.services.checks import Result, ResultFile;"
        "judge(['opens'], Result('', (ResultFile('e.csv', Path(sys.argv[1]), 1),)))"
    )
    pipe = tmp_path / "endless.csv"
    with subprocess.Popen([sys.executable, "-c", code, str(pipe)]) as worker:
        # Once it reads the file, it is tied to its parent. Held open, so that it goes on waiting.
        ends: list[int] = []
        assert eventually(lambda: open_to_write(pipe, ends), 20)
        (child,) = children(worker.pid)
        assert alive(child)
        worker.kill()
        worker.wait()
        assert eventually(lambda: not alive(child), 2.0)
        os.close(ends[0])


def open_to_write(pipe: Path, ends: list[int]) -> bool:
    """Open the other end of a pipe once somebody reads it."""
    with contextlib.suppress(OSError):
        ends.append(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    return bool(ends)
