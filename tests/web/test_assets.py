"""What a page loads: little, hashed, compressed, kept by browsers for ever; nothing is written into the page itself."""

from __future__ import annotations

import gzip
import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client, override_settings

from clawgroups import assets
from tests.conftest import Team
from tests.web.conftest import SignIn

STATIC = Path(settings.BASE_DIR) / "static"
SRC = re.compile(r'<script src="([^"]+)"')
HREF = re.compile(r'<link rel="stylesheet" href="([^"]+)"')
MOST = 55_000  # bytes of script, compressed, as a browser gets them


@pytest.fixture
def collected(tmp_path: Path) -> Iterator[Path]:
    """The static files as `prepare` collects them."""
    with override_settings(STATIC_ROOT=tmp_path / "static"):
        assert assets.collect()
        yield tmp_path / "static"


def get(client: Client, address: str) -> Any:
    """An answer that was read to its end, as `body`."""
    answer: Any = client.get(address, headers={"Accept-Encoding": "gzip"})
    answer.body = b"".join(answer.streaming_content)
    return answer


def test_every_style_and_script_of_ours_is_loaded_by_the_pages_that_need_it() -> None:
    sheets = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.css")}
    assert sheets == {*assets.SHEETS, "css/admin.css"}
    said = "".join(path.read_text(encoding="utf-8") for path in Path(settings.BASE_DIR, "templates").rglob("*.html"))
    scripts = {path.relative_to(STATIC).as_posix() for path in STATIC.rglob("*.js")}
    assert [name for name in scripts if name not in assets.SCRIPTS and f"'{name}'" not in said] == []


def selectors(sheet: str) -> Iterator[str]:
    """Every selector of a style sheet, by itself."""
    for block in re.findall(r"([^{};]*)\{", re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)):
        if not block.strip().startswith("@"):
            yield from parts(block, ",")


def parts(text: str, *marks: str) -> list[str]:
    """The text, cut where one of these stands outside of brackets."""
    depth, found = 0, [""]
    for letter in text.strip():
        depth += (letter in "([") - (letter in ")]")
        if letter in marks and not depth:
            found.append("")
        else:
            found[-1] += letter
    return [part.strip() for part in found if part.strip()]


def test_what_depends_on_what_is_in_an_element_is_said_by_class() -> None:
    # Else a browser works out the style of the whole page anew, or of every such element, whenever something comes in
    # anywhere: 65 instead of 3 ms for the fleet view of 300 agents.
    asking = [one for path in STATIC.glob("css/*.css") for one in selectors(path.read_text()) if ":has(" in one]
    assert len(asking) > 50
    loose = []
    for selector in asking:
        (*around, subject) = parts(selector, " ", ">", "+", "~")
        if any(":has(" in one for one in around):
            choices = parts(subject[4:-1], ",") if subject.startswith(":is(") else [subject]
            named = [re.sub(r":(has|not)\(.*\)|\[[^]]*\]", "", one) for one in choices]
            loose += [selector for one in named if not re.search(r"[.#]", one)]
    assert loose == []


@pytest.mark.django_db
def test_a_page_loads_one_style_and_one_script_which_are_kept_for_ever(
    team: Team, sign_in: SignIn, collected: Path
) -> None:
    client = sign_in("ada")
    said = client.get(f"/w/{team.workspace.pk}/").content.decode()
    (sheet,), (script,) = HREF.findall(said), SRC.findall(said)
    for address in (sheet, script):
        answer = get(client, address)
        assert re.search(r"\.[0-9a-f]{12}\.(css|js)$", address)
        assert answer["Content-Encoding"] == "gzip"
        assert "immutable" in answer["Cache-Control"]
        assert "max-age=315360000" in answer["Cache-Control"]
    assert gzip.decompress(get(client, sheet).body).decode().count("@layer tokens {") == 1
    # What is not collected is there, too.
    assert get(client, "/static/admin/js/theme.js").status_code == 200


def test_collecting_again_costs_nothing_until_a_file_changes(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    shutil.copytree(STATIC, ours)
    with override_settings(STATIC_ROOT=tmp_path / "static", STATICFILES_DIRS=[ours]):
        with ThreadPoolExecutor(3) as several:
            assert sorted(several.map(lambda _: assets.collect(), range(3))) == [False, False, True]
        before = set((tmp_path / "static").glob("app.*.js"))
        (ours / "app.js").write_text("(() => {})();", encoding="utf-8")
        assert assets.collect()
        assert not assets.collect()
        # Whoever has a page of before open still finds what it names.
        assert before < set((tmp_path / "static").glob("app.*.js"))


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["nobody", "ada"])
def test_pages_hold_no_script_or_style_and_load_little(team: Team, sign_in: SignIn, collected: Path, who: str) -> None:
    client = Client() if who == "nobody" else sign_in(who)
    task = team.working()
    room = f"/w/{team.workspace.pk}/"
    pages = ["/accounts/login/"] if who == "nobody" else ["/", room, f"{room}runs/{task.run_id}/", f"{room}members/"]
    pages += [] if who == "nobody" else [f"{room}tasks/{task.pk}/", "/agents/", "/me/", "/go/", "/nowhere/"]
    for page in pages:
        answer = client.get(page)
        said = answer.content.decode()
        assert not re.search(r"<script(?![^>]*\ssrc=)|<style|\sstyle=|\son[a-z]+=", said), page
        assert "unsafe" not in answer["Content-Security-Policy"]
        assert "script-src 'self'" in answer["Content-Security-Policy"]
        scripts = [get(client, address) for address in SRC.findall(said)]
        assert {script["Content-Encoding"] for script in scripts} == {"gzip"}
        assert sum(len(script.body) for script in scripts) < MOST
