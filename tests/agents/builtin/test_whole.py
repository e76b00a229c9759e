"""Whatever the table: what is written about it holds when it is recomputed from the rows."""

from __future__ import annotations

import random
from datetime import date, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.builtin.analyst import profile_file, summary
from agents.builtin.brief import read_brief
from agents.builtin.compose import compose
from agents.builtin.material import gather
from agents.builtin.review import review
from tests.agents.builtin.conftest import write_csv

NAMES = st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1, max_size=14).filter(str.strip)
KINDS = st.sampled_from(["whole", "money", "signed", "group", "date", "flag", "words", "empty", "mixed", "percent"])
DAY = date(2023, 3, 7)


def cell(kind: str, chance: random.Random, groups: list[str]) -> str:
    if chance.random() < 0.08:
        return chance.choice(["", "N/A", ""])
    number = chance.randrange(2000)
    return {
        "whole": str(number),
        "money": f"{number * 1.37:.2f}",
        "signed": f"{(number - 1000) / 8:.3f}",
        "group": chance.choice(groups),
        "date": (DAY + timedelta(days=number % 500)).isoformat(),
        "flag": chance.choice(["yes", "no"]),
        "words": f"w{number} {chance.choice(groups)}",
        "empty": "",
        "mixed": str(number) if chance.random() < 0.95 else "unknown",
        "percent": f"{number / 20}%",
    }[kind]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.lists(st.tuples(NAMES, KINDS), min_size=1, max_size=7),
    st.lists(NAMES, min_size=1, max_size=14),
    st.integers(min_value=2, max_value=150),
    st.integers(),
)
def test_every_number_in_summary_and_report_is_sourced_and_right(
    tmp_path_factory: pytest.TempPathFactory,
    columns: list[tuple[str, str]],
    groups: list[str],
    rows: int,
    seed: int,
) -> None:
    folder: Path = tmp_path_factory.mktemp("whole")
    chance = random.Random(seed)
    body = [[cell(kind, chance, groups) for _, kind in columns] for _ in range(rows)]
    body[0][0] = body[0][0] or "1"
    path = write_csv(folder / "data.csv", [name for name, _ in columns], body)
    profiles = profile_file(folder, path.name, "data", lambda: None)
    brief = read_brief("", {"task": {"title": "About it", "goal": f"What about {columns[0][0]} and {groups[0]}?"}})
    material = gather(folder)
    texts = [str(compose(brief, material)), *(summary(profile, brief.wish(), "data") for profile in profiles.values())]
    for text in texts:
        found = review("report.md", text, material, lambda: None)
        assert [entry.as_json() for entry in found.wrong] == []
        assert [(claim.text, claim.line, text.splitlines()[claim.line - 1]) for claim in found.unsourced] == []
        assert found.passed
