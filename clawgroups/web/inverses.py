"""How verbs are taken back: the table of `undo`. A verb of another part adds one line."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import UUID

from django.db.models import Model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from clawgroups.core.changes import Change, Delete, Expect, Insert, Outcome, Put, Update
from clawgroups.models import Invitation, Member, Memory, ModelServer, Rule, Run, Share, Task, Workspace
from clawgroups.services import (
    budgets,
    choices,
    closing,
    coordination,
    invitations,
    members,
    memories,
    model_servers,
    muting,
    pausing,
    rules,
    runs,
    shares,
    workspaces,
)

Row = Mapping[str, Any]
Verb = Callable[..., Future[Outcome]]
Back = Callable[[UUID, Row | None, Row | None], Verb | None]


@dataclass(frozen=True, slots=True)
class Inverse:
    """How a verb is taken back.

    `columns` of the row are what it changes. `back` gives the verb that sets them to what they were (None: there is
    none for these); it is called with `actor` and `operation`. `still`: which of the columns must be as they were left;
    all of them unless said. `pk`: which row, from the request and the arguments of the view.
    """

    said: Any
    model: type[Model]
    pk: Callable[[HttpRequest, Row], UUID | None]
    columns: tuple[str, ...]
    back: Callable[[UUID, Row | None, Row | None], Verb | None]
    leads: Callable[[UUID, Row], str]
    still: tuple[str, ...] | None = None

    def read(self, pk: UUID | None) -> Row | None:
        """The columns as JSON knows them; None where there is no such row."""
        found = None if pk is None else self.model._default_manager.filter(pk=pk).values(*self.columns).first()
        return None if found is None else _as_json(found)

    def after(self, pk: UUID | None, done: Sequence[Change]) -> Row | None:
        """The columns as these changes left them; whatever somebody else has written since is not among it."""
        row = self.read(pk)
        ours = [one for change in done for one in change.writes if (one.model, one.pk) == (self.model._meta.label, pk)]
        for one in ours:
            if isinstance(one, Delete):
                row = None
            elif isinstance(one, Insert | Put | Update) and row is not None:
                row = {**row, **_as_json({name: one.values[name] for name in self.columns if name in one.values})}
        return row

    def left(self, row: Row | None) -> Row | None:
        """Of the columns those that must still be so."""
        return None if row is None else {name: row[name] for name in self.still or self.columns}

    def expects(self, pk: UUID, now: Row | None) -> tuple[Expect, ...]:
        """The same for the writer. That a row is not there, it cannot expect."""
        left = self.left(now)
        if left is None:
            return ()
        fields = {name: self.model._meta.get_field(name).to_python(value) for name, value in left.items()}  # type: ignore[union-attr]
        return (Expect(self.model._meta.label, pk, fields),)


def _as_json(row: Row) -> dict[str, Any]:
    return dict(json.loads(json.dumps(dict(row), default=str)))


def by(name: str) -> Callable[[HttpRequest, Row], UUID | None]:
    """The row that this argument of the view names."""
    return lambda _request, given: given[name]


def _own_seat(request: HttpRequest, given: Row) -> UUID | None:
    seats = Member.objects.filter(workspace=given["workspace_id"], user=request.user.pk, left_at=None)
    return seats.values_list("pk", flat=True).first()


def _note(request: HttpRequest, given: Row) -> UUID:
    return memories.note_id(given["workspace_id"], request.POST.get("key", ""))


def _room(pk: UUID, row: Row) -> str:
    return reverse("workspace", args=[pk])


def _page_of(name: str) -> Callable[[UUID, Row], str]:
    return lambda pk, row: reverse(name, args=[row.get("workspace_id") or pk])


def _task(pk: UUID, row: Row) -> str:
    return reverse("task", args=[row["workspace_id"], pk])


def _memory(pk: UUID, row: Row) -> str:
    return reverse("memory", args=[row["workspace_id"], pk])


def _run(pk: UUID, row: Row) -> str:
    return reverse("run", args=[row["workspace_id"], pk])


def _unpaused(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(pausing.resume_task, pk, epoch=now["epoch"]) if was and now and not was["paused"] else None


def _paused(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(pausing.pause_task, pk) if was and was["paused"] else None


def _other_member(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    before = was and (was["assignee_id"] or was["proposed_id"])
    return partial(choices.choose_member, pk, member_id=UUID(before)) if before else None


def _role(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(members.set_role, pk, role=was["role"]) if was else None


def _profile(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    if was is None:
        return None
    skills = [{"name": name, "level": level} for name, level in was["skills"].items()]
    said = {"skills": skills, "hours": was["hours"], "capacity": was["capacity"]}
    return partial(members.set_profile, UUID(was["workspace_id"]), **said)


def _remembered(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    if was is None:
        return partial(memories.strike_out, pk)
    return None if was["struck_at"] else partial(memories.edit_note, pk, text=was["text"])


def _edited(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(memories.edit_note, pk, text=was["text"]) if was else None


def _struck(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(memories.take_back, pk) if was else None


def _restored(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(memories.strike_out, pk) if was else None


def _back_to(verb: Callable[..., Future[Outcome]], column: str, name: str = "") -> Callable[..., Verb | None]:
    """The same verb with what the column was before."""
    return lambda pk, was, now: partial(verb, pk, **{name or column: was[column]}) if was else None


def _moved(pk: UUID, was: Row | None, now: Row | None) -> Verb | None:
    return partial(model_servers.move_server, pk, up=was["position"] < now["position"]) if was and now else None


_WORKSPACE = by("workspace_id")
_NOTE = ("workspace_id", "text", "struck_at", "version")
_MUTED = ("muted_at", "workspace_id")
_SAID = ("workspace_id", "skills", "hours", "capacity")

# The view's name -> how what it did is taken back.
INVERSES: dict[str, Inverse] = {
    "set-goal": Inverse(
        _("The goal is saved."), Workspace, _WORKSPACE, ("goal",), _back_to(workspaces.set_goal, "goal"), _room
    ),
    "set-rules": Inverse(
        _("The rules are saved."),
        Workspace,
        _WORKSPACE,
        ("rules",),
        _back_to(workspaces.set_rules, "rules"),
        _room,
    ),
    "rename-workspace": Inverse(
        _("The name is saved."),
        Workspace,
        _WORKSPACE,
        ("name",),
        _back_to(workspaces.rename_workspace, "name"),
        _room,
    ),
    "set-timers": Inverse(
        _("The deadlines are saved."),
        Workspace,
        _WORKSPACE,
        ("timers",),
        _back_to(workspaces.set_timers, "timers"),
        _page_of("deadlines"),
    ),
    "set-coordination": Inverse(
        _("The coordinator's settings are saved."),
        Workspace,
        _WORKSPACE,
        ("coordination",),
        _back_to(coordination.set_coordination, "coordination"),
        _page_of("coordination"),
    ),
    "close-workspace": Inverse(
        _("The workspace is closed. What ran in it is cancelled."),
        Workspace,
        _WORKSPACE,
        ("closed_at",),
        lambda pk, was, now: partial(closing.reopen_workspace, pk),
        _room,
    ),
    "reopen-workspace": Inverse(
        _("The workspace is open again."),
        Workspace,
        _WORKSPACE,
        ("closed_at",),
        lambda pk, was, now: partial(closing.close_workspace, pk),
        _room,
    ),
    "set-role": Inverse(
        _("The role is set."), Member, by("member_id"), ("role", "workspace_id"), _role, _page_of("members")
    ),
    "mute-member": Inverse(
        _("The member is muted: they read along, and write no messages."),
        Member,
        by("member_id"),
        _MUTED,
        lambda pk, was, now: partial(muting.unmute_member, pk),
        _page_of("members"),
    ),
    "unmute-member": Inverse(
        _("The member may write again."),
        Member,
        by("member_id"),
        _MUTED,
        lambda pk, was, now: partial(muting.mute_member, pk),
        _page_of("members"),
    ),
    "revoke-invitation": Inverse(
        _("The invitation is revoked."),
        Invitation,
        by("invitation_id"),
        ("revoked_at", "workspace_id"),
        lambda pk, was, now: partial(invitations.restore_invitation, pk),
        _page_of("invitations"),
    ),
    "unshare-run": Inverse(
        _("The link shows nothing any more."),
        Share,
        by("share_id"),
        ("revoked_at", "workspace_id", "run_id"),
        lambda pk, was, now: partial(shares.share_again, pk),
        lambda pk, row: reverse("shares", args=[row["workspace_id"], row["run_id"]]),
    ),
    "set-own-profile": Inverse(_("It is saved."), Member, _own_seat, _SAID, _profile, _page_of("own-profile")),
    "remember": Inverse(_("It is remembered."), Memory, _note, _NOTE, _remembered, _page_of("memories")),
    "edit-memory": Inverse(_("It is changed."), Memory, by("memory_id"), _NOTE, _edited, _memory),
    "strike-memory": Inverse(_("It is struck out."), Memory, by("memory_id"), _NOTE, _struck, _memory),
    "restore-memory": Inverse(_("It holds again."), Memory, by("memory_id"), _NOTE, _restored, _memory),
    "revoke-rule": Inverse(
        _("The rule is revoked."),
        Rule,
        by("rule_id"),
        ("revoked_at", "workspace_id"),
        lambda pk, was, now: partial(rules.restore_rule, pk),
        _page_of("answer-rules"),
    ),
    "pause-task": Inverse(
        _("The task is paused."),
        Task,
        by("task_id"),
        ("paused", "epoch", "workspace_id"),
        _unpaused,
        _task,
    ),
    "resume-task": Inverse(_("The task goes on."), Task, by("task_id"), ("paused", "workspace_id"), _paused, _task),
    "choose-member": Inverse(
        _("The choice is made."),
        Task,
        by("task_id"),
        ("proposed_id", "assignee_id", "workspace_id"),
        _other_member,
        _task,
        still=("proposed_id",),
    ),
    "pause-run": Inverse(
        _("The run is paused."),
        Run,
        by("run_id"),
        ("paused", "workspace_id"),
        lambda pk, was, now: partial(runs.resume_run, pk),
        _run,
    ),
    "resume-run": Inverse(
        _("The run goes on."),
        Run,
        by("run_id"),
        ("paused", "workspace_id"),
        lambda pk, was, now: partial(runs.pause_run, pk),
        _run,
    ),
    "set-budget": Inverse(
        _("The limits are saved."),
        Run,
        by("run_id"),
        ("budget", "workspace_id"),
        _back_to(budgets.set_budget, "budget", "limits"),
        lambda pk, row: reverse("model-calls", args=[row["workspace_id"], pk]),
    ),
    "move-model-server": Inverse(
        _("The order is changed."),
        ModelServer,
        by("server_id"),
        ("position",),
        _moved,
        lambda pk, row: reverse("model-servers"),
    ),
    "enable-model-server": Inverse(
        _("It is saved."),
        ModelServer,
        by("server_id"),
        ("enabled",),
        _back_to(model_servers.enable_server, "enabled"),
        lambda pk, row: reverse("model-servers"),
    ),
}
