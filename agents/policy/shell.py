"""Command lines as rules see them: the plain ones word by word, all others as pieces that may hide something.

Read as POSIX shells read them. Pure.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, Self

from agents.policy.paths import folded

LONGEST = 20_000
SHELLS = frozenset({"sh", "bash", "zsh", "dash", "ksh", "ash", "fish"})
RUNNERS = SHELLS | {
    "busybox", "builtin", "chroot", "command", "doas", "env", "eval", "exec", "find", "ionice", "nice", "nohup",
    "parallel", "script", "setsid", "source", "ssh", "stdbuf", "sudo", "su", "time", "timeout", "unshare", "watch",
    "xargs", ".",
}  # fmt: skip
"""Programs that run what their arguments say."""
INTERPRETERS = frozenset(
    {"python", "python3", "node", "deno", "bun", "npx", "uvx", "perl", "ruby", "php", "awk", "make", "docker", "git"}
)
"""Programs that do whatever they are told, where nothing but their name is given."""
_UNSEEN = SHELLS | {"alias", "eval", "hash", "parallel", "source", "trap", "xargs"}
"""Programs that take what they run from elsewhere, or give it another name."""
_MADE_UP = re.compile(r"[$`\\\x00]|[<>]\(")
_ELSEWHERE = re.compile(r"[%^]")
"""What other shells than those of POSIX make something of."""
_SYSTEM = ("", "/bin", "/usr/bin", "/usr/local/bin", "/opt/homebrew/bin")
_WORD = re.compile(
    r"(?:[A-Za-z0-9_@%+=:,./-]|'[^'\x00-\x1f\x7f\ud800-\udfff]*'|\"[^\"$`\\!\x00-\x1f\x7f\ud800-\udfff]*\")+"
)
_BARE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")
_BETWEEN = re.compile(r"[;&|\n\r(){}`<>]|\$\(")
_QUOTING = str.maketrans("", "", "'\"\\")
_ASSIGNMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*=")
_OPERATORS = re.compile(r"[;&|<>`$(){}\n\r\x00]")

Words = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class CommandLine:
    """What a request wants to run. `words` is None when it is not one plain command whose words are beyond doubt."""

    text: str
    words: Words | None
    pieces: tuple[Words, ...]
    """Everything in it that may be run, read liberally: behind operators, in quotes, as arguments of `RUNNERS`."""
    whole: bool = True
    """Whether nothing beside it makes another command of it."""

    @property
    def legible(self) -> bool:
        """Whether `pieces` name all that it runs: several commands, say, but none that is put together meanwhile."""
        if not self.whole or len(self.text) > LONGEST or _MADE_UP.search(self.text):
            return False
        return not any(map(_is_unseen, self.pieces))

    @property
    def of_any_shell(self) -> Self:
        """The same where nobody knows which shell reads it."""
        return replace(self, words=None, whole=self.whole and not _ELSEWHERE.search(self.text))

    @property
    def clear(self) -> bool:
        """Whether nothing else can hide in it, as far as its words go."""
        return self.words is not None and _program(self.words[0]) not in RUNNERS

    @classmethod
    def of_text(cls, text: str) -> Self:
        """A line for a shell."""
        return cls(text, plain_words(text), tuple(dict.fromkeys(_pieces(text[:LONGEST]))))

    @classmethod
    def of_words(cls, words: Sequence[str]) -> Self:
        """A program and its arguments; a shell that is given one line by `-c` is that line."""
        if len(words) == 3 and is_shell(words[0]) and re.fullmatch(r"-[il]*c", words[1]):
            return cls.of_text(words[2])
        text = " ".join(words)
        # Whoever puts them together again by spaces must not get another command.
        plain = tuple(words) if words and all(map(_BARE.fullmatch, words)) and "=" not in words[0] else None
        return cls(text, plain, tuple(dict.fromkeys(_pieces(text[:LONGEST]))))

    @classmethod
    def unclear(cls, text: str) -> Self:
        """Several lines, or one that is not the whole of it."""
        return cls(text, None, tuple(dict.fromkeys(_pieces(text[:LONGEST]))), whole=False)


def _is_unseen(piece: Words) -> bool:
    """Whether this may run something that it does not name. Arguments of `find` are no programs: `.`, `*.py`."""
    if piece[0] == ".":
        return len(piece) > 1 and not piece[1].startswith("-")
    return not _BARE.fullmatch(piece[0].removeprefix("*.")) or _program(piece[0]) in _UNSEEN


def is_shell(program: str) -> bool:
    """Whether this is one of the system's shells, and not a program that an agent has put somewhere by that name."""
    folder, _, name = program.rpartition("/")
    return name in SHELLS and folder in _SYSTEM


def plain_words(text: str) -> Words | None:
    """The words of one plain command, as every POSIX shell reads them; None for whatever may be more than that."""
    text = text.strip(" \t\n")
    if not text or len(text) > LONGEST:
        return None
    words, at = [], 0
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            return None
        words.append(re.sub(r"'([^']*)'|\"([^\"]*)\"", lambda quoted: quoted[1] or quoted[2] or "", found[0]))
        at = found.end()
        blank = re.compile(r"[ \t]+|$").match(text, at)
        if blank is None:
            return None
        at = blank.end()
    return None if "=" in words[0] or not words[0] else tuple(words)


def _pieces(text: str) -> Iterator[Words]:
    bare = text.replace("\\\n", "").translate(_QUOTING)
    for piece in _BETWEEN.split(bare):
        words = piece.split()
        while words and _ASSIGNMENT.match(words[0]):
            words = words[1:]
        if not words:
            continue
        yield tuple(words)
        if _program(words[0]) in RUNNERS:
            yield from (tuple(words[at : at + 20]) for at in range(1, min(len(words), 200)))


def _program(word: str) -> str:
    return folded(word.replace("\\", "/").rpartition("/")[2]).removesuffix(".exe")


@dataclass(frozen=True, slots=True)
class CommandPattern:
    """`git status`, `git log *`, `npm run test:*`: one plain command.

    A last word `*` stands for any further words, or none. Within a word `*` stands for characters but no slash, `**`
    for any; neither ever for a path that goes up (`..`).
    """

    text: str
    _exact: tuple[re.Pattern[str], ...]
    _folded: tuple[re.Pattern[str], ...]
    _wild: tuple[bool, ...]
    _open: bool
    _program: str
    """Where it is sure which one it names."""

    @classmethod
    def read(cls, text: str) -> Self:
        """Raises ValueError with what is wrong with it."""
        if _OPERATORS.search(text):
            raise ValueError(f"{text!r} is more than one plain command")
        try:
            words = shlex.split(text)
        except ValueError:
            raise ValueError(f"{text!r} has a quote without an end") from None
        is_open = len(words) > 1 and words[-1] == "*"
        words = words[:-1] if is_open else words
        if not words or words[0].strip("*") == "":
            raise ValueError(f"{text!r} names no program")
        return cls(
            text,
            tuple(_compiled(word, "[^/]") for word in words),
            tuple(_compiled(folded(word), ".") for word in words),
            tuple("*" in word for word in words),
            is_open,
            "" if "*" in words[0] else folded(words[0]),
        )

    def surely(self, line: CommandLine) -> bool:
        """Whether `line` is this command and nothing else."""
        if line.words is None or not self._fits(line.words, self._exact):
            return False
        return not any(wild and ".." in word.split("/") for wild, word in zip(self._wild, line.words, strict=False))

    def maybe(self, line: CommandLine) -> bool:
        """Whether this command may be hidden in `line`."""
        for words, program in _read_liberally(line.pieces, line.words):
            if self._program in ("", words[0], program) and (
                self._fits(words, self._folded) or self._fits((program, *words[1:]), self._folded)
            ):
                return True
        return False

    @property
    def runs_anything(self) -> bool:
        """Whether who allows this allows whatever its arguments say."""
        program = _program(self.text.split()[0])
        return self._open and (program in RUNNERS or (program in INTERPRETERS and len(self._exact) == 1))

    def _fits(self, words: Words, patterns: tuple[re.Pattern[str], ...]) -> bool:
        enough = len(words) >= len(patterns) if self._open else len(words) == len(patterns)
        return enough and all(one.fullmatch(word) for one, word in zip(patterns, words, strict=False))


@lru_cache(maxsize=8)
def _read_liberally(pieces: tuple[Words, ...], plain: Words | None) -> tuple[tuple[Words, str], ...]:
    """Each piece as a disk may take its words, with the bare name of its program: once for all patterns."""
    every = (tuple(folded(word) for word in piece) for piece in (*pieces, *([plain] if plain else [])))
    return tuple((words, _program(words[0])) for words in dict.fromkeys(every))


def _compiled(word: str, star: str) -> re.Pattern[str]:
    """A word of a pattern. Each star takes as little as it can and gives nothing back: no word takes long to try."""
    first, *rest = re.split(r"(\*\*|\*)", word)
    made = [re.escape(first)]
    for at in range(0, len(rest), 2):
        any_of, fixed = "." if rest[at] == "**" else star, re.escape(rest[at + 1])
        made.append(f"{any_of}*{fixed}" if at + 2 == len(rest) else f"(?>{any_of}*?{fixed})")
    return re.compile("".join(made), re.DOTALL)


def line_of(found: Sequence[Any]) -> CommandLine | None:
    """What a request wants to run, of all that it names as a command: texts, or lists of words."""
    read = [_one(one) for one in found]
    if not read:
        return None
    lines = list(dict.fromkeys(read))
    return lines[0] if len(lines) == 1 else CommandLine.unclear("\n".join(line.text for line in lines))


def _one(given: Any) -> CommandLine:
    if isinstance(given, str):
        return CommandLine.of_text(given)
    words = [one if isinstance(one, str) else "" for one in given]
    return CommandLine.of_words(words) if all(words) else CommandLine.unclear(" ".join(words))
