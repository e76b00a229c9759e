"""How much is taken at a time is a setting."""

from __future__ import annotations

from tests.stories.installation import Installation
from tests.stories.script import Script
from tests.stories.test_bad_input import kept, problem


def test_the_limit_of_an_upload_is_a_setting(other: Installation) -> None:
    script = Script(other.url, other.token())
    path = f"/api/v1/workspaces/{script.workspace('Small')}/runs"
    rows = b"region,amount\n" + b"North,10\n" * 10
    well = script.upload(path, {"goal": "Look"}, [("small.csv", rows)])
    assert well.status == 201
    files = kept(other)
    half = b"region,amount\n" + b"North,10\n" * 70_000
    for sent in ([("big.csv", half * 2)], [("one.csv", half), ("two.csv", half)], [("big.csv", half * 10)]):
        problem(script.upload(path, {"goal": "Look"}, sent), 413, "too_large", "1 MB")
    assert len(script.get(path)["items"]) == 1
    assert kept(other) == files
