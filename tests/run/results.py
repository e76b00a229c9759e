"""What a test run found, read from pytest's own XML reports."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

SKIPPED = "skipped: "
COUNT = re.compile(r"(\d+) passed, (\d+) failed")


@dataclass
class Results:
    """Counts over all stages. A skipped test is named, and under CI=true it is a failure."""

    strict: bool
    passed: int = 0
    failed: int = 0
    skipped: list[str] = field(default_factory=list)

    def check(self, *, ok: bool) -> None:
        """Count one check that is not pytest's: lint, format, types."""
        self.passed += ok
        self.failed += not ok

    def read(self, *reports: Path, status: int) -> None:
        """Count one pytest run. A run that broke before it could count anything is one failure."""
        before = self.failed
        for case in chain.from_iterable(map(_cases, reports)):
            kinds = {child.tag: child for child in case}
            name = f"{case.get('classname', '')}.{case.get('name', '')}"
            if "failure" in kinds or "error" in kinds:
                self.failed += 1
            elif "skipped" in kinds:
                self.skipped.append(f"{name}: {kinds['skipped'].get('message', 'no reason')}")
            else:
                self.passed += 1
        if status != 0 and self.failed == before:
            self.failed += 1

    def add(self, text: str, *, status: int) -> None:
        """Count another run by its closing line. One that broke before it could count anything is one failure."""
        before = self.failed
        if found := COUNT.match(text.rstrip().rpartition("\n")[2]):
            self.passed += int(found[1])
            self.failed += int(found[2])
        if not self.strict:  # else they are among its failures
            self.skipped += [line.removeprefix(SKIPPED) for line in text.splitlines() if line.startswith(SKIPPED)]
        if status != 0 and self.failed == before:
            self.failed += 1

    @property
    def failures(self) -> int:
        return self.failed + (len(self.skipped) if self.strict else 0)

    def summary(self) -> list[str]:
        """The closing lines; the last one is the plain count."""
        lines = [f"{SKIPPED}{reason}" for reason in self.skipped]
        if self.skipped and self.strict:
            lines.append(f"Under CI nothing may be skipped: {len(self.skipped)} count as failed.")
        count = f"{self.passed} passed, {self.failures} failed"
        if self.skipped and not self.strict:
            count += f", {len(self.skipped)} skipped"
        return [*lines, count]


def _cases(report: Path) -> list[ET.Element]:
    try:
        return list(ET.parse(report).iter("testcase"))
    except (OSError, ET.ParseError):
        return []
