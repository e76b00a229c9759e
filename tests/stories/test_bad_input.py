"""What is wrong with an input is said in a problem document, in words one can act on, and nothing is half saved."""

from __future__ import annotations

import hashlib
import http.client
import io
import socket
import zipfile

import pytest

from tests.stories.installation import Installation
from tests.stories.script import Answer, Json, Script
from tests.stories.waiting import until

MEGABYTE = 1024 * 1024
TABLE = b"region,amount\nNorth,10\nSouth,32\n"
CYCLE = [
    {"key": "a", "title": "First", "depends_on": ["c"]},
    {"key": "b", "title": "Second", "depends_on": ["a"]},
    {"key": "c", "title": "Third", "depends_on": ["b"]},
]


@pytest.fixture
def workspace(script: Script) -> str:
    return script.workspace("Bad input")


def state(script: Script, workspace: str) -> list[object]:
    """Everything that a refused request must leave as it was."""
    return [
        script.get(f"/api/v1/workspaces/{workspace}/runs"),
        script.get(f"/api/v1/workspaces/{workspace}/messages"),
        script.get("/api/v1/agents"),
        script.journal(workspace),
    ]


def kept(claw: Installation) -> set[str]:
    """The files in the store."""
    return {path.name for path in (claw.data / "files").rglob("*") if path.is_file()}


def problem(answer: Answer, status: int, code: str, *words: str) -> Json:
    """The problem document of a refused request, checked."""
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.bytes[:300]
    told: Json = answer.json
    assert (answer.status, told["status"], told["code"]) == (status, status, code)
    for word in words:
        assert word in told["detail"], told["detail"]
    assert told["detail"].rstrip().endswith(".")
    return told


def archived() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as made:
        made.writestr("anything", b"x" * 2000)
    return out.getvalue()


def test_an_empty_goal(script: Script, workspace: str) -> None:
    before = state(script, workspace)
    for goal in ("", "  \n ", "\0"):
        answer = script.send("POST", f"/api/v1/workspaces/{workspace}/runs", {"goal": goal, "start": True})
        problem(answer, 422, "empty", "Goal is empty", "Write")
    assert state(script, workspace) == before


def test_a_plan_that_waits_for_itself(script: Script, workspace: str) -> None:
    before = state(script, workspace)
    answer = script.send("POST", f"/api/v1/workspaces/{workspace}/runs", {"goal": "Go", "plan": CYCLE})
    told = problem(answer, 422, "bad_plan", "wait for each other in a circle", "Mend that")
    assert "a → c → b → a" in told["problems"][0]
    assert state(script, workspace) == before


def test_an_agents_name_with_markup(script: Script, workspace: str) -> None:
    before = state(script, workspace)
    for name in ("<script>alert(1)</script>", "Robo<br>", "two\nlines"):
        problem(script.send("POST", "/api/v1/agents", {"name": name}), 422, "markup", "plain words")
    assert state(script, workspace) == before


@pytest.mark.parametrize(
    ("name", "content", "word"),
    [
        ("orders.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 40, "PNG picture"),
        ("orders.csv", archived(), "ZIP archive"),
        ("orders.csv", b"region,amount\n", "no rows below it"),
        ("orders.csv", b"", "0 bytes"),
        ("orders.xlsx", TABLE, "not an XLSX file"),
        ("orders.xlsx", archived(), "no workbook"),
    ],
    ids=["picture", "archive", "no rows", "nothing", "text as workbook", "archive as workbook"],
)
def test_a_file_that_is_no_table(
    claw: Installation, script: Script, workspace: str, name: str, content: bytes, word: str
) -> None:
    before, files = state(script, workspace), kept(claw)
    # A good file beside a bad one does not make the request half good.
    answer = script.upload(f"/api/v1/workspaces/{workspace}/runs", {"goal": "Look", "start": "true"}, [(name, content)])
    told = problem(answer, 422, "bad_table", name, word)
    assert told["file"] == name
    assert state(script, workspace) == before
    assert kept(claw) == files


def test_the_same_request_with_the_fault_mended_goes_through(script: Script, workspace: str) -> None:
    path = f"/api/v1/workspaces/{workspace}/runs"
    assert script.upload(path, {"goal": "Look"}, [("orders.csv", b"region,amount\n")]).status == 422
    assert script.upload(path, {"goal": "Look"}, [("orders.csv", TABLE)]).status == 201


class Upload:
    """A body sent by hand, piece by piece, until it is over or the server has had enough."""

    def __init__(self, script: Script, path: str, size: int, *, chunked: bool) -> None:
        self.sent = 0
        self._chunked = chunked
        length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
        head = (
            f"POST {path} HTTP/1.1\r\nHost: {script.host}:{script.port}\r\nAuthorization: Bearer {script.token}\r\n"
            f"Content-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n"
        )
        part = b'--b\r\nContent-Disposition: form-data; name="files"; filename="big.csv"\r\n\r\n'
        with socket.create_connection((script.host, script.port), timeout=60) as self._line:
            self._line.sendall(head.encode())
            self._send(part)
            while self.sent < size and not self._answered():
                try:
                    self._send(b"x,y\n" * (MEGABYTE // 4))
                except OSError:
                    break
            self.answer = self._read()

    def _send(self, piece: bytes) -> None:
        self._line.sendall(b"%x\r\n%s\r\n" % (len(piece), piece) if self._chunked else piece)
        self.sent += len(piece)

    def _answered(self) -> bool:
        self._line.setblocking(False)
        try:
            return self._line.recv(1, socket.MSG_PEEK) is not None
        except BlockingIOError:
            return False
        except OSError:
            return True
        finally:
            self._line.settimeout(60)

    def _read(self) -> Answer:
        response = http.client.HTTPResponse(self._line)
        response.begin()
        headers = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, headers, response.read())


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "without a length"])
def test_two_hundred_megabytes_are_refused_in_bounded_memory(
    claw: Installation, script: Script, workspace: str, chunked: bool
) -> None:
    before, files = state(script, workspace), kept(claw)
    memory = claw.memory("web")
    path = f"/api/v1/workspaces/{workspace}/runs"
    upload = Upload(script, path, 200 * MEGABYTE, chunked=chunked)
    told = problem(upload.answer, 413, "too_large", "100 MB")
    assert told["limit"] == 100 * MEGABYTE
    # Not read to its end: at most the limit, and what was on its way.
    assert upload.sent < 130 * MEGABYTE
    assert claw.memory("web") - memory < 40 * MEGABYTE
    assert state(script, workspace) == before
    until(lambda: kept(claw) == files, seconds=60, what="the store as it was")


def test_what_is_no_request_at_all(script: Script, workspace: str) -> None:
    path = f"/api/v1/workspaces/{workspace}/runs"
    told = {"Content-Type": "application/json"}
    problem(script.ask("POST", path, b'{"goal": ', told), 422, "not_json", "JSON")
    problem(script.ask("POST", path, b"[]", told), 422, "invalid")
    problem(script.ask("POST", path, b"goal=x", {"Content-Type": "text/plain"}), 415, "unsupported_body", "Send")
    problem(script.ask("POST", path, b"x", {"Content-Type": "multipart/form-data"}), 422, "bad_form")
    nobody = Script(script.url, "ct_wrong")
    problem(nobody.send("POST", path, {"goal": "x"}), 401, "unauthenticated")


@pytest.mark.parametrize("chunked", [False, True], ids=["with its length", "without a length"])
def test_an_upload_that_is_cut_half_way_leaves_no_message_and_no_file(
    claw: Installation, script: Script, workspace: str, chunked: bool
) -> None:
    files = kept(claw)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {4 * MEGABYTE}"
    head = (
        f"POST /api/v1/workspaces/{workspace}/messages HTTP/1.1\r\nHost: {script.host}\r\n"
        f"Authorization: Bearer {script.token}\r\nContent-Type: multipart/form-data; boundary=b\r\n{length}\r\n\r\n"
    )
    said = b'--b\r\nContent-Disposition: form-data; name="body"\r\n\r\nHalf of it\r\n'
    part = said + b'--b\r\nContent-Disposition: form-data; name="files"; filename="photo.png"\r\n\r\n' + bytes(MEGABYTE)
    with socket.create_connection((script.host, script.port), timeout=60) as line:
        line.sendall(head.encode() + (b"%x\r\n%s\r\n" % (len(part), part) if chunked else part))
    content = f"another one, {chunked}".encode()
    whole = script.upload(f"/api/v1/workspaces/{workspace}/messages", {"body": "Whole"}, [("photo.png", content)])
    assert whole.status == 201
    assert [one["body"] for one in script.get(f"/api/v1/workspaces/{workspace}/messages")["items"]] == ["Whole"]
    assert kept(claw) - files == {hashlib.sha256(content).hexdigest()}
