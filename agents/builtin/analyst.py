"""The analyst: profiles every table of the task and writes profile, summary, workbook and chart for each."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from agents.builtin import sections
from agents.builtin.brief import Brief
from agents.builtin.chart import choose, to_svg
from agents.builtin.facts import Profile
from agents.builtin.failures import NoInputError, TableError
from agents.builtin.figures import joined, name
from agents.builtin.findings import find, rank
from agents.builtin.material import CHART, PROFILE, SUMMARY, WORKBOOK, gather, write
from agents.builtin.profile import profile_table, to_bytes
from agents.builtin.tables import Check, open_tables
from agents.builtin.turn import Turn
from agents.builtin.workbook import Workbook

_NEEDS = "Add a CSV, TSV or XLSX file to the task and try again."


async def analyse(turn: Turn, brief: Brief) -> None:
    """Profile the tables in the session's folder and say what they hold; refuses when none can be read."""
    material = await turn.work(gather, turn.folder, brief.inputs)
    if not material.tables:
        raise NoInputError(f"There is no table to analyse here. {_NEEDS}")
    await turn.plan([f"Profile {table}" for table in material.tables] + ["Say what stands out"])
    stems = stems_of(material.tables)
    summaries: list[str] = []
    failed: list[str] = []
    for table in material.tables:
        try:
            summaries += await _one(turn, brief, table, stems[table])
        except TableError as error:
            failed.append(str(error))
        await turn.advance()
    if not summaries:
        raise TableError("\n\n".join(failed))
    if failed:
        summaries.append("## Files that could not be read\n\n" + sections.bullet(failed) + "\n")
    await turn.say("\n".join(summaries))
    await turn.advance()


async def _one(turn: Turn, brief: Brief, file: str, stem: str) -> list[str]:
    async with turn.step(f"Profile {file}", "execute", file) as step:
        profiles = await turn.work(profile_file, turn.folder, file, stem, turn.check, brief.wish())
        for profile in profiles.values():
            step.note(f"{profile['table']}: {profile['rows']:,} rows, {len(profile['columns']):,} columns.")
    texts = []
    async with turn.step(f"Write the results for {file}", "edit", stem + SUMMARY) as step:
        for out, profile in profiles.items():
            text = summary(profile, brief.wish(), out)
            await turn.work(write, turn.folder, out + SUMMARY, text)
            step.note(f"{out + PROFILE}, {out + SUMMARY}, {out + WORKBOOK}, {out + CHART}")
            texts.append(text)
    return texts


def stems_of(files: Sequence[str]) -> dict[str, str]:
    """A name without suffix for the results of each file; files that would share one keep their suffix in it."""
    plain = {file: _stem(PurePosixPath(file)) for file in files}
    times = Counter(stem.casefold() for stem in plain.values())
    return {
        file: stem if times[stem.casefold()] == 1 else f"{stem}-{PurePosixPath(file).suffix.lstrip('.')}"
        for file, stem in plain.items()
    }


def _stem(file: PurePosixPath) -> str:
    # Room for our endings below the 255 bytes that a file name may have.
    short = file.stem.encode()[:180].decode("utf-8", "ignore")
    return str(file.with_name(short))


def profile_file(folder: Path, file: str, stem: str, check: Check, wish: str = "") -> dict[str, Profile]:
    """Profile each table of a file and write profile, workbook and chart; the result is by the name of the results."""
    profiles: dict[str, Profile] = {}
    with open_tables(folder / file, file, check) as tables:
        for table in tables:
            profile, columns = profile_table(table, check)
            check()
            out = stem if len(tables) == 1 else f"{stem}.{_slug(table.sheet or '', profiles, stem)}"
            chart = choose(profile, wish)
            fresh = (folder / out).with_name(f".{Path(out).name}.part.xlsx")
            try:
                Workbook(fresh, table, columns, profile).write(chart, check)
                check()
                fresh.replace(folder / (out + WORKBOOK))
            finally:
                fresh.unlink(missing_ok=True)
            if chart is not None:
                write(folder, out + CHART, to_svg(chart))
            write(folder, out + PROFILE, to_bytes(profile))
            profiles[out] = profile
    return profiles


def _slug(title: str, taken: dict[str, Profile], stem: str) -> str:
    slug = re.sub(r"[^\w-]+", "-", title.casefold()).strip("-") or "sheet"
    number = 1
    while f"{stem}.{slug if number == 1 else f'{slug}-{number}'}" in taken:
        number += 1
    return slug if number == 1 else f"{slug}-{number}"


def summary(profile: Profile, wish: str, out: str) -> str:
    """The summary of one table in Markdown."""
    told = rank(find(profile), wish)
    parts = [f"# Summary of {name(profile['table'])}", sections.shape(profile)]
    parts += ["## Key figures", sections.key_figures([profile])]
    if told:
        parts += ["## What stands out", sections.findings_list(told)]
    parts += ["## Columns", sections.columns_table(profile)]
    gaps = sections.gaps(profile)
    parts += ["## Gaps and caveats", sections.bullet(gaps) if gaps else _clean(profile)]
    parts += ["## Method", sections.method([profile], told)]
    files = [f"`{out}{suffix}`" for suffix in (PROFILE, WORKBOOK, CHART)]
    return "\n\n".join(parts) + f"\n\nThe profile, the workbook and the chart are in {joined(files)}.\n"


def _clean(profile: Profile) -> str:
    columns = sections.count_of(len(profile["columns"]), "column")
    return f"None: in {columns} no cell is empty, no row repeats, and no value lies far from the others."
