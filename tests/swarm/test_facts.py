"""What must survive, and how a summary is found to have lost it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from agents.swarm.facts import LONGEST, MOST_ASKED, Facts, Kind, faults_of, pieces_of

BEFORE = "Read sales.csv with 1,204 rows. Wrote report.md; the total is 98765.43."


def facts() -> Facts:
    made = Facts()
    made.put(Kind.RULE, ["Every figure names its source.\nAt most 500 words."])
    made.put(Kind.ACCEPTANCE, ["It names its sources."])
    made.add(Kind.INSTRUCTION, "Ada: leave the year 2019 out")
    made.put(Kind.OPEN, ["Check the sum of March"])
    made.add(Kind.FILE, "report.md")
    made.put(Kind.TASK, ["Report", "Write about the sales."])
    return made


def summary(**changed: Any) -> dict[str, Any]:
    kept = {fact.id: fact.text for fact in facts()}
    kept |= {name: text for name, text in changed.items() if text is not None}
    return {
        "kept": [{"id": pk, "text": text} for pk, text in kept.items() if changed.get(pk, "") is not None],
        "done": ["Read sales.csv (1204 rows) and wrote report.md."],
        "next": "Check the sum of March.",
    }


def test_a_summary_that_says_every_fact_again_is_believed() -> None:
    assert faults_of(summary(), facts(), BEFORE) == []


def test_each_fact_that_is_lost_or_changed_is_found() -> None:
    for fact in facts():
        assert faults_of(summary(**{fact.id: None}), facts(), BEFORE) == [f"{fact.id} is lost."]
        assert faults_of(summary(**{fact.id: f"{fact.text} or not"}), facts(), BEFORE) == [f"{fact.id} was changed."]


def test_a_fact_a_number_and_a_file_that_are_made_up_are_found() -> None:
    assert faults_of(summary(R9="Anything goes."), facts(), BEFORE) == ["R9 is made up: there is none."]
    said = summary() | {"done": ["The total is 98765.44, see totals.xlsx."]}
    wrong = faults_of(said, facts(), BEFORE)
    assert wrong == [f"{one} stands nowhere in what happened." for one in ("98765.44", "totals.xlsx")]


def test_what_has_not_the_form_or_says_nothing_is_refused() -> None:
    nothing: list[Any] = [None, [], "All is well.", {"kept": "everything"}]
    for said in nothing:
        assert faults_of(said, facts(), BEFORE) == ["It has not the form that was asked for."]
    assert faults_of(summary() | {"done": [], "next": " "}, facts(), BEFORE) == ["It does not say what was done."]


def test_a_fact_keeps_its_id_and_one_that_is_replaced_gives_it_to_nobody() -> None:
    made = facts()
    made.put(Kind.RULE, ["At most 500 words.", "No tables."])
    assert [(fact.id, fact.text) for fact in made.of(Kind.RULE)] == [("R2", "At most 500 words."), ("R3", "No tables.")]
    made.add(Kind.FILE, "report.md")
    assert [fact.id for fact in made.of(Kind.FILE)] == ["F1"]


def test_more_facts_than_can_be_said_again_are_carried_without_asking() -> None:
    made = Facts()
    made.put(Kind.RULE, ["The first rule."])
    made.put(Kind.TASK, [f"{number} {'x' * 300}" for number in range(200)])
    asked = made.asked()
    assert asked[0].text == "The first rule."
    assert sum(len(fact.text) for fact in asked) <= MOST_ASKED
    assert made.shown().count("[T") == 200


@given(st.text(max_size=3000))
def test_pieces_hold_every_word_of_a_text_and_none_is_too_long(text: str) -> None:
    found = list(pieces_of(text))
    assert all(0 < len(piece) <= LONGEST for piece in found)
    plain = "".join("".join(line.lstrip("> ").split()) for line in text.splitlines())
    assert "".join("".join(piece.split()) for piece in found) == plain
