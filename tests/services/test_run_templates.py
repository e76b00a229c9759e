"""A template is filled in from words and files, drafted as any run, and started only where somebody could do it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from django.utils import timezone

from agents.models import Agent
from clawgroups.coordinator.ranking import ranking_now
from clawgroups.coordinator.situation import need_of, situation_of
from clawgroups.core.errors import Forbidden, Invalid, NotFound
from clawgroups.core.matching import BY_RULES
from clawgroups.core.run_templates.library import TEMPLATES, template_of
from clawgroups.models import Artifact, Run, Task
from clawgroups.services import run_templates, runs
from clawgroups.services.inputs import store_input
from clawgroups.services.perform import perform
from tests.conftest import Team

pytestmark = pytest.mark.django_db

SHOPS = b"name;city\nAurora;Porto\nFarol;Porto\n"
ASKED = {"question": "Rent or buy?", "sides": "- Tenant\n- Owner"}


def built_in(team: Team, name: str) -> None:
    """One of the team's agents is as those that ship with the product."""
    Agent.objects.filter(pk=team.agents[name].pk).update(is_builtin=True, model="none: computes by rules")


def use(team: Team, name: str, by: str = "ada", *, words: Mapping[str, str] | None = None, **said: Any) -> Run:
    outcome = perform(
        run_templates.use_template,
        team.workspace.pk,
        name=name,
        words=words or {},
        actor=team.actor(by),
        **said,
    )
    return Run.objects.get(pk=UUID(str(outcome.answer["id"])))


def test_rows_of_a_table_become_tasks_and_the_table_goes_along(team: Team) -> None:
    table = store_input([SHOPS], name="shops.csv")
    run = use(team, "landing-pages", words={"title": "Old town"}, files=[table], by="bob")
    assert list(run.tasks.order_by("position").values_list("key", "kind")) == [
        ("page-aurora", "page"),
        ("page-farol", "page"),
        ("site", "site"),
    ]
    assert "- city: Porto" in run.tasks.get(key="page-aurora").instructions
    assert list(Artifact.objects.filter(run=run).values_list("name", "kind")) == [("shops.csv", "input")]
    assert run.planner == "the template “Landing pages for a list of shops”"
    assert run.rationale
    assert (run.state, run.start_when_planned) == ("proposed", False)
    assert team.journal()[-3:] == ["run.drafted", "artifact.added", "run.proposed"]


def test_a_pasted_document_becomes_a_file_of_the_run(team: Team) -> None:
    run = use(team, "tailored-documents", words={"document": "# Mira\n\nSQL.", "roles": "Analyst\nanalyst\nLead"})
    assert list(Artifact.objects.filter(run=run).values_list("name", flat=True)) == ["document.md"]
    assert [task.key for task in run.tasks.order_by("position")] == ["version-analyst", "version-lead", "bundle"]
    assert "Source: document.md" in run.tasks.get(key="version-lead").instructions


def test_the_example_data_of_each_template_starts_at_once(team: Team) -> None:
    for template in (one for one in TEMPLATES if one.samples):
        run = use(team, template.name, sample=True, start=True)
        assert run.start_when_planned
        assert Artifact.objects.filter(run=run, kind="input").count() == len(template.samples)
        assert run.tasks.count() >= 3


def test_nobody_is_said_to_write_who_works_by_rules(team: Team) -> None:
    for name in team.agents:
        built_in(team, name)
    template = template_of("perspectives")
    assert not run_templates.standing_of(template, team.workspace.pk).is_ready
    with pytest.raises(Invalid, match="Connect an agent") as refused:
        use(team, "perspectives", words=ASKED, start=True)
    assert refused.value.code == "nobody_to_write"
    assert not Run.objects.exists()
    assert run_templates.standing_of(template_of("market-report"), team.workspace.pk).is_here
    run = use(team, "perspectives", words=ASKED)
    assert (run.state, run.start_when_planned) == ("proposed", False)


def test_what_is_to_be_written_goes_to_an_agent_that_can_and_never_to_one_that_works_by_rules(team: Team) -> None:
    built_in(team, "counter")
    built_in(team, "judge")
    run = use(team, "perspectives", words=ASKED, start=True)
    first = run.tasks.order_by("position").first()
    assert first is not None
    assert first.proposed_id == team.seat("scribe").pk
    perform(runs.start_run, run.pk, actor=team.actor("ada"))
    ranked = {m.name: m.excluded for m in ranking_now(Task.objects.get(pk=first.pk), timezone.now())}
    assert ranked == {"Scribe": "", "Counter": BY_RULES, "Judge": BY_RULES}
    seen = situation_of(Run.objects.get(pk=run.pk), timezone.now())
    assert {need_of(task).by_rules for task in seen.tasks} == {
        frozenset({team.seat("counter").pk, team.seat("judge").pk})
    }


def test_other_work_is_open_to_all(team: Team) -> None:
    built_in(team, "counter")
    ranked = ranking_now(team.one_task(skills=[]), timezone.now())
    assert {m.name: m.excluded for m in ranked} == {"Scribe": "", "Counter": "", "Judge": ""}


REFUSED: list[tuple[str, dict[str, str], list[tuple[str, bytes]], str]] = [
    ("market-report", {"subject": "Lamps"}, [], "tables"),
    ("market-report", {"subject": "Lamps"}, [("cv.md", b"# Mira")], "files"),
    ("market-report", {}, [("a.csv", SHOPS)], "subject"),
    ("landing-pages", {"title": "T"}, [], "shops"),
    ("landing-pages", {"title": "T", "shops": "One"}, [("a.csv", SHOPS)], "shops"),
    ("landing-pages", {"title": "T"}, [("a.csv", b"n\n" + b"".join(b"S%d\n" % n for n in range(61)))], "shops"),
    ("tailored-documents", {"roles": "Lead"}, [], "document"),
    ("tailored-documents", {"roles": "Lead", "document": "x"}, [("cv.md", b"# Mira")], "document"),
]


def test_what_is_missing_is_said_with_its_field_and_nothing_is_drafted(team: Team) -> None:
    for name, words, files, field in REFUSED:
        stored = [store_input([content], name=called) for called, content in files]
        with pytest.raises(Invalid) as refused:
            use(team, name, words=words, files=stored)
        assert refused.value.fields["field"] == field, (name, words)
    assert not Run.objects.exists()


def test_who_may_not_draft_runs_is_told_so_first(team: Team) -> None:
    with pytest.raises(Forbidden):
        use(team, "no-such-template", by="gus")
    with pytest.raises(NotFound):
        use(team, "no-such-template")


def test_the_same_operation_twice_drafts_one_run(team: Team) -> None:
    first, again = (use(team, "perspectives", words=ASKED, operation="once") for _ in range(2))
    assert first.pk == again.pk
    assert Run.objects.count() == 1
