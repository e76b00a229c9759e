"""What an owner keeps back is what git would ignore by the same words."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from agents.connector.ignoring import Ignore, patterns_of

NAMES = (
    "a", "a.log", "b.log", "keep.log", "sub/a.log", "sub/deep/a.log", "build/x", "sub/build/x", "build.md", "sub/build",
    "doc/a.md", "doc/deep/a.md", "sub/doc/a.md", "doc.md", "x y", "x ", "#a", "!a", "a[b", "ab", "ac", "a-", "a/b/c/d",
    "foo/bar/baz", "foo/x/bar/baz", "foo/bar", "Übung.txt", "a\\b", "a^", "]a", "name.tar.gz", "*.log",
)  # fmt: skip
FILES = (
    "*.log\n!keep.log\n", "/a.log\nsub/*.log", "build/\n", "build", "/build/", "doc/*.md", "doc/**/*.md", "**/doc",
    "foo/**/baz", "foo/**", "**/deep/**", "a?", "a[bc]", "a[!b]", "a[^b-c]", "a[b", "a[[]b", "\\#a\n#a", "\\!a\n",
    "x\\ ", "x ", "x y  ", "*", "*\n!doc\n", "*\n!*/\n!*.md", "/*\n!/doc", "sub/\n!sub/a.log", "Übung.*", "a/**/d",
    "a/*/d",
    "**", "/", "!", "a\\\\b", "[]a]a", "\\*.log", "?", "sub/**/", "***.log", "a**", "*/build", "./a", "a//b",
    "[a-c].log",
)  # fmt: skip


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with a file of each name, as far as they can lie beside each other."""
    top = tmp_path_factory.mktemp("tree")
    subprocess.run(["git", "init", "-q", top], check=True)
    return top


def ignored_by_git(tree: Path, patterns: str, names: list[str]) -> set[str]:
    (tree / ".gitignore").write_text(patterns)
    told = b"".join(name.encode() + b"\0" for name in names)
    command = ["git", "-c", "core.excludesFile=", "check-ignore", "--no-index", "-z", "--stdin"]
    done = subprocess.run(command, cwd=tree, input=told, capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return {name.decode() for name in done.stdout.split(b"\0") if name}


@pytest.mark.parametrize("patterns", FILES)
def test_patterns_mean_what_they_mean_to_git(tree: Path, patterns: str) -> None:
    ignore = Ignore(patterns.splitlines())
    assert {name for name in NAMES if ignore.hides(name)} == ignored_by_git(tree, patterns, list(NAMES))


def test_a_file_of_patterns_is_read_where_there_is_one_and_is_no_whole_disk(tmp_path: Path) -> None:
    assert patterns_of(tmp_path) == []
    (tmp_path / ".clawignore").write_text("a\n\n# b\n")
    assert patterns_of(tmp_path) == ["a", "", "# b"]
    (tmp_path / ".clawignore").write_text("a\n" * 200_000)
    with pytest.raises(ValueError, match="too long"):
        patterns_of(tmp_path)
    (tmp_path / ".clawignore").write_bytes(b"\xff\xfe")
    with pytest.raises(ValueError, match="decode"):
        patterns_of(tmp_path)
