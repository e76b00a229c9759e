"""T23 at full size on one database: `python -m tests.machine [--examples N] [--steps N] [--seed S] [--pure N]`.

`--hands` plays mostly takeovers, drafts and hand-backs (T21m), `--asking` questions and answers (T22m). The database is
what DATABASE_URL names, or a fresh SQLite file; it is migrated and left as it was found. The last line is a report as
JSON; a failure prints the steps and the seed that lead to it.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial

import tests.environment  # noqa: F401  before Django's settings are read

import django  # isort: skip

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "clawgroups.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection, transaction  # noqa: E402

from clawgroups import commit  # noqa: E402
from clawgroups.core.garbage import settle  # noqa: E402
from tests.conftest import make_team, make_users  # noqa: E402
from tests.machine.engine import Asking, Engine, Hands, run, walk  # noqa: E402
from tests.machine.pure import play  # noqa: E402

CHUNK = 100  # examples, or walks, in one transaction


def counted(work: Callable[[], None]) -> int:
    """Do it; how often that failed, which is shown."""
    try:
        work()
    except Exception:  # noqa: BLE001  it is shown and counted
        traceback.print_exc()
        return 1
    return 0


def in_a_team(*works: Callable[[], None]) -> int:
    """Do this in a workspace that is taken back afterwards; how often it failed.

    In one transaction for all of it, PostgreSQL would come to look through millions of rows that were taken back.
    """
    with transaction.atomic(), commit.inline():
        Engine.team = make_team(make_users())
        failed = sum(map(counted, works))
        transaction.set_rollback(True)
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
    return failed


def play_many(number: int, seed: int) -> None:
    """The pure core under this many seeds, from this one on."""
    for one in range(seed, seed + number):
        play(one)


def main(arguments: list[str]) -> int:
    options = argparse.ArgumentParser(prog="python -m tests.machine")
    options.add_argument("--examples", type=int, default=2000)
    options.add_argument("--steps", type=int, default=50)
    options.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    options.add_argument("--walks", type=int, default=0)
    options.add_argument("--pure", type=int, default=0)
    options.add_argument("--hands", action="store_true", help="mostly takeovers, drafts and hand-backs")
    options.add_argument("--asking", action="store_true", help="mostly questions, answers and rules")
    given = options.parse_args(arguments)
    machine = Asking if given.asking else Hands if given.hands else Engine
    call_command("migrate", verbosity=0)
    settle()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA synchronous=OFF")
    started = time.monotonic()
    print(f"{connection.vendor}: {given.examples} examples of {given.steps} steps, seed {given.seed}", flush=True)
    violations = counted(lambda: play_many(given.pure, given.seed))
    for begun in range(0, given.examples, CHUNK):
        size, seed = min(CHUNK, given.examples - begun), given.seed + begun
        violations += in_a_team(partial(run, examples=size, steps=given.steps, seed=seed, machine=machine))
        print(f"{connection.vendor}: {begun + size} examples", file=sys.stderr, flush=True)
    for begun in range(0, given.walks, CHUNK):
        seeds = range(given.seed + begun, given.seed + min(begun + CHUNK, given.walks))
        violations += in_a_team(*(partial(walk, seed=seed, steps=given.steps, machine=machine) for seed in seeds))
        print(f"{connection.vendor}: {begun + len(seeds)} walks", file=sys.stderr, flush=True)
    report = {
        "database": connection.vendor,
        "examples": given.examples,
        "steps": given.steps,
        "seed": given.seed,
        "walks": given.walks,
        "pure": given.pure,
        "violations": violations,
        "types": dict(sorted(Engine.seen.items())),
        "seconds": round(time.monotonic() - started, 1),
    }
    print(json.dumps(report), flush=True)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
