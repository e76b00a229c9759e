"""What the text of a try is: its result, its draft, or what its agent has said; and what the next one goes on from."""

from __future__ import annotations

from clawgroups.models import Attempt, Draft
from clawgroups.services.briefs import partial_text
from clawgroups.services.handed import full_text, source_of

OWN = "own"
"""The kind of a draft that is its writer's version, and no text that was only kept."""


def newest(attempt: Attempt) -> Draft | None:
    """The draft of an attempt."""
    return Draft.objects.filter(attempt=attempt, kind=OWN).order_by("version").last()


def text_so_far(attempt: Attempt) -> str:
    """The text that an attempt has come to: its result, its newest draft, or what its agent has said.

    Where a person had handed a text to it, that stands before its words: they may be the beginning of anything, and
    nobody's version is left out for them.
    """
    if attempt.result:
        return attempt.result
    draft = newest(attempt)
    if draft is not None:
        return draft.text
    said, handed = partial_text(attempt), _handed_text(attempt)
    if not said or not handed:
        return said or handed
    return f"{handed}\n\n[What {attempt.member.name} has said since:]\n\n{said}"


def text_to_go_on_with(attempt: Attempt) -> str:
    """What whoever takes a task over begins with: the text of its newest try, up to this one, that came to anything.

    A try that has only begun leaves what was returned, or what its agent was cut off in, as the last that there is.
    """
    for one in Attempt.objects.filter(task=attempt.task_id, number__lte=attempt.number).order_by("-number"):
        text = text_so_far(one)
        # An empty draft is what a person left of the text.
        if text or newest(one) is not None:
            return text
    return ""


def _handed_text(attempt: Attempt) -> str:
    """What a person had handed on, as long as no result has come since."""
    since = Attempt.objects.filter(task=attempt.task_id, number__lt=attempt.number).exclude(result="")
    source = source_of(attempt.brief)
    if source is None or since.filter(number__gt=Attempt.objects.filter(pk=source).values("number")).exists():
        return ""
    return full_text(attempt.brief)
