"""One's own security: browsers signed in, the second factor, passkeys' host, sign-in limits, and who is locked out."""

from __future__ import annotations

import re
from typing import Any

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.test import Client, RequestFactory
from django.urls import reverse

from clawgroups.core.audit import INSTALLATION
from clawgroups.services import audit_trail, people
from clawgroups.web.devices import device
from clawgroups.web.factors import passkey_host, passkeys_at
from tests.conftest import Team
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
PASSWORD = "gull-over-harbour-41"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def came_in(user: User, *, browser: str = FIREFOX, address: str = "192.0.2.4") -> Client:
    user.set_password(PASSWORD)
    user.save()
    client = Client(headers={"User-Agent": browser}, REMOTE_ADDR=address)
    answer = client.post(reverse("account_login"), {"login": user.username, "password": PASSWORD})
    assert answer.status_code == 302
    return client


def code_of(secret: str) -> str:
    counters = list(yield_hotp_counters_from_time())
    return str(format_hotp_value(hotp_value(secret, counters[len(counters) // 2])))


def told() -> list[str]:
    return [audit_trail.said(row)["action"] for row in audit_trail.rows_of(INSTALLATION)]


def test_browsers_are_listed_and_signed_out_one_by_one_and_all_together(team: Team, sign_in: SignIn) -> None:
    bob = team.users["bob"]
    here = sign_in("bob")
    here.get(reverse("workspaces"))
    for address in ("192.0.2.5", "192.0.2.6", "192.0.2.7"):
        there = Client(headers={"User-Agent": FIREFOX}, REMOTE_ADDR=address)
        there.force_login(bob, backend="django.contrib.auth.backends.ModelBackend")
        assert there.get(reverse("workspaces")).status_code == 200
    page = here.get(reverse("security")).content.decode()
    assert page.count("Firefox on Linux") == 3 * 2  # by name, and on its button
    assert "192.0.2.6" in page
    assert "this browser" in page
    one = UserSession.objects.get(ip="192.0.2.6")
    assert sign_in("ada").post(reverse("end-session", args=[one.pk])).status_code == 404
    assert here.post(reverse("end-session", args=[one.pk])).status_code == 303
    assert not one.exists()
    here.post(reverse("end-other-sessions"))
    assert there.get(reverse("workspaces")).status_code == 303
    assert here.get(reverse("workspaces")).status_code == 200
    assert told()[-3:] == ["account.session_ended"] * 3


@pytest.mark.django_db(transaction=True)
def test_a_code_is_asked_for_after_the_password_once_an_app_is_added(team: Team) -> None:
    bob = team.users["bob"]
    client = came_in(bob)
    asked = client.get(reverse("mfa_activate_totp"))
    assert asked["Location"].startswith(reverse("account_reauthenticate"))
    page = client.post(asked["Location"], {"password": PASSWORD}, follow=True)
    secret = page.context["form"].secret
    assert "<svg" in page.content.decode()
    assert client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)}).status_code == 302
    stored = Authenticator.objects.get(user=bob, type="totp").data["secret"]
    assert secret not in stored
    codes = re.findall(r"<li>(\d{8})</li>", client.get(reverse("mfa_view_recovery_codes")).content.decode())
    assert len(codes) == 10
    again = came_in(bob)
    assert again.get(reverse("workspaces")).status_code == 303
    wrong = again.post(reverse("mfa_authenticate"), {"code": "000000"})
    assert "Incorrect code" in wrong.content.decode()
    assert again.post(reverse("mfa_authenticate"), {"code": codes[0]}).status_code == 302
    assert again.get(reverse("workspaces")).status_code == 200
    assert "9 are left" in again.get(reverse("security")).content.decode()
    assert told().count("account.factor_added") == 1


@pytest.mark.django_db(transaction=True)
def test_who_came_in_by_a_link_has_no_password_and_is_locked_out_of_nothing() -> None:
    owner = people.ensure_first_person()
    client = Client()
    assert client.get(people.make_login_link(owner)).status_code == 303
    page = client.get(reverse("mfa_activate_totp"))
    assert page.status_code == 200
    secret = page.context["form"].secret
    assert client.post(reverse("mfa_activate_totp"), {"code": code_of(secret)}).status_code == 302
    # What was shown this minute is not asked for; later it is. A link from the server's own machine still lets them in.
    assert client.get(reverse("mfa_view_recovery_codes")).status_code == 200
    anew = Client()
    anew.get(people.make_login_link(owner))
    assert anew.get(reverse("security")).status_code == 200
    assert anew.get(reverse("mfa_view_recovery_codes"))["Location"].startswith(reverse("mfa_reauthenticate"))


@pytest.mark.django_db(transaction=True)
def test_the_administration_asks_staff_for_a_second_factor_only_where_the_installation_says_so(
    sign_in: SignIn, team: Team, settings: Any
) -> None:
    sue = sign_in("sue")
    assert sue.get("/admin/").status_code == 200
    settings.ADMIN_MFA = True
    assert sue.get("/admin/")["Location"] == reverse("security")
    assert "needs a second factor" in sue.get(reverse("security")).content.decode()
    assert sign_in("bob").get("/admin/").status_code == 403
    page = sue.get(reverse("mfa_activate_totp"))
    secret = page.context["form"].secret
    sue.post(reverse("mfa_activate_totp"), {"code": code_of(secret)})
    assert sue.get("/admin/").status_code == 200
    sue = sign_in("sue")
    to = sue.get("/admin/")["Location"]
    assert to.startswith(reverse("mfa_reauthenticate"))
    codes = Authenticator.objects.get(user=team.users["sue"], type="recovery_codes").wrap().get_unused_codes()
    assert sue.post(to, {"code": codes[0]})["Location"] == "/admin/"
    assert sue.get("/admin/").status_code == 200


def test_guesses_are_limited_and_tell_nobody_who_has_an_account(users: dict[str, User]) -> None:
    came_in(users["bob"])
    where, known, unknown = reverse("account_login"), "bob", "nobody-here"
    said = [
        re.sub(r'value="[^"]*"|X-CSRFToken": "[^"]*"', "", answer.content.decode()).replace(name, "NAME")
        for name in (known, unknown)
        for answer in [Client(REMOTE_ADDR="192.0.2.9").post(where, {"login": name, "password": "wrong"})]
    ]
    assert said[0] == said[1]
    for _ in range(5):
        refused = Client(REMOTE_ADDR="192.0.2.9").post(where, {"login": known, "password": "wrong"})
    right = Client(REMOTE_ADDR="192.0.2.9").post(where, {"login": known, "password": PASSWORD})
    assert right.status_code == refused.status_code == 200
    assert "Too many" in right.content.decode()
    # Whoever guesses from one address keeps nobody out who comes from another.
    assert Client(REMOTE_ADDR="192.0.2.10").post(where, {"login": known, "password": PASSWORD}).status_code == 302


@pytest.mark.parametrize(
    ("base", "asked", "secure", "host", "where"),
    [
        ("https://claw.example.org", "claw.example.org", True, "claw.example.org", ""),
        ("http://claw.example.org", "claw.example.org", False, "claw.example.org", "-"),
        ("http://127.0.0.1:8000", "127.0.0.1:8000", False, "localhost", "http://localhost:8000/me/"),
        ("http://127.0.0.1:8000", "localhost:8000", False, "localhost", ""),
        ("http://localhost:8000", "localhost:8000", False, "localhost", ""),
    ],
)
def test_passkeys_are_of_the_installations_host(
    settings: Any, base: str, asked: str, secure: bool, host: str, where: str
) -> None:
    settings.BASE_URL, settings.ALLOWED_HOSTS = base, ["claw.example.org", "127.0.0.1", "localhost"]
    request = RequestFactory().get("/me/", headers={"Host": asked}, secure=secure)
    assert (passkey_host(request), passkeys_at(request)) == (host, where)


@pytest.mark.parametrize(
    ("agent", "called"),
    [
        (FIREFOX, "Firefox on Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile Safari/604.1", "Safari on iPhone"),
        ("curl/8.5", "curl"),
        ("", "A program that gives no name"),
    ],
)
def test_a_browser_is_called_as_people_know_it(agent: str, called: str) -> None:
    assert device(agent) == called
