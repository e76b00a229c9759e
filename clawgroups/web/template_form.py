"""The form of a template: a field for each of its inputs; files go to the input that takes their kind."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django import forms
from django.utils.translation import gettext as _

from clawgroups.core.run_templates.shape import Input, Kind, Template
from clawgroups.web.forms import FilesForm

ROWS = {Kind.TEXT: 3, Kind.LIST: 5, Kind.ROWS: 4, Kind.DOCUMENT: 6}


@dataclass(frozen=True, slots=True)
class Asked:
    """An input with its field, and whether files may be chosen for it."""

    wanted: Input
    field: forms.BoundField | None
    errors: list[str]

    @property
    def accepts(self) -> str:
        """Endings of files, as a file field takes them."""
        return ",".join(self.wanted.suffixes)

    @property
    def is_many(self) -> bool:
        """Whether several files may be chosen."""
        return self.wanted.kind is Kind.TABLES


class TemplateForm(FilesForm):
    """What a template asks for; with `new` also the name of the workspace that is opened for it."""

    def __init__(self, template: Template, *args: Any, new: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.template = template
        for wanted in template.inputs:
            self.fields[wanted.name] = _field(wanted)
        if new:
            self.fields["workspace_name"] = forms.CharField(
                max_length=120,
                label=_("Name of the new workspace"),
                initial=_(template.title),
                error_messages={"required": _("The workspace needs a name.")},
            )

    @property
    def asked(self) -> Iterator[Asked]:
        """The inputs in order."""
        for wanted in self.template.inputs:
            yield Asked(
                wanted,
                self[wanted.name] if wanted.takes_words else None,
                [str(one) for one in self[wanted.name].errors],
            )

    @property
    def workspace_name(self) -> forms.BoundField | None:
        """The field for the name of a new workspace."""
        return self["workspace_name"] if "workspace_name" in self.fields else None

    @property
    def words(self) -> dict[str, str]:
        """What was typed, by input."""
        return {one.name: str(self.data.get(one.name, "")) for one in self.template.inputs if one.takes_words}


def _field(wanted: Input) -> forms.CharField:
    """Never required here: a file may stand for words, and the verb says what is missing."""
    attributes: dict[str, Any] = {"data-keep": ""} if wanted.takes_words else {}
    if wanted.help:
        attributes["aria-describedby"] = f"id_{wanted.name}_helptext"
    if wanted.required and not wanted.suffixes:
        attributes["required"] = True
    if rows := ROWS.get(wanted.kind):
        widget: forms.Widget = forms.Textarea({**attributes, "rows": rows})
    else:
        widget = forms.TextInput(attributes)
    return forms.CharField(required=False, strip=False, label=_(wanted.label), initial=_begin(wanted), widget=widget)


def _begin(wanted: Input) -> str:
    return "\n".join(_(line) for line in wanted.begin.splitlines())
