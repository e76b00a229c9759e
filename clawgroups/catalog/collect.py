"""What is to be translated, collected from the sources: texts of templates, of gettext calls, and sentences.

`core` and `services` say what they have to say in English, with values in it: errors, reasons, stories. Programs read
it so, and rows keep it. Each such sentence is collected as a pattern, `It failed: {reason}.`, by which pages know it
again and say it in the reader's language (`clawgroups.wording`).
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from django.utils.translation.template import templatize

from clawgroups.catalog.po import Entry
from clawgroups.catalog.sources import ACTS, GIVEN_WORDS, LABELS, LEFT_OUT, PHRASES, PLAN_WORDS, PLANS, SENTENCES, WORDS
from clawgroups.core.audit import AUDITED

CALLS = {
    **dict.fromkeys(("_", "gettext", "gettext_lazy", "gettext_noop"), 1),
    **dict.fromkeys(("ngettext", "ngettext_lazy"), 2),
    "pgettext": -1,
}
_STRING = r"""u?(?:'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")"""
_IN_TEMPLATE = re.compile(rf"\b(n?gettext|_)\(({_STRING})(?:, ?({_STRING}))?")
_SENTENCE = re.compile(r"(?s)[A-Z“{].*\w.*[.!?:…”}]")
_GIVEN = re.compile(r"\$([a-z_]+)")
_PLACE = re.compile(r"\{[a-z_0-9]*\}")
LETTERS = 6  # of its own that a pattern has at least, to be known by


def collect(root: Path) -> list[Entry]:
    """All of it, each text once, in the order of files."""
    found: dict[tuple[str, str], Entry] = {}
    for path in sorted((root / "templates").rglob("*.*")):
        if path.suffix in (".html", ".txt"):
            _add(found, path.relative_to(root / "templates").as_posix(), of_template(path.read_text(encoding="utf-8")))
    for path in sorted((root / "clawgroups").rglob("*.py")):
        name = path.relative_to(root).as_posix()
        if "/migrations/" not in name and "/catalog/" not in name:
            tree = ast.parse(path.read_text(encoding="utf-8"))
            _add(found, name, of_calls(tree))
            _add(found, name, of_sentences(tree, name))
            if name.startswith(PLANS):
                _add(found, name, of_plans(tree))
    _add(found, "clawgroups/catalog/sources.py", (Entry(word, is_pattern=True) for word in WORDS))
    _add(found, PLANS[-1], (Entry(word, is_pattern=True) for word in GIVEN_WORDS))
    acts = sorted(act.replace(".", " ").replace("_", " ") for act in AUDITED)
    _add(found, "clawgroups/core/audit.py", (Entry(act) for act in (*acts, *ACTS)))
    return list(found.values())


def _add(found: dict[tuple[str, str], Entry], name: str, entries: Iterator[Entry]) -> None:
    for entry in entries:
        before = found.get(entry.key)
        where = before.where if before else ()
        plural = entry.plural or (before.plural if before else "")
        is_pattern = entry.is_pattern or bool(before and before.is_pattern)
        names = where if name in where else (*where, name)
        found[entry.key] = Entry(entry.text, plural, entry.context, "", names, is_pattern)


def of_template(text: str) -> Iterator[Entry]:
    """The texts of a template's translate tags."""
    for call, first, second in _IN_TEMPLATE.findall(templatize(text)):
        plural = ast.literal_eval(second) if call == "ngettext" else ""
        yield Entry(ast.literal_eval(first), plural)


def of_calls(tree: ast.AST) -> Iterator[Entry]:
    """The texts of gettext calls."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
        texts = [one.value for one in node.args if isinstance(one, ast.Constant) and isinstance(one.value, str)]
        number = CALLS.get(name, 0)
        if number == -1 and len(texts) == 2:
            yield Entry(texts[1], context=texts[0])
        elif number and len(texts) >= number:
            yield Entry(texts[0], texts[1] if number == 2 else "")


def of_sentences(tree: ast.AST, name: str) -> Iterator[Entry]:
    """The sentences that a module says in English; of some also phrases that stand in sentences."""
    module = name.removesuffix(".py").removeprefix("clawgroups/")
    if not module.startswith(SENTENCES) or module in LEFT_OUT:
        return
    passed = _passed_over(tree)
    for node in ast.walk(tree):
        if id(node) in passed:
            continue
        text = pattern_of(node)
        if "CLAWGROUPS_KEY=" in text or "\n" in text:
            continue
        letters = len(re.findall("[A-Za-z]", _PLACE.sub("", text)))
        wanted = module in PHRASES or _SENTENCE.fullmatch(text)
        if module in LABELS and re.match("[A-Z][a-z ]", text):
            yield Entry(text, is_pattern=True)
        elif letters >= (LETTERS if module not in PHRASES else 3) and wanted and " " in text:
            yield Entry(text.strip(), is_pattern=True)


def of_plans(tree: ast.AST) -> Iterator[Entry]:
    """The words of plans that the product itself makes; `$name` of a template is a value."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Dict):
            pairs = [(pattern_of(key), one) for key, one in zip(node.keys, node.values, strict=True) if key]
        elif isinstance(node, ast.Call):
            pairs = [(one.arg or "", one.value) for one in node.keywords]
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.JoinedStr):
            pairs = [("instructions", node.value)]
        else:
            continue
        for name, value in pairs:
            said = value.value if isinstance(value, ast.Subscript) else value
            if isinstance(said, ast.Call) and said.args:
                said = said.args[0]  # marked for translators
            text = _GIVEN.sub(r"{\1}", pattern_of(said)).strip()
            if name in PLAN_WORDS and re.search("[A-Za-z]{3}", _PLACE.sub("", text)):
                yield from (Entry(line, is_pattern=True) for line in (text.split("\n") if name == "begin" else [text]))


def _passed_over(tree: ast.AST) -> set[int]:
    """Docstrings, parts of f-strings, and what gettext calls have taken."""
    passed: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            passed.add(id(node.value))
        elif isinstance(node, ast.JoinedStr):
            passed.update(id(part) for part in node.values)
        elif isinstance(node, ast.Call):
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in CALLS or called in ("compile", "fullmatch", "match", "search", "getLogger"):
                passed.update(id(one) for one in node.args)
            if isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") == "log":
                passed.update(id(one) for one in node.args)
    return passed


def pattern_of(node: ast.AST) -> str:
    """A string of the source as a pattern; empty for anything else."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if not isinstance(node, ast.JoinedStr):
        return ""
    text, names = "", set()
    for part in node.values:
        if isinstance(part, ast.Constant):
            text += str(part.value).replace("{", "").replace("}", "")
            continue
        name = first = _name(part.value) if isinstance(part, ast.FormattedValue) else "it"
        number = 2
        while name in names:
            name, number = f"{first}_{number}", number + 1
        names.add(name)
        text += f"{{{name}}}"
    return text


def _name(node: ast.AST) -> str:
    """What a value in a sentence is called: by its last name."""
    if isinstance(node, ast.Name):
        name = node.id
    elif isinstance(node, ast.Attribute):
        name = node.attr if node.attr not in ("value", "name", "title") else f"{_name(node.value)}_{node.attr}"
    elif isinstance(node, ast.Subscript):
        name = _name(node.slice) if isinstance(node.slice, ast.Constant) else _name(node.value)
    elif isinstance(node, ast.Constant):
        name = str(node.value)
    elif isinstance(node, ast.Call):
        name = _name(node.args[0]) if node.args else _name(node.func)
    else:
        name = "it"
    name = re.sub("[^a-z_]", "", name.lower()).strip("_")
    return name or "it"
