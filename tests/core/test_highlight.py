"""Source text in colours: harmless, as it stands, and only where a language is known."""

from __future__ import annotations

import time

import pytest

from clawgroups.formats.highlight import MOST, in_language, of_file
from clawgroups.formats.markdown import to_html


def test_words_strings_numbers_and_comments_of_a_language_are_told_apart() -> None:
    shown = in_language('def f(x):\n    return "a" + 1  # why\n', "python")
    for part in ('<span class="hl-k">def</span>', '<span class="hl-f">f</span>', "&quot;a&quot;</span>",
                 '<span class="hl-n">1</span>', '<span class="hl-c"># why</span>'):  # fmt: skip
        assert part in shown


def test_markup_within_source_text_stays_text() -> None:
    hostile = "<script>alert(1)</script><img src=x onerror=alert(1)>"
    for shown in (in_language(hostile, "html"), of_file(hostile, "a.py"), to_html(f"```js\n{hostile}\n```")):
        assert "<script" not in shown
        assert "<img" not in shown


def test_a_message_keeps_no_other_class_than_those_of_colours() -> None:
    assert 'class="hl-k"' in to_html("```python\nimport os\n```")
    assert "class" not in to_html("```no-such-language\nimport os\n```")


def test_what_no_language_is_known_of_and_what_is_long_is_left_as_it_is() -> None:
    assert of_file("a", "notes.unknown-kind") == ""
    assert in_language("a", "no-such-language") == ""
    assert of_file("x = 1\n" * MOST, "a.py") == ""


@pytest.mark.parametrize("name", ["a.py", "a.js", "a.html", "a.rb", "a.yaml"])
def test_hostile_source_text_is_coloured_in_bounded_time(name: str) -> None:
    before = time.process_time()
    for piece in ("(" * 40, "'" * 7 + "\\", "/*" * 20, "<a " * 20, "x" * 60 + "\n", "{{" * 30, "- " * 30):
        of_file((piece * MOST)[: MOST // 4], name)
    assert time.process_time() - before < 15
