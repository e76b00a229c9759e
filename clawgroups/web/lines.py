"""The line by which an agent's machine is let in: what it says, and its code, which one browser may see again.

The server keeps a code's hash alone. So that the page with the line can be loaded again, the code stands, sealed, in
the session of whoever had it made; it is good for an hour, and once.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from agents import tokens
from agents.connector.launchers import launcher
from clawgroups import sealing
from clawgroups.core.actors import Actor
from clawgroups.core.errors import Invalid
from clawgroups.services import enrolling
from clawgroups.services.perform import perform
from clawgroups.web.qr import qr_svg

# A program of its owner's own, by its command.
OWN = "own"
YOURS = "YOUR-AGENT acp"
MOST_COMMAND = 300
_KEPT = "lines"
_AT_ONCE = 5


@dataclass(frozen=True, slots=True)
class Line:
    """A code as people copy it. `command`: what is started there, where that is no launcher's business."""

    code: str
    command: str = ""

    @property
    def anywhere(self) -> str:
        """For a machine that has Python and nothing of ours."""
        return enrolling.fetch_line(self.code, settings.BASE_URL, self.command)

    @property
    def installed(self) -> str:
        """For a machine that has the program `clawgroups`."""
        return enrolling.connect_line(self.code, settings.BASE_URL, self.command)

    @property
    def link(self) -> str:
        """The short link to a page with this line."""
        return f"{settings.BASE_URL}{reverse('join', args=[self.code])}"

    @property
    def picture(self) -> SafeString:
        """The link for the camera of a phone."""
        return qr_svg(self.link, gettext("QR code of the short link"))


def read_choice(given: Any) -> tuple[str, str]:
    """What was chosen in the form: the launcher's name and the command, one of them or none. Raises `Invalid`."""
    chosen = str(given.get("launcher", ""))
    if chosen == OWN:
        words = "".join(sign if sign.isprintable() else " " for sign in str(given.get("command", "")))
        command = " ".join(words.split())
        if len(command) > MOST_COMMAND:
            raise Invalid(
                gettext("The command is too long: put it into a script, and name that here."), field="command"
            )
        return "", command or YOURS
    if chosen and launcher(chosen) is None:
        raise Invalid(gettext("Choose one of the agents that are shown."), field="launcher")
    return chosen, ""


def make_line(request: HttpRequest, agent_id: UUID, actor: Actor, *, program: str = "", command: str = "") -> None:
    """Make the agent a line that replaces the one it had, to be seen in this browser."""
    code = tokens.mint_code()
    kept = dict(request.session.get(_KEPT, {}))
    before = kept.pop(str(agent_id), [])
    kept[str(agent_id)] = [[sealing.seal(code.secret, purpose=_purpose(agent_id)), command], *before][:2]
    request.session[_KEPT] = dict(list(kept.items())[-_AT_ONCE:])
    # Before the line is there, and beside the one before it: whoever looks meanwhile sees the one or the other.
    request.session.save()
    perform(enrolling.offer, agent_id, code=code, launcher=program, actor=actor)


def kept_line(request: HttpRequest, agent_id: UUID, digest: str) -> Line | None:
    """The line of this digest, where this browser had it made."""
    for sealed, command in request.session.get(_KEPT, {}).get(str(agent_id), ()):
        with suppress(sealing.Unreadable):
            line = Line(sealing.unseal(sealed, purpose=_purpose(agent_id)), command)
            if tokens.verify(line.code, digest):
                return line
    return None


def _purpose(agent_id: UUID) -> str:
    return f"line of {agent_id}"
