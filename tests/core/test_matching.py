"""Who gets a task: the order, who is out and why, and that the same situation gives the same answer."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clawgroups.core.matching import QUARANTINED, RESTING, Candidate, Need, best, rank

A, B, C = (UUID(int=number) for number in (1, 2, 3))
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
        "writing at level 5 of 5",
        "sql at level 2 of 5",
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
    }
    (anybody,) = rank(Need(()), [writer()])
    assert anybody.reasons == ("no particular skill is needed", "free")


CANDIDATES = st.lists(
    st.builds(
        Candidate,
        st.uuids(),
        st.sampled_from(["ada", "bob", "eve"]),
        st.dictionaries(st.sampled_from(["writing", "sql"]), st.integers(1, 5)),
        st.booleans(),
        st.integers(0, 3),
        st.integers(0, 3),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda candidate: candidate.member_id,
)


@given(CANDIDATES, st.data())
def test_the_ranking_does_not_depend_on_the_order_of_the_candidates(
    candidates: list[Candidate], data: st.DataObject
) -> None:
    shuffled = data.draw(st.permutations(candidates))
    need = Need(data.draw(st.sampled_from([(), ("writing",), ("writing", "sql")])))
    matches = rank(need, candidates)
    assert rank(need, shuffled) == matches
    assert {match.member_id for match in matches} == {candidate.member_id for candidate in candidates}
    chosen = best(matches)
    if chosen is not None:
        candidate = next(c for c in candidates if c.member_id == chosen.member_id)
        assert candidate.online
        assert candidate.can_work
        assert candidate.busy < candidate.capacity
        assert set(need.skills) <= candidate.skills.keys()


def test_nobody_is_best_of_none() -> None:
    assert rank(WRITING, []) == []
    assert best([]) is None
