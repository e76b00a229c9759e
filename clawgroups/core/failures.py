"""Why an attempt can end without an accepted result: a closed list, each kind with what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Failure(StrEnum):
    """The kinds; the value is stored with task and attempt."""

    NOT_STARTED = "not_started"
    TIMED_OUT = "timed_out"
    TASK_TIMED_OUT = "task_timed_out"
    STALLED = "stalled"
    LOOPING = "looping"
    LOST_CONTACT = "lost_contact"
    CRASHED = "crashed"
    ERROR = "error"
    MALFORMED = "malformed"
    OUT_OF_TOKENS = "out_of_tokens"
    OUT_OF_TURNS = "out_of_turns"
    LOGIN_NEEDED = "login_needed"
    OVER_QUOTA = "over_quota"
    REFUSED = "refused"
    SCOPE_DENIED = "scope_denied"
    IMPOSSIBLE = "impossible"
    STOPPED = "stopped"
    HALTED = "halted"
    NOT_ACKNOWLEDGED = "not_acknowledged"
    NOT_ACCEPTED = "not_accepted"
    RELEASED = "released"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What follows: may another try be made, by the same member too, and at whose expense?

    `burns` counts against the task's tries and the run's retry budget. `next_step` is said to people.
    """

    retryable: bool
    same_member: bool
    burns: bool
    next_step: str

    @property
    def against_agent(self) -> bool:
        """Whether it counts for the agent's breaker: whatever is tried again at the run's expense does.

        Whoever is to blame, an agent that never delivers would use up the tries of the whole run.
        """
        return self.retryable and self.burns


_AGAIN = "it is given to the next best member, with what was done so far"
_OTHER = "it is given to another member; this one is not asked again"

CONSEQUENCES: dict[Failure, Consequence] = {
    Failure.NOT_STARTED: Consequence(True, True, True, _AGAIN),
    Failure.TIMED_OUT: Consequence(True, True, True, _AGAIN),
    Failure.TASK_TIMED_OUT: Consequence(False, False, True, "a person decides how it goes on"),
    Failure.STALLED: Consequence(True, True, True, _AGAIN),
    Failure.LOOPING: Consequence(True, False, True, _OTHER),
    Failure.LOST_CONTACT: Consequence(True, True, True, _AGAIN),
    Failure.CRASHED: Consequence(True, True, True, _AGAIN),
    Failure.ERROR: Consequence(True, True, True, _AGAIN),
    Failure.MALFORMED: Consequence(True, True, True, _AGAIN),
    Failure.OUT_OF_TOKENS: Consequence(True, True, True, _AGAIN),
    Failure.OUT_OF_TURNS: Consequence(True, True, True, _AGAIN),
    Failure.LOGIN_NEEDED: Consequence(True, True, False, "it waits for another member, or for the login"),
    Failure.OVER_QUOTA: Consequence(True, True, False, "it waits for another member, or for the quota"),
    Failure.REFUSED: Consequence(True, False, True, _OTHER),
    Failure.SCOPE_DENIED: Consequence(True, False, True, _OTHER),
    Failure.IMPOSSIBLE: Consequence(False, False, True, "it is written anew, then a person decides"),
    Failure.STOPPED: Consequence(True, True, True, _AGAIN),
    Failure.HALTED: Consequence(True, True, False, "a person says how it goes on"),
    Failure.NOT_ACKNOWLEDGED: Consequence(True, True, True, "the person who handed it back is asked"),
    Failure.NOT_ACCEPTED: Consequence(True, True, True, "it goes back with the reasons"),
    Failure.RELEASED: Consequence(True, True, False, "it is given to the next best member"),
}


# No further try and no rewriting: a person decides.
PERSON_DECIDES = frozenset({Failure.TASK_TIMED_OUT})

# A task that is stuck with one of these is given to nobody before a person has decided.
FOR_A_PERSON = frozenset({Failure.TASK_TIMED_OUT, Failure.NOT_ACKNOWLEDGED, Failure.HALTED})


def consequence(failure: Failure) -> Consequence:
    """What follows from a failure."""
    return CONSEQUENCES[failure]


# In plain words, for whoever looks back at it.
WORDS: Mapping[str, str] = {
    Failure.NOT_STARTED: "not begun in time",
    Failure.TIMED_OUT: "not finished in time",
    Failure.TASK_TIMED_OUT: "the task's own time ran out",
    Failure.STALLED: "no progress for too long",
    Failure.LOOPING: "went round in circles",
    Failure.LOST_CONTACT: "contact lost",
    Failure.CRASHED: "its program crashed",
    Failure.ERROR: "answered with an error",
    Failure.MALFORMED: "answered with something unreadable",
    Failure.OUT_OF_TOKENS: "ran out of tokens",
    Failure.OUT_OF_TURNS: "ran out of turns",
    Failure.LOGIN_NEEDED: "needs its owner to sign in",
    Failure.OVER_QUOTA: "its provider's quota is used up",
    Failure.REFUSED: "refused the task",
    Failure.SCOPE_DENIED: "was not allowed what it needed",
    Failure.IMPOSSIBLE: "said that it cannot be done",
    Failure.STOPPED: "stopped in the middle",
    Failure.HALTED: "a person had it stopped",
    Failure.NOT_ACKNOWLEDGED: "did not take up the hand-back",
    Failure.NOT_ACCEPTED: "result not accepted",
    Failure.RELEASED: "taken back from it",
}


def in_words(kind: str) -> str:
    """A stored kind in plain words; one that an older or newer server stored, as it is."""
    return WORDS.get(kind) or kind.replace("_", " ")
