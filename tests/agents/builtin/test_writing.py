"""Composing, taking a returned text further, and saying what a hand-back changed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.builtin.acknowledge import understood
from agents.builtin.brief import Brief, read_brief
from agents.builtin.compose import compose
from agents.builtin.document import parse
from agents.builtin.material import Material, gather
from agents.builtin.revise import Revision, revise
from agents.builtin.turn import pieces
from agents.builtin.writer import account, profile_missing, value_of
from tests.agents.builtin.conftest import SalesFile


def brief_of(**task: Any) -> Brief:
    return read_brief("the prompt", {"task": {"title": "Sales", "goal": "How is revenue spread over region?"} | task})


def composed(folder: Path, brief: Brief) -> tuple[Material, str]:
    material = gather(folder)
    profile_missing(material, lambda: None)
    return material, str(compose(brief, material))


def revised(material: Material, brief: Brief, draft: str, earlier: str | None = None) -> Revision:
    return revise(draft, earlier, compose(brief, material), brief, lambda mark: value_of(material, mark))


def test_a_report_says_what_was_asked_and_answers_with_what_it_names(sales: SalesFile) -> None:
    _, text = composed(sales[0].parent, brief_of(acceptance=["min_words: 50", "Names each region"]))
    document = parse(text)
    assert [section.heading for section in document.sections] == [
        "What was asked",
        "Key figures",
        "Findings",
        "Breakdown",
        "Gaps and caveats",
        "Method",
        "Sources",
    ]
    asked, findings = document.section("What was asked"), document.section("findings")
    assert asked is not None
    assert "> How is revenue spread over region?" in asked.body
    assert "> - Names each region" in asked.body
    assert "min_words" not in asked.body  # a machine checks it; a reader has no use for it
    assert findings is not None
    first = next(line for line in findings.body.splitlines() if line.startswith("1. "))
    assert "“region”" in first
    assert "“revenue”" in first


def test_prose_follows_the_figures(tmp_path: Path) -> None:
    texts = []
    for north in (98, 40):
        folder = tmp_path / str(north)
        folder.mkdir()
        rows = "".join(f"North,{north}\nSouth,1\nEast,30\n" for _ in range(20))
        (folder / "a.csv").write_text("region,revenue\n" + rows)
        texts.append(composed(folder, brief_of())[1])
    assert "“North” holds more than two thirds of “revenue”" in texts[0]
    assert "“North” holds more than half of “revenue”" in texts[1]


def test_what_the_material_does_not_hold_is_said_to_be_missing(sales: SalesFile) -> None:
    _, text = composed(sales[0].parent, brief_of(acceptance=["contains: customer churn", "contains: Method"]))
    assert "The request wants “customer churn” in the text; the material says nothing about it." in text
    assert "The request wants “Method”" not in text


def test_texts_of_other_tasks_are_taken_in_with_their_author_named(tmp_path: Path) -> None:
    (tmp_path / "market.md").write_text("# Market\n\n## Rivals\n\nThere are 3.\n")
    (tmp_path / "notes.md").write_text("Keep it short.")
    material, text = composed(tmp_path, brief_of())
    assert material.profiles == {}
    document = parse(text)
    part = document.section("From market")
    assert part is not None
    assert "#### Rivals" in part.body
    assert "its numbers were not checked here" in text
    notes = document.section("Notes")
    assert notes is not None
    assert notes.body == "Keep it short."


def test_a_draft_that_breaks_off_is_finished_and_edits_stay(sales: SalesFile) -> None:
    brief = brief_of(brief="I rewrote the opening.")
    material, whole = composed(sales[0].parent, brief)
    cut = whole[: whole.index("## Gaps")].rstrip()[:-40]
    draft = cut.replace("## Key figures\n", "## Key figures\n\nOur own words about them.\n")
    revision = revised(material, brief, draft)
    assert "Our own words about them." in revision.text
    assert [s.heading for s in parse(revision.text).sections] == [s.heading for s in parse(whole).sections]
    assert revision.text.replace("Our own words about them.\n\n", "") == whole
    assert any("broke off" in done for done in revision.done)


def test_a_section_that_a_person_took_out_stays_out(sales: SalesFile) -> None:
    brief = brief_of(brief="Shorter, please.")
    material, whole = composed(sales[0].parent, brief)
    document = parse(whole)
    kept = [section for section in document.sections if section.heading != "Method"]
    draft = str(type(document)(document.head, tuple(kept)))
    assert parse(revised(material, brief, draft, earlier=whole).text).section("Method") is None
    assert parse(revised(material, brief, draft).text).section("Method") is not None


def test_a_reason_that_names_a_number_has_that_number_corrected_and_no_other(sales: SalesFile) -> None:
    reason = {"line": "numbers_match_source", "reason": "line 12 says 999 where the data gives 601"}
    brief = brief_of(feedback=[reason])
    material, whole = composed(sales[0].parent, brief)
    draft = (
        whole.replace("| Rows | 601 |", "| Rows | 999 |").replace("has 601 [", "has 777 [") + "\nMy own last word.\n"
    )
    revision = revised(material, brief, draft)
    assert "| Rows | 601 |" in revision.text
    assert "has 777 [" in revision.text
    assert "My own last word." in revision.text
    assert revision.left == []
    assert "corrected 999 to 601" in account(revision)


def test_a_reason_about_numbers_in_general_has_all_wrong_ones_corrected(sales: SalesFile) -> None:
    brief = brief_of(feedback=["Some numbers do not match their source."])
    material, whole = composed(sales[0].parent, brief)
    draft = whole.replace("| Rows | 601 |", "| Rows | 999 |").replace("has 601 [", "has 777 [")
    assert revised(material, brief, draft).text == whole


def test_a_reason_that_names_a_missing_section_brings_it_back(sales: SalesFile) -> None:
    brief = brief_of(feedback=["The section Method is missing."])
    material, whole = composed(sales[0].parent, brief)
    document = parse(whole)
    kept = tuple(section for section in document.sections if section.heading != "Method")
    revision = revised(material, brief, str(type(document)(document.head, kept)), earlier=whole)
    assert revision.text == whole


def test_a_reason_that_the_material_cannot_meet_is_said_and_changes_nothing(sales: SalesFile) -> None:
    brief = brief_of(feedback=["The tone is too dry."])
    material, whole = composed(sales[0].parent, brief)
    revision = revised(material, brief, whole)
    assert revision.text == whole
    assert revision.left == ["The tone is too dry."]
    assert "could not act on this" in account(revision)
    assert "The tone is too dry." in account(revision)


def test_the_acknowledgement_counts_the_lines_of_a_diff_and_repeats_the_note(tmp_path: Path) -> None:
    note = "Please keep my opening.\n\n```diff\n--- report.md\n+++ draft.md\n@@ -1,2 +1,3 @@\n-old\n+new\n+more\n```\n"
    said = understood(brief_of(brief=note), gather(tmp_path))
    assert "two lines added and one line removed" in said
    assert "The note says: “Please keep my opening.”" in said


def test_the_acknowledgement_compares_the_files_where_no_diff_is_told(tmp_path: Path) -> None:
    (tmp_path / "report.md").write_text("# R\n\n## A\n\none\n\n## B\n\ntwo\n")
    (tmp_path / "draft.md").write_text("# R\n\n## A\n\none\n\n## B\n\nthree\nfour\n")
    said = understood(brief_of(brief="See B.", feedback=["B is thin"]), gather(tmp_path))
    assert "draft.md changed: two lines added and one line removed, in “B”." in said
    assert "The reason is “B is thin”." in said


def test_an_acknowledgement_is_never_empty(tmp_path: Path) -> None:
    assert understood(Brief(), gather(tmp_path)).startswith("Understood. ")


@given(st.text(max_size=2000))
def test_a_text_is_streamed_in_pieces_that_join_to_itself(text: str) -> None:
    assert "".join(pieces(text)) == text


@pytest.mark.parametrize(
    "meta", [None, 7, {"task": 7}, {"task": {"title": 3, "inputs": [4, {"name": []}], "feedback": 9}}]
)
def test_meta_of_another_shape_than_agreed_is_left_out(meta: object) -> None:
    brief = read_brief("words", meta)
    assert (brief.title, brief.inputs, brief.feedback, brief.wish()) == ("", (), (), "words")


def test_feedback_keeps_only_lines_that_failed() -> None:
    lines = [
        {"line": "a", "ok": True},
        {"line": "b", "ok": False, "reason": "thin"},
        "c",
        {"finding": "passed", "line": "d"},
    ]
    assert [str(reason) for reason in brief_of(feedback=lines).feedback] == ["b: thin", "c"]


def test_the_acknowledgement_speaks_of_a_hand_back_as_the_server_sends_it(tmp_path: Path) -> None:
    diff = "--- before you were stopped\n+++ as the person left it\n@@ -1 +1,2 @@\n # Report\n+Mind the returns."
    back = {"from": "owner", "note": "Keep my sentence.", "draft": "# Report\nMind the returns.", "diff": diff}
    brief = read_brief("The whole prompt, not to be quoted.", {"turn": "acknowledge", "task": {"brief": back}})
    said = understood(brief, gather(tmp_path))
    assert said == "Understood. The text changed: one line added. The note says: “Keep my sentence.”."
