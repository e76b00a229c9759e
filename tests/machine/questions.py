"""What agents ask, what people and rules answer, and who tries to: as the doors do it, on the product's own verbs.

Each act notes what it was told, so that `tests.machine.answers` can say what does not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest import mock
from uuid import UUID

from agents.models import Connection
from agents.protocol.updates import ToolCall
from clawgroups import commit
from clawgroups.core.actors import SYSTEM, Actor, ActorKind
from clawgroups.core.changes import Change, Outcome
from clawgroups.core.errors import ClawError
from clawgroups.gateway import reads
from clawgroups.models import Approval, Rule, Session
from clawgroups.services import approvals, fanning, members, putting, questions, rules, takeover, transcript
from tests.machine.acts import FOLDER, Acts

Call = dict[str, Any]
Options = list[dict[str, str]]
Asked = tuple[Call, Options]
Key = tuple[UUID, UUID, int]
"""A request of an agent: its session, its link and its number."""
ONCE = [{"optionId": "y", "kind": "allow_once"}, {"optionId": "n", "kind": "reject_once"}]
ALWAYS = [*ONCE, {"optionId": "ya", "kind": "allow_always"}, {"optionId": "na", "kind": "reject_always"}]
OPTIONS = (ONCE, ONCE, ALWAYS, ONCE[:1])
CALLS: tuple[Call, ...] = (
    {},
    {"title": "Look at it", "kind": "other"},
    {"title": "Build", "kind": "execute", "raw_input": {"command": "make all"}},
    {"title": "Put it out", "kind": "execute", "raw_input": {"command": "make deploy"}},
    {"title": "Publish", "kind": "execute", "raw_input": {"command": "git push"}},
    {"title": "Write", "kind": "edit", "locations": [{"path": f"{FOLDER}/a/x"}]},
    {"title": "Write", "kind": "edit", "locations": [{"path": f"{FOLDER}/a/x"}, {"path": f"{FOLDER}/b/x"}]},
)
LIVE = ("offered", "working")
FORM = {"type": "object", "properties": {"name": {"type": "string"}}}
# What somebody makes a rule of, and how often.
RULES: tuple[tuple[dict[str, Any], int], ...] = (
    ({"answer": "allow", "kinds": ["edit"], "paths": ["a/**"]}, 3),
    ({"answer": "allow", "kinds": ["edit"], "paths": ["b/**"]}, 3),
    ({"answer": "allow", "commands": ["make *"]}, 3),
    ({"answer": "deny", "commands": ["make deploy"]}, 2),
    ({"answer": "critical", "commands": ["make *"], "needed": 2}, 2),
    ({"answer": "critical", "kinds": ["edit"], "needed": 2}, 1),
    ({"answer": "ask", "kinds": ["execute"]}, 1),
)


class Questions:
    """What is asked and answered in one workspace."""

    def __init__(self, acts: Acts) -> None:
        self.acts = acts
        self.wanted: dict[Key, Asked] = {}
        """What each agent has asked for last, under each request."""
        self.faults: list[str] = []

    # Agents

    def asks(self, name: str, chance: Random) -> None:
        """An agent asks for permission: for something new, for the same again, or for something else by its number."""
        session = self.session(name)
        if session is None:
            return
        number = chance.randrange(3)
        call = {"toolCallId": f"c{chance.randrange(2)}", **chance.choice(CALLS)}
        before = self.wanted.get((session.pk, self.acts.links[name], number))
        options = chance.choice(OPTIONS)
        if before is not None and chance.random() < 0.3:
            call, options = before
        between = chance.choice(BETWEEN) if chance.random() < 0.25 else None
        # As the gateway does: what is open under this number is judged by what is asked now, before its call is.
        if reads.approval_session(session.agent_id, self.acts.links[name], number) is None:
            self.tells(name, session, call)
            self.puts(name, session, number, (call, options), chance, between)
        else:
            self.puts(name, session, number, (call, options), chance, between)
            self.tells(name, session, call)

    def tells_otherwise(self, name: str, chance: Random) -> None:
        """An agent says more about a call, says it in other words, or takes back what it said."""
        session = self.session(name)
        if session is not None:
            said = chance.choice(CALLS[2:])
            more = {"cwd": "/elsewhere"} if chance.random() < 0.4 else {}
            call = {**said, "toolCallId": f"c{chance.randrange(2)}"}
            if "raw_input" in call:
                call["raw_input"] = {**call["raw_input"], **more}
            self.tells(name, session, call)

    def asks_in_words(self, name: str, chance: Random) -> None:
        """An agent wants a form filled in, or asks people by a tool."""
        session, me = self.session(name), self.acts.agent(name)
        if session is None:
            return
        if chance.random() < 0.5:
            said = {"message": "Whose is it?", "form": FORM, "tool_call_id": ""}
            self.acts.do(putting.request_form, session.pk, request_id=10 + chance.randrange(2), actor=me, **said)
        else:
            key = chance.choice(["", "a", "b"])
            said = {"question": f"Which one{key}?", "choices": ["This", "That"], "key": key}
            self.acts.do(questions.ask_person, session.pk, actor=me, **said)

    def withdraws(self, name: str, chance: Random) -> None:
        session = self.session(name)
        if session is not None:
            number = chance.choice([0, 1, 2, 10, 11])
            self.acts.do(approvals.withdraw_approval, session.pk, request_id=number, actor=self.acts.agent(name))

    def session(self, name: str) -> Session | None:
        """The session in which an agent that is here speaks: one that works for somebody, where there is one."""
        here = Session.objects.filter(agent=self.acts.team.agents[name], link=self.acts.links[name])
        found = here.order_by("-opened_at", "pk")
        living = found.filter(state="open", attempt__state__in=LIVE).first()
        return (living or found.first()) if name in self.acts.up else None

    def at_work(self, chance: Random) -> str:
        """An agent that asks: mostly one that works for somebody."""
        known = {agent.pk: name for name, agent in self.acts.team.agents.items()}
        living = Session.objects.filter(state="open", attempt__state__in=LIVE, agent__in=known).order_by("pk")
        names = [known[pk] for pk in living.values_list("agent_id", flat=True)]
        return chance.choice(names if names and chance.random() < 0.9 else self.acts.at_work())

    def puts(
        self, name: str, session: Session, number: int, asked: Asked, chance: Random, between: Between | None = None
    ) -> None:
        """It asks, and `between` happens before that is committed."""
        me, (call, options) = self.acts.agent(name), asked
        with self._first(between, chance):
            done = self.acts.do(
                putting.request_approval, session.pk, request_id=number, tool_call=call, options=options, actor=me
            )
        if done is not None:
            self.wanted[session.pk, self.acts.links[name], number] = asked

    def tells(self, name: str, session: Session, call: Call) -> None:
        """The process that holds its socket records a call; what moved meanwhile is looked at again.

        What it asked about that call before, under any number, is what the call says from now on.
        """
        about = [key for key, (asked, _) in self.wanted.items() if asked["toolCallId"] == call["toolCallId"]]
        for key in about:
            if key[0] == session.pk:
                del self.wanted[key]
        given = {key: value for key, value in call.items() if key != "toolCallId"}
        for _ in range(3):
            row = Connection.objects.get(pk=self.acts.links[name])
            standing = transcript.load([session.pk])[session.pk]
            batch = transcript.Batch(standing, [ToolCall(call["toolCallId"], given)])
            since = row.received
            said: dict[str, Any] = {"epoch": row.epoch, "since": since, "received": since + 1, "batches": [batch]}
            if transcript.record(row.pk, actor=self.acts.agent(name), **said).result().applied:
                return

    @contextmanager
    def _first(self, between: Between | None, chance: Random) -> Iterator[None]:
        """What is decided within is committed only after somebody else was quicker."""
        original, waiting = commit.submit, [between] if between is not None else []

        def submit(change: Change) -> Future[Outcome]:
            if waiting:
                waiting.pop()(self, chance)
            return original(change)

        with mock.patch.object(commit, "submit", submit):
            yield

    # People

    def answers(self, who: str, chance: Random, *, later: bool) -> None:
        """A person answers what they see, now and then what is over by now, or what they never looked at."""
        question = self.one(chance)
        if question is None:
            return
        looked = question.digest if chance.random() < 0.95 else "0" * 64
        given: dict[str, Any] = {"digest": looked, "actor": self.acts.person(who)}
        if question.kind == "question" and chance.random() < 0.5:
            given["text"] = "The other one."
        else:
            given["option_id"] = chance.choice([one["optionId"] for one in question.options] or ["y"])
        if question.kind == "form":
            given["answers"] = {"name": "Zoe"}
        if later:
            self.acts.decide(approvals.decide_approval, question.pk, **given)
        elif self.acts.do(approvals.decide_approval, question.pk, **given) is not None and looked != question.digest:
            self.faults.append(f"{who} answered {question.pk} without having looked at it")

    def answers_alike(self, who: str, chance: Random) -> None:
        """One answer for all that ask for the same; it may hold for a time."""
        question = self.one(chance)
        if question is None or not question.sameness:
            return
        alike = Approval.objects.filter(workspace=self.acts.team.workspace, sameness=question.sameness, state="open")
        actor, kind = self.acts.person(who), chance.choice(["allow_once", "reject_once"])
        try:
            fanning.answer_alike(dict(alike.values_list("pk", "digest")), fanning.Answer(kind=kind), actor=actor)
        except ClawError:
            return
        if chance.random() < 0.5:
            self.acts.do(fanning.keep_answer, question.pk, kind=kind, actor=actor)

    def tries(self, name: str, chance: Random) -> None:
        """Whoever is no person tries to answer, or to make a rule that would."""
        question = self.one(chance)
        ada = self.acts.team.users["ada"].pk
        who = chance.choice([self.acts.agent(name), SYSTEM, Actor(ActorKind.COORDINATOR, "C", on_behalf_of=ada)])
        room, verb = self.acts.team.workspace.pk, "allow"
        if self.acts.do(rules.make_rule, room, answer=verb, kinds=["edit"], actor=who) is not None:
            self.faults.append(f"{who} made a rule")
        if question is None:
            return
        option = chance.choice([one["optionId"] for one in question.options] or ["y"])
        if self.acts.do(approvals.decide_approval, question.pk, option_id=option, actor=who) is not None:
            self.faults.append(f"{who} answered {question.pk}")
        if self.acts.do(fanning.keep_answer, question.pk, kind="allow_once", actor=who) is not None:
            self.faults.append(f"{who} had the answer of {question.pk} kept")

    def makes_rule(self, who: str, chance: Random) -> None:
        said = dict(chance.choices([one for one, _ in RULES], [weight for _, weight in RULES])[0])
        if chance.random() < 0.3:
            said["agent_id"] = self.acts.team.agents[chance.choice(list(self.acts.team.agents))].pk
        if chance.random() < 0.3:
            said["seconds"] = 600
        self.acts.do(rules.make_rule, self.acts.team.workspace.pk, actor=self.acts.person(who), **said)

    def ends_rule(self, who: str, chance: Random) -> None:
        """A rule is revoked, or in force again."""
        known = Rule.objects.filter(workspace=self.acts.team.workspace).order_by("made_at", "pk")
        living = list(known.filter(revoked_at=None).values_list("pk", flat=True))
        over = list(known.exclude(revoked_at=None).values_list("pk", flat=True))
        verb = rules.restore_rule if over and chance.random() < 0.3 else rules.revoke_rule
        if pks := over if verb is rules.restore_rule else living:
            self.acts.do(verb, chance.choice(pks), actor=self.acts.person(who))

    def changes_role(self, chance: Random) -> None:
        """Somebody loses a right, or has it again."""
        name, role = chance.choice(["bob", "carol"]), chance.choice(["guest", "member", "admin"])
        self.acts.do(members.set_role, self.acts.seat(name).pk, role=role, actor=self.acts.person("ada"))

    def one(self, chance: Random) -> Approval | None:
        """A question: mostly one that is open."""
        known = list(Approval.objects.filter(workspace=self.acts.team.workspace).order_by("asked_at", "pk"))
        living = [one for one in known if one.state == "open"]
        return chance.choice(living if living and chance.random() < 0.85 else known) if known else None

    def answerer(self, chance: Random) -> str:
        """Somebody who answers: mostly who may."""
        return chance.choices(["ada", "bob", "carol", "gus", "mallory"], [6, 4, 4, 1, 1])[0]

    def admin(self, chance: Random) -> str:
        """Somebody who makes rules: mostly who may."""
        return chance.choices(["ada", "carol", "bob", "mallory"], [6, 6, 1, 1])[0]


Between = Callable[[Questions, Random], None]


def _somebody_takes_over(asks: Questions, chance: Random) -> None:
    question = asks.one(chance)
    if question is not None:
        asks.acts.do(takeover.take_over, question.task_id, actor=asks.acts.person("bob"))


BETWEEN: tuple[Between, ...] = (
    lambda asks, chance: asks.ends_rule("ada", chance),
    lambda asks, chance: asks.ends_rule("ada", chance),
    lambda asks, chance: asks.makes_rule("ada", chance),
    lambda asks, chance: asks.answers("ada", chance, later=False),
    lambda asks, chance: asks.changes_role(chance),
    _somebody_takes_over,
)
