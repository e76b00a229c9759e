"""A landing page for each shop of a list, and one website of them all."""

from __future__ import annotations

from clawgroups.core.run_templates.shape import Input, Kind, Step, Template, gettext_noop

TEMPLATE = Template(
    name="landing-pages",
    title=gettext_noop("Landing pages for a list of shops"),
    about=gettext_noop("One page for each row of your list, made of what the row says and nothing else, as a website."),
    icon="page",
    goal="A landing page for each of these: $shops\n\nOne website of them all: $title",
    inputs=(
        Input(
            "title",
            gettext_noop("Name of the website"),
            Kind.LINE,
            help=gettext_noop("It stands on the first page, above all shops."),
        ),
        Input(
            "button",
            gettext_noop("What visitors shall do"),
            Kind.LINE,
            required=False,
            otherwise="Get in touch",
            help=gettext_noop("The words on the button, such as “Book a table”."),
        ),
        Input(
            "shops",
            gettext_noop("Shops"),
            Kind.ROWS,
            most=60,
            name_columns=("name", "shop", "store", "company", "title"),
            help=gettext_noop(
                "A table with a row for each: name, city, address, opening hours, phone, website, what it is about."
                " Or type their names, one a line."
            ),
        ),
    ),
    steps=(
        Step(
            key="page",
            each="shops",
            about=gettext_noop("Makes the page of each shop, all at the same time"),
            title="Page for $each",
            instructions=(
                "Make one landing page, a self-contained HTML file under the name that stands behind “File:”. Use what"
                " is known and nothing else: no prices, hours, quotes or claims that are not there. What is not known"
                " is left out, and said in your answer.\n\n"
                "File: $slug.html\nName: $each\nAction: $button\n\nWhat is known:\n$facts"
            ),
            kind="page",
            skills=("writing",),
            acceptance=("not_empty", "file_type: .html", "opens"),
            minutes=10,
            output="file",
        ),
        Step(
            key="site",
            after=("page",),
            about=gettext_noop("Puts the pages together into one website with a first page"),
            title="Put the website together",
            instructions=(
                "Put the pages together into one website: a ZIP archive with an index.html that leads to every page,"
                " and the pages beside it.\n\nFile: website.zip\nName: $title"
            ),
            kind="site",
            skills=("writing",),
            acceptance=("not_empty", "file_type: .zip", "opens"),
            minutes=5,
            output="file",
        ),
    ),
    deliverables=(
        gettext_noop("The website as an archive (website.zip), to look at here or to put on any web server"),
        gettext_noop("What is missing in your list, shop by shop (report.html)"),
    ),
    why="Each page rests on one row of the list, so all are made at the same time; one task puts them together.",
    samples=("shops.csv",),
    sample_words={"title": "Shops of the old town", "button": "Come by"},
)
