"""Web pages as one file each: no script, nothing from elsewhere, readable on a phone, in the dark and on paper."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from urllib.parse import urlsplit
from zlib import crc32

HUES = (12, 28, 158, 190, 212, 262, 322)
_STYLE = """
:root{color-scheme:light dark;--ink:light-dark(#1d1b18,#eceae6);--quiet:light-dark(#5c564c,#aaa69e);
--paper:light-dark(#fbf9f5,#16171b);--card:light-dark(#fff,#1f2127);--line:light-dark(#e2dccf,#343740);
--deep:light-dark(hsl(HUE 62% 30%),hsl(HUE 55% 74%));--soft:light-dark(hsl(HUE 60% 94%),hsl(HUE 28% 17%));
--on:light-dark(#fff,#14110e)}
*{box-sizing:border-box}body{margin:0;background:var(--paper);color:var(--ink);
font:1.05rem/1.65 Georgia,"Noto Serif",serif}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
h1,h2,h3,.eyebrow,.button,dt,footer,.cards a{font-family:system-ui,"Segoe UI","Noto Sans",sans-serif}
.hero{background:var(--soft);border-block-end:1px solid var(--line)}
.hero header{padding-block:clamp(3rem,9vw,6.5rem)}h1{margin:0;font-size:clamp(2.2rem,6vw,4rem);line-height:1.05;
letter-spacing:-.03em;text-wrap:balance}.slogan{margin:.75rem 0 0;font-size:1.3rem;color:var(--quiet);text-wrap:balance}
.eyebrow{margin:0 0 .75rem;color:var(--deep);font-weight:650;letter-spacing:.06em;
text-transform:uppercase;font-size:.8rem}
.button{display:inline-block;margin-block-start:1.75rem;padding:.8rem 1.4rem;border-radius:.5rem;background:var(--deep);
color:var(--on);font-weight:650;text-decoration:none}main{padding-block:2.5rem 4rem;display:grid;gap:2.5rem}
h2{margin:0 0 .75rem;font-size:1.15rem;letter-spacing:-.01em}p{max-width:44rem;margin:0 0 1rem}.lead{font-size:1.2rem}
.offers{display:flex;flex-wrap:wrap;gap:.6rem;padding:0;margin:0;list-style:none}
.offers li{padding:.5rem .95rem;border:1px solid var(--line);border-radius:99px;background:var(--card)}
dl{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(15rem,100%),1fr));gap:1rem;margin:0}
dl div{padding:1rem 1.15rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card)}
dt{font-size:.8rem;font-weight:650;color:var(--quiet)}dd{margin:.2rem 0 0;overflow-wrap:anywhere}a{color:var(--deep)}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(17rem,100%),1fr));gap:1rem;padding:0;margin:0;
list-style:none}
.cards li{padding:1.15rem 1.25rem;border:1px solid var(--line);border-radius:.6rem;background:var(--card)}
.cards p{margin:.35rem 0 0;color:var(--quiet);font-size:.98rem}.cards a{font-weight:650;font-size:1.1rem}
footer{padding-block:1.5rem 3rem;color:var(--quiet);font-size:.85rem}
.text{max-width:46rem}.text h2{margin-block-start:1.75rem}.text h3{margin:1.4rem 0 .4rem;font-size:1rem}
.text ul{padding-inline-start:1.2em;margin:0 0 1rem}.text blockquote{margin:0 0 1rem;padding:.75rem 1.1rem;
border-inline-start:3px solid var(--deep);background:var(--soft)}.text blockquote p:last-child{margin:0}
:focus-visible{outline:3px solid var(--deep);outline-offset:3px}
@media print{.hero{background:none}.hero header{padding-block:0 1rem}main{padding-block:1rem}}
"""
_BOLD = re.compile(r"\*\*(?=\S)(.+?)(?<=\S)\*\*")


def page(title: str, body: str, *, about: str = "", language: str = "en", seed: str = "") -> str:
    """A whole page. `title`, `about` and `language` are plain text, `body` is markup of ours."""
    hue = HUES[crc32((seed or title).encode()) % len(HUES)]
    meta = f'<meta name="description" content="{escape(about)}">' if about else ""
    return (
        f'<!doctype html>\n<html lang="{escape(language)}"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">{meta}'
        f"<style>{_STYLE.replace('HUE', str(hue))}</style></head><body>\n{body}\n</body></html>\n"
    )


def hero(title: str, slogan: str = "", eyebrow: str = "", action: tuple[str, str] | None = None) -> str:
    """The top of a page: where, what, in a few words, and a button (its words and where it leads)."""
    parts = [f'<p class="eyebrow">{escape(eyebrow)}</p>' if eyebrow else "", f"<h1>{escape(title)}</h1>"]
    parts.append(f'<p class="slogan">{escape(slogan)}</p>' if slogan else "")
    if action is not None:
        parts.append(f'<a class="button" href="{escape(action[1])}">{escape(action[0])}</a>')
    return f'<div class="hero"><header>{"".join(parts)}</header></div>'


def safe_link(text: str) -> str:
    """An address of the web as it may stand in a link, or "" for anything else."""
    said = text.strip()
    if re.fullmatch(r"[\w.-]+\.[a-z]{2,}(/\S*)?", said, re.IGNORECASE) and "@" not in said:
        said = f"https://{said}"
    try:
        parts = urlsplit(said)
    except ValueError:
        return ""
    return said if parts.scheme in ("http", "https") and parts.netloc and not re.search(r"[\s\"<>]", said) else ""


def from_markdown(text: str) -> str:
    """Headings, paragraphs, quotes, bullets and bold words of a Markdown text; anything else as it is typed."""
    parts: list[str] = []
    for block in _blocks(text):
        lines = block.splitlines()
        if heading := re.match(r"(#{1,6})\s+(.*)", lines[0]):
            level = min(len(heading[1]) + (len(heading[1]) == 1), 4)
            parts.append(f"<h{level}>{_inline(heading[2])}</h{level}>")
        elif all(re.match(r"\s*[-*]\s", line) for line in lines):
            items = (re.sub(r"^\s*[-*]\s+", "", line) for line in lines)
            parts.append(f"<ul>{''.join(f'<li>{_inline(item)}</li>' for item in items)}</ul>")
        elif all(line.startswith(">") for line in lines):
            inner = from_markdown("\n".join(line.lstrip(">").strip() for line in lines))
            parts.append(f"<blockquote>{inner}</blockquote>")
        else:
            parts.append(f"<p>{_inline(' '.join(line.strip() for line in lines))}</p>")
    return "\n".join(parts)


def _blocks(text: str) -> Iterable[str]:
    """Runs of lines of one kind; a heading is one by itself."""
    found: list[str] = []
    kind = ""
    for line in [*text.splitlines(), ""]:
        now = _kind(line)
        if found and (now != kind or now in ("", "heading")):
            yield "\n".join(found)
            found = []
        if now:
            found.append(line)
        kind = now
    if found:
        yield "\n".join(found)


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    if line.startswith("#"):
        return "heading" if re.match(r"#{1,6}\s+\S", line) else "words"
    return "bullet" if re.match(r"\s*[-*]\s", line) else "quote" if line.startswith(">") else "words"


def _inline(text: str) -> str:
    return _BOLD.sub(r"<strong>\1</strong>", escape(text.strip(), quote=False))
