"""Pages, letters and live fragments in the reader's language; and a catalogue that leaves nothing out."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from django.urls import reverse
from django.utils import translation

from clawgroups.catalog import collect, po
from clawgroups.coordinator import builtin
from clawgroups.coordinator.consolidate import consolidate_run
from clawgroups.core.actors import coordinator_for
from clawgroups.core.commands import command_of
from clawgroups.core.durations import parse_duration, say_duration
from clawgroups.core.run_templates.filling import fill
from clawgroups.core.run_templates.library import TEMPLATES
from clawgroups.core.run_templates.shape import Entry, Given, Kind
from clawgroups.models import Message, Preferences, Run, Task, Workspace
from clawgroups.services import commanding, goal_questions, letters, preferences, review, run_templates, runs
from clawgroups.services.perform import perform
from clawgroups.wording import say, say_plan
from tests.conftest import Team
from tests.web.conftest import SignIn

ROOT = Path(settings.BASE_DIR)
CHINESE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
# A sentence of English on a Chinese page: four words of small letters in a row.
ENGLISH = re.compile(r"\b[A-Za-z]?[a-z]+(?: [a-z’']+){3,}")
TAG = re.compile(r"\{%.*?%\}|\{\{.*?\}\}|\{#.*?#\}", re.DOTALL)
TRANSLATED = re.compile(r"\{% (blocktranslate|comment)\b.*?\{% end\1 %\}", re.DOTALL)
WORDS = re.compile(r"[A-Za-z]{2,}(?: [a-z]{2,})+")


class Shown(HTMLParser):
    """The words of a page that its reader sees or hears, without what is code or data."""

    DATA = frozenset({"code", "pre", "textarea", "script", "style", "template", "option", "kbd"})

    SAID = frozenset({"title", "aria-label", "placeholder", "alt"})

    def __init__(self) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in self.DATA:
            self._inside.append(tag)
        self.words += [value for name, value in attrs if name in self.SAID and value]

    def handle_endtag(self, tag: str) -> None:
        if tag in self._inside:
            self._inside.remove(tag)

    def handle_data(self, data: str) -> None:
        if not self._inside:
            self.words.append(data)


# What is no word of a language: names of the cast, of files and of formats, and of the product.
NO_WORD = re.compile(
    r"(?i:\b(ada|bob|carol|gus|scribe|counter|judge)\b)|@[\w-]+|[\w-]*\.(csv|xlsx|html|md)\b|/[a-z]+"
    r"|\b(Claw Groups|CSV|TSV|XLSX|HTML|ZIP|REST API|Ctrl|Escape|Markdown|token|Sales|UTC|[KM]B)\b"
    r"|\b(data-analysis|writing|review)\b"
)
LATIN = re.compile(r"[A-Za-z]{2,}")


def latin(html: str, *, but: str = "") -> list[str]:
    """What stands in Latin letters on a page and is no name. `but`: what people wrote."""
    page = Shown()
    page.feed(html)
    said = [NO_WORD.sub("", " ".join(words.split()).replace(but, "")) for words in page.words]
    return sorted({words for words in said if LATIN.search(words)})


def english(html: str) -> list[str]:
    page = Shown()
    page.feed(html)
    return [found[0] for words in page.words if (found := ENGLISH.search(" ".join(words.split())))]


@pytest.fixture
def chinese(team: Team, sign_in: SignIn) -> Client:
    """Ada, who reads Chinese."""
    perform(preferences.set_preferences, language="zh-hans", zone="Asia/Shanghai", actor=team.actor("ada"))
    return sign_in("ada")


def test_every_text_is_in_the_catalogue_with_a_translation_that_holds_the_same_values() -> None:
    wanted = {entry.key: entry for entry in collect.collect(ROOT)}
    known = {entry.key: entry for entry in po.read(CHINESE)}
    assert not wanted.keys() - known.keys(), "run `manage.py words`, and translate what it lists"
    assert not known.keys() - wanted.keys(), "run `manage.py words`: these are said no more"
    assert [(entry.text, entry.fault) for entry in known.values() if entry.fault] == []


def test_what_django_reads_is_the_catalogue_that_people_edit() -> None:
    compiled = po.compiled(po.read(CHINESE), language="zh_Hans", plurals="nplurals=1; plural=0;")
    assert CHINESE.with_suffix(".mo").read_bytes() == compiled, "run `manage.py words`"


def test_a_catalogue_is_written_and_read_without_loss(tmp_path: Path) -> None:
    odd = [po.Entry('a "b"\n\tc\\', context="x", translation="甲\n"), po.Entry("%(n)s a", "%(n)s as", "", "%(n)s 个")]
    po.write(tmp_path / "django.po", odd, language="zh_Hans", plurals="nplurals=1; plural=0;")
    assert po.read(tmp_path / "django.po") == odd


def test_a_translation_that_lost_a_value_is_seen() -> None:
    assert po.Entry("It failed: {reason}.", translation="失败了。").fault
    assert not po.Entry("It failed: {reason}.", translation="失败了：{reason}。").fault


def test_no_template_has_words_outside_its_translate_tags() -> None:
    bare = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        if "style" in path.parts:
            continue  # the style page is for who makes the product
        page = Shown()
        page.feed(TAG.sub("", TRANSLATED.sub("", path.read_text(encoding="utf-8"))))
        bare += [(path.name, found) for words in page.words for found in WORDS.findall(words)]
    # A command is no word.
    assert [one for one in bare if one[1] != "agent acp"] == []


def test_a_sentence_is_known_again_by_its_pattern_and_what_people_write_is_left_alone() -> None:
    said = {
        "There is no such task in this workspace.": "本工作区没有这样的任务。",
        "It failed: no progress for too long.": "它失败了：太久没有进展。",
        "ada took it over from scribe.": "ada 接管了它（来自 scribe）。",
        "Buy oranges, then pears.": "Buy oranges, then pears.",
    }
    with translation.override("zh-hans"):
        assert {text: say(text) for text in said} == said
    assert say("It is ready again.") == "It is ready again."


def test_the_products_own_plans_are_told_in_the_readers_language() -> None:
    """What was given stands in them as it was given; headings of results are what a result is checked by."""
    given, held = Entry("甲", "jia", (("城市", "乙"),)), set[str]()
    with translation.override("zh-hans"):
        for template in TEMPLATES:
            lists = {one.name: (given,) for one in template.inputs if one.kind in (Kind.LIST, Kind.ROWS, Kind.TABLES)}
            filled = fill(template, Given({one.name: one.otherwise or "丙" for one in template.inputs}, lists))
            plain = [filled.goal, template.why, *(task["title"] for task in filled.tasks)]
            held |= {text for text in plain if LATIN.search(NO_WORD.sub("", say_plan(text)))}
            held |= {task["instructions"] for task in filled.tasks if say_plan(task["instructions"])[:9].isascii()}
        # A title of people's own, which begins as ours do.
        assert say_plan("Write the report, then rest") == "Write the report, then rest"
    assert not held


def test_a_length_of_time_is_said_and_read_in_both_languages() -> None:
    with translation.override("zh-hans"):
        said = {say(say_duration(seconds)): seconds for seconds in (45, 5400, 90000, 604800)}
    assert list(said) == ["45 秒", "1 小时 30 分钟", "1 天 1 小时", "7 天"]
    assert [parse_duration(words) for words in said] == list(said.values())


def test_a_hostile_text_costs_no_time() -> None:
    with translation.override("zh-hans"):
        for text in ("“” " * 600, "; and 3 more" * 150, "It is. " * 280):
            assert say(text)


@pytest.mark.django_db
def test_main_pages_speak_the_readers_language(team: Team, chinese: Client) -> None:
    task = Task.objects.select_related("run").get(pk=team.working().pk)
    here = {"workspace_id": team.workspace.pk}
    addresses = [
        *(reverse(name) for name in ("workspaces", "me", "notices", "needs-you", "agents")),
        *(reverse(name, kwargs=here) for name in ("workspace", "runs", "members")),
        reverse("run", kwargs={**here, "run_id": task.run_id}),
        reverse("task", kwargs={**here, "task_id": task.pk}),
    ]
    found = {}
    for address in addresses:
        answer = chinese.get(address)
        assert answer.status_code == 200
        html = answer.content.decode()
        assert '<html lang="zh-hans"' in html
        assert 'data-zone-of-person="Asia/Shanghai"' in html
        if sentences := english(html):
            found[address] = sentences
    assert not found, repr(found)


@pytest.mark.django_db
def test_the_talk_and_the_plan_of_a_run_hold_no_english_of_ours(team: Team, chinese: Client) -> None:
    """What the coordinator and the system say lies in rows, in English; and so do the plans of the product's own."""
    ada, here = team.actor("ada"), team.workspace.pk
    task = team.working(title="写一写", instructions="写。")
    Workspace.objects.filter(pk=here).update(goal="了解数字")
    Run.objects.filter(pk=task.run_id).update(goal="了解销售")
    Message.objects.filter(run=task.run_id).update(body="了解销售")
    for text in ("/status", "/pause", "/stop @counter", "/resume"):
        command = command_of(text)
        assert command is not None
        commanding.obey(here, text, command, actor=ada)
    team.finish("scribe", "好。")
    perform(review.accept_task, task.pk, actor=ada)
    consolidate_run(task.run_id, coordinator_for(ada.user_id))
    begun = perform(
        run_templates.use_template, here, name="market-report", words={}, sample=True, start=True, actor=ada
    )
    asked = perform(runs.draft_run, here, goal="报告", actor=ada).answer["id"]
    question = f"{builtin.NOBODY} {builtin.THEN_ANSWER}"
    perform(goal_questions.ask_about_goal, asked, question=question, actor=coordinator_for(ada.user_id))
    room, run = {"workspace_id": here}, {"workspace_id": here, "run_id": begun.answer["id"]}
    first = Task.objects.get(run=begun.answer["id"], key="report")
    addresses = [
        reverse("workspace", kwargs=room),
        reverse("run", kwargs=run),
        reverse("run", kwargs={**room, "run_id": asked}),
        *(reverse("run-view", kwargs={**run, "kind": kind}) for kind in ("list", "board", "graph")),
        reverse("task", kwargs={**room, "task_id": first.pk}),
        reverse("needs-you"),
    ]
    found = {one: words for one in addresses if (words := latin(chinese.get(one).content.decode()))}
    assert not found, repr(found)


@pytest.mark.django_db
def test_a_choice_is_kept_with_the_person_and_a_wrong_one_is_refused_beside_its_field(
    team: Team, sign_in: SignIn
) -> None:
    ada, to = sign_in("ada"), reverse("set-language")
    assert ada.post(to, {"language": "zh-hans", "zone": "Asia/Shanghai"}).status_code == 303
    row = Preferences.objects.get(user=team.users["ada"])
    assert (row.language, row.zone) == ("zh-hans", "Asia/Shanghai")
    # In another browser, too.
    assert sign_in("ada").get(reverse("me"))["Content-Language"] == "zh-hans"
    answer = ada.post(to, {"language": "zh-hans", "zone": "Nowhere/At_All"})
    assert answer.status_code == 422
    assert "没有时区“Nowhere/At_All”" in answer.content.decode()
    assert ada.post(to, {"language": "", "zone": ""}).status_code == 303
    assert sign_in("ada").get(reverse("me"))["Content-Language"] == "en"


@pytest.mark.django_db
def test_a_stranger_is_met_in_the_language_of_the_browser_or_of_the_page() -> None:
    stranger = Client(headers={"Accept-Language": "zh-CN,zh;q=0.9"})
    answer = stranger.get(reverse("account_login"))
    assert answer["Content-Language"] == "zh-hans"
    assert "Accept-Language" in answer["Vary"]
    stranger.post(reverse("set-language"), {"language": "en", "next": reverse("account_login")})
    assert stranger.get(reverse("account_login"))["Content-Language"] == "en"


@pytest.mark.django_db
def test_refusals_come_in_the_persons_language_and_scripts_are_told_in_english(team: Team, chinese: Client) -> None:
    task = team.working()
    address = reverse("task", kwargs={"workspace_id": team.workspace.pk, "task_id": team.workspace.pk})
    assert "这里没有这样的内容，或你无权查看。" in chinese.get(address).content.decode()
    assert chinese.get(f"/api/v1/tasks/{task.pk}")["Content-Type"].startswith("application/")


@pytest.mark.django_db
def test_a_letter_is_written_in_the_language_of_whom_it_is_to(team: Team, chinese: Client) -> None:
    with preferences.in_language_of(team.users["ada"].pk):
        words = letters.body_of("letters/test.txt", team.users["ada"], {})
    assert "ada" in words
    assert not english(words)
