"""Where a session works is told by the connector, in place of what its agent says of it."""

from __future__ import annotations

from pathlib import Path

from agents.connector.files import Store
from agents.connector.folders import Folders
from agents.connector.workdir import Workdir
from agents.connector.workplace import Workplace
from tests.agents.support import Frame


def folders(tmp_path: Path) -> Folders:
    made = Folders(Workplace(tmp_path), lambda _: None)
    made.asked("s", 1, Workdir(tmp_path / "task", Store("http://127.0.0.1:9", "k")))
    return made


def answer(**result: object) -> Frame:
    return {"id": 1, "result": {"sessionId": "s", **result}}


def test_the_folder_of_a_session_is_put_into_the_answer_that_opens_it(tmp_path: Path) -> None:
    made, frame = folders(tmp_path), answer(_meta={"other": 1})
    assert made.say_where("s", frame)
    assert frame["result"]["_meta"] == {"other": 1, "clawgroups": {"cwd": str(tmp_path / "task")}}


def test_what_an_agent_says_of_its_folder_is_left_out(tmp_path: Path) -> None:
    made, frame = folders(tmp_path), answer(_meta={"clawgroups": {"cwd": "/"}})
    assert made.say_where("unknown", frame)
    assert frame["result"]["_meta"] == {"clawgroups": {}}


def test_an_answer_that_is_none_of_ours_stays_as_it_is(tmp_path: Path) -> None:
    made = folders(tmp_path)
    for frame in (answer(_meta={"clawgroups": 1}), {"id": 1, "error": {}}, {"id": 1, "result": None}):
        before = dict(frame)
        assert not made.say_where("unknown", frame)
        assert frame == before
