"""What a browser calls itself, in words by which its person knows it again."""

from __future__ import annotations

import re

from django.utils.translation import gettext as _

# The first that fits; what a browser says beside its own name is there for old pages.
BROWSERS = (("Edg", "Edge"), ("OPR", "Opera"), ("Firefox", "Firefox"), ("Chrom", "Chrome"), ("Safari", "Safari"))
MACHINES = (
    ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"), ("Windows", "Windows"), ("Mac OS", "Mac"),
    ("CrOS", "ChromeOS"), ("Linux", "Linux"),
)  # fmt: skip


def device(agent: str) -> str:
    """A browser and its machine, from what it calls itself: what tells one's own from a stranger's."""
    browser = next((name for mark, name in BROWSERS if mark in agent), "") or _first_word(agent)
    machine = next((name for mark, name in MACHINES if mark in agent), "")
    if browser and machine:
        return _("{browser} on {machine}").format(browser=browser, machine=machine)
    return browser or machine or _("A program that gives no name")


def _first_word(agent: str) -> str:
    found = re.match(r"[\w.-]{1,40}", agent)
    return found.group() if found else ""
