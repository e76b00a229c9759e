"""What the API takes. What must hold beyond the shape is said by the services."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from ninja import Schema
from pydantic import Field


class WorkspaceIn(Schema):
    name: str
    goal: str = ""
    rules: str = ""


class WorkspacePatch(Schema):
    name: str | None = None
    goal: str | None = None
    rules: str | None = None
    timers: dict[str, float | None] | None = None


class MemberIn(Schema):
    """An agent (its id) or a user (name or number)."""

    agent: UUID | None = None
    user: str | int | None = None
    role: str = "member"


class RoleIn(Schema):
    role: str


class TransferIn(Schema):
    """The new owner's seat, and the workspace's name, so that it is not done by mistake."""

    member: UUID
    confirm: str


class SkillIn(Schema):
    """A skill by the name that tasks ask for; `title` is what people call it."""

    name: str
    title: str = ""
    description: str = ""
    level: int = 3
    tags: list[str] = Field(default_factory=list)
    examples: list[str] = Field(default_factory=list)


class HoursIn(Schema):
    """From a time of day to another, on these days (mon, tue ...); to an earlier one: into the next day."""

    zone: str = "UTC"
    days: list[str] = Field(default_factory=lambda: ["mon", "tue", "wed", "thu", "fri"])
    begin: str = Field("09:00", alias="from")
    end: str = Field("17:00", alias="to")


class OwnProfileIn(Schema):
    """What is left out stays as it is. `hours` null: at any time; `capacity` 0: not asked."""

    skills: list[SkillIn] | None = None
    hours: HoursIn | None = None
    capacity: int | None = None


class ResetIn(Schema):
    skill: str


class ProfileIn(Schema):
    name: str
    description: str = ""
    version: str = ""
    skills: list[SkillIn] = Field(default_factory=list)
    toolkits: list[str] = Field(default_factory=list)
    model: str = ""
    device: str = ""
    cwd: str = ""
    max_sessions: int = 1


class AgentIn(ProfileIn):
    """`card`: an A2A agent card that the profile is taken from; what is said beside it goes before."""

    name: str = ""
    card: dict[str, Any] | None = None
    handle: str = ""
    workspace: UUID | None = None


class KeyIn(Schema):
    """Another key; with `days` it ends by itself."""

    days: int | None = None


class OfferIn(Schema):
    """Which known program the machine starts, e.g. "kimi"; empty where its owner says so there."""

    launcher: str = Field("", max_length=40)


class EnrolIn(Schema):
    """A code as it was copied or typed, and the key that the machine has made."""

    code: str = Field(max_length=100)
    key: str = Field(max_length=200)


class DialIn(Schema):
    """Where an agent is dialled; `secret` is the bearer it asks for (null: as before, empty: none)."""

    address: str
    secret: str | None = None


class PrivateIn(Schema):
    allowed: bool


class AnswerIn(Schema):
    """The answer to what the coordinator asks."""

    answer: str


class RunIn(Schema):
    """A goal; `plan` is a list of tasks {key, title, instructions, skills, depends_on, acceptance, kind}."""

    goal: str
    plan: list[dict[str, Any]] | None = None
    # Left out: as the workspace's settings of the coordinator say.
    start: bool | None = None


class TemplateIn(Schema):
    """What a template asks for, by the names of its inputs. `sample`: with its example data instead."""

    inputs: dict[str, str] = Field(default_factory=dict)
    sample: bool = False
    start: bool | None = None


class AssignIn(Schema):
    member: UUID
    anyway: bool = False


class ChooseIn(Schema):
    """`stop`: also where another one is at work on it, who is stopped then."""

    member: UUID
    stop: bool = False


class DeclineIn(Schema):
    reason: str = ""


class ReleaseIn(Schema):
    reason: str = "released by a person"
    epoch: int | None = None


class TakeoverIn(Schema):
    """`force`: from another person, by an admin, who says why. `epoch`: as the caller saw it, else it is a conflict."""

    force: bool = False
    reason: str = ""
    epoch: int | None = None


class AdoptIn(Schema):
    """The attempt whose late result is taken up."""

    attempt: UUID


class PartIn(Schema):
    title: str
    instructions: str = ""


class RegenerateIn(Schema):
    """New instructions; with `parts` (2-8 of {title, instructions}) the task is split and puts them together."""

    instructions: str
    parts: list[PartIn] = Field(default_factory=list)


class ReturnIn(Schema):
    """What is wrong: `reasons`, or one `note`."""

    note: str = ""
    reasons: list[str] = Field(default_factory=list)


class DecisionIn(Schema):
    """One of the question's options; `answers` are the values of a form by its fields' names.

    `digest`: that of the question as you looked at it. It is checked where it is given (409 `changed`); send it, and
    you never answer for what you have not seen.
    """

    option: str = ""
    digest: str = ""
    text: str = ""  # only where the agent asks a question instead of a permission
    answers: dict[str, str | bool | int | float | list[str]] = Field(default_factory=dict)


class OptionIn(Schema):
    """An option that the session offers, and its value; "true" or "false" for a switch."""

    option: str
    value: str


class PreferencesIn(Schema):
    """What is set in each new session, by option id; an empty value leaves it to the agent."""

    values: dict[str, str]


class SignInIn(Schema):
    method: str


class MemoryIn(Schema):
    """`task`: for whoever works on it; without one for everybody. `message`: what it comes out of."""

    key: str
    text: str
    task: UUID | None = None
    message: UUID | None = None


class MemoryEditIn(Schema):
    """`version`: the one that was looked at, so that nobody's newer words are lost."""

    text: str
    version: UUID | None = None


class MessageIn(Schema):
    body: str = ""
    task: UUID | None = None
    reply_to: UUID | None = None
