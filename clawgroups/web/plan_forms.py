"""What people type about a task of a plan. Forms keep it on every error; the verbs say what is valid."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from clawgroups.core.plan import PlanTask
from clawgroups.web.plan_page import Fit

# The closed set of checks, each as it is written and what it says.
CHECKS: tuple[tuple[str, Any], ...] = (
    ("not_empty", _("there is a result")),
    ("min_words: 200", _("it has at least so many words")),
    ("contains: margin", _("it says this, in any case of letters")),
    ("not_contains: TODO", _("it does not say this")),
    ("matches: Total: \\d+", _("this pattern is found in it")),
    ("file_type: .xlsx", _("a file of this type comes with it")),
    ("opens", _("its files can be opened")),
    ("sheet_has: Totals", _("its workbook has this sheet or column")),
    ("numbers_match_source", _("every number is in the files it was made from")),
    ("links_resolve", _("every link leads to a file that comes with it")),
    ("has_parts: Summary, Sources", _("it has a heading for each of these parts")),
    ("schema: orders.csv: id, amount:number", _("this table has these columns, with numbers or dates in them")),
)
PARTS_SHOWN = 2


class PlanTaskForm(forms.Form):
    """A task of a proposed plan."""

    title = forms.CharField(label=_("Title"), max_length=200)
    instructions = forms.CharField(
        label=_("Instructions"), required=False, max_length=20_000, widget=forms.Textarea({"rows": 3})
    )
    acceptance = forms.CharField(
        label=_("When is it done?"),
        required=False,
        help_text=_("One line each. A check is judged at once; any other sentence by a reviewer or a person."),
        widget=forms.Textarea({"rows": 2, "class": "mono"}),
    )
    skills = forms.CharField(
        label=_("Skills"),
        required=False,
        max_length=1200,
        help_text=_("With commas between. Whoever does it needs all of them."),
    )
    assignee = forms.ChoiceField(label=_("Who"), required=False)
    minutes = forms.IntegerField(
        label=_("Minutes"),
        required=False,
        min_value=0,
        max_value=10_080,
        help_text=_("What you expect. Empty: what such tasks took before."),
    )
    output = forms.CharField(label=_("What comes out"), required=False, max_length=40)
    after = forms.MultipleChoiceField(label=_("Waits for"), required=False, widget=forms.CheckboxSelectMultiple)

    def __init__(
        self, data: Any = None, *, others: Sequence[PlanTask] = (), fits: Iterable[Fit] = (), **kwargs: Any
    ) -> None:
        super().__init__(data, **kwargs)
        choices = [(fit.handle, _shown(fit)) for fit in fits]
        self.fields["assignee"].choices = [("", _("Whoever fits best")), *choices]  # type: ignore[attr-defined]
        self.fields["after"].choices = [(task.key, task.title) for task in others]  # type: ignore[attr-defined]
        self.checks = CHECKS

    def words(self) -> dict[str, Any]:
        """What was typed, as a task of a plan says it."""
        said = self.cleaned_data
        return {
            "title": said["title"],
            "instructions": said["instructions"],
            "acceptance": lines(said["acceptance"]) or ["not_empty"],
            "skills": [skill.strip() for skill in re.split(r"[,\n]", said["skills"]) if skill.strip()],
            "minutes": said["minutes"] or 0,
            "output": said["output"],
            "depends_on": list(said["after"]),
        }


def initial_of(task: PlanTask) -> dict[str, Any]:
    """A task as the form begins with it."""
    return {
        "title": task.title,
        "instructions": task.instructions,
        "acceptance": "\n".join(task.acceptance),
        "skills": ", ".join(task.skills),
        "assignee": task.assignee,
        "minutes": task.minutes or None,
        "output": task.output,
        "after": list(task.depends_on),
    }


def lines(text: str) -> list[str]:
    """Non-empty lines."""
    return [line.strip() for line in text.splitlines() if line.strip()]


def typed_parts(data: Any) -> list[dict[str, str]]:
    """The parts of a task that is split; rows without any word are none."""
    titles, words = data.getlist("part_title")[:20], data.getlist("part_instructions")[:20]
    words += [""] * (len(titles) - len(words))
    return [
        {"title": title.strip(), "instructions": said.strip()}
        for title, said in zip(titles, words, strict=False)
        if title.strip() or said.strip()
    ]


def _shown(fit: Fit) -> str:
    words = ", ".join(str(part) for part in (fit.words, fit.away) if part)
    return f"{fit.name} ({words})" if words else fit.name
