"""What is done to accounts is on the installation's audit trail, and its person is written to: never a secret."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.contrib.auth.models import Group, Permission, User
from django.core import mail
from django.test import Client
from django.urls import reverse

from clawgroups.auth import actor_of_user
from clawgroups.commit import trail
from clawgroups.core.audit import INSTALLATION
from clawgroups.services import account_letters, audit_trail, people, preferences
from clawgroups.services.perform import perform

ONE, TWO = "gull-over-harbour-41", "pine-under-snow-86"


@pytest.fixture(autouse=True)
def plain_hashing(settings: Any) -> None:
    """Passwords need not be slow here."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def told() -> list[tuple[str, str, dict[str, Any]]]:
    """What is told: what was done, by whom, and to what."""
    rows = [audit_trail.said(row) for row in audit_trail.rows_of(INSTALLATION)]
    return [(one["action"], one["actor"]["name"], one["detail"]) for one in rows]


def what() -> list[tuple[str, str]]:
    return [(action, who) for action, who, _ in told()]


def no_secret_is_told(*users: User) -> bool:
    text = "".join(row.told for row in audit_trail.rows_of(INSTALLATION))
    return not any(one in text for one in (ONE, TWO, *(user.password for user in users)))


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def changes(client: Client, user: User, **values: Any) -> None:
    """As the administration's form sends it: everything, with these values changed."""
    user.refresh_from_db()
    shown = {
        "username": user.username,
        "email": user.email,
        "date_joined_0": user.date_joined.date().isoformat(),
        "date_joined_1": user.date_joined.time().isoformat("seconds"),
        **{name: "on" for name in ("is_active", "is_staff", "is_superuser") if getattr(user, name)},
    }
    given = {name: value for name, value in {**shown, **values}.items() if value is not None}
    answer = client.post(reverse("admin:auth_user_change", args=[user.pk]), given)
    assert answer.status_code == 302, answer.content.decode()[:2000]


@pytest.mark.django_db
def test_what_the_administration_does_to_an_account_is_told(users: dict[str, User]) -> None:
    sue = signed_in(users["sue"])
    made = {"username": "zoe", "usable_password": "true", "password1": ONE, "password2": ONE}
    assert sue.post(reverse("admin:auth_user_add"), made).status_code == 302
    zoe = User.objects.get(username="zoe")
    password = {"usable_password": "true", "password1": TWO, "password2": TWO, "set-password": "1"}
    assert sue.post(reverse("admin:auth_user_password_change", args=[zoe.pk]), password).status_code == 302
    changes(sue, zoe, is_staff="on", is_superuser="on", email="zoe@example.org")
    changes(sue, zoe, is_active=None, username="zoe2")
    changes(sue, zoe, is_active="on")
    zoe.refresh_from_db()
    assert no_secret_is_told(zoe)
    assert sue.post(reverse("admin:auth_user_delete", args=[zoe.pk]), {"post": "yes"}).status_code == 302
    assert what() == [
        (f"account.{action}", "sue")
        for action in (
            "made", "password_set", "rights_set", "email_set", "deactivated", "renamed", "activated", "removed",
        )
    ]  # fmt: skip
    rights = told()[2][2]
    assert (rights["was"], rights["now"]) == ({"staff": False, "superuser": False}, {"staff": True, "superuser": True})
    assert (rights["user"], rights["user_id"], rights["where"]) == ("zoe", zoe.pk, "administration")
    assert audit_trail.verify(INSTALLATION) is None


@pytest.mark.django_db
def test_several_that_are_deleted_at_once_are_told_one_by_one_and_what_was_refused_is_not(
    users: dict[str, User],
) -> None:
    sue = signed_in(users["sue"])
    pks = [users[name].pk for name in ("gus", "mallory")]
    several = {"action": "delete_selected", "_selected_action": pks, "post": "yes"}
    assert sue.post(reverse("admin:auth_user_changelist"), several).status_code == 302
    assert sorted(detail["user"] for _, _, detail in told()) == ["gus", "mallory"]
    assert sue.post(reverse("admin:auth_user_add"), {"username": "zoe"}).status_code == 200
    assert signed_in(users["bob"]).post(reverse("admin:auth_user_delete", args=[users["ada"].pk])).status_code == 403
    assert what() == [("account.removed", "sue")] * 2


@pytest.mark.django_db
def test_what_a_group_gives_its_people_is_told(users: dict[str, User]) -> None:
    sue = signed_in(users["sue"])
    right = Permission.objects.get(codename="view_user")
    sue.post(reverse("admin:auth_group_add"), {"name": "Readers"})
    readers = Group.objects.get()
    sue.post(reverse("admin:auth_group_change", args=[readers.pk]), {"name": "Readers", "permissions": [right.pk]})
    changes(sue, users["bob"], groups=[readers.pk])
    assert what() == [("account.group_set", "sue"), ("account.group_set", "sue"), ("account.rights_set", "sue")]
    assert told()[1][2]["now"] == {"name": "Readers", "permissions": ["auth.view_user"]}
    assert told()[2][2]["now"] == {"groups": ["Readers"]}


@pytest.mark.django_db
def test_what_people_do_on_the_account_pages_is_told(users: dict[str, User]) -> None:
    bob, client = users["bob"], signed_in(users["bob"])
    client.post(reverse("account_set_password"), {"password1": ONE, "password2": ONE})
    client.post(reverse("account_change_password"), {"oldpassword": ONE, "password1": TWO, "password2": TWO})
    address = {"email": "bob@example.org"}
    client.post(reverse("account_email"), {**address, "action_add": ""})
    client.post(reverse("account_email"), {**address, "action_primary": ""})
    client.post(re.search(r"/accounts/confirm-email/[^/\s]+/", str(mail.outbox[-1].body)).group())  # type: ignore[union-attr]
    client.post(reverse("account_logout"))
    bob.refresh_from_db()
    assert bob.check_password(TWO)
    assert no_secret_is_told(bob)
    names = ("password_set", "password_set", "addresses_set", "email_set", "addresses_set", "session_ended")
    assert what() == [(f"account.{name}", "bob") for name in names]
    assert told()[2][2]["added"] == ["bob@example.org"]
    assert told()[4][2]["confirmed"] == ["bob@example.org"]


@pytest.mark.django_db
def test_whoever_is_changed_hears_of_it_by_letter_in_their_language_at_the_address_of_before(
    users: dict[str, User], settings: Any
) -> None:
    settings.SENDS_LETTERS = True
    bob, client = users["bob"], signed_in(users["bob"])
    EmailAddress.objects.create(user=bob, email="bob@example.org", verified=True, primary=True)
    client.post(reverse("account_set_password"), {"password1": ONE, "password2": ONE})
    new = {"email": "new@example.org"}
    client.post(reverse("account_email"), {**new, "action_add": ""})
    EmailAddress.objects.filter(user=bob).update(verified=True)
    client.post(reverse("account_email"), {**new, "action_primary": ""})
    password = {"usable_password": "true", "password1": TWO, "password2": TWO, "set-password": "1"}
    signed_in(users["sue"]).post(reverse("admin:auth_user_password_change", args=[bob.pk]), password)
    changed = [one for one in mail.outbox if one.subject == "Your account was changed"]
    assert [one.to for one in changed] == [["bob@example.org"], ["bob@example.org"], ["new@example.org"]]
    one, two, three = (str(one.body) for one in changed)
    assert "A password was set for your account." in one
    assert "From where: 127.0.0.1" in one
    assert "from bob@example.org to new@example.org" in two
    assert "By whom: somebody who runs this installation" in three
    assert not any(secret in letter for secret in (ONE, TWO) for letter in (one, two, three))

    perform(preferences.set_preferences, language="zh-hans", actor=actor_of_user(bob))
    values = dict.fromkeys(("from_email", "to_email", "deleted_email", "provider"), "x@example.org")
    for what, sentence in account_letters.WHAT.items():
        assert account_letters.tell(bob, what, values, address="192.0.2.1", by="Firefox")
        said = str(mail.outbox[-1].body)
        assert sentence.format(**values) not in said
        assert "192.0.2.1, Firefox" in said


@pytest.mark.django_db
def test_a_mail_server_that_takes_nothing_keeps_nobody_from_changing_what_they_must(
    users: dict[str, User], settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SENDS_LETTERS = True
    bob = users["bob"]
    EmailAddress.objects.create(user=bob, email="bob@example.org", verified=True, primary=True)
    monkeypatch.setattr(mail.EmailMessage, "send", lambda self: (_ for _ in ()).throw(ConnectionRefusedError()))
    answer = signed_in(bob).post(reverse("account_set_password"), {"password1": ONE, "password2": ONE})
    assert answer.status_code == 302
    bob.refresh_from_db()
    assert bob.check_password(ONE)


@pytest.mark.django_db
def test_a_password_that_is_set_by_a_letters_link_is_told(users: dict[str, User]) -> None:
    ada, client = users["ada"], Client()
    ada.email = "ada@example.org"
    ada.set_password(ONE)
    ada.save()
    client.post(reverse("account_reset_password"), {"email": ada.email})
    link = re.search(r"/accounts/password/reset/key/\S+", str(mail.outbox[-1].body))
    assert link is not None
    asked = client.get(link.group(), follow=True)
    client.post(asked.request["PATH_INFO"], {"password1": TWO, "password2": TWO})
    assert what() == [("account.password_set", "ada")]
    assert link.group().split("/")[-2] not in "".join(row.told for row in audit_trail.rows_of(INSTALLATION))


@pytest.mark.django_db
def test_who_signs_up_where_the_installation_is_open_and_the_first_person_are_told(settings: Any) -> None:
    people.ensure_first_person()
    settings.SIGNUP_OPEN = True
    said = {"username": "zoe", "email": "zoe@example.org", "password1": ONE, "password2": ONE}
    assert Client().post(reverse("account_signup"), said).status_code == 302
    assert what() == [("account.made", "Claw Groups"), ("account.made", "zoe")]
    assert no_secret_is_told(User.objects.get(username="zoe"))


def test_nothing_is_told_outside_of_the_transaction_that_does_it() -> None:
    with pytest.raises(RuntimeError, match="outside of a transaction"):
        trail.put_down({}, [])
