"""Static files as browsers get them: hashed, compressed, and all styles and scripts of a page in one file each.

`manage.py prepare` collects them into the data folder (`collect`). Where nothing was collected, as in tests, pages
name the files as they lie in the checkout, one by one.
"""

from __future__ import annotations

import fcntl
import hashlib
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django import template
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.contrib.staticfiles.storage import staticfiles_storage
from django.templatetags.static import static
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from whitenoise.storage import CompressedManifestStaticFilesStorage

register = template.Library()

# In this order: tokens and base first, and last what gives way on narrow screens.
SHEETS = tuple(
    f"css/{name}.css"
    for name in (
        "tokens",
        "base",
        "components",
        "shell",
        "tasks",
        "hands",
        "agents",
        "connect",
        "models",
        "plans",
        "drafts",
        "chat",
        "views",
        "graph",
        "fleet",
        "files",
        "needs",
        "palette",
        "begin",
        "pages",
    )
)
SCRIPTS = (
    "django_htmx/htmx-2.min.js",
    "vendor/idiomorph.min.js",
    "app.js",
    "anew.js",
    "live.js",
    "messages.js",
    "chat.js",
    "attach.js",
    "here.js",
    "notices.js",
    "views.js",
    "graph.js",
    "fleet.js",
    "palette.js",
)
TOGETHER = {"css/site.css": SHEETS, "site.js": SCRIPTS}
# Of other packages only what our pages name; the rest is served as it lies there.
FOREIGN = ("django_htmx/htmx-2.min.js", "admin/css/", "admin/img/")
MARK = "collected"


class Storage(CompressedManifestStaticFilesStorage):  # type: ignore[misc]
    """Addresses with the hash of what they give; the plain ones of files that were not collected."""

    manifest_strict = False

    def stored_name(self, name: str) -> str:
        return str(self.hashed_files.get(self.hash_key(self.clean_name(name)), name))


@register.simple_tag
def styles() -> SafeString:
    """The links to all styles of a page."""
    names = [(static(name),) for name in _named("css/site.css")]
    return format_html_join("\n  ", '<link rel="stylesheet" href="{}">', names)


@register.simple_tag
def scripts() -> SafeString:
    """All scripts of a page, in their order."""
    return format_html_join("\n  ", '<script src="{}" defer></script>', [(static(name),) for name in _named("site.js")])


@register.simple_tag
def script(name: str) -> SafeString:
    """One more script, of this page alone."""
    return format_html('<script src="{}" defer></script>', static(name))


def _named(together: str) -> tuple[str, ...]:
    known = getattr(staticfiles_storage, "hashed_files", {})
    return (together,) if together in known else TOGETHER[together]


def collect() -> bool:
    """Bring the folder of static files up to date; False where it was. Several processes may do so at once.

    Files of before stay: a page that is open, or a process that still runs, may name them.
    """
    root = Path(settings.STATIC_ROOT)
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = dict(_found())
    mark = _fingerprint(found)
    with _alone(root):
        done = root / MARK
        if done.exists() and done.read_text() == mark and (root / "staticfiles.json").exists():
            return False
        _process(root, found)
        done.write_text(mark)
    return True


def _found() -> Iterator[tuple[str, Path]]:
    ours = tuple(str(folder) for folder in settings.STATICFILES_DIRS)
    for finder in get_finders():
        for name, storage in finder.list([]):
            path = storage.path(name)
            if path.startswith(ours) or name.startswith(FOREIGN):
                yield name, Path(path)


def _fingerprint(found: dict[str, Path]) -> str:
    read = hashlib.sha256()
    for name, path in sorted([*found.items(), ("", Path(__file__))]):
        stat = path.stat()
        read.update(f"{name}:{stat.st_size}:{stat.st_mtime_ns}\n".encode())
    return read.hexdigest()


def _process(root: Path, found: dict[str, Path]) -> None:
    for name, path in found.items():
        to = root / name
        to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copyfile(path, to)
    for name, parts in TOGETHER.items():
        # Each script is a function of its own; the semicolon parts them, and does no harm between them.
        between = ";\n" if name.endswith(".js") else "\n"
        (root / name).write_text(between.join(found[part].read_text(encoding="utf-8") for part in parts))
    storage: Any = Storage(location=str(root))
    for _name, _hashed, done in storage.post_process({name: (storage, name) for name in [*found, *TOGETHER]}):
        if isinstance(done, Exception):
            raise done


@contextmanager
def _alone(root: Path) -> Iterator[None]:
    with (root / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
