"""A version of one document for each role of a list."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="tailored-documents",
    title=gettext_noop("Tailored documents for a list of roles"),
    about=gettext_noop("One text, many readers: for each role what fits it comes first, and what is missing is said."),
    icon="copy",
    goal="A version of $document for each of these roles: $roles",
    inputs=(
        Input(
            "document",
            gettext_noop("The document"),
            Kind.DOCUMENT,
            help=gettext_noop("A text or Markdown file, such as a CV, a proposal or a manual; or paste it here."),
        ),
        Input(
            "roles",
            gettext_noop("Roles"),
            Kind.ROWS,
            most=60,
            name_columns=("role", "name", "title", "position", "job"),
            help=gettext_noop("A table with a row for each and what it asks for. Or type them, one a line."),
        ),
    ),
    steps=(
        Step(
            key="version",
            each="roles",
            about=gettext_noop("Makes the version of each role, all at the same time"),
            title="Version for $each",
            instructions=(
                "Make a version of $document for the role below, as a self-contained HTML file under the name that"
                " stands behind “File:”. Every sentence comes from the document: what fits the role comes first,"
                " nothing is invented, nothing of it is lost. Say what the role asks for and the document does not.\n\n"
                "File: $slug.html\nName: $each\nSource: $document\n\nWhat is known:\n$facts"
            ),
            kind="tailored",
            skills=("writing",),
            acceptance=("not_empty", "file_type: .html", "opens"),
            minutes=10,
            output="document",
        ),
        Step(
            key="bundle",
            after=("version",),
            about=gettext_noop("Puts the versions together, with a list of who gets which"),
            title="Put the documents together",
            instructions=(
                "Put the versions together: a ZIP archive with an index.html that leads to every one, and the documents"
                " beside it.\n\nFile: documents.zip\nName: $document, by role"
            ),
            kind="site",
            skills=("writing",),
            acceptance=("not_empty", "file_type: .zip", "opens"),
            minutes=5,
            output="file",
        ),
    ),
    deliverables=(
        gettext_noop("A document for each role, in one archive (documents.zip)"),
        gettext_noop("What each role asks for that the document does not say (report.html)"),
    ),
    why="Each version rests on the document and one row of the list, so all are made at the same time.",
    samples=("profile.md", "roles.csv"),
)
