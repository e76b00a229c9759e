"""What was done is taken back with one press: by whoever did it, soon, and only while it is as they left it."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from html import unescape
from typing import Any

import pytest
from django.core import signing
from django.db.models import BooleanField, ExpressionWrapper, Model, Q
from django.test import Client
from django.urls import reverse

from agents import tokens
from clawgroups.commit import provided
from clawgroups.core.changes import Expect
from clawgroups.core.errors import Conflict
from clawgroups.models import Entry, Invitation, Member, Memory, ModelServer, Rule, Run, Share, Task, Workspace
from clawgroups.services import choices, closing, invitations, memories, muting, pausing, runs, shares, workspaces
from clawgroups.services.perform import perform
from clawgroups.web import undo
from clawgroups.web.inverses import INVERSES
from tests.conftest import Team
from tests.web.conftest import SignIn
from tests.web.test_model_pages import server

pytestmark = pytest.mark.django_db
SPEAKS = ExpressionWrapper(Q(muted_at=None), BooleanField())
IS_OPEN = ExpressionWrapper(Q(closed_at=None), BooleanField())
OFFER = re.compile(r'name="offer" value="([^"]+)"')


@dataclass
class Deed:
    """What somebody does: the row that it changes, the address, and what is sent there."""

    row: Model | None
    columns: tuple[Any, ...]
    where: list[Any]
    said: dict[str, Any] = field(default_factory=dict)
    who: str = "ada"

    def now(self) -> Any:
        if self.row is None:
            return list(Memory.objects.filter(struck_at=None).values_list(*self.columns))
        return type(self.row)._default_manager.filter(pk=self.row.pk).values_list(*self.columns).first()


def of_workspace(column: str, said: dict[str, Any]) -> Callable[[Team], Deed]:
    return lambda team: Deed(team.workspace, (column,), [team.workspace.pk], said)


def of_task(team: Team) -> Deed:
    task = team.working()
    return Deed(task, ("paused",), [team.workspace.pk, task.pk], {"epoch": task.epoch})


def resumed(team: Team) -> Deed:
    task = team.one_task()
    perform(pausing.pause_task, task.pk, actor=team.actor("ada"))
    return Deed(task, ("paused",), [team.workspace.pk, task.pk])


def chosen(team: Team) -> Deed:
    task = team.one_task()
    perform(choices.choose_member, task.pk, member_id=team.seat("scribe").pk, actor=team.actor("ada"))
    said = {"member": str(team.seat("counter").pk)}
    return Deed(task, ("proposed_id",), [team.workspace.pk, task.pk], said)


def of_run(column: str, said: dict[str, Any], *, paused: bool = False) -> Callable[[Team], Deed]:
    def make(team: Team) -> Deed:
        run = team.one_task().run
        if paused:
            perform(runs.pause_run, run.pk, actor=team.actor("ada"))
        return Deed(run, (column,), [team.workspace.pk, run.pk], said)

    return make


def role(team: Team) -> Deed:
    bob = team.seat("bob")
    return Deed(bob, ("role",), [team.workspace.pk, bob.pk], {"role": "guest"})


def profile(team: Team) -> Deed:
    said = {"capacity": "2", "skill": ["law"], "skill_level": ["5"], "any_time": "on", "zone": ""}
    return Deed(team.seat("bob"), ("capacity", "skills", "hours"), [team.workspace.pk], said, "bob")


def note(team: Team) -> Deed:
    return Deed(None, ("key", "text"), [team.workspace.pk], {"key": "Currency  of files", "text": "Euros."})


def of_note(said: dict[str, str], *, struck: bool = False) -> Callable[[Team], Deed]:
    def make(team: Team) -> Deed:
        perform(memories.remember, team.workspace.pk, key="currency", text="Euros.", actor=team.actor("ada"))
        note = Memory.objects.get()
        if struck:
            perform(memories.strike_out, note.pk, actor=team.actor("ada"))
        return Deed(note, ("text", "struck_by"), [team.workspace.pk, note.pk], said)

    return make


def muted(team: Team) -> Deed:
    bob = team.seat("bob")
    return Deed(bob, (SPEAKS,), [team.workspace.pk, bob.pk])


def unmuted(team: Team) -> Deed:
    perform(muting.mute_member, team.seat("bob").pk, actor=team.actor("ada"))
    return muted(team)


def closed(team: Team) -> Deed:
    return Deed(team.workspace, (IS_OPEN,), [team.workspace.pk])


def opened_again(team: Team) -> Deed:
    perform(closing.close_workspace, team.workspace.pk, actor=team.actor("ada"))
    return closed(team)


def of_link(row: Model, *where: Any) -> Deed:
    return Deed(row, ("revoked_at",), [*where, row.pk])


def uninvited(team: Team) -> Deed:
    code = tokens.mint_code()
    perform(invitations.make_invitation, team.workspace.pk, code=code, actor=team.actor("ada"))
    return of_link(Invitation.objects.get(), team.workspace.pk)


def unshared(team: Team) -> Deed:
    run = team.run([{"key": "write", "title": "Write", "skills": ["writing"]}])
    perform(shares.share_run, run.pk, code=tokens.mint_code(), actor=team.actor("ada"))
    return of_link(Share.objects.get(), team.workspace.pk)


def moved(team: Team) -> Deed:
    server(name="first", position=1)
    second = server(name="second", position=2)
    return Deed(second, ("position",), [second.pk], {"to": "earlier", "back": "list"}, "sue")


def enabled(team: Team) -> Deed:
    one = server()
    return Deed(one, ("enabled",), [one.pk], {"enabled": "no"}, "sue")


def revoked(team: Team) -> Deed:
    rule = Rule.objects.filter(workspace=team.workspace)[0]
    return Deed(rule, ("revoked_at",), [team.workspace.pk, rule.pk], {})


DEEDS: dict[str, Callable[[Team], Deed]] = {
    "set-goal": of_workspace("goal", {"goal": "Win"}),
    "set-rules": of_workspace("rules", {"rules": "Be kind"}),
    "rename-workspace": of_workspace("name", {"name": "Other"}),
    "set-timers": of_workspace("timers", {"approval": "5 min"}),
    "set-coordination": of_workspace("coordination", {"use_model": "no", "start_at_once": "no"}),
    "close-workspace": closed,
    "reopen-workspace": opened_again,
    "set-role": role,
    "mute-member": muted,
    "unmute-member": unmuted,
    "revoke-invitation": uninvited,
    "unshare-run": unshared,
    "set-own-profile": profile,
    "remember": note,
    "edit-memory": of_note({"text": "Francs."}),
    "strike-memory": of_note({}),
    "restore-memory": of_note({}, struck=True),
    "pause-task": of_task,
    "resume-task": resumed,
    "choose-member": chosen,
    "pause-run": of_run("paused", {}),
    "resume-run": of_run("paused", {}, paused=True),
    "set-budget": of_run("budget", {"tokens": "5000"}),
    "revoke-rule": revoked,
    "move-model-server": moved,
    "enable-model-server": enabled,
}


def done(client: Client, name: str, deed: Deed) -> str:
    """Do it, and give the offer that the next page makes."""
    answer = client.post(reverse(name, args=deed.where), deed.said, follow=True)
    assert answer.status_code == 200
    (offer,) = OFFER.findall(answer.content.decode()) or [""]
    return unescape(offer)


def taken_back(client: Client, offer: str) -> Any:
    return client.post(reverse("undo"), {"offer": offer})


@pytest.mark.parametrize("name", INVERSES)
def test_each_deed_is_taken_back_by_the_offer_that_follows_it(team: Team, sign_in: SignIn, name: str) -> None:
    deed = DEEDS[name](team)
    client, before = sign_in(deed.who), deed.now()
    offer = done(client, name, deed)
    assert offer
    assert deed.now() != before
    answer = client.post(reverse("undo"), {"offer": offer}, follow=True)
    assert "Undone." in answer.content.decode()
    assert deed.now() == before
    # Pressed a second time it finds nothing to take back, and says so.
    assert taken_back(client, offer).status_code == 409
    assert deed.now() == before


def test_a_script_is_offered_it_in_place(team: Team, sign_in: SignIn) -> None:
    client, where = sign_in("ada", htmx=True), reverse("set-goal", args=[team.workspace.pk])
    said = client.post(where, {"goal": "Win"}).content.decode()
    assert "room-head" in said
    assert 'class="toast"' in said
    offer = unescape(OFFER.findall(said)[0])
    answer = client.post(reverse("undo"), {"offer": offer, "here": "1"})
    assert "Undone." in answer.content.decode()
    assert "offer" not in answer.content.decode()
    assert Workspace.objects.get().goal == "Know the numbers"
    # Where nothing changed, there is nothing to take back.
    assert "offer" not in client.post(where, {"goal": "Know the numbers"}).content.decode()


def test_a_deed_that_is_no_longer_as_it_was_left_is_not_taken_back(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    offer = done(ada, "set-goal", DEEDS["set-goal"](team))
    perform(workspaces.set_goal, team.workspace.pk, goal="Draw", actor=team.actor("bob"))
    number = Entry.objects.count()
    answer = taken_back(ada, offer)
    assert answer.status_code == 409
    assert "This changed meanwhile; nothing was undone." in answer.content.decode()
    assert (Workspace.objects.get().goal, Entry.objects.count()) == ("Draw", number)


def test_who_is_quicker_than_the_undoing_is_not_overwritten(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = sign_in("ada")
    offer = done(ada, "set-goal", DEEDS["set-goal"](team))
    looked = perform

    def late(*args: Any, **kwargs: Any) -> Any:
        Workspace.objects.update(goal="Draw")
        return looked(*args, **kwargs)

    monkeypatch.setattr(undo, "perform", late)
    assert "Nothing was undone." in taken_back(ada, offer).content.decode()
    assert Workspace.objects.get().goal == "Draw"


def test_what_somebody_changed_before_the_offer_was_made_is_not_taken_back_by_it(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = undo._told

    def late(*given: Any) -> Any:
        perform(workspaces.set_goal, team.workspace.pk, goal="Draw", actor=team.actor("bob"))
        return told(*given)

    monkeypatch.setattr(undo, "_told", late)
    ada = sign_in("ada")
    offer = done(ada, "set-goal", DEEDS["set-goal"](team))
    assert "This changed meanwhile" in taken_back(ada, offer).content.decode()
    assert Workspace.objects.get().goal == "Draw"


def test_what_whoever_calls_a_verb_knows_holds_for_its_change(team: Team) -> None:
    wrong = Expect("clawgroups.Workspace", team.workspace.pk, {"name": "Another"})
    with provided(wrong), pytest.raises(Conflict):
        perform(workspaces.set_goal, team.workspace.pk, goal="Win", actor=team.actor("ada"))
    perform(workspaces.set_goal, team.workspace.pk, goal="Win", actor=team.actor("ada"))


def test_a_forged_a_foreign_and_an_old_offer_are_refused(
    team: Team, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    ada = sign_in("ada")
    offer = done(ada, "set-goal", DEEDS["set-goal"](team))
    said = signing.loads(offer, salt=undo.SALT)
    forged = (
        offer[:-1] + ("A" if offer[-1] != "A" else "B"),
        "",
        "a:b:c",
        signing.dumps(said),
        signing.dumps(said, key="x"),
    )
    assert {taken_back(ada, other).status_code for other in forged} == {422}
    assert taken_back(sign_in("bob"), offer).status_code == 403
    assert taken_back(Client(), offer).status_code == 303
    monkeypatch.setattr(undo, "SECONDS", -1)
    answer = taken_back(ada, offer)
    assert answer.status_code == 422
    assert "too late" in answer.content.decode()
    assert Workspace.objects.get().goal == "Win"


def test_whoever_lost_the_right_meanwhile_takes_nothing_back(team: Team, sign_in: SignIn) -> None:
    carol = sign_in("carol")
    offer = done(carol, "set-rules", DEEDS["set-rules"](team))
    Member.objects.filter(user__username="carol").update(role="member", auth_version=9)
    answer = taken_back(carol, offer)
    assert answer.status_code == 403
    assert "Your role here is member" in answer.content.decode()
    assert Workspace.objects.get().rules == "Be kind"


def test_a_paused_task_that_somebody_took_over_is_not_resumed(team: Team, sign_in: SignIn) -> None:
    ada = sign_in("ada")
    deed = of_task(team)
    offer = done(ada, "pause-task", deed)
    Task.objects.update(epoch=99)
    assert taken_back(ada, offer).status_code == 409
    assert Task.objects.get().paused == "ada"


def test_every_deed_of_the_table_is_tried_here() -> None:
    assert set(DEEDS) == set(INVERSES)
    assert {Run, ModelServer} <= {inverse.model for inverse in INVERSES.values()}
