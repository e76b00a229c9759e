"""What happens around questions of agents, a line for each; how often stands below."""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

from tests.machine.acts import AGENTS

if TYPE_CHECKING:
    from tests.machine.engine import Engine


def an_agent_asks(engine: Engine, chance: Random) -> None:
    engine.asks.asks(engine.asks.at_work(chance), chance)


def an_agent_says_it_otherwise(engine: Engine, chance: Random) -> None:
    engine.asks.tells_otherwise(engine.asks.at_work(chance), chance)


def an_agent_asks_in_words(engine: Engine, chance: Random) -> None:
    engine.asks.asks_in_words(engine.asks.at_work(chance), chance)


def an_agent_takes_its_question_back(engine: Engine, chance: Random) -> None:
    engine.asks.withdraws(chance.choice(AGENTS), chance)


def a_person_answers(engine: Engine, chance: Random) -> None:
    engine.asks.answers(engine.asks.answerer(chance), chance, later=engine.later(chance))


def a_person_answers_all_that_are_alike(engine: Engine, chance: Random) -> None:
    engine.asks.answers_alike(engine.asks.answerer(chance), chance)


def somebody_else_tries_to_answer(engine: Engine, chance: Random) -> None:
    engine.asks.tries(chance.choice(AGENTS), chance)


def a_rule_is_made(engine: Engine, chance: Random) -> None:
    engine.asks.makes_rule(engine.asks.admin(chance), chance)


def a_rule_ends(engine: Engine, chance: Random) -> None:
    engine.asks.ends_rule(engine.asks.admin(chance), chance)


def a_role_changes(engine: Engine, chance: Random) -> None:
    engine.asks.changes_role(chance)


Way = Callable[["Engine", Random], None]
OF_ASKING: dict[Way, int] = {
    an_agent_asks: 4,
    an_agent_says_it_otherwise: 1,
    an_agent_asks_in_words: 1,
    an_agent_takes_its_question_back: 1,
    a_person_answers: 3,
    a_person_answers_all_that_are_alike: 1,
    somebody_else_tries_to_answer: 1,
    a_rule_is_made: 1,
    a_rule_ends: 1,
    a_role_changes: 0,
}
# Where it is all about questions.
MOSTLY: dict[Way, int] = {
    an_agent_asks: 40,
    an_agent_says_it_otherwise: 12,
    an_agent_asks_in_words: 8,
    an_agent_takes_its_question_back: 6,
    a_person_answers: 30,
    a_person_answers_all_that_are_alike: 8,
    somebody_else_tries_to_answer: 4,
    a_rule_is_made: 8,
    a_rule_ends: 8,
    a_role_changes: 3,
}
