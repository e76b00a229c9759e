"""Pages of files: lists, each file, what changed, final ones; and that no file does anything on our origin."""

from __future__ import annotations

import re
from typing import Any
from uuid import UUID

import pytest
from django.core.signing import TimestampSigner
from django.test import Client
from django.urls import reverse

from clawgroups.models import Artifact, Member, Task
from clawgroups.services.files import path_of
from tests.conftest import Team
from tests.core.test_looks import png
from tests.realtime.told_of_files import delivered
from tests.services.test_previews import zipped
from tests.web.conftest import SignIn

pytestmark = pytest.mark.django_db
HOST = "127.0.0.1:8000"
FRAME = re.compile(r'<iframe src="([^"]+)"')


@pytest.fixture
def task(team: Team) -> Task:
    return team.one_task()


def address(pk: UUID, name: str = "file") -> str:
    return reverse(name, args=[Artifact.objects.get(pk=pk).workspace_id, pk])


def seen(client: Client, where: str, **more: Any) -> str:
    answer = client.get(where, headers={"Host": HOST, **more})
    assert answer.status_code == 200, answer.content[:300]
    return answer.content.decode()


def viewed(where: str, headers: dict[str, str]) -> Any:
    """What a frame gets, where nobody is signed in."""
    answer = Client().get(where, headers=headers)
    answer.getvalue()
    return answer


def framed(client: Client, pk: UUID, host: str = HOST) -> tuple[str, str]:
    """What a file's page has in its frame, and what its policy lets the frame load."""
    answer = client.get(address(pk), headers={"Host": host})
    policy = dict(part.split(" ", 1) for part in answer["Content-Security-Policy"].split("; "))
    found = FRAME.search(answer.content.decode())
    return found[1] if found else "", policy.get("frame-src", "")


def test_files_are_listed_by_name_the_final_one_first(team: Team, task: Task, sign_in: SignIn) -> None:
    first = delivered(task, b"One", name="b.md")
    delivered(task, b"Two", name="b.md", revision=2)
    delivered(task, b"x", name="a.csv", kind="deliverable")
    delivered(task, b"x", name="hidden.md", kind="draft")
    bob = sign_in("bob")
    assert bob.post(address(first, "pin-artifact")).status_code == 303
    for where in (
        reverse("files", args=[team.workspace.pk]),
        reverse("run-files", args=[team.workspace.pk, task.run_id]),
    ):
        said = seen(bob, where)
        assert said.index("b.md") < said.index("a.csv")
        assert "1 other version" in said
        assert "hidden.md" not in said
        assert "final</span>" in said
        assert "a.csv" not in seen(bob, f"{where}?q=B.M&kind=result")
        assert "No file is like that" in seen(bob, f"{where}?task=none")
        assert "b.md" in seen(bob, f"{where}?q=b.%00md")
    assert "Download the deliverables" in said
    task_page = seen(bob, reverse("task", args=[team.workspace.pk, task.pk]))
    assert task_page.index(f"files/{first}/") < task_page.index("final</span>")


def test_two_tasks_that_deliver_a_file_of_one_name_deliver_two_files(team: Team, sign_in: SignIn) -> None:
    two = [{"key": key, "title": f"Report on the {key}", "skills": ["writing"]} for key in ("north", "south")]
    north, south = Task.objects.filter(run=team.run(two)).order_by("key")
    for task in (north, south):
        delivered(task, f"{task.title}, first".encode())
    second = delivered(south, b"Better", revision=2)
    page = seen(sign_in("ada"), reverse("run-files", args=[north.workspace_id, north.run_id]))
    assert page.count('class="filerow"') == 2
    assert page.count("1 other version<") == 1
    assert "Report on the north" not in seen(sign_in("ada"), address(second))


def test_a_deliverable_and_what_its_task_delivered_are_one_version(team: Team, task: Task, sign_in: SignIn) -> None:
    delivered(task, b"All of it")
    delivered(task, b"All of it", kind="deliverable")
    page = seen(sign_in("ada"), reverse("run-files", args=[task.workspace_id, task.run_id]))
    assert page.count('class="filerow"') == 1
    assert "other version" not in page


def test_long_lists_come_page_by_page_and_keep_their_filter(team: Team, task: Task, sign_in: SignIn) -> None:
    for n in range(45):
        delivered(task, b"x", name=f"part-{n:02}.txt")
    where = reverse("run-files", args=[team.workspace.pk, task.run_id])
    said = seen(sign_in("gus"), f"{where}?q=part&sort=name")
    assert "1–40 of 45" in said
    assert "?q=part&amp;sort=name&amp;page=2" in said
    assert "part-44.txt" in seen(sign_in("gus"), f"{where}?q=part&sort=name&page=2")


WORDS = [
    ("a.md", b"# Title\n<script>alert(1)</script>", "<h3>Title</h3>"),
    ("a.csv", b"a,b\n1,2\n", "2 rows, 2 columns: all of it"),
    ("a.json", b'{"a": 1}', '<span class="hl-k">&quot;a&quot;</span>'),
    ("a.py", b"x = '<b>'\n", '<span class="hl-s">&#x27;&lt;b&gt;&#x27;</span>'),
    ("a.txt", b"", "This file has 0 bytes"),
    ("a.bin", bytes(range(256)), "It is of a kind that this page does not show"),
    ("a.xlsx", b"PK\x03\x04 nothing", "Its end is missing".lower()),
    ("a.zip", zipped(a_txt=b"1"), "1 file, 1 B unpacked"),
    ("a.csv", bytes(range(256)), "named like a text, but its bytes are none"),
    ("a.png", png()[:-9], "It ends in the middle"),
]


@pytest.mark.parametrize(("name", "content", "words"), WORDS)
def test_each_kind_has_its_page(task: Task, sign_in: SignIn, name: str, content: bytes, words: str) -> None:
    said = seen(sign_in("gus"), address(delivered(task, content, name=name)))
    assert words in said
    assert "<script>alert" not in said
    assert "<iframe" not in said


def test_what_the_store_has_lost_is_said(task: Task, sign_in: SignIn) -> None:
    pk = delivered(task, b"gone for good", name="a.txt")
    path_of(Artifact.objects.get(pk=pk).sha256).unlink()
    assert "It is lost" in seen(sign_in("bob"), address(pk))


def test_an_image_comes_by_its_bytes_and_everything_else_is_a_download(task: Task, sign_in: SignIn) -> None:
    bob = sign_in("bob")
    image = bob.get(address(delivered(task, png(), name="a.html"), "file-content"))
    assert (image["Content-Type"], image["X-Content-Type-Options"]) == ("image/png", "nosniff")
    assert image["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert image.getvalue() == png()
    page = bob.get(address(delivered(task, b"<script>", name="a.png"), "file-content"))
    assert (page.status_code, page["Location"].endswith("/content")) == (303, True)
    sound = address(delivered(task, b"ID3\x04" + bytes(96), name="a.mp3"), "file-content")
    part = bob.get(sound, headers={"Range": "bytes=10-19"})
    assert (part.status_code, part["Content-Range"], len(part.getvalue())) == (206, "bytes 10-19/100", 10)
    assert bob.get(sound, headers={"Range": "bytes=100-"}).status_code == 416
    assert f"media-src http://testserver{sound}" in bob.get(sound.removesuffix("content/"))["Content-Security-Policy"]


def test_a_web_page_is_framed_from_another_origin_in_a_sandbox_that_reaches_nothing(
    task: Task, sign_in: SignIn
) -> None:
    frame, allowed = framed(sign_in("gus"), delivered(task, b"<script>top.x = 1</script>", name="a.html"))
    assert frame.startswith("http://localhost:8000/view/")
    assert allowed == frame
    # Nobody is signed in there.
    answer = Client().get(frame, headers={"Host": "localhost:8000"})
    assert answer.getvalue() == b"<script>top.x = 1</script>"
    policy = answer["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "connect-src 'none'", "form-action 'none'", "sandbox allow-scripts"} <= set(policy)
    assert "frame-ancestors http://127.0.0.1:8000 http://localhost:8000" in policy
    assert "X-Frame-Options" not in answer
    assert answer["Referrer-Policy"] == "no-referrer"


def test_without_another_origin_it_is_in_the_sandbox_all_the_same_and_a_pdf_is_only_downloaded(
    task: Task, sign_in: SignIn
) -> None:
    bob = sign_in("bob")
    frame, allowed = framed(bob, delivered(task, b"<p>Hi", name="a.html"), host="testserver")
    assert frame.startswith("http://testserver/view/")
    assert allowed == frame
    assert "sandbox allow-scripts" in viewed(frame, {"Host": "testserver"})["Content-Security-Policy"]
    pdf = delivered(task, b"%PDF-1.7", name="a.pdf")
    assert framed(bob, pdf, host="testserver") == ("", "")
    assert "has no separate address" in bob.get(address(pdf)).content.decode()
    frame, _ = framed(bob, pdf)
    here = frame.removeprefix("http://localhost:8000")
    assert viewed(here, {"Host": "localhost:8000"})["Content-Type"] == "application/pdf"
    with_cookies = viewed(here, {"Host": "testserver"})
    assert (with_cookies.status_code, with_cookies["Content-Type"]) == (404, "text/plain; charset=utf-8")


def test_a_website_in_an_archive_is_framed_with_what_lies_in_it_and_nothing_else(task: Task, sign_in: SignIn) -> None:
    content = zipped(site__index_html=b"<link href=style.css>", site__style_css=b"p {}", site__a_exe=b"MZ")
    frame, allowed = framed(sign_in("bob"), delivered(task, content, name="a.zip"))
    assert frame == f"{allowed}site/index.html"
    for inside, kind in (
        ("site/index.html", "text/html"),
        ("site/style.css", "text/css"),
        ("site/a.exe", "application/octet-stream"),
    ):
        answer = viewed(allowed + inside, {"Host": "localhost:8000"})
        assert answer["Content-Type"] == kind
        assert f"script-src 'unsafe-inline' {allowed};" in answer["Content-Security-Policy"]
    for outside in ("", "site/none.html", "../../etc/passwd", "site/"):
        assert viewed(allowed + outside, {"Host": "localhost:8000"}).status_code == 404


def test_a_drawing_is_framed_without_scripts(task: Task, sign_in: SignIn) -> None:
    pk = delivered(task, b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>", name="a.svg")
    frame, _ = framed(sign_in("bob"), pk)
    policy = viewed(frame, {"Host": "localhost:8000"})["Content-Security-Policy"]
    assert "sandbox;" in policy
    assert "script-src" not in policy


def test_a_view_ends_with_its_time_its_signature_and_the_right_to_see_the_file(
    team: Team, task: Task, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    pk = delivered(task, b"<p>Hi", name="a.html")
    frame, _ = framed(sign_in("gus"), pk)
    local = {"Host": "localhost:8000"}
    assert viewed(frame, local).status_code == 200
    forged = TimestampSigner(salt="another").sign(f"{pk.hex}.{team.users['ada'].pk}")
    assert viewed(f"/view/{forged}/", local).status_code == 404
    Member.objects.filter(user=team.users["gus"]).update(left_at=task.created_at)
    gone = viewed(frame, local)
    assert (gone.status_code, gone.content) == (404, b"This view is over. Load the page of the file again.")
    frame, _ = framed(sign_in("bob"), pk)
    monkeypatch.setattr("clawgroups.web.isolated.LASTS", -1)
    assert viewed(frame, local).status_code == 404


def test_the_origin_of_its_own_serves_views_and_nothing_else(task: Task, sign_in: SignIn, settings: Any) -> None:
    settings.SANDBOX_URL = "https://files.example.org"
    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "files.example.org"]
    frame, _ = framed(sign_in("bob"), delivered(task, b"<p>Hi", name="a.html"))
    assert frame.startswith("https://files.example.org/view/")
    client, apart = Client(), {"Host": "files.example.org"}
    assert viewed(frame, apart).status_code == 200
    for path in ("/", "/accounts/login/", "/api/v1/openapi.json", "/healthz"):
        assert client.get(path, headers=apart).status_code == 404


def test_two_revisions_are_compared(team: Team, task: Task, sign_in: SignIn) -> None:
    one, two = delivered(task, b"same\nold\n", name="a.md"), delivered(task, b"same\nnew\n", name="a.md", revision=2)
    bob = sign_in("bob")
    assert f"?with={one}" in seen(bob, address(two))
    said = seen(bob, f"{address(two)}?with={one}")
    assert re.search(r"<del[^>]*><b>old</b></del>.*<ins[^>]*><b>new</b></ins>", said)
    # In the order of time, whichever is asked for first.
    assert said.index("<del") == seen(bob, f"{address(one)}?with={two}").index("<del")
    assert "They say the same" in seen(bob, f"{address(two)}?with={two}")
    image = delivered(task, png(), name="a.png")
    assert "Not both of them are text" in seen(bob, f"{address(two)}?with={image}")
    assert bob.get(f"{address(two)}?with=x").status_code == 404
    assert bob.get(f"{address(two)}?with={task.pk}").status_code == 404


def test_only_the_team_is_offered_the_pin(task: Task, sign_in: SignIn) -> None:
    pk = delivered(task, b"x")
    assert "Pin as final" in seen(sign_in("bob"), address(pk))
    assert "Pin as final" not in seen(sign_in("gus"), address(pk))
    htmx = sign_in("bob", htmx=True)
    assert htmx.post(address(pk, "pin-artifact"))["HX-Redirect"] == address(pk)
    assert "Unpin" in seen(sign_in("bob"), address(pk))
    assert "<html" not in htmx.get(address(pk)).content.decode()
