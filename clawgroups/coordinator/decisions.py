"""What a model may decide, as a closed form: nothing in it approves, grants, reveals, fetches or widens anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal, Self, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from agents.llm.base import Fault
from agents.llm.repair import json_of

OUTPUTS = ("text", "document", "table", "workbook", "slides", "image", "code", "file")
MAX_PLAN = 300  # tasks; a larger plan is made by cutting its tasks while it runs
MAX_PROBLEMS = 10

Key = Annotated[str, StringConstraints(min_length=1, max_length=40)]
# A key that stands in a plan already: parts of a task have longer ones.
Standing = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Line = Annotated[str, StringConstraints(min_length=1, max_length=300)]


class Decision(BaseModel):
    """Closed: a field that is not there is refused, whatever it says."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)


class TaskDecision(Decision):
    """One task of a proposed plan."""

    key: Key
    title: str = Field(min_length=1, max_length=120)
    instructions: str = Field(min_length=1, max_length=4000)
    skills: list[Key] = Field(default=[], max_length=4)
    depends_on: list[Key] = Field(default=[], max_length=MAX_PLAN)
    acceptance: list[Line] = Field(default=[], max_length=8)
    output: Literal["text", "document", "table", "workbook", "slides", "image", "code", "file"] = "text"
    assignee: str = Field(default="", max_length=150)
    why: str = Field(default="", max_length=300)
    minutes: int = Field(default=0, ge=0, le=1440)


class PlanDecision(Decision):
    """A plan, or one question to whoever gave the goal."""

    question: str = Field(default="", max_length=600)
    rationale: str = Field(default="", max_length=2000)
    tasks: list[TaskDecision] = Field(default=[], max_length=MAX_PLAN)

    @model_validator(mode="after")
    def _either(self) -> Self:
        if bool(self.question) == bool(self.tasks):
            raise ValueError("give either one question or the tasks of a plan, not both and not neither")
        return self


class ChangeDecision(Decision):
    """A new task of a running plan, or an open one otherwise: what is left empty of that stays as it is.

    Only `depends_on` is always said in full, so that a task can stop waiting for others.
    """

    key: Standing
    title: str = Field(default="", max_length=200)
    instructions: str = Field(default="", max_length=4000)
    skills: list[Standing] = Field(default=[], max_length=4)
    depends_on: list[Standing] = Field(default=[], max_length=MAX_PLAN)
    acceptance: list[Line] = Field(default=[], max_length=8)
    output: Literal["", "text", "document", "table", "workbook", "slides", "image", "code", "file"] = ""
    assignee: str = Field(default="", max_length=150)
    why: str = Field(default="", max_length=300)
    minutes: int = Field(default=0, ge=0, le=1440)


class ReplanDecision(Decision):
    """A change of a running plan: tasks that are new or otherwise, and open ones to take away; neither: no change.

    Whatever it does not name stays as it is, so that nothing is lost which the model was not shown.
    """

    rationale: str = Field(min_length=1, max_length=2000)
    tasks: list[ChangeDecision] = Field(default=[], max_length=MAX_PLAN)
    cancel: list[Standing] = Field(default=[], max_length=MAX_PLAN)


class PartDecision(Decision):
    """One part of a task that is cut."""

    title: str = Field(min_length=1, max_length=120)
    instructions: str = Field(min_length=1, max_length=4000)


class AnewDecision(Decision):
    """New instructions for a task that failed; with parts, for putting their results together."""

    instructions: str = Field(min_length=1, max_length=8000)
    parts: list[PartDecision] = Field(default=[], max_length=8)

    @model_validator(mode="after")
    def _some(self) -> Self:
        if len(self.parts) == 1:
            raise ValueError("cut it into 2 to 8 parts, or give no parts")
        return self


class LineDecision(Decision):
    """What was found for one acceptance line, with the words of the result that show it."""

    line: int = Field(ge=1, le=50)
    met: bool
    reason: str = Field(min_length=1, max_length=400)
    quote: str = Field(default="", max_length=400)


class JudgeDecision(Decision):
    """What was found for each acceptance line that was asked about."""

    lines: list[LineDecision] = Field(min_length=1, max_length=50)


class ChoiceDecision(Decision):
    """The member that is proposed for a task, out of its shortlist."""

    member: str = Field(default="", max_length=150)
    reason: str = Field(default="", max_length=300)


class HearDecision(Decision):
    """What a message in the chat is for that names nobody. The words of a plan's goal are the message's own."""

    do: Literal["nobody", "ask", "plan", "answer"]
    members: list[Annotated[str, StringConstraints(min_length=1, max_length=150)]] = Field(default=[], max_length=3)
    text: str = Field(default="", max_length=2000)
    why: str = Field(min_length=1, max_length=300)

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if bool(self.members) != (self.do == "ask"):
            raise ValueError("name `members` where `do` is ask, and only there")
        if bool(self.text) != (self.do == "answer"):
            raise ValueError("give a `text` where `do` is answer, and only there")
        return self


D = TypeVar("D", bound=Decision)


class Unreadable(ValueError):
    """An answer that cannot be used, with what is wrong with it."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problem[:300] for problem in problems[:MAX_PROBLEMS])


def read_json(text: str) -> Any:
    """The JSON value of an answer. Raises `Unreadable`."""
    try:
        return json_of(text)
    except Fault:
        raise Unreadable(["the answer is not one whole JSON object"]) from None


def read_as(form: type[D], text: str) -> D:
    """An answer as a decision. Raises `Unreadable` naming each field and what is wrong with it, never what it held."""
    said = read_json(text)
    if not isinstance(said, dict):
        raise Unreadable(["the answer is not one JSON object"])
    try:
        return form.model_validate(said)
    except ValidationError as fault:
        raise Unreadable([_said(error) for error in fault.errors()]) from None


def _said(error: Mapping[str, Any]) -> str:
    place = ".".join(str(part)[:40] for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"{place}: there is no such field"
    message = str(error["msg"]).removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def schema_of(form: type[Decision]) -> dict[str, Any]:
    """The JSON schema of a form, without references: everything bounded and required, nothing beside it."""
    whole = form.model_json_schema()
    return _closed(whole, whole.get("$defs", {}))


def _closed(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        return _closed(defs[schema["$ref"].rpartition("/")[2]], defs)
    kept = {k: v for k, v in schema.items() if k not in ("title", "default", "description", "$defs")}
    if "properties" in kept:
        kept["properties"] = {name: _closed(one, defs) for name, one in kept["properties"].items()}
        kept["required"] = list(kept["properties"])
        kept["additionalProperties"] = False
    if "items" in kept:
        kept["items"] = _closed(kept["items"], defs)
    return kept


def choices_schema(shortlists: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """The schema of a matching: for each task one out of its own shortlist of handles, or "" for none."""
    reason = {"type": "string", "maxLength": 300}
    tasks = {
        key: _object({"member": {"type": "string", "enum": [*handles, ""]}, "reason": reason})
        for key, handles in shortlists.items()
    }
    return _object({"choices": _object(tasks)})


def _object(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(properties),
        "additionalProperties": False,
    }


def read_choices(text: str, shortlists: Mapping[str, Sequence[str]]) -> dict[str, ChoiceDecision]:
    """What was chosen, by task; whatever is not on a task's shortlist is left out."""
    said = read_json(text)
    choices = said.get("choices") if isinstance(said, dict) else None
    chosen: dict[str, ChoiceDecision] = {}
    for key, handles in shortlists.items():
        try:
            choice = ChoiceDecision.model_validate(choices.get(key) if isinstance(choices, dict) else None)
        except ValidationError:
            continue
        if choice.member.removeprefix("@") in handles:
            chosen[key] = choice.model_copy(update={"member": choice.member.removeprefix("@")})
    return chosen
