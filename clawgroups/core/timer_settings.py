"""Which deadlines a workspace may set, within which bounds, and what each of them does in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from clawgroups.core.durations import say_duration
from clawgroups.core.errors import Invalid
from clawgroups.core.timers import Timers

SHORTEST_LEASE = 30.0  # three heartbeats of ten seconds; less would call every hiccup a lost contact
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class Setting:
    """One deadline: its name in `Timers`, its label, what it does, and its bounds in seconds."""

    name: str
    label: str
    does: str
    least: float
    most: float

    @property
    def default(self) -> float:
        found: float = getattr(Timers(), self.name)
        return found


# In groups, as the page shows them.
GROUPS: tuple[tuple[str, tuple[Setting, ...]], ...] = (
    (
        "An agent at work",
        (
            Setting(
                "schedule_to_start",
                "Begin",
                "An agent that has not begun a task by then loses it to another agent.",
                30,
                DAY,
            ),
            Setting(
                "start_to_close",
                "Finish one try",
                "An agent that has not finished by then loses the task to another agent; what it did goes along.",
                60,
                7 * DAY,
            ),
            Setting(
                "soft_stall",
                "Quiet",
                "After so long without anything new the page says that the agent is quiet.",
                10,
                DAY,
            ),
            Setting(
                "hard_stall",
                "Without progress",
                "After so long without anything new the task is taken back and given to another agent.",
                30,
                2 * DAY,
            ),
            Setting(
                "lost_contact",
                "Contact lost",
                "After so long without a sign of life of its connection an agent counts as out of contact.",
                SHORTEST_LEASE,
                3600,
            ),
            Setting(
                "grace",
                "Time to come back",
                "An agent that is back within this time after contact was lost goes on where it was.",
                30,
                DAY,
            ),
            Setting(
                "acknowledge",
                "Understand a hand-back",
                "An agent that has not said by then what changed does not get the task; the person is asked.",
                10,
                3600,
            ),
            Setting(
                "cancel_grace",
                "Stop when asked",
                "An agent that has not confirmed a stop by then is disconnected and gets nothing new.",
                5,
                600,
            ),
        ),
    ),
    (
        "People",
        (
            Setting(
                "approval",
                "Answer an agent's question",
                "A question that nobody has answered by then is answered with no.",
                30,
                7 * DAY,
            ),
            Setting(
                "escalate",
                "Ask the next person",
                "A question that the first person asked has not answered by then is put to the next ones, too.",
                10,
                7 * DAY,
            ),
            Setting(
                "review",
                "Judge, or help when stuck",
                "The person a task waits for is reminded in the chat, once in each such time.",
                600,
                30 * DAY,
            ),
            Setting(
                "unassigned",
                "Waiting for an agent",
                "A task that no agent has taken by then is put before a person.",
                60,
                7 * DAY,
            ),
            Setting(
                "holder_remind",
                "Idle in human hands",
                "Whoever holds a task and has not changed it for so long is reminded.",
                60,
                7 * DAY,
            ),
            Setting(
                "holder_offer",
                "Offered to others",
                "After so long without a change others may take the task over. It is never taken away silently.",
                120,
                30 * DAY,
            ),
        ),
    ),
    (
        "Tasks and runs as a whole",
        (
            Setting(
                "task_total",
                "A task with all its tries",
                "A task that is not done by then is put before a person. Waiting for people does not count.",
                300,
                30 * DAY,
            ),
            Setting(
                "run_total",
                "A run",
                "A run that is not done by then ends and keeps what was accepted. Everything counts, waiting too.",
                600,
                90 * DAY,
            ),
        ),
    ),
)
SETTINGS: dict[str, Setting] = {one.name: one for _, group in GROUPS for one in group}

# (the shorter one, the longer one): each pair must be in this order.
ORDERED = (
    ("soft_stall", "hard_stall"),
    ("hard_stall", "start_to_close"),
    ("acknowledge", "start_to_close"),
    ("start_to_close", "task_total"),
    ("task_total", "run_total"),
    ("escalate", "approval"),
    ("holder_remind", "holder_offer"),
)


def clean_timers(given: Mapping[str, Any]) -> dict[str, float]:
    """A workspace's own deadlines in seconds; None and the default itself mean the default.

    Raises `Invalid` naming the field: an unknown name, no number, out of bounds, or two that
    contradict each other.
    """
    own: dict[str, float] = {}
    for name, value in given.items():
        setting = SETTINGS.get(name)
        if setting is None:
            raise Invalid(f"There is no deadline “{name[:40]}”. Known: {', '.join(SETTINGS)}.", field="timers")
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            raise Invalid(f"{setting.label}: give a number of seconds.", field=name)
        if not setting.least <= value <= setting.most:
            least, most = say_duration(setting.least), say_duration(setting.most)
            raise Invalid(f"{setting.label} can be {least} to {most}; this is {say_duration(value)}.", field=name)
        if value != setting.default:
            own[name] = float(value)
    timers = Timers().overridden(own)
    for short, long in ORDERED:
        if getattr(timers, short) >= getattr(timers, long):
            raise Invalid(_contradiction(timers, short, long), field=short if short in own else long)
    return own


def _contradiction(timers: Timers, short: str, long: str) -> str:
    one, other = SETTINGS[short], SETTINGS[long]
    return (
        f"“{one.label}” ({say_duration(getattr(timers, short))}) must be shorter than "
        f"“{other.label}” ({say_duration(getattr(timers, long))}); change one of them."
    )
