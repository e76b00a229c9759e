"""`manage.py words`: collect what is to be translated into the catalogues of `locale/`, and compile them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.utils.translation import to_locale

from clawgroups.catalog import collect, po

PLURALS = {"zh_Hans": "nplurals=1; plural=0;"}


class Command(BaseCommand):
    help = (
        "Collects every text of templates and of Python into locale/*/LC_MESSAGES/django.po, keeps the translations "
        "that fit, compiles django.mo, and says what is not translated. It needs no gettext tools."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        wanted = collect.collect(Path(settings.BASE_DIR))
        for code, _name in settings.LANGUAGES:
            if code == settings.LANGUAGE_CODE:
                continue
            locale = to_locale(code)
            path = Path(settings.LOCALE_PATHS[0]) / locale / "LC_MESSAGES" / "django.po"
            path.parent.mkdir(parents=True, exist_ok=True)
            entries = po.merged(wanted, po.read(path) if path.exists() else ())
            po.write(path, entries, language=locale, plurals=PLURALS[locale])
            faults = [entry for entry in entries if entry.fault]
            for entry in faults:
                self.stdout.write(f"{entry.where[0]}: {entry.fault}: {entry.text[:200]!r}")
            self.stdout.write(f"{locale}: {len(entries)} texts, {len(faults)} to mend")
