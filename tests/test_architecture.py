"""The house of design.md section 3 stands as drawn, and the rules that say so notice when it does not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import house

ROOT = Path(__file__).resolve().parent.parent
Rule = Callable[[dict[str, house.Module]], list[str]]
RULES: list[Rule] = [
    house.wrong_directions,
    house.cycles,
    house.foreign_packages,
    house.long_files,
    house.unwanted,
]


@pytest.fixture(scope="module")
def ours() -> dict[str, house.Module]:
    return house.read(ROOT)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps_its_rules(ours: dict[str, house.Module], rule: Rule) -> None:
    assert ours
    assert rule(ours) == []


def test_no_test_file_is_longer_than_a_file_of_the_product_may_be() -> None:
    files = [*(ROOT / "tests").rglob("*.py"), ROOT / "claw"]
    long = [path.name for path in files if len(path.read_text(encoding="utf-8").splitlines()) > house.LONGEST_FILE]
    assert long == []


def plant(root: Path, files: dict[str, str]) -> dict[str, house.Module]:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return house.read(root)


UPWARDS = {
    "core imports services": {"clawgroups/core/plan.py": "from clawgroups.services import tasks\n"},
    "agents imports clawgroups": {"agents/services.py": "import clawgroups.core.plan\n"},
    "a door imports a door": {
        "clawgroups/web/runs.py": "from clawgroups.api.runs import listing\n",
        "clawgroups/api/runs.py": "",
    },
    "inside a function": {"clawgroups/models/runs.py": "def f():\n    from clawgroups.services import runs\n"},
    "under TYPE_CHECKING": {
        "clawgroups/bus.py": "import typing\nif typing.TYPE_CHECKING:\n    from clawgroups.web import hub\n"
    },
    "by its text": {"clawgroups/queries.py": "import importlib\nimportlib.import_module('clawgroups.jobs')\n"},
    "relatively": {"clawgroups/services/runs.py": "from ..web import runs\n"},
    "wiring": {"clawgroups/jobs.py": "from clawgroups.settings import DEBUG\n"},
    "the connector imports a built-in": {"agents/connector/cli.py": "from agents.builtin import analyst\n"},
    "a module without a place": {"clawgroups/stuff.py": ""},
}


@pytest.mark.parametrize("files", UPWARDS.values(), ids=list(UPWARDS))
def test_a_wrong_direction_is_seen(tmp_path: Path, files: dict[str, str]) -> None:
    assert len(house.wrong_directions(plant(tmp_path, files))) == 1


def test_right_directions_are_left_alone(tmp_path: Path) -> None:
    files = {
        "clawgroups/__init__.py": "from clawgroups.celery import app\n",
        "clawgroups/celery.py": "from celery import Celery\n",
        "clawgroups/core/plan.py": "import json\n\nimport pydantic\n",
        "clawgroups/models/__init__.py": "from clawgroups.models.runs import Run\n",
        "clawgroups/models/runs.py": "from agents.models import Agent\nfrom clawgroups.core import plan\n",
        "clawgroups/services/runs.py": "from clawgroups import commit\nfrom clawgroups.models import Run\n",
        "clawgroups/web/runs.py": "from clawgroups.services import runs\nfrom clawgroups.web import forms\n",
        "clawgroups/web/forms.py": "",
        "clawgroups/commit/__init__.py": "",
        "agents/models.py": "from django.db import models\n",
        "clawgroups/migrations/0001_initial.py": "import clawgroups.services\n",
    }
    modules = plant(tmp_path, files)
    assert [problem for rule in RULES for problem in rule(modules)] == []


def test_a_cycle_is_seen_even_when_one_half_of_it_is_inside_a_function(tmp_path: Path) -> None:
    files = {
        "clawgroups/services/runs.py": "from clawgroups.services import tasks\n",
        "clawgroups/services/tasks.py": "from clawgroups.services import plans\n",
        "clawgroups/services/plans.py": "def f():\n    from clawgroups.services.runs import start\n",
        "clawgroups/services/other.py": "from clawgroups.services import runs\n",
    }
    (found,) = house.cycles(plant(tmp_path, files))
    assert sorted(set(found.split(" -> "))) == [
        "clawgroups.services.plans",
        "clawgroups.services.runs",
        "clawgroups.services.tasks",
    ]


FOREIGN = {
    "the connector uses more than websockets": {"agents/connector/link.py": "import websockets\nimport httpx2\n"},
    "the core uses Django": {"clawgroups/core/plan.py": "from django.db import models\n"},
    "numpy outside matching": {"clawgroups/core/plan.py": "import numpy\n"},
    "a service knows Celery": {"clawgroups/services/runs.py": "from celery import shared_task\n"},
    "the supervisor uses Django": {"clawgroups/supervisor/family.py": "import django\n"},
    "a job imports SGLang": {"clawgroups/jobs.py": "def ask():\n    from sglang.lang import api\n"},
    "settings import SGLang": {"clawgroups/settings.py": "import sglang\n"},
}


@pytest.mark.parametrize("files", FOREIGN.values(), ids=list(FOREIGN))
def test_a_foreign_package_is_seen(tmp_path: Path, files: dict[str, str]) -> None:
    assert len(house.foreign_packages(plant(tmp_path, files))) == 1


def test_a_long_file_is_seen(tmp_path: Path) -> None:
    modules = plant(tmp_path, {"agents/models.py": "pass\n" * 401, "agents/tokens.py": "pass\n" * 400})
    assert house.long_files(modules) == ["models.py (agents.models) has 401 lines"]


def test_drawers_and_signals_are_seen(tmp_path: Path) -> None:
    files = {
        "clawgroups/services/utils.py": "",
        "clawgroups/services/runs.py": "from django.db.models.signals import post_save\n",
    }
    assert house.unwanted(plant(tmp_path, files)) == [
        "clawgroups.services.utils",
        "clawgroups.services.runs uses signals",
    ]
