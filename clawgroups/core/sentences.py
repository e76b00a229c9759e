"""Every event about a task as a sentence of its story. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from clawgroups.core.telling import Sentence, Telling, plain, with_said


def _ready(told: Telling) -> tuple[str, tuple[str, ...]]:
    return ("It can be begun." if told.before.state == "waiting" else "It is ready again."), ()


def _assigned(told: Telling) -> tuple[str, tuple[str, ...]]:
    why = told.known.of("task.assigned", told["attempt_id"])
    return f"{told.who} gave it to {told.member}{': ' + ', '.join(why) if why else ''}.", ()


def _returned(told: Telling) -> tuple[str, tuple[str, ...]]:
    lines = told.known.of("verdicts", told["attempt_id"])
    return f"{told.who} sent the result of {told.worker} back.", (*(told["reasons"] or ()), *lines)


def _taken_over(told: Telling) -> tuple[str, tuple[str, ...]]:
    former = told.known.name(told["former_id"]) if told["former_id"] else ""
    reason = (str(told["reason"]),) if told["reason"] else ()
    how = told["how"]
    if how == "forced":
        return f"{told.member} took it from {former}, as an admin may.", reason
    if how == "offered":
        return f"{told.member} took it over: it had lain idle with {former}.", ()
    if how == "passed":
        return f"It passed from {former} to {told.member}, with the draft.", ()
    if how == "accepted":
        return f"{told.member} was asked to do it, and took it.", ()
    if not told["superseded_id"] and told.before.state != "held" and told.who != told.member:
        return f"It is back in the hands of {told.member}.", ()
    stopped = told.known.worker(told["superseded_id"]) if told["superseded_id"] else ""
    whose = f" from {stopped}" if stopped not in ("", told.member) else ""
    return f"{told.member} took it over{whose}.", ()


def _handed_back(told: Telling) -> tuple[str, tuple[str, ...]]:
    to = f", for {told.known.name(told['to_id'])}" if told["to_id"] else ""
    return f"{told.member} handed it back{to}.", told.known.of("task.handed_back", told["epoch"])


def _declined(told: Telling) -> tuple[str, tuple[str, ...]]:
    said = "was asked and did not answer" if told["silent"] else "was asked and said “not this one”"
    back = f"; it is back with {told.known.name(told['back_to'])}" if told["back_to"] else ""
    return f"{told.member} {said}{back}.", (str(told["reason"]),) if told["reason"] else ()


def _delegated(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.member} asked {told.known.name(told['to_id'])} instead.", (str(told["note"]),) if told[
        "note"
    ] else ()


def _split(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.who} cut it into {len(told['parts'] or ())} parts, which it waits for.", ()


def _parked(told: Telling) -> tuple[str, tuple[str, ...]]:
    return (str(told["reason"]) if told["reason"] else "It does not wait for that any more."), ()


STEERED = {
    "end_turn": "answered", "refusal": "refused", "error": "could not answer", "withdrawn": "is not asked any more",
    "cancelled": "was stopped before it had answered", "cut_off": "went away before it had answered",
}  # fmt: skip


def _steered(told: Telling) -> tuple[str, tuple[str, ...]]:
    when = "" if told["when"] == "now" else ", for after the step under way"
    return f"{told.who} asked the agent{when}.", told.known.of("steer", told["command_id"])


def _steer_answered(told: Telling) -> tuple[str, tuple[str, ...]]:
    offered = f"; its words are offered as version {told['draft']} of the draft" if told["draft"] else ""
    return f"The agent {STEERED.get(str(told['outcome']), 'ran into a limit')}{offered}.", ()


def _draft_saved(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.who} changed the draft, version {told['version']}.", ()


def _artifact(told: Telling) -> tuple[str, tuple[str, ...]]:
    if told["kind"] == "late":
        return f"A file came late and is kept beside the task: {told['name']}.", ()
    return f"{told.who} added the file {told['name']}.", ()


def _control_asked(told: Telling) -> tuple[str, tuple[str, ...]]:
    note, holder = told.known.of("control.asked", told["request_id"]), told.known.name(told["holder_id"])
    offered = told["how"] == "offered"
    return (f"{holder} offered it to {told.member}." if offered else f"{told.member} asked {holder} for it."), note


def _control_answered(told: Telling) -> tuple[str, tuple[str, ...]]:
    outcome, word = told["outcome"], told.known.of("control.answered", told["request_id"])
    if outcome == "granted":
        return f"{told.who} took it as it was offered." if told.who == told.member else f"{told.who} agreed.", ()
    if outcome == "refused":
        return f"{told.who} said “not now”.", word
    if outcome == "withdrawn":
        return f"{told.who} took that back.", ()
    return f"The request of {told.member} is void: the task moved on.", ()


def _escalated(told: Telling) -> tuple[str, tuple[str, ...]]:
    to = told.known.name(told["to_id"]) if told["to_id"] else "everybody who may answer"
    return f"Nobody had answered yet; {to} was asked, too.", ()


def _voted(told: Telling) -> tuple[str, tuple[str, ...]]:
    return f"{told.member} agreed, {told['have']} of {told['needed']} who must.", ()


def _decided(told: Telling) -> tuple[str, tuple[str, ...]]:
    said = told.known.of("approval.decided", told["approval_id"])
    return ("A rule of this workspace answered." if told["rule_id"] else f"{told.who} answered."), said


def _voided(told: Telling) -> tuple[str, tuple[str, ...]]:
    if told["why"] == "changed":
        return "The agent wants something else than it had asked for; its question is void.", ()
    return "What the agent had asked is not decided any more.", ()


SENTENCES: Mapping[str, Sentence] = {
    "task.ready": _ready,
    "task.assigned": _assigned,
    "task.assignee_chosen": plain("{who} chose {member} for it."),
    "task.begun": plain("{worker} began."),
    "task.submitted": plain("{worker} handed in a result."),
    "task.returned": _returned,
    "task.done": with_said("verdicts", "attempt_id", "{who} accepted the result of {worker}: it is done."),
    "task.taken_over": _taken_over,
    "task.handed_back": _handed_back,
    "task.declined": _declined,
    "task.delegated": _delegated,
    "task.released": plain("The try of {worker} ended: {reason}."),
    "task.stuck": plain("It is stuck: {reason}."),
    "task.parked": _parked,
    "task.failed": plain("It failed: {reason}."),
    "task.cancelled": plain("{who} cancelled it."),
    "task.regenerated": plain("{who} wrote it anew; it may be tried again."),
    "task.split": _split,
    "task.paused": plain("{who} paused it."),
    "task.resumed": plain("{who} let it go on."),
    "task.stopped": plain("{who} had {member} stopped."),
    "task.late_result_adopted": plain("{who} took up the late result of {member}."),
    "attempt.acknowledged": with_said(
        "attempt.acknowledged", "attempt_id", "{worker} read what had changed, and said so."
    ),
    "attempt.late_result_kept": plain("A result of {worker} came late; it is kept, and changed nothing."),
    "attempt.stop_confirmed": plain("{worker} confirmed the stop."),
    "attempt.contact_lost": plain("Contact with {worker} was lost."),
    "attempt.contact_restored": plain("{worker} was back, and went on."),
    "attempt.quiet": plain("{worker} showed no sign of progress."),
    "attempt.stirred": plain("{worker} showed progress again."),
    "attempt.stop_unconfirmed": plain("{worker} did not confirm the stop; its writes are refused."),
    "attempt.steered": _steered,
    "attempt.steer_answered": _steer_answered,
    "session.option_set": plain("{who} set {option} of the agent's session to {value}."),
    "draft.saved": _draft_saved,
    "draft.file_removed": plain("{who} took {name} out of the draft."),
    "approval.requested": with_said("approval.requested", "approval_id", "{worker} asked a person."),
    "approval.escalated": _escalated,
    "approval.voted": _voted,
    "approval.decided": _decided,
    "attempt.overstepped": plain("{worker} did something critical without asking."),
    "attempt.overstep_seen": plain("{who} looked at what was done without asking."),
    "approval.expired": plain("Nobody answered in time; the agent was told “no”."),
    "approval.voided": _voided,
    "artifact.added": _artifact,
    "memory.kept": plain("{who} kept a note for the workspace out of it."),
    "memory.edited": plain("{who} changed the note “{key}”."),
    "memory.struck": plain("{who} struck out the note “{key}”."),
    "memory.restored": plain("{who} took back that the note “{key}” was struck out."),
    "control.asked": _control_asked,
    "control.answered": _control_answered,
    "run.paused": plain("{who} paused the run."),
    "run.resumed": plain("{who} let the run go on."),
    "run.cancelled": plain("{who} cancelled the run, and with it this task."),
    "run.failed": plain("The run failed: {reason}."),
}
