"""Stories for `test_verify_action`: who is let in, what is shown to others, who may speak, who owns the workspace."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from agents import tokens
from clawgroups.services import closing, invitations, members, muting, ownership, shares
from clawgroups.services.perform import perform
from tests.conftest import Team


def invited_and_joined(team: Team) -> None:
    code, ada = tokens.mint_code(), team.actor("ada")
    made = perform(invitations.make_invitation, team.workspace.pk, code=code, role="guest", actor=ada)
    perform(invitations.join, code.digest, actor=team.actor("mallory"))
    perform(invitations.revoke_invitation, UUID(made.answer["id"]), actor=ada)


def shown_to_others(team: Team) -> None:
    run, ada = team.one_task().run, team.actor("ada")
    made = perform(shares.share_run, run.pk, code=tokens.mint_code(), actor=ada)
    perform(shares.unshare_run, UUID(made.answer["id"]), actor=ada)


def muted_and_unmuted(team: Team) -> None:
    for verb in (muting.mute_member, muting.unmute_member):
        perform(verb, team.seat("bob").pk, actor=team.actor("carol"))


def given_away_and_left(team: Team) -> None:
    heir, name = team.seat("carol").pk, team.workspace.name
    perform(ownership.transfer_workspace, team.workspace.pk, member_id=heir, confirm=name, actor=team.actor("ada"))
    perform(members.remove_member, team.seat("ada").pk, actor=team.actor("ada"))


def closed_and_opened_again(team: Team) -> None:
    team.one_task()
    perform(closing.close_workspace, team.workspace.pk, actor=team.actor("ada"))
    (cancel,) = closing.left_running(10)
    perform(cancel)
    perform(closing.reopen_workspace, team.workspace.pk, actor=team.actor("ada"))


TOLD: list[Callable[[Team], None]] = [
    invited_and_joined,
    shown_to_others,
    muted_and_unmuted,
    closed_and_opened_again,
    given_away_and_left,
]
