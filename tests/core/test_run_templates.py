"""Each template makes a plan that can be carried out of whatever is given to it, and says what is missing."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clawgroups.core.errors import Invalid, NotFound
from clawgroups.core.plan import PROSE, PlanTask, parse_plan, path_length
from clawgroups.core.run_templates import filling
from clawgroups.core.run_templates.filling import Filled, Helper
from clawgroups.core.run_templates.library import TEMPLATES, template_of
from clawgroups.core.run_templates.shape import Entry, Given, Kind, Template

SHOPS = [
    {"Name": "Café Aurora", "City": "Porto", "Phone": "+351 22 000 0101"},
    {"Name": "花店", "City": "Shanghai", "Phone": ""},
    {"Name": "Café  Aurora", "City": "Braga", "Phone": ""},
]
WORDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=60)


def given_for(template: Template, said: str = "Sell the lamps", entries: int = 3) -> Given:
    """Something for each input."""
    words: dict[str, str] = {}
    lists: dict[str, tuple[Entry, ...]] = {}
    for wanted in template.inputs:
        match wanted.kind:
            case Kind.LINE | Kind.TEXT:
                words[wanted.name] = filling.words_of(wanted, said)
            case Kind.DOCUMENT:
                words[wanted.name] = "profile.md"
            case Kind.TABLES:
                lists[wanted.name] = filling.file_entries([f"orders {n}.csv" for n in range(entries)])
            case _:
                lists[wanted.name] = filling.typed_entries(wanted, "\n".join(f"- {said} {n}" for n in range(entries)))
    return Given(words, lists)


def plan_of(filled: Filled) -> dict[str, PlanTask]:
    return {task.key: task for task in parse_plan(filled.tasks)}


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
def test_a_plan_has_a_task_for_each_entry_and_one_that_ends_it(template: Template) -> None:
    filled = filling.fill(template, given_for(template, entries=4))
    plan = plan_of(filled)
    each = sum(1 for step in template.steps if step.each)
    optional = [one for one in template.inputs if one.kind is Kind.LIST and not one.required]
    assert len(plan) == 4 * each + (len(template.steps) - each)
    assert each or optional
    last = list(plan.values())[-1]
    waited_for = {parent for task in plan.values() for parent in task.depends_on}
    assert set(plan) - waited_for == {last.key}
    assert path_length(list(plan.values())) == len(template.steps) or template.name == "project"
    assert "Sell the lamps" in filled.goal or "profile.md" in filled.goal
    assert not [task for task in plan.values() if "$" in task.title + task.instructions]


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
@given(said=WORDS, number=st.integers(1, 8))
@settings(max_examples=15)
def test_any_words_make_a_plan_or_are_refused_by_name(template: Template, said: str, number: int) -> None:
    fault: Invalid | None = None
    try:
        made = plan_of(filling.fill(template, given_for(template, said, number)))
    except Invalid as refused:
        made, fault = {}, refused
    assert made or (fault is not None and fault.fields["field"] in {one.name for one in template.inputs})


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda t: t.name)
def test_a_template_says_all_that_is_needed_before_it_is_chosen(template: Template) -> None:
    assert template_of(template.name) is template
    assert template.about
    assert template.deliverables
    assert len(f"the template “{template.title}”") <= 60
    assert template.needs_writer == any(step.kind == PROSE for step in template.steps)
    assert all(step.about and step.acceptance for step in template.steps)
    # Who works by rules needs example data, who writes needs nothing but words.
    assert bool(template.samples) != template.needs_writer
    with pytest.raises(NotFound):
        template_of("no-such-thing")


def test_rows_become_entries_with_a_file_name_each_and_their_facts() -> None:
    shops = template_of("landing-pages").input("shops")
    entries = filling.row_entries(shops, SHOPS)
    assert [(one.name, one.slug) for one in entries] == [
        ("Café Aurora", "cafe-aurora"),
        ("花店", "no-2"),
        ("Café Aurora", "cafe-aurora-2"),
    ]
    assert entries[1].facts == (("Name", "花店"), ("City", "Shanghai"))
    plan = plan_of(filling.fill(template_of("landing-pages"), Given({"title": "T", "button": "A"}, {"shops": entries})))
    page = plan["page-cafe-aurora"]
    assert "- City: Porto\n- Phone: +351 22 000 0101" in page.instructions
    assert "File: cafe-aurora.html" in page.instructions
    assert page.acceptance == ("not_empty", "file_type: .html", "opens")
    assert plan["site"].depends_on == ("page-cafe-aurora", "page-no-2", "page-cafe-aurora-2")


REFUSED: list[tuple[str, str, str, str]] = [
    ("perspectives", "sides", "", "none yet"),
    ("perspectives", "sides", "\n".join(map(str, range(9))), "too many"),
    ("perspectives", "question", "  ", "is empty"),
    ("launch-campaign", "audience", "x" * 301, "at most 300"),
]


@pytest.mark.parametrize(("name", "field", "said", "why"), REFUSED)
def test_what_is_missing_or_too_much_is_said_with_its_field(name: str, field: str, said: str, why: str) -> None:
    wanted = template_of(name).input(field)
    read = filling.typed_entries if wanted.kind is Kind.LIST else filling.words_of
    with pytest.raises(Invalid, match=why) as refused:
        read(wanted, said)
    assert refused.value.fields["field"] == field


def test_what_has_to_be_written_is_proposed_in_turn_and_what_works_by_rules_is_not() -> None:
    helpers = [Helper("kimi", "Kimi"), Helper("codex", "Codex")]
    template = template_of("perspectives")
    plan = plan_of(filling.fill(template, given_for(template), helpers))
    assert [task.assignee for task in plan.values()] == ["kimi", "codex"] * 3 + ["kimi"]
    data: Mapping[str, PlanTask] = plan_of(
        filling.fill(template_of("market-report"), given_for(template_of("market-report")), helpers)
    )
    assert {task.assignee for task in data.values()} == {""}
