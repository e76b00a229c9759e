"""Letters about what was changed of an account, sent at once: whoever did not do it finds out.

They go to the address of before where the address is what was changed, whether or not a person wants other letters.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from allauth.account.models import EmailAddress
from django.contrib.auth.models import User
from django.core.mail import EmailMessage
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from clawgroups.services.letters import body_of, fault_said, in_one_line, is_set_up
from clawgroups.services.preferences import in_language_of

log = logging.getLogger(__name__)

WHAT = {
    "password_changed": gettext_noop("Your password was changed."),
    "password_set": gettext_noop("A password was set for your account."),
    "password_reset": gettext_noop("Your password was set anew, by a link that was sent to this address."),
    "email_changed": gettext_noop("Your address was changed from {from_email} to {to_email}."),
    "email_deleted": gettext_noop("The address {deleted_email} was taken out of your account."),
    "totp_activated": gettext_noop("An app that makes codes was added: it is asked for when you sign in."),
    "totp_deactivated": gettext_noop("The app that makes codes was removed from your account."),
    "webauthn_added": gettext_noop("A passkey was added to your account."),
    "webauthn_removed": gettext_noop("A passkey was removed from your account."),
    "recovery_codes_generated": gettext_noop("New recovery codes were made. Those of before let nobody in any more."),
    "account_connected": gettext_noop("An account of {provider} was connected: it signs you in from now on."),
    "account_disconnected": gettext_noop("The account of {provider} was taken out: it signs you in no more."),
    "factors_removed": gettext_noop("All second factors were removed from your account, and all browsers signed out."),
}


def tell(
    user: User, what: str, values: Mapping[str, object] | None = None, *, to: str = "", address: str = "", by: str = ""
) -> bool:
    """Send a person word of `what` was changed; whether it went out.

    `address` and `by` say from where and by which browser they did it themselves; without an address it was done by
    whoever runs the installation. A mail server that takes nothing keeps nobody from changing what they must.
    """
    to = to or EmailAddress.objects.get_primary_email(user) or user.email
    if not is_set_up() or not to or not user.is_active:
        return False
    with in_language_of(user.pk):
        letter = _letter(user, what, {**(values or {})}, to, f"{address}, {in_one_line(by)}" if address else "")
    try:
        letter.send()
    except (OSError, ValueError) as fault:  # whatever smtplib raises is an OSError; a header may be refused
        log.warning("a letter about the account of user %s was not sent: %s", user.pk, fault_said(fault))
        return False
    return True


def _letter(user: User, what: str, values: dict[str, object], to: str, where: str) -> EmailMessage:
    said = _(WHAT[what]).format(**{name: in_one_line(str(value)) for name, value in values.items()})
    context = {"what": said, "at": _moment(timezone.now()), "where": where}
    body = body_of("letters/account.txt", user, context)
    return EmailMessage(_("Your account was changed"), body, to=[to], headers={"Auto-Submitted": "auto-generated"})


def _moment(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
