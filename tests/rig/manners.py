"""How each agent is brought to do something: by the markers that the rig's stub obeys, or as it always does."""

from __future__ import annotations

from dataclasses import dataclass, field

TABLE = b"region,product,revenue\n" + b"".join(
    f"{region},{product},{1000 + 37 * n}\n".encode()
    for n, (region, product) in enumerate(
        (region, product) for region in ("north", "south", "east", "west") for product in ("tea", "rice", "salt", "oil")
    )
)


@dataclass(frozen=True)
class Manner:
    """Instructions upon which an agent does something; empty for what it never does, and `why_not` says so."""

    talks: str = "[[SLEEP 12]]"
    """Upon this it talks for some seconds."""
    talks_long: str = "[[SLEEP 40]]"
    mark: str = "tick3"
    """What it has said when it is in the middle of that."""
    files: dict[str, bytes] = field(default_factory=dict)
    """What it needs for that."""
    takes: str = "[[READ notes.txt]] [[WRITE answer.txt forty-two]] [[TEXT read and written]]"
    """Upon this it reads the file that comes with the task, and writes one."""
    given: dict[str, bytes] = field(default_factory=lambda: {"notes.txt": b"the question is seven times six\n"})
    shows: str = "seven times six"
    """What of its input then stands in the transcript."""
    makes: tuple[str, ...] = ("answer.txt",)
    asks: bool = True
    """Whether it asks before it acts, for each thing that `markers` have it do."""
    markers: bool = True
    """Whether it does what the stub's markers say."""
    why_not: str = ""


MANNERS = {
    "sdk-typescript": Manner(
        talks="Work on the project, please.",
        talks_long="Work on the project, please.",
        mark="I'll help you with that",
        takes="Work on the project, please.",
        shows="",
        makes=(),
        markers=False,
        why_not="a fixed turn: words, two tool calls, one question; touches no file",
    ),
    "sdk-python": Manner(
        talks="",
        talks_long="",
        mark="",
        takes="Say what you were sent.",
        shows="notes.txt",
        makes=(),
        asks=False,
        markers=False,
        why_not="it repeats the prompt at once",
    ),
    "analyst": Manner(
        talks="Profile the table.",
        talks_long="Profile the table.",
        mark="Key figures",
        files={"sales.csv": TABLE},
        takes="Profile the table.",
        given={"sales.csv": TABLE},
        shows="16 rows",
        makes=("sales.chart.svg", "sales.profile.json", "sales.summary.md", "sales.workbook.xlsx"),
        asks=False,
        markers=False,
        why_not="never asks: it writes in its work folder only",
    ),
}


def manner_of(name: str) -> Manner:
    """Of a rig's agent whose model is the stub, unless it has a manner of its own."""
    return MANNERS.get(name, Manner())
