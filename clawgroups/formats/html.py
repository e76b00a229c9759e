"""The HTML report: one self-contained file that opens anywhere, prints well, and names its sources."""

from __future__ import annotations

import base64
import re

from django.utils.html import escape

from clawgroups.formats.markdown import to_html
from clawgroups.formats.material import Material, Picture, Section

_MARK = re.compile(r"\[([^\[\]\n<>]{3,300}? · [^\[\]\n<>]{1,300}?)\]")
_TITLE = re.compile(r"\A\s*# [^\n]*\n+")
_STYLE = """
:root{color-scheme:light dark;--ink:light-dark(#1c2430,#e6e9ef);--quiet:light-dark(#5b6675,#9aa5b4);
--line:light-dark(#d9dee6,#343c48);--paper:light-dark(#fff,#151a21);--tint:light-dark(#f4f6f9,#1d242e);
--accent:light-dark(#0b6b5d,#5cc9b6);--warn:light-dark(#8a4b00,#f0b869)}
*{box-sizing:border-box}body{margin:0 auto;padding:2.5rem 1.25rem 4rem;max-width:52rem;background:var(--paper);
color:var(--ink);font:1rem/1.6 system-ui,sans-serif}h1{font-size:1.9rem;line-height:1.25;margin:0 0 .5rem}
h2{margin:2.5rem 0 .75rem;font-size:1.35rem}h3{margin:1.75rem 0 .5rem;font-size:1.1rem}
.by,.quiet{color:var(--quiet)}table{border-collapse:collapse;width:100%;margin:1rem 0;font-size:.92rem}
th,td{text-align:start;padding:.4rem .6rem;border-block-end:1px solid var(--line);vertical-align:top}
th{color:var(--quiet);font-weight:600}cite{font-style:normal;font-size:.78em;color:var(--quiet);white-space:normal}
figure{margin:1.5rem 0;padding:1rem;background:var(--tint);border-radius:.5rem}figure img{max-width:100%;height:auto;
background:#fff;border-radius:.25rem}figcaption{color:var(--quiet);font-size:.85rem;margin-block-start:.5rem}
.warn{border-inline-start:4px solid var(--warn);background:var(--tint);padding:.75rem 1rem;border-radius:.25rem}
blockquote{margin:1rem 0;padding-inline-start:1rem;border-inline-start:3px solid var(--line);color:var(--quiet)}
code{font-size:.88em;overflow-wrap:anywhere}.scroll{overflow-x:auto}a{color:var(--accent)}
@media print{body{padding:0;max-width:none}figure,tr{break-inside:avoid}}
"""


def render(material: Material) -> bytes:
    """The report as UTF-8 HTML, without scripts and without anything loaded from elsewhere."""
    body = [_head(material)]
    body += [f'<p class="warn" role="note">{escape(w)}</p>' for w in material.warnings]
    body += [_section(s, alone=len(_shown(material)) == 1) for s in _shown(material)]
    if material.pictures:
        body.append("<section><h2>Charts</h2>" + "".join(_figure(p) for p in material.pictures) + "</section>")
    body += [_how(material), _sources(material)]
    title = escape(_title(material))
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{_STYLE}</style></head><body>\n{''.join(body)}\n</body></html>\n"
    )
    return page.encode()


def _shown(material: Material) -> list[Section]:
    """What the reader came for: reports; where there are none, what nothing else was built upon."""
    done = [s for s in material.sections if s.text.strip() and s.state == "done"]
    reports = [s for s in done if s.kind == "report"]
    checks = [s for s in done if s.kind == "review"]
    return [*reports, *checks] or [s for s in done if s.is_last] or done


def _title(material: Material) -> str:
    return material.goal.strip().splitlines()[0][:160]


def _head(material: Material) -> str:
    made = material.finished_at.strftime("%Y-%m-%d %H:%M UTC")
    goal = material.goal.strip()
    rest = f"<p>{escape(goal)}</p>" if goal != _title(material) else ""
    return (
        f'<header><h1>{escape(_title(material))}</h1><p class="by">{escape(material.workspace)} · asked by'
        f" {escape(material.asked_by)} · {made}</p>{rest}</header>"
    )


def _section(section: Section, *, alone: bool) -> str:
    heading = "" if alone or section.kind == "report" else f"<h2>{escape(section.title)}</h2>"
    text = _MARK.sub(r"<cite>[\1]</cite>", to_html(_without_title(section.text), top=3 if heading else 2))
    return f'<section>{heading}<p class="by">by {escape(section.author)}</p><div class="scroll">{text}</div></section>'


def _without_title(text: str) -> str:
    """The text without a first heading of level one: the page has its own."""
    return _TITLE.sub("", text, count=1)


def _figure(picture: Picture) -> str:
    data = base64.b64encode(picture.content).decode()
    name = escape(picture.name)
    return (
        f'<figure><img alt="{name}" src="data:{escape(picture.content_type)};base64,{data}">'
        f"<figcaption>{name}, by {escape(picture.author)}</figcaption></figure>"
    )


def _how(material: Material) -> str:
    rows = "".join(
        f"<tr><td>{escape(s.title)}</td><td>{escape(s.author)}</td><td>{escape(s.state)}"
        f"{': ' + escape(s.reason) if s.reason and s.state != 'done' else ''}</td><td>{_verdicts(s)}</td></tr>"
        for s in material.sections
    )
    return (
        "<section><h2>How it was made</h2><table><thead><tr><th>Task</th><th>By</th><th>State</th>"
        f"<th>Accepted on</th></tr></thead><tbody>{rows}</tbody></table></section>"
    )


def _verdicts(section: Section) -> str:
    return "<br>".join(f"{escape(v['line'])}: {escape(v['reason'])} ({escape(v['by'])})" for v in section.verdicts)


def _sources(material: Material) -> str:
    if not material.sources:
        return ""
    rows = "".join(
        f"<tr><td>{escape(s.name)}</td><td>{escape(s.origin)}</td><td>{s.size:,} bytes</td>"
        f"<td><code>{s.sha256}</code></td></tr>"
        for s in material.sources
    )
    return (
        '<section><h2>Sources</h2><div class="scroll"><table><thead><tr><th>File</th><th>From</th><th>Size</th>'
        f"<th>SHA-256</th></tr></thead><tbody>{rows}</tbody></table></div></section>"
    )
