"""A link that holds a code and is shown this once: as text, and as a picture for the camera of a phone."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext, gettext_lazy

from agents import tokens
from agents.tokens import MintedKey
from clawgroups.core.actors import Actor
from clawgroups.core.lifetimes import DAY, HOUR
from clawgroups.web.qr import qr_svg

# How long links are good, as forms offer it.
LIVES = (
    (HOUR, gettext_lazy("1 hour")),
    (DAY, gettext_lazy("1 day")),
    (7 * DAY, gettext_lazy("7 days")),
    (30 * DAY, gettext_lazy("30 days")),
)


@dataclass(frozen=True, slots=True)
class Link:
    """The address `name` with its code."""

    name: str
    code: str

    @property
    def url(self) -> str:
        """What is copied and sent."""
        return f"{settings.BASE_URL}{reverse(self.name, args=[self.code])}"

    @property
    def is_local(self) -> bool:
        """Whether it leads to this very machine alone."""
        return urlsplit(settings.BASE_URL).hostname in {host.strip("[]") for host in settings.LOCAL_HOSTS}

    @property
    def picture(self) -> SafeString:
        """The same as a QR code."""
        return qr_svg(self.url, gettext("QR code of the link"))


def fresh_code(what: str, actor: Actor, operation: str) -> MintedKey:
    """The code of a new link. A form that is sent twice makes one link, and is answered with the same code."""
    return tokens.derive_code(f"{what}:{actor.user_id}:{operation}") if operation else tokens.mint_code()
