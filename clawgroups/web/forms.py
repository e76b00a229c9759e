"""What people type. Forms keep it on every error; the verbs have the last word on what is valid."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, ParamSpec

from django import forms
from django.conf import settings
from django.core import signing
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from agents.protocol.card import MOST_SESSIONS
from clawgroups.core.changes import Outcome
from clawgroups.core.errors import ClawError, Forbidden, NotFound, Unauthenticated
from clawgroups.core.scopes import Scope
from clawgroups.services.files import StoredFile, store
from clawgroups.services.inputs import store_input
from clawgroups.services.perform import perform
from clawgroups.wording import say

P = ParamSpec("P")
_KEPT = "clawgroups.web.kept"
SKILL_ROWS = 3
LEVELS = (1, 2, 3, 4, 5)


class WorkspaceForm(forms.Form):
    """A new workspace."""

    name = forms.CharField(max_length=120, label=_("Name"), widget=forms.TextInput({"placeholder": _("Orders team")}))
    goal = forms.CharField(
        max_length=20_000,
        required=False,
        label=_("Goal"),
        help_text=_("What everybody here works toward; agents read it at every turn."),
        widget=forms.Textarea({"rows": 2, "placeholder": _("Know each month what sells where, and why")}),
    )
    rules = forms.CharField(
        max_length=20_000,
        required=False,
        label=_("Rules"),
        help_text=_("Standing rules in plain words; agents read them before every task."),
        widget=forms.Textarea({"rows": 2}),
    )


class FilesForm(forms.Form):
    """A form with files. Those that were already taken in stay with it on an error."""

    # Sent as `files`; here only so that errors have a place (a form has a `files` of its own).
    uploads = forms.FileField(required=False)

    def __init__(self, *args: Any, kept: Iterable[StoredFile] = (), **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.kept = list(kept)

    @property
    def kept_files(self) -> list[dict[str, Any]]:
        """Files that need not be sent again, each with the token that stands for it."""
        return [{"name": f.name, "size": f.size, "token": _sealed(f)} for f in self.kept]


class GoalForm(FilesForm):
    """A goal with its files."""

    goal = forms.CharField(
        max_length=20_000,
        label=_("Goal"),
        error_messages={"required": _("The goal is empty. Say in a sentence what you want.")},
        widget=forms.Textarea(
            {
                "rows": 2,
                "data-keep": "",
                "placeholder": _(
                    "What do you want? For example: find what stands out in these orders and write a report."
                ),
            }
        ),
    )


class PersonForm(forms.Form):
    """A person to seat."""

    username = forms.CharField(max_length=150, label=_("User name"))
    role = forms.ChoiceField(
        label=_("Role"),
        initial="member",
        choices=[("admin", _("Admin")), ("member", _("Member")), ("guest", _("Guest"))],
    )


class TokenForm(forms.Form):
    """A new access token."""

    name = forms.CharField(
        max_length=80, label=_("Name"), help_text=_("Where it is used, so that you know which to revoke.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("What it may do"),
        initial=[Scope.READ, Scope.WORK],
        choices=[
            (Scope.READ, _("Read: see what you see, always")),
            (Scope.WORK, _("Work: write messages, give goals, do and judge tasks, answer agents")),
            (Scope.MANAGE, _("Manage: members, rules, settings, agents, and what staff may")),
        ],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("Never more than you may yourself."),
    )
    days = forms.TypedChoiceField(
        label=_("Ends after"),
        initial=90,
        coerce=int,
        choices=[(7, _("7 days")), (30, _("30 days")), (90, _("90 days")), (365, _("1 year")), (0, _("Never"))],
    )


class PreferencesForm(forms.Form):
    """A language and a time zone; empty for what the browser says."""

    language = forms.ChoiceField(
        required=False, choices=[("", _("As the browser says")), *settings.LANGUAGES], label=_("Language")
    )
    zone = forms.CharField(
        max_length=60,
        required=False,
        label=_("Time zone"),
        help_text=_("Like Europe/Berlin. Empty: as the browser says."),
        widget=forms.TextInput({"list": "zones", "autocomplete": "off", "spellcheck": "false"}),
    )


@dataclass(frozen=True, slots=True)
class SkillRow:
    """One line of a skill profile as typed."""

    name: str = ""
    description: str = ""
    level: int = 3
    title: str = ""
    # With commas between; one a line.
    tags: str = ""
    examples: str = ""

    @property
    def has_more(self) -> bool:
        """Whether the folded part holds anything."""
        return bool(self.title or self.tags or self.examples)

    @property
    def said(self) -> dict[str, Any]:
        """What the verbs take."""
        return {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "level": self.level,
            "tags": [tag.strip() for tag in self.tags.split(",") if tag.strip()],
            "examples": [line.strip() for line in self.examples.splitlines() if line.strip()],
        }


class KeyForm(forms.Form):
    """Another key of an agent."""

    days = forms.IntegerField(
        min_value=1, max_value=3650, required=False, label=_("Ends after days"), help_text=_("Empty: it does not end.")
    )


class AgentForm(forms.Form):
    """An agent's profile with its rows of skills."""

    name = forms.CharField(max_length=80, label=_("Name"), widget=forms.TextInput({"placeholder": "Kimi on my laptop"}))
    handle = forms.CharField(
        max_length=40,
        required=False,
        label=_("Handle"),
        help_text=_("What people write after the @. Empty: made from the name."),
    )
    description = forms.CharField(
        max_length=4000,
        required=False,
        label=_("What it is good for"),
        widget=forms.Textarea({"rows": 2}),
    )
    version = forms.CharField(max_length=80, required=False, label=_("Version"))
    model = forms.CharField(max_length=120, required=False, label=_("Model"))
    device = forms.CharField(max_length=120, required=False, label=_("Machine"))
    max_sessions = forms.IntegerField(min_value=1, max_value=MOST_SESSIONS, initial=1, label=_("Tasks at once"))
    toolkits = forms.CharField(
        max_length=2000, required=False, label=_("Toolkits"), help_text=_("With commas between.")
    )
    cwd = forms.CharField(
        max_length=500,
        required=False,
        label=_("Work folder"),
        help_text=_("Only for an agent that connects without our connector."),
    )
    workspace = forms.ChoiceField(required=False, label=_("Joins"))

    def __init__(
        self,
        data: Any = None,
        *,
        rows: Sequence[SkillRow] = (),
        workspaces: Sequence[tuple[str, str]] | None = None,
        known_skills: Sequence[str] = (),
        **kwargs: Any,
    ) -> None:
        super().__init__(data, **kwargs)
        self.skills_error = ""
        self.known_skills = known_skills
        self.levels = LEVELS
        typed = _typed_rows(data) if data is not None else list(rows)
        self.skill_rows = [*typed, *[SkillRow()] * max(1, SKILL_ROWS - len(typed))]
        if workspaces is None:
            del self.fields["workspace"], self.fields["handle"]
        else:
            choices = [("", _("no workspace yet")), *workspaces]
            self.fields["workspace"].choices = choices  # type: ignore[attr-defined]

    @property
    def has_details(self) -> bool:
        """Whether the folded part holds anything."""
        names = ("version", "model", "device", "toolkits", "cwd")
        return any(self[n].value() or self[n].errors for n in names) or bool(self["max_sessions"].errors)

    def profile(self) -> dict[str, Any]:
        """What the verbs take."""
        data = self.cleaned_data
        return {
            "name": data["name"],
            "description": data["description"],
            "version": data["version"],
            "model": data["model"],
            "device": data["device"],
            "cwd": data["cwd"],
            "max_sessions": data["max_sessions"],
            "toolkits": [t.strip() for t in data["toolkits"].split(",") if t.strip()],
            "skills": [row.said for row in self.skill_rows if row.name],
        }


def _typed_rows(data: Any) -> list[SkillRow]:
    names = data.getlist("skill")[:60]
    columns = {key: data.getlist(f"skill_{key}") for key in ("description", "level", "title", "tags", "examples")}
    rows = []
    for i, name in enumerate(names):
        said = {key: values[i].strip()[:20_000] if i < len(values) else "" for key, values in columns.items()}
        level = said.pop("level")
        row = SkillRow(name.strip()[:60], level=int(level[:2]) if level.isdigit() else 3, **said)
        if row.name or row.description or row.has_more:
            rows.append(row)
    return rows


def carry_out(
    form: forms.Form, verb: Callable[P, Future[Outcome]], *args: P.args, **kwargs: P.kwargs
) -> Outcome | None:
    """Perform a verb with what was typed. A refusal becomes an error of the form; then None."""
    try:
        return perform(verb, *args, **kwargs)
    except (NotFound, Forbidden, Unauthenticated):
        raise
    except ClawError as fault:
        blame(form, fault)
        return None


def blame(form: forms.Form, fault: ClawError) -> None:
    """Put a refusal where it belongs in the form."""
    field = str(fault.fields.get("field", ""))
    if field == "skills" and isinstance(form, AgentForm):
        form.skills_error = say(fault.message)
        form.add_error(None, "")
        form.errors.pop("__all__", None)
        return
    form.add_error(field if field in form.fields else None, say(fault.message))


def take_in(request: HttpRequest, form: FilesForm | None = None) -> list[StoredFile]:
    """Store the files of a request. With a form, a bad file becomes its error and the good ones stay with it."""
    take = store if form is None else store_input
    kept = [f for token in request.POST.getlist("kept") if (f := _unsealed(token))]
    for upload in request.FILES.getlist("files"):
        assert isinstance(upload, UploadedFile)
        try:
            kept.append(take(upload.chunks(), name=upload.name or "", content_type=upload.content_type or ""))
        except ClawError as fault:
            if form is None:
                raise
            form.add_error("uploads", say(fault.message))
    if form is not None:
        form.kept = kept
    return kept


def _sealed(file: StoredFile) -> str:
    return signing.dumps([file.name, file.size, file.sha256, file.content_type], salt=_KEPT)


def _unsealed(token: str) -> StoredFile | None:
    try:
        return StoredFile(*signing.loads(token, salt=_KEPT, max_age=86_400))
    except (signing.BadSignature, TypeError):
        return None
