"""Who gets a task: the order, who is out and why, and that the same situation gives the same answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.learning import Chosen, learned
from clawgroups.core.match_parts import LEARNED, MOST_LEARNED, SKILL, Learned
from clawgroups.core.matching import ASKED, QUARANTINED, RESTING, Candidate, Need, best, rank
from clawgroups.core.record import Tally

A, B, C, D = (UUID(int=number) for number in (1, 2, 3, 4))
WRITING = Need(("writing",))


def writer(pk: UUID = A, name: str = "scribe", **more: Any) -> Candidate:
    return Candidate(pk, name, **{"skills": {"writing": 3}, **more})


def names(need: Need, *candidates: Candidate) -> list[str]:
    return [match.name for match in rank(need, candidates) if not match.excluded]


@pytest.mark.parametrize(
    ("need", "candidate", "reason", "later"),
    [
        (WRITING, writer(can_work=False), "has no right to work here", False),
        (Need(("writing", "sql", "maths")), writer(), "lacks sql, maths", False),
        (Need(("writing",), refused=frozenset({A})), writer(), "refused it before", False),
        (Need(("writing",), authors=frozenset({A})), writer(), "is the author of what is to be reviewed", False),
        (WRITING, writer(online=False), "is offline", False),
        (WRITING, writer(needs_login=True), "needs a login on its own machine", False),
        (WRITING, writer(busy=2, capacity=2), "is busy with 2 of 2", True),
        (WRITING, writer(busy=1, capacity=0), "is busy with 1 of 0", True),
        (WRITING, writer(rests=RESTING), RESTING, False),
        (WRITING, writer(rests=QUARANTINED, busy=1), QUARANTINED, False),
        (WRITING, writer(rests=RESTING, online=False), "is offline", False),
        (WRITING, writer(on_trial=True, busy=1, capacity=4), "is busy with 1 of 4 and on trial with one task", True),
        (WRITING, writer(can_work=False, online=False, skills={}), "has no right to work here", False),
        (Need(("sql",)), writer(online=False, busy=1), "lacks sql", False),
        (WRITING, writer(online=False, busy=1), "is offline", False),
    ],
)
def test_who_cannot_get_it_is_out_with_the_first_reason(
    need: Need, candidate: Candidate, reason: str, later: bool
) -> None:
    (match,) = rank(need, [candidate])
    assert (match.excluded, match.later) == (reason, later)
    assert best([match]) is None


def test_the_better_skill_wins_over_the_freer_hands() -> None:
    expert = writer(A, "expert", skills={"writing": 5}, busy=3, capacity=4)
    assert names(WRITING, writer(B, "novice", skills={"writing": 1}), expert) == ["expert", "novice"]


def test_who_knows_the_task_wins_and_who_failed_at_it_comes_last() -> None:
    need = Need(("writing",), preferred=B, failed=frozenset({A}))
    assert names(need, writer(A, "failed"), writer(C, "fresh"), writer(B, "knows")) == ["knows", "fresh", "failed"]


def test_who_failed_lately_comes_after_equals_and_before_the_less_able() -> None:
    shaky = writer(A, "a shaky one", failures=2)
    assert names(WRITING, shaky, writer(B, "novice", skills={"writing": 1}), writer(C, "steady")) == [
        "steady",
        "a shaky one",
        "novice",
    ]
    (match,) = rank(WRITING, [writer(failures=1, on_trial=True, capacity=4)])
    assert match.reasons[-2:] == ("failed 1 of its last tasks", "is on trial with one task")


def test_equal_scores_are_ordered_by_name_and_then_by_id() -> None:
    candidates = [writer(C, "b"), writer(B, "a"), writer(A, "b")]
    assert [m.member_id for m in rank(WRITING, candidates)] == [B, A, C]


def test_the_excluded_come_last_however_able() -> None:
    able = writer(A, "able", skills={"writing": 5}, online=False)
    assert [m.name for m in rank(WRITING, [able, writer(B, "novice", skills={"writing": 1})])] == ["novice", "able"]


def test_the_reasons_are_words_that_people_understand() -> None:
    need = Need(("writing", "sql"), preferred=A, failed=frozenset({A}))
    (match,) = rank(need, [writer(skills={"writing": 5, "sql": 2}, busy=1, capacity=4)])
    assert match.reasons == (
        "writing at level 5 of 5, sql at level 2 of 5",
        "busy with 1 of 4",
        "worked on it before and knows it",
        "did not finish it before",
    )
    assert match.as_json() == {
        "member": str(A),
        "name": "scribe",
        "score": 7.5,
        "reasons": list(match.reasons),
        "excluded": "",
        "parts": [
            {"name": "skill", "value": 7.0, "said": "writing at level 5 of 5, sql at level 2 of 5"},
            {"name": "record", "value": 0.0, "said": "no record here yet"},
            {"name": "load", "value": 1.5, "said": "busy with 1 of 4"},
            {"name": "cost", "value": 0.0, "said": "cost not known"},
            {"name": "before", "value": 5.0, "said": "worked on it before and knows it"},
            {"name": "failed before", "value": -6.0, "said": "did not finish it before"},
        ],
    }
    (anybody,) = rank(Need(()), [writer()])
    assert anybody.reasons == ("no particular skill is needed", "free")


def test_one_failure_does_not_ruin_a_record_and_ten_successes_count() -> None:
    def record(accepted: int, failed: int = 0) -> dict[str, Tally]:
        return {"writing": Tally(accepted, 0, failed)}

    new, proven = writer(A, "new"), writer(B, "proven", record=record(10))
    unlucky, hopeless = writer(C, "unlucky", record=record(0, 1)), writer(D, "hopeless", record=record(1, 9))
    assert names(WRITING, new, proven, unlucky, hopeless) == ["proven", "new", "unlucky", "hopeless"]
    by_name = {match.name: match for match in rank(WRITING, [new, proven, unlucky, hopeless])}
    level = SKILL / 5
    assert by_name["new"].score - by_name["unlucky"].score < level < by_name["new"].score - by_name["hopeless"].score
    assert "accepted 10 of 10 with writing" in by_name["proven"].reasons
    assert names(WRITING, hopeless, writer(A, "new", skills={"writing": 2})) == ["new", "hopeless"]


def test_work_of_no_particular_skill_goes_by_the_whole_record() -> None:
    (match,) = rank(Need(()), [writer(record={"": Tally(5, 1, 0), "writing": Tally(9, 0, 0)})])
    assert "accepted 5 of 6" in match.reasons


@pytest.mark.parametrize(
    ("cost", "usual", "value", "said"),
    [
        (None, 0.2, 0.0, "cost not known"),
        (0.4, 0.2, -1.0, "about 0.4 USD a task, usual here: 0.2"),
        (4.0, 0.2, -1.0, "about 4 USD a task, usual here: 0.2"),
        (0.1, 0.2, 1.0, "about 0.1 USD a task, usual here: 0.2"),
        (0.2, 0.2, 0.0, "about 0.2 USD a task, usual here: 0.2"),
        (0.0, 0.2, 0.0, "about 0 USD a task"),
    ],
)
def test_who_is_dear_loses_a_little_and_never_more(
    cost: float | None, usual: float | None, value: float, said: str
) -> None:
    (match,) = rank(WRITING, [writer(cost=cost, usual_cost=usual)])
    (part,) = [part for part in match.parts if part.name == "cost"]
    assert (part.value, part.said) == (value, said)


def test_warm_context_proposals_and_choices_move_it_and_no_exclusion_is_lifted_by_them() -> None:
    told = learned([Chosen(frozenset({"writing"}), "Ada", B, "chosen", A, "first")] * 3, ["writing"])
    need = Need(
        ("writing",), proposed=C, proposal="the plan wants it", warm=frozenset({C}), knows=frozenset({B}), learned=told
    )
    first, chosen, planned = writer(A, "first"), writer(B, "chosen"), writer(C, "planned")
    assert names(need, first, chosen, planned) == ["planned", "chosen", "first"]
    by_name = {match.name: match for match in rank(need, [first, chosen, planned])}
    assert "Ada chose chosen over first for this kind of work 3 times" in by_name["chosen"].reasons
    assert "Ada chose chosen over first for this kind of work 3 times" in by_name["first"].reasons
    assert by_name["planned"].reasons[-2:] == ("has its session still open", "the plan wants it")
    assert "did work that it builds on" in by_name["chosen"].reasons
    outs: tuple[dict[str, Any], ...] = (
        {"online": False},
        {"rests": QUARANTINED},
        {"busy": 1},
        {"can_work": False},
        {"skills": {}},
    )
    for out in outs:
        assert names(need, first, writer(C, "planned", **out)) == ["first"]


def test_choices_are_learned_for_the_same_skills_only_and_within_bounds() -> None:
    one = Chosen(frozenset({"writing", "sql"}), "Ada", B, "Bee", A, "Ant")
    assert learned([one], ["writing"]) == {}
    assert learned([one], ["sql", "writing"]) == {
        B: Learned(LEARNED, "Ada chose Bee over Ant for this kind of work"),
        A: Learned(-LEARNED, "Ada chose Bee over Ant for this kind of work"),
    }
    assert {told.value for told in learned([one] * 50, ["sql", "writing"]).values()} == {MOST_LEARNED, -MOST_LEARNED}
    back = Chosen(frozenset({"writing", "sql"}), "Bob", A, "Ant", B, "Bee")
    assert learned([one, back], ["sql", "writing"]) == {}
    told = learned([one, one, back], ["sql", "writing"])[B]
    assert told == Learned(LEARNED, "Ada chose Bee over Ant for this kind of work twice, and the like")


def test_a_person_is_asked_only_where_agents_are_clearly_worse() -> None:
    person = writer(A, "Ada", skills={"writing": 5}, is_person=True)
    assert names(WRITING, person, writer(B, "agent", skills={"writing": 4})) == ["agent", "Ada"]
    assert names(WRITING, person, writer(B, "novice", skills={"writing": 1})) == ["Ada", "novice"]
    asked = Need(("writing",), asked=frozenset({A}))
    (match,) = rank(asked, [person])
    assert match.excluded == ASKED
    assert match.as_json()["person"] is True


IDS = [UUID(int=number) for number in range(1, 9)]
TALLIES = st.dictionaries(
    st.sampled_from(["", "writing", "sql"]),
    st.builds(Tally, st.integers(0, 20), st.integers(0, 5), st.integers(1, 9)),
)
COSTS = st.none() | st.floats(0, 9)
CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.sampled_from(IDS),
        st.sampled_from(["ada", "bob", "eve"]),
        st.dictionaries(st.sampled_from(["writing", "sql"]), st.integers(1, 5)),
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
        failures=st.integers(0, 2),
        rests=st.sampled_from(["", "", RESTING, QUARANTINED]),
        record=TALLIES,
        cost=COSTS,
        usual_cost=COSTS,
        is_person=st.booleans(),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.member_id,
)
SOME = st.frozensets(st.sampled_from(IDS), max_size=3)
NEEDS = st.builds(
    Need,
    st.sampled_from([(), ("writing",), ("writing", "sql")]),
    proposed=st.none() | st.sampled_from(IDS),
    refused=SOME,
    asked=SOME,
    warm=SOME,
    knows=SOME,
    learned=st.dictionaries(st.sampled_from(IDS), st.sampled_from([Learned(0.5, "l"), Learned(-2.0, "l")])),
)


@given(CANDIDATES, NEEDS, st.data())
def test_the_ranking_does_not_depend_on_the_order_of_the_candidates(
    candidates: list[Candidate], need: Need, data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates))
    matches = rank(need, candidates)
    assert rank(need, shuffled) == matches
    assert {match.member_id for match in matches} == {candidate.member_id for candidate in candidates}
    chosen = best(matches)
    if chosen is not None:
        candidate = next(c for c in candidates if c.member_id == chosen.member_id)
        assert candidate.online
        assert candidate.can_work
        assert not candidate.rests
        assert candidate.busy < candidate.capacity
        assert candidate.member_id not in need.refused | need.asked
        assert set(need.skills) <= candidate.skills.keys()


@given(CANDIDATES, NEEDS)
def test_the_parts_sum_to_the_score_and_each_says_why(candidates: list[Candidate], need: Need) -> None:
    for match in rank(need, candidates):
        assert abs(sum(part.value for part in match.parts) - match.score) < 1e-6
        assert all(part.said for part in match.parts if part.value)
        assert [part.name for part in match.parts[:4]] == ["skill", "record", "load", "cost"]


def test_nobody_is_best_of_none() -> None:
    assert rank(WRITING, []) == []
    assert best([]) is None
