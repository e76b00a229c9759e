"""Text lines of acceptance, judged by the model: with words of the result that show it, which are looked for in it.

A line that it finds met without such words stays open, for a person; and so does everything while it cannot be asked.
What comes with files is judged by the files: what an agent says about them is no evidence. Files that are no text are
for a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clawgroups.coordinator.briefing import brief_of
from clawgroups.coordinator.consult import Ask, Decided, Waiting, consult
from clawgroups.coordinator.decisions import JudgeDecision, LineDecision, Unreadable, read_as, schema_of
from clawgroups.coordinator.prompt import Brief, Prompt, prompt_of
from clawgroups.coordinator.quoting import line, plain, quote
from clawgroups.core.acceptance import Finding, Verdict, parse_line
from clawgroups.core.actors import Actor
from clawgroups.core.coordination import read_coordination
from clawgroups.models import Attempt, Run, Task
from clawgroups.services.checks import Result, ResultFile

SCHEMA = schema_of(JudgeDecision)
MAX_RESULT = 24_000  # characters; a longer one is for a person, as nothing is judged unread
LEAST_QUOTE = 12
UNPROVEN = "the model finds it met, but the words it quotes are not in the result; a person has to judge this"


@dataclass(frozen=True, slots=True)
class _Open:
    """A line that no check can judge, and its place among the verdicts."""

    place: int
    text: str


def with_model(
    task: Task, attempt: Attempt, result: Result, verdicts: Sequence[Verdict], actor: Actor
) -> list[Verdict] | None:
    """The verdicts with what the model found for lines that only a reader can judge; None while it is asked.

    Where the workspace wants a person to judge, nothing is asked.
    """
    if read_coordination(task.workspace.coordination).judge == "person":
        return list(verdicts)
    open_ = [_Open(n, verdicts[n].line) for n in open_lines(verdicts)]
    if not open_ or (shown := _shown(result)) is None:
        return list(verdicts)
    run = Run.objects.select_related("workspace").get(pk=task.run_id)
    match consult(run, _ask(run, task, attempt, shown, open_), actor):
        case Waiting():
            return None
        case Decided(decision=said, model=model):
            return _judged(verdicts, open_, said, shown.evidence, model)
        case _:
            return list(verdicts)


def open_lines(verdicts: Sequence[Verdict]) -> list[int]:
    """The places of the lines that no check can judge and nobody has."""
    return [n for n, v in enumerate(verdicts) if v.finding is Finding.OPEN and not _is_check(v.line)]


def evidence_of(result: Result) -> str | None:
    """Where the words that show something have to stand: the files, else the message. None: not all of it is text."""
    shown = _shown(result)
    return None if shown is None else shown.evidence


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the model reads of a result: the message, and the files that came with it, by name."""

    message: str
    files: tuple[tuple[str, str], ...]

    @property
    def evidence(self) -> str:
        """Where the words that show something have to stand."""
        return "\n".join(text for _, text in self.files) if self.files else self.message


def _shown(result: Result) -> _Shown | None:
    """None where nothing can be read, or not all of it."""
    texts = [(file.name, _read_text(file)) for file in result.files]
    files = tuple((name, text) for name, text in texts if text is not None)
    long = len(result.text) + sum(len(text) for _, text in files) > MAX_RESULT
    if len(files) < len(texts) or long or not (files or result.text.strip()):
        return None
    return _Shown(result.text, files)


def _read_text(file: ResultFile) -> str | None:
    """The text of a small file; None where it is none."""
    if file.size > 4 * MAX_RESULT:  # bytes, of which a character has up to four
        return None
    try:
        text = file.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    return None if "\0" in text else text


def _is_check(text: str) -> bool:
    return bool(parse_line(text).check)


def _judged(
    verdicts: Sequence[Verdict], open_: Sequence[_Open], said: JudgeDecision, result: str, model: str
) -> list[Verdict]:
    judged = list(verdicts)
    by = f"the model {model}"
    for found in said.lines:
        one = open_[found.line - 1]
        judged[one.place] = _verdict(one.text, found, result, by)
    return judged


def _verdict(text: str, found: LineDecision, result: str, by: str) -> Verdict:
    reason = " ".join(found.reason.split())
    if not found.met:
        return Verdict(text, Finding.FAILED, reason, by)
    if not is_in(found.quote, result):
        return Verdict(text, Finding.OPEN, UNPROVEN, "nobody yet")
    return Verdict(text, Finding.PASSED, f"{reason}, as in “{line(found.quote, 160)}”", by)


def is_in(words: str, result: str) -> bool:
    """Whether words really stand in a result: blanks, case and quoting bars aside, and not just any few letters."""
    sought, there = _flat(words), _flat(result)
    return len(sought) >= min(LEAST_QUOTE, len(there)) > 0 and sought in there


def _flat(text: str) -> str:
    bars = (one.removeprefix("|").strip() for one in plain(text).splitlines())
    return " ".join(" ".join(bars).split()).casefold()


def _ask(run: Run, task: Task, attempt: Attempt, shown: _Shown, open_: Sequence[_Open]) -> Ask[JudgeDecision]:
    brief = brief_of(run, members=False, files=False)

    def build(problems: Sequence[str]) -> Prompt:
        return _prompt(brief, task, shown, open_, problems)

    return Ask(
        kind="judge",
        subject=str(attempt.pk),
        build=build,
        read=lambda text: read_lines(text, len(open_)),
        as_json=lambda said: said.model_dump(),
        schema=SCHEMA,
        max_output=8_000,
        task_id=task.pk,
    )


def read_lines(text: str, lines: int) -> JudgeDecision:
    """An answer as verdicts on so many lines, each once. Raises `Unreadable`."""
    said = read_as(JudgeDecision, text)
    numbers = sorted(found.line for found in said.lines)
    if numbers != list(range(1, lines + 1)):
        raise Unreadable([f"`lines` has to say something about each of the {lines} lines, once"])
    return said


def _prompt(brief: Brief, task: Task, shown: _Shown, open_: Sequence[_Open], problems: Sequence[str]) -> Prompt:
    lines = "\n".join(f"{number}. {line(one.text, 500)}" for number, one in enumerate(open_, 1))
    asked = "\n".join(
        [
            "# What to do now",
            "Judge the result of a task against each acceptance line below, as JSON with `lines`: for each `line` (its"
            " number) whether it is `met`, the `reason` in one sentence, and as `quote` the words of the result, letter"
            " by letter, that show it. Without such words a line is not met. Judge what is there, not what it says"
            " about itself: where files were delivered, they are the result, and words are quoted from them.",
            quote("the task's title", task.title, 300),
            quote("the acceptance lines", lines, 20_000),
            quote("the result", shown.message, MAX_RESULT),
            *(quote(f"the delivered file {name}", text, MAX_RESULT) for name, text in shown.files),
        ]
    )
    return prompt_of(brief, [asked], problems)
